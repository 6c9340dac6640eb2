package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"cloudmirror/test/lab"
)

const diskBytes = 24 << 20

// diskScenarios fill the file system of a process with file storage.
func diskScenarios() []scenario {
	s := new(embedded)
	return []scenario{{
		name: "disk-full", what: "`serve` with file storage: the disk is full for 8 s", small: true, atOnce: 2,
		without: func() string { _, why := unshare(); return why },
		prepare: s.start, fault: s.fill, cleanUp: s.stop,
	}}
}

// An embedded is `cloudmirror serve` whose data directory is a small file system
// of its own, in a mount namespace of the process.
type embedded struct {
	process *lab.Process
	dir     string // the mount point, as the process sees it
}

// unshare returns the command that makes a mount namespace, or why there is none.
func unshare() (flags []string, why string) {
	for _, flags := range [][]string{{"-m"}, {"-r", "-m"}} {
		if exec.Command("unshare", append(flags, "sh", "-c", "mount -t tmpfs none /mnt")...).Run() == nil {
			return flags, ""
		}
	}
	return nil, "this machine lets nobody mount a file system, not even in a namespace of its own (unshare -m)"
}

func (s *embedded) start(ctx context.Context, p *play) error {
	flags, _ := unshare()
	dir, err := p.mkdir(fmt.Sprintf("disk-%d", time.Now().UnixNano()))
	if err != nil {
		return err
	}
	s.dir = dir
	listen, err := lab.FreeAddress()
	if err != nil {
		return err
	}
	config, err := p.write("serve.yaml", p.configFor(
		[]string{"listen: " + listen, "data_dir: '" + dir + "'"}, lab.AllowOrigin("http://"+p.originName), func(string) string { return "{type: file}" }))
	if err != nil {
		return err
	}
	mount := fmt.Sprintf(`mount -t tmpfs -o size=%d none "$0" && exec "$@"`, diskBytes)
	s.process, err = p.start(ctx, "serve", lab.Command{
		Program: "unshare", Args: append(flags, "sh", "-c", mount, dir, p.path("cloudmirror"), "serve", "--config", config),
		Ready: lab.Accepts(listen),
	})
	if err != nil {
		return err
	}
	front := "http://" + listen
	p.front.Store(&front)
	return p.warm(ctx, func(i item) bool { return i.kind == hot })
}

// fill takes all space, and gives it back.
func (s *embedded) fill(ctx context.Context, p *play) error {
	filler := fmt.Sprintf("/proc/%d/root%s/filler", s.process.Pid(), s.dir)
	file, err := os.Create(filler)
	if err != nil {
		return err
	}
	defer file.Close()
	var written int64
	for begun := time.Now(); time.Since(begun) < 8*time.Second; {
		n, err := file.Write(make([]byte, 4<<10))
		written += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			err = lab.Pause(ctx, 10*time.Millisecond) // what the process frees is taken as well
		}
		if err != nil {
			return err
		}
	}
	p.note("%d of %d bytes were taken", written, diskBytes)
	return os.Remove(filler)
}

func (s *embedded) stop(_ context.Context, p *play) error {
	p.front.Store(nil)
	if s.process == nil {
		return nil
	}
	return terminate(s.process)
}
