package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Read reads the one YAML document of a file and remembers in sources where each
// key was set. A key that is not in the file keeps its value. Read returns every
// problem that it found; the keys that have none are set all the same. The file's
// name is for the problems and sources.
func (s Section) Read(file string, data []byte, sources Sources) []error {
	d := &decoder{file: file, sources: sources}
	sources[""] = file + ":1"
	d.decodeFile(data, s)
	return d.problems
}

// A decoder walks the nodes of a file along the grammar. It collects every
// problem and goes on.
type decoder struct {
	file     string
	count    int          // pairs read so far
	merging  []*yaml.Node // mappings whose keys are being taken over
	sources  Sources
	problems []error
}

// decodeFile reads the one YAML document of a file into s.
func (d *decoder) decodeFile(data []byte, s Section) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return // empty
	}
	if err != nil {
		d.problems = append(d.problems, d.syntaxError(data, err))
		return
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		d.fail(&more, "", "the file must hold one YAML document")
		return
	}
	if len(document.Content) == 0 {
		return
	}
	root := document.Content[0]
	d.visit(root, "")
	s.decode(d, "", root)
}

// syntaxError gives an error of the YAML parser the form of all problems. The name of an
// unknown anchor is left out: a secret that begins with * is taken for one.
func (d *decoder) syntaxError(data []byte, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := "1"
	if rest, found := strings.CutPrefix(text, "line "); found {
		line, text, _ = strings.Cut(rest, ": ")
	}
	if rest, found := strings.CutPrefix(text, "unknown anchor '"); found {
		anchor, _, _ := strings.Cut(rest, "'")
		before, _, _ := bytes.Cut(data, []byte("*"+anchor))
		line = strconv.Itoa(1 + bytes.Count(before, []byte("\n")))
		text = "an alias (*) names an anchor that does not exist"
	}
	return fmt.Errorf("%s:%s: not valid YAML: %s", d.file, line, strings.Join(strings.Fields(text), " "))
}

// visit remembers where a key was set.
func (d *decoder) visit(n *yaml.Node, path string) {
	d.sources[path] = fmt.Sprintf("%s:%d", d.file, max(n.Line, 1))
}

func (d *decoder) fail(n *yaml.Node, path, format string, args ...any) {
	where := fmt.Sprintf("%s:%d", d.file, max(n.Line, 1))
	d.problems = append(d.problems, Problem(where, path, fmt.Errorf(format, args...)))
}
