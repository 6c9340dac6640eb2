package filestore

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A ledger is a disk that notes what is done to it.
type ledger struct {
	realDisk
	mu     sync.Mutex
	events []event
	linked func() // called once, after the next link
}

// An event is one change, sync or promise.
type event struct {
	verb string // mkdir, create, write, sync, link, rename, remove; or a promise to a caller
	path string // absolute; of a promise, the key
	to   string // of link and rename
	data string // of write; of a promise, the content

	offset int64 // of write
}

func (l *ledger) note(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// noted notes a change of names that was made.
func (l *ledger) noted(err error, verb string, root *os.Root, path, to string) error {
	if err == nil {
		e := event{verb: verb, path: filepath.Join(root.Name(), path)}
		if to != "" {
			e.to = filepath.Join(root.Name(), to)
		}
		l.note(e)
	}
	return err
}

func (l *ledger) mkdir(root *os.Root, path string) error {
	return l.noted(l.realDisk.mkdir(root, path), "mkdir", root, path, "")
}

func (l *ledger) create(root *os.Root, path string) (*os.File, error) {
	file, err := l.realDisk.create(root, path)
	return file, l.noted(err, "create", root, path, "")
}

func (l *ledger) write(file *os.File, p []byte, offset int64) (int, error) {
	l.note(event{verb: "write", path: filepath.Clean(file.Name()), data: string(p), offset: offset})
	return l.realDisk.write(file, p, offset)
}

func (l *ledger) sync(file *os.File) error {
	err := l.realDisk.sync(file)
	if err == nil {
		l.note(event{verb: "sync", path: filepath.Clean(file.Name())})
	}
	return err
}

func (l *ledger) link(root *os.Root, from, to string) error {
	err := l.noted(l.realDisk.link(root, from, to), "link", root, from, to)
	if then := l.linked; err == nil && then != nil {
		l.linked = nil
		then()
	}
	return err
}

func (l *ledger) rename(root *os.Root, from, to string) error {
	return l.noted(l.realDisk.rename(root, from, to), "rename", root, from, to)
}

func (l *ledger) remove(root *os.Root, path string) error {
	return l.noted(l.realDisk.remove(root, path), "remove", root, path, "")
}

// An inode is a file or directory, whatever its names are.
type inode struct {
	dir    bool
	writes []write
}

type write struct {
	data   string
	offset int64
	safe   bool
}

// A naming is a change of one entry of a directory; to nil, it is taken away.
type naming struct {
	dir, name string
	to        *inode
	safe      bool
}

// A crashing is a disk after some events, when its machine dies: what it surely
// has, and what it may have.
type crashing struct {
	live    map[string]*inode // by path, as it was before
	namings []naming
}

// replay returns the disk after some events below a directory that was there
// before.
func replay(events []event, base string) *crashing {
	c := &crashing{live: map[string]*inode{base: {dir: true}}}
	for _, e := range events {
		switch e.verb {
		case "mkdir":
			c.name(e.path, &inode{dir: true})
		case "create":
			c.name(e.path, new(inode))
		case "write":
			file := c.live[e.path]
			file.writes = append(file.writes, write{data: e.data, offset: e.offset})
		case "sync":
			c.sync(e.path)
		case "link":
			c.name(e.to, c.live[e.path])
		case "rename":
			c.name(e.to, c.live[e.path])
			c.name(e.path, nil)
		case "remove":
			c.name(e.path, nil)
		}
	}
	return c
}

func (c *crashing) name(path string, to *inode) {
	if to == nil {
		delete(c.live, path)
	} else {
		c.live[path] = to
	}
	c.namings = append(c.namings, naming{dir: filepath.Dir(path), name: filepath.Base(path), to: to})
}

func (c *crashing) sync(path string) {
	node := c.live[path]
	for i := range node.writes {
		node.writes[i].safe = true
	}
	for i := range c.namings {
		if c.namings[i].dir == path {
			c.namings[i].safe = true
		}
	}
}

// A fate decides what becomes of what was not synced.
type fate struct {
	random *rand.Rand
	share  float64 // how much of it is kept
}

func (f fate) keeps() bool { return f.random.Float64() < f.share }

// restart makes the directory that is found after the crash in a new place, and
// returns the directory that has become of base. Names that were not synced are
// kept or lost, each by itself; writes are kept, never made, half made, or left
// as zeros.
func (c *crashing) restart(t *testing.T, base, place string, f fate) {
	entries := make(map[string]map[string]*inode)
	for _, n := range c.namings {
		if !n.safe && !f.keeps() {
			continue
		}
		if entries[n.dir] == nil {
			entries[n.dir] = make(map[string]*inode)
		}
		entries[n.dir][n.name] = n.to
	}
	contents := make(map[*inode]string)
	var build func(dir, place string)
	build = func(dir, place string) {
		if err := os.MkdirAll(place, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, node := range entries[dir] {
			switch to := filepath.Join(place, name); {
			case node == nil:
			case node.dir:
				build(filepath.Join(dir, name), to)
			default:
				if _, known := contents[node]; !known {
					contents[node] = node.survives(f)
				}
				if err := os.WriteFile(to, []byte(contents[node]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	build(base, place)
}

// survives returns what a file holds after the crash.
func (n *inode) survives(f fate) string {
	var text []byte
	write := func(data string, offset int64) {
		if missing := int(offset) + len(data) - len(text); missing > 0 {
			text = append(text, make([]byte, missing)...)
		}
		copy(text[offset:], data)
	}
	for _, w := range n.writes {
		switch {
		case w.safe || f.keeps():
			write(w.data, w.offset)
		case f.keeps() || f.random.IntN(2) == 0:
			write(strings.Repeat("\x00", len(w.data)), w.offset)
		default:
			write(w.data[:len(w.data)/2], w.offset)
			return string(text)
		}
	}
	return string(text)
}
