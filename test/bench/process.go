package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudmirror/test/lab"
)

// A server is a command in whose arguments, and in whose config, ADDRESS and PORT
// stand for where it is to listen, DIR for an empty directory of its own in parent
// (if that is "", in the laboratory), and CONFIG for the file that holds config.
type server struct {
	lab.Command
	config string
	parent string
}

// A process is a running server.
type process struct {
	*lab.Process
	address string   // host and port
	dir     string   // its own, removed by stop
	behind  *process // is stopped after it; may be nil
}

// start starts a server on a free port and waits until it accepts connections.
func (l *laboratory) start(ctx context.Context, s server) (*process, error) {
	return l.launch(ctx, s, lab.Accepts)
}

// launch starts a server on a free port, and waits until it is ready.
func (l *laboratory) launch(ctx context.Context, s server, ready func(address string) func(context.Context) error) (*process, error) {
	port, err := lab.FreePort()
	if err != nil {
		return nil, err
	}
	p := &process{address: "127.0.0.1:" + port, dir: filepath.Join(cmp.Or(s.parent, l.dir), "on-"+port)}
	config := l.path("on-" + port + ".conf")
	fill := strings.NewReplacer("ADDRESS", p.address, "PORT", port, "CONFIG", config, "DIR", p.dir)
	err = errors.Join(os.Mkdir(p.dir, 0o700), os.WriteFile(config, []byte(fill.Replace(s.config)), 0o600))
	if err != nil {
		return nil, err
	}
	l.note(s.describe())
	c := s.Command
	c.Environ, c.Args = environment(), nil
	for _, argument := range s.Args {
		c.Args = append(c.Args, fill.Replace(argument))
	}
	c.Ready = ready(p.address)
	p.Process, err = lab.Start(ctx, c)
	return p, err
}

// describe returns the command line, and the configuration below it.
func (s server) describe() string {
	text := commandLine(strings.Join(append(slices.Clone(s.Env), filepath.Base(s.Program)), " "), s.Args)
	for line := range strings.Lines(s.config) {
		text += "\n    " + strings.TrimRight(line, "\n")
	}
	return text
}

// commandLine returns a command as one would type it.
func commandLine(command string, args []string) string {
	for _, argument := range args {
		if argument == "" || strings.ContainsAny(argument, ` ^\[;`) {
			argument = "'" + argument + "'"
		}
		command += " " + argument
	}
	return command
}

// stop ends the process in order, waits for it and removes its directory.
func (p *process) stop() {
	_, _ = p.Terminate() // it ends either way
	_ = os.RemoveAll(p.dir)
	if p.behind != nil {
		p.behind.stop()
	}
}

// peakMemory returns the most that was resident at any time, in bytes.
func (p *process) peakMemory() (int64, error) { return lab.Memory(p.Pid(), "VmHWM") }

// environment returns this process's without what would change how programs do what
// is measured.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(setting string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(setting), "=")
		for _, prefix := range []string{"AWS_", "CLOUDMIRROR_", "RCLONE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"} {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	})
}
