// Command compose brings up deploy/compose.yaml on a Docker engine, uses it as
// clients do, and breaks one part after the other. It ends with status 1 if any
// claim does not hold, and removes everything that it made, in any case.
//
// Images that no registry gives are made of programs of the host, and it says
// so. Clients run on the host and use ports of 127.0.0.1 only.
//
// With -prove it first breaks each claim on purpose, and fails if that is not
// seen. Without, it does so with the two that need no time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"cloudmirror"
)

// Settings are the flags.
type settings struct {
	compose  string
	images   string
	run      *regexp.Regexp
	prove    bool
	optional bool
	keep     bool
}

// cheapProofs take no time, so that each run plays them.
var cheapProofs = []string{"cold-and-warm", "purge"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s, err := parseSettings()
	if err == nil {
		err = run(ctx, s)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compose:", err)
		os.Exit(1)
	}
}

func parseSettings() (settings, error) {
	var s settings
	flag.StringVar(&s.compose, "compose", "", "`COMMAND` of docker-compose; by default docker compose, or docker-compose")
	flag.StringVar(&s.images, "images", "auto", "public, stand-in, or auto: public if a registry answers")
	pattern := flag.String("run", "", "run only the steps whose names match `REGEXP`")
	flag.BoolVar(&s.prove, "prove", false, "break each claim on purpose, and fail if that is not seen")
	flag.BoolVar(&s.optional, "optional", false, "without an engine, say so loudly and end with status 0")
	flag.BoolVar(&s.keep, "keep", false, "leave everything running")
	flag.Parse()
	if !slices.Contains([]string{"auto", "public", "stand-in"}, s.images) {
		return s, fmt.Errorf("-images %s is neither auto, public nor stand-in", s.images)
	}
	var err error
	s.run, err = regexp.Compile(*pattern)
	return s, err
}

func run(ctx context.Context, s settings) (err error) {
	e, err := findEngine(ctx, s.compose)
	if err != nil {
		if s.optional {
			fmt.Printf("\n  !!!  NOT TESTED: deploy/compose.yaml and the image, on a Docker engine.\n  !!!  %s\n", tail(err.Error(), 1))
			return nil
		}
		return err
	}
	dir, err := os.MkdirTemp("", "cloudmirror-compose-")
	if err != nil {
		return err
	}
	defer func() {
		if !s.keep { // containers have a file of it
			_ = os.RemoveAll(dir)
		}
	}()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // containers read the configuration below
		return err
	}
	begun := time.Now()
	d, err := newDeployment(e, dir, "cm-"+cloudmirror.NewID()[:8])
	if err != nil {
		return err
	}
	defer func() {
		if s.keep {
			logf("left running: project %s, %s; its files are in %s", d.project, d.balancerURL(), dir)
			return
		}
		if removed := d.remove(ctx); removed != nil {
			err = errors.Join(err, fmt.Errorf("removed: not everything is gone: %w", removed))
		} else {
			logf("removed: containers, networks, volumes and images of %s are gone; %v in all", d.project, since(begun))
		}
	}()
	if err := d.start(ctx, s); err != nil {
		return err
	}
	logf("all healthy after %v", since(begun))
	return d.play(ctx, s)
}

// start builds or pulls the images and brings everything up.
func (d *deployment) start(ctx context.Context, s settings) (err error) {
	public := s.images == "public" || s.images == "auto" && canPull(ctx, d.engine)
	if d.images, err = buildImages(ctx, d.engine, d.dir, d.project, public); err != nil {
		return err
	}
	if public {
		logf("images: the public defaults of compose.yaml")
	} else {
		logf("images: no registry was used; made of programs of this machine:")
		for _, line := range d.images.standIns {
			logf("    %s", line)
		}
	}
	return d.up(ctx)
}

// play runs the steps. One that fails does not keep the others from running.
func (d *deployment) play(ctx context.Context, s settings) error {
	var errs []error
	for _, step := range steps() {
		if !s.run.MatchString(step.name) {
			continue
		}
		begun := time.Now()
		logf("%s: %s", step.name, step.claim)
		var err error
		if s.prove || slices.Contains(cheapProofs, step.name) {
			err = d.prove(ctx, step)
		}
		if err == nil {
			err = step.run(ctx, d)
		}
		if err != nil {
			logf("    FAILED: %v", err)
			errs = append(errs, fmt.Errorf("%s: %w", step.name, err))
			if ctx.Err() != nil {
				break
			}
			d.showLogs(ctx)
			if err := d.mend(ctx); err != nil {
				errs = append(errs, fmt.Errorf("after %s: %w", step.name, err))
				break
			}
			continue
		}
		logf("    ok, %v", since(begun))
	}
	return errors.Join(errs...)
}

// showLogs prints the last of what the containers said.
func (d *deployment) showLogs(ctx context.Context) {
	text, err := d.run(ctx, "logs", "--no-color", "--tail", "40")
	if err != nil {
		text = err.Error()
	}
	fmt.Fprintln(os.Stderr, text)
}

func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s compose: %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }
