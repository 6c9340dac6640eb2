package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A server says how to start one. In args and config, ADDRESS and PORT stand for
// where it is to listen, DIR for an empty directory of its own in parent (if that
// is "", in the lab), and CONFIG for the file that holds config.
type server struct {
	program string
	args    []string
	env     []string
	config  string
	parent  string
}

// A process is a running server.
type process struct {
	address string // host and port
	dir     string // its own, removed by stop
	command *exec.Cmd
	started time.Time
	output  bytes.Buffer // to be read when the process has ended
	behind  *process     // is stopped after it; may be nil
	cancel  context.CancelFunc
}

// start starts a server on a free port and waits until it accepts connections.
func (l *lab) start(ctx context.Context, s server) (*process, error) {
	p, err := l.launch(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := dial(ctx, p.address); err != nil {
		p.stop()
		return nil, fmt.Errorf("start %s: %w\n%s", s.program, err, &p.output)
	}
	return p, nil
}

// launch starts a server on a free port.
func (l *lab) launch(ctx context.Context, s server) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	port := address[strings.LastIndex(address, ":")+1:]
	dir, config := filepath.Join(cmp.Or(s.parent, l.dir), "on-"+port), l.path("on-"+port+".conf")
	fill := strings.NewReplacer("ADDRESS", address, "PORT", port, "CONFIG", config, "DIR", dir)
	err = errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(config, []byte(fill.Replace(s.config)), 0o600))
	if err != nil {
		return nil, err
	}
	l.note(s.describe())

	ctx, cancel := context.WithCancel(ctx)
	p := &process{address: address, dir: dir, cancel: cancel}
	p.command = exec.CommandContext(ctx, s.program)
	for _, argument := range s.args {
		p.command.Args = append(p.command.Args, fill.Replace(argument))
	}
	p.command.Env = environment(s.env)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	p.command.WaitDelay = 40 * time.Second
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.started = time.Now()
	if err := p.command.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", s.program, err)
	}
	return p, nil
}

// describe returns the command line, and the configuration below it.
func (s server) describe() string {
	text := commandLine(strings.Join(append(slices.Clone(s.env), filepath.Base(s.program)), " "), s.args)
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
	p.cancel()
	_ = p.command.Wait() // it was told to end
	_ = os.RemoveAll(p.dir)
	if p.behind != nil {
		p.behind.stop()
	}
}

// cpu returns the processor time that the process has used, in user mode and in
// the kernel: fields 14 and 15 of proc_pid_stat(5), in ticks, which Linux shows
// to programs as 1/100 s everywhere.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		return 0, err
	}
	// The second field may hold anything, and ends with the last parenthesis.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks time.Duration
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.proc("stat"), err)
		}
		ticks += time.Duration(n)
	}
	return ticks * (time.Second / 100), nil
}

// peakMemory returns the most that was resident at any time, in bytes.
func (p *process) peakMemory() (int64, error) { return p.memory("VmHWM") }

// memory returns a size of proc_pid_status(5), in bytes.
func (p *process) memory(field string) (int64, error) {
	text, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", p.proc("status"), field)
}

// environment returns ours with more in it, and without what would change how
// programs do what is measured.
func environment(more []string) []string {
	ours := slices.DeleteFunc(os.Environ(), func(setting string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(setting), "=")
		for _, prefix := range []string{"AWS_", "CLOUDMIRROR_", "RCLONE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"} {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	})
	return append(ours, more...)
}

func (p *process) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", p.command.Process.Pid, file)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// dial waits until something accepts connections at the address.
func dial(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing listens on %s: %w", address, err)
		case <-tick.C:
		}
	}
}
