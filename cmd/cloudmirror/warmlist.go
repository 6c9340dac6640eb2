package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"cloudmirror"
)

// Limits of the lists of `warm`.
const (
	maxListLineBytes = 4 * cloudmirror.MaxURLBytes // a redirect's URL has the origin's in it, encoded
	maxListURLs      = 1_000_000
	maxNamedLines    = 10 // that are wrong
)

// A list collects the URLs of lists.
type list struct {
	target *target
	urls   []string // canonical, each once
	seen   map[string]bool
	wrong  []string // lines that are no URLs, each with its place and why
}

// readLists returns the URLs of files, each once, in the order in which they come. The
// file - is standard input.
func (c *cli) readLists(t *target, names []string) ([]string, error) {
	l := &list{target: t, seen: make(map[string]bool)}
	for _, name := range names {
		if err := c.readList(l, name); err != nil {
			return nil, err
		}
	}
	if n := len(l.wrong); n > 0 {
		text := strings.Join(l.wrong[:min(n, maxNamedLines)], "\n  ")
		if n > maxNamedLines {
			text += fmt.Sprintf("\n  and %d more", n-maxNamedLines)
		}
		return nil, usagef("nothing was sent, since not every line is a URL:\n  %s", text)
	}
	if len(l.urls) == 0 {
		return nil, usagef("there is no URL in %s", strings.Join(names, ", "))
	}
	return l.urls, nil
}

func (c *cli) readList(l *list, name string) error {
	if name == "-" {
		if _, _, isTerminal := screen(c.stdin); isTerminal {
			fmt.Fprintln(c.stderr, "cloudmirror: type or paste the list, one URL a line; ^D ends it")
		}
		return l.read(c.stdin, "standard input")
	}
	file, err := os.Open(name)
	if err != nil {
		return usagef("read the list: %w", err)
	}
	defer file.Close()
	return l.read(file, name)
}

func (l *list) read(from io.Reader, name string) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxListLineBytes)
	n := 0
	for lines.Scan() {
		n++
		line := lines.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff") // some editors begin files with it
		}
		line = strings.TrimSpace(line)
		if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) {
			return usagef("%s:%d: the line is no text: a list has one URL a line", name, n)
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if err := l.add(line); err != nil {
			l.wrong = append(l.wrong, fmt.Sprintf("%s:%d: %.80s: %v", name, n, withoutSecrets(line), err))
		}
		if len(l.urls) > maxListURLs {
			return usagef("%s:%d: there are more than %d URLs: split the list", name, n, maxListURLs)
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return usagef("%s:%d: the line is longer than %d bytes: a list has one URL a line", name, n+1, maxListLineBytes)
	}
	if err != nil {
		return usagef("read the list %s: %w", name, err)
	}
	return nil
}

func (l *list) add(line string) error {
	if m, ok := cloudmirror.ParseRedirectURL(line); ok && m.Backend.Service != l.target.backend.Service {
		return fmt.Errorf("the URL is one of the service %s, and the list is for %s", cloudmirror.Plain(m.Backend.Service), l.target.backend.Service)
	}
	o, err := l.target.read(line)
	if err == nil {
		o, err = cloudmirror.ParseObject(o.URL()) // read takes URLs that are not copied any more
	}
	if err == nil && !l.seen[o.URL()] {
		l.seen[o.URL()] = true
		l.urls = append(l.urls, o.URL())
	}
	return err
}
