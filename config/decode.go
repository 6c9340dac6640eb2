package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxPairs bounds the work of reading a file whose aliases and merges multiply.
const maxPairs = 50_000

// mergeKey takes over the keys of other mappings (yaml.org/type/merge.html).
const mergeKey = "<<"

// A decoder walks the nodes of a file along the grammar. It collects every
// problem and goes on.
type decoder struct {
	file     string
	count    int          // pairs read so far
	merging  []*yaml.Node // mappings whose keys are being taken over
	sources  map[string]string
	problems []error
}

// decodeFile reads the one YAML document of a file into s.
func (d *decoder) decodeFile(data []byte, s section) {
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

// syntaxError puts an error of the YAML parser into our form. The name of an
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
	d.problems = append(d.problems, problem(where, path, fmt.Errorf(format, args...)))
}

// problem is the one form of an error: where, which key, what is wrong.
func problem(where, key string, err error) error {
	if key == "" {
		return fmt.Errorf("%s: %w", where, err)
	}
	return fmt.Errorf("%s: %s: %w", where, key, err)
}

// A pair is one key of a mapping with its value.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs returns the keys of a mapping, those of merged mappings behind its own.
// It reports keys that are set twice.
func (d *decoder) pairs(n *yaml.Node, path string) []pair {
	var own []pair
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := resolve(n.Content[i]), n.Content[i+1]
		if d.count++; d.count == maxPairs {
			d.fail(k, path, "the file has more than %d keys, aliases counted as often as they are used", maxPairs)
		}
		if d.count >= maxPairs {
			return nil
		}
		switch first := indexOf(own, k.Value); {
		case k.Kind != yaml.ScalarNode || k.ShortTag() == tagNull:
			d.fail(k, path, "every key must be a word")
		case k.Value == mergeKey:
			merged = append(merged, v)
		case first >= 0:
			d.fail(k, join(path, label(k.Value)), "is set twice, first in line %d", own[first].key.Line)
		default:
			own = append(own, pair{name: k.Value, key: k, value: v})
		}
	}
	for _, v := range merged {
		own = d.merge(own, v, path)
	}
	return own
}

// merge adds those keys of the mapping n, or of a list of mappings, that own
// does not have.
func (d *decoder) merge(own []pair, n *yaml.Node, path string) []pair {
	n = resolve(n)
	sources := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		sources = n.Content
	}
	for _, source := range sources {
		source = resolve(source)
		if source.Kind != yaml.MappingNode {
			d.fail(source, path, "%s must be followed by a mapping, or a list of mappings", mergeKey)
			continue
		}
		if slices.Contains(d.merging, source) {
			d.fail(source, path, "%s merges a mapping into itself", mergeKey)
			continue
		}
		d.merging = append(d.merging, source)
		for _, p := range d.pairs(source, path) {
			if indexOf(own, p.name) < 0 {
				own = append(own, p)
			}
		}
		d.merging = d.merging[:len(d.merging)-1]
	}
	return own
}

func indexOf(pairs []pair, name string) int {
	return slices.IndexFunc(pairs, func(p pair) bool { return p.name == name })
}

// resolve returns what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// decodeScalar reads one scalar and reports what keeps it from being one.
func decodeScalar[T any](d *decoder, path string, n *yaml.Node, k kind[T]) (v T, ok bool) {
	at := n
	n = resolve(n)
	if n.Kind != yaml.ScalarNode {
		d.fail(at, path, "must be a single value")
		return v, false
	}
	if n.ShortTag() == tagNull {
		d.fail(at, path, "has no value; leave the key out for its default")
		return v, false
	}
	v, err := k.parse(n.Value)
	if err == nil && !slices.Contains(k.tags, n.ShortTag()) {
		err = k.wrongType(n)
	}
	if err != nil {
		d.fail(at, path, "%w", err)
		return v, false
	}
	return v, true
}

// wrongType says how to write a value that would do, were it not for its type.
func (k kind[T]) wrongType(n *yaml.Node) error {
	show := k.show
	if show == nil {
		show = quote
	}
	if n.ShortTag() == tagText {
		return fmt.Errorf("%s must be written without quotes", show(n.Value))
	}
	return fmt.Errorf("%s must be text: write it in quotes", show(n.Value))
}
