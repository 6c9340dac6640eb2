package schema

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Section is a mapping whose keys are known, in the order in which they are
// written.
type Section []Key

// A Key is one line of the grammar. [One], [Many], [Group], [Each] and [Headers]
// make keys.
type Key struct {
	Name   string
	Hidden bool // the key is read and not written: it has no meaning beside the other values
	value  value
}

// A value is what can stand behind a key. It is bound to the variable that it
// reads and writes.
type value interface {
	decode(d *decoder, path string, n *yaml.Node)
	encode() *yaml.Node
}

// Group is a section within a section.
func Group(name string, keys Section) Key { return Key{Name: name, value: keys} }

// Write writes the values of all keys as YAML, secrets as [Secret]. What was
// written can be read again, if it has no secrets.
func (s Section) Write(w io.Writer) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(s.encode()); err != nil {
		return err
	}
	return encoder.Close()
}

// Set sets the value of a key that [One] made, outside of named sections, as a
// flag does. The error says what is wrong with the text, not where it was.
func (s Section) Set(path, text string) error {
	setter, ok := s.setters()[path]
	if !ok {
		return fmt.Errorf("%s is not a key of one value", path)
	}
	return setter.set(text)
}

func (s Section) decode(d *decoder, path string, n *yaml.Node) {
	n = resolve(n)
	if n.ShortTag() == tagNull {
		return // everything in it is commented out
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping with the keys %s", strings.Join(s.names(), ", "))
		return
	}
	for _, p := range d.pairs(n, path) {
		i := slices.IndexFunc(s, func(k Key) bool { return k.Name == p.name })
		if i < 0 {
			d.fail(p.key, Join(path, label(p.name)), "is not a key; %s", suggest(p.name, s.names()))
			continue
		}
		d.visit(p.key, Join(path, p.name))
		s[i].value.decode(d, Join(path, p.name), p.value)
	}
}

func (s Section) encode() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range s {
		if !k.Hidden {
			n.Content = append(n.Content, textNode(k.Name), k.value.encode())
		}
	}
	return n
}

func (s Section) names() []string {
	names := make([]string, len(s))
	for i, k := range s {
		names[i] = k.Name
	}
	return names
}
