package config

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A value is what can stand behind a key: a section, a named group of sections,
// one scalar or a list of scalars. It is bound to the field that it reads and
// writes.
type value interface {
	decode(d *decoder, path string, n *yaml.Node)
	encode() *yaml.Node
}

// A section is a mapping whose keys are known.
type section []key

// A key is one line of the grammar.
type key struct {
	name   string
	value  value
	hidden bool // it means nothing beside the values of other keys, and is not printed
}

func (s section) decode(d *decoder, path string, n *yaml.Node) {
	n = resolve(n)
	if n.ShortTag() == tagNull {
		return // everything in it is commented out
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping with the keys %s", strings.Join(s.names(), ", "))
		return
	}
	for _, p := range d.pairs(n, path) {
		i := slices.IndexFunc(s, func(k key) bool { return k.name == p.name })
		if i < 0 {
			d.fail(p.key, join(path, label(p.name)), "is not a key; %s", suggest(p.name, s.names()))
			continue
		}
		d.visit(p.key, join(path, p.name))
		s[i].value.decode(d, join(path, p.name), p.value)
	}
}

func (s section) encode() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range s {
		if !k.hidden {
			n.Content = append(n.Content, textNode(k.name), k.value.encode())
		}
	}
	return n
}

func (s section) names() []string {
	names := make([]string, len(s))
	for i, k := range s {
		names[i] = k.name
	}
	return names
}

// named is a mapping whose keys are names that the user gives, each of one
// section of the same kind.
type named[T any] struct {
	items *[]T // kept in the order of their names
	check func(name string) error
	new   func(name string) T
	name  func(*T) string
	keys  func(*T) section
}

func (m named[T]) decode(d *decoder, path string, n *yaml.Node) {
	n = resolve(n)
	if n.ShortTag() == tagNull {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping of names")
		return
	}
	for _, p := range d.pairs(n, path) {
		if err := m.check(p.name); err != nil {
			d.fail(p.key, path, "%w", err)
			continue
		}
		d.visit(p.key, join(path, p.name))
		item := m.new(p.name)
		m.keys(&item).decode(d, join(path, p.name), p.value)
		*m.items = append(*m.items, item)
	}
	sort.Slice(*m.items, func(i, j int) bool { return m.name(&(*m.items)[i]) < m.name(&(*m.items)[j]) })
}

func (m named[T]) encode() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := range *m.items {
		item := &(*m.items)[i]
		n.Content = append(n.Content, textNode(m.name(item)), m.keys(item).encode())
	}
	return n
}

// scalar is one value of a kind.
type scalar[T any] struct {
	target *T
	kind   kind[T]
}

func one[T any](target *T, k kind[T]) scalar[T] { return scalar[T]{target: target, kind: k} }

// set reads the value from text, wherever that comes from.
func (s scalar[T]) set(text string) error {
	v, err := s.kind.parse(text)
	if err != nil {
		return err
	}
	*s.target = v
	return nil
}

func (s scalar[T]) decode(d *decoder, path string, n *yaml.Node) {
	if v, ok := decodeScalar(d, path, n, s.kind); ok {
		*s.target = v
	}
}

func (s scalar[T]) encode() *yaml.Node { return s.kind.node(*s.target) }

// list is a sequence of scalars of a kind. A list that is set replaces the
// default one.
type list[T any] struct {
	target *[]T
	kind   kind[T]
}

func many[T any](target *[]T, k kind[T]) list[T] { return list[T]{target: target, kind: k} }

func (l list[T]) decode(d *decoder, path string, n *yaml.Node) {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "must be a list; [] is the empty one")
		return
	}
	*l.target = nil
	for i, item := range n.Content {
		itemPath := fmt.Sprintf("%s[%d]", path, i)
		d.visit(item, itemPath)
		if v, ok := decodeScalar(d, itemPath, item, l.kind); ok {
			*l.target = append(*l.target, v)
		}
	}
}

func (l list[T]) encode() *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range *l.target {
		n.Content = append(n.Content, l.kind.node(v))
	}
	return n
}

func (k kind[T]) node(v T) *yaml.Node {
	text := k.format(v)
	n := textNode(text)
	if tag := k.tags[0]; tag != tagText {
		n.Tag = tag
	}
	return n
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tagText, Value: text}
}

// label is a key as an error shows it: as it is, unless that takes more than a
// word.
func label(key string) string {
	if key == "" || !isVisible(key) || len(key) > maxShownRunes {
		return quote(key)
	}
	return key
}

// join appends a key to the path of its section.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
