package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"cloudmirror/test/lab"
)

// Images are the variables of deploy/compose.yaml that name images. A variable
// that is not there has its public default.
type images struct {
	variables []string // NAME=image
	built     []string // here, and removed at the end
	origin    string   // which has no variable: it is the test's own
	standIns  []string // what stands in for what, for people
}

// A standIn is an image made of programs of the host, for where no registry can
// be reached.
type standIn struct {
	variable string
	name     string
	what     string
	programs map[string]string // path in the image: program on the host, or standin
	command  string            // JSON of the default command, if the image has one
	user     string
}

var standIns = []standIn{
	{variable: "REDIS_IMAGE", name: "redis", what: "the host's Redis", user: "65532", programs: map[string]string{"redis-server": "redis-server", "redis-cli": "redis-cli"}},
	{variable: "BALANCER_IMAGE", name: "balancer", what: "the host's HAProxy", user: "65532", programs: map[string]string{"haproxy": "haproxy", "wget": "standin"}},
	{variable: "STORAGE_IMAGE", name: "storage", what: "minio of .tools", user: "0", programs: map[string]string{"minio": "minio", "mc": "standin"}},
	{variable: "SQS_IMAGE", name: "sqs", what: "OUR OWN SQS-protocol server, that of our tests, and no other implementation", user: "65532", command: `["standin", "sqs"]`, programs: map[string]string{"standin": "standin", "wget": "standin"}},
}

// buildImages builds cloudmirror, the origin, and what cannot be pulled.
func buildImages(ctx context.Context, e *engine, dir, run string, public bool) (i *images, err error) {
	i = &images{}
	tag := func(name string) string {
		image := "cloudmirror-compose-test/" + name + ":" + run
		i.built = append(i.built, image)
		return image
	}
	image := tag("cloudmirror")
	i.variables = append(i.variables, "CLOUDMIRROR_IMAGE="+image)
	if _, err := output(ctx, nil, "make", "--no-print-directory", "image", "IMAGE="+image); err != nil {
		return i, err
	}
	binary := filepath.Join(dir, "standin")
	if _, err := output(ctx, []string{"CGO_ENABLED=0"}, "go", "build", "-o", binary, "./test/compose/standin"); err != nil {
		return i, err
	}
	origin := standIn{name: "origin", user: "65532", programs: map[string]string{"standin": "standin"}}
	i.origin = tag(origin.name)
	if err := origin.build(ctx, e, dir, i.origin); err != nil || public {
		return i, err
	}
	for _, s := range standIns {
		image := tag(s.name)
		if err := s.build(ctx, e, dir, image); err != nil {
			return i, err
		}
		i.variables = append(i.variables, s.variable+"="+image)
		i.standIns = append(i.standIns, s.name+" is "+s.what)
	}
	return i, nil
}

// remove removes what was built.
func (i *images) remove(ctx context.Context, e *engine) error {
	var errs []error
	for _, image := range i.built {
		if id, err := e.docker(ctx, "images", "-q", image); err != nil || id == "" {
			errs = append(errs, err) // it was not built
			continue
		}
		_, err := e.docker(ctx, "rmi", "-f", image)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// build makes the image: programs, the libraries that they are linked with, and
// what shells would expect.
func (s standIn) build(ctx context.Context, e *engine, dir, image string) error {
	root := filepath.Join(dir, "image-"+s.name)
	for name, program := range s.programs {
		source := filepath.Join(dir, program)
		if program != "standin" {
			var err error
			if source, err = lab.Find(program, "`make compose-test`"); err != nil {
				return err
			}
		}
		if err := place(source, filepath.Join(root, "usr", "bin", name)); err != nil {
			return err
		}
		libraries, err := librariesOf(ctx, source)
		if err != nil {
			return err
		}
		for _, library := range libraries {
			if err := place(library, filepath.Join(root, library)); err != nil {
				return err
			}
		}
	}
	file := "FROM scratch\nCOPY . /\nENV PATH=/usr/bin\nUSER " + s.user + "\n"
	if s.command != "" {
		file += "CMD " + s.command + "\n"
	}
	if err := os.WriteFile(filepath.Join(root, "Dockerfile"), []byte(file), 0o600); err != nil {
		return err
	}
	_, err := e.docker(ctx, "build", "-q", "-t", image, root)
	return err
}

// place links or copies a file, following links.
func place(from, to string) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // the users of the image read it
		return err
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755) //nolint:gosec // it is a program
}

// libraryPath finds the files in the output of ldd.
var libraryPath = regexp.MustCompile(`(?m)^\s+(?:\S+ => )?(/\S+) \(`)

func librariesOf(ctx context.Context, program string) ([]string, error) {
	text, err := output(ctx, nil, "ldd", program)
	if err != nil {
		if strings.Contains(err.Error(), "not a dynamic executable") {
			return nil, nil
		}
		return nil, err
	}
	var paths []string
	for _, match := range libraryPath.FindAllStringSubmatch("\n"+text, -1) {
		paths = append(paths, match[1])
	}
	return paths, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// canPull tries whether a registry answers.
func canPull(ctx context.Context, e *engine) bool {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err := e.docker(ctx, "pull", "-q", "redis:7-alpine")
	return err == nil
}
