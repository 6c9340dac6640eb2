package schema

import (
	"sort"

	"go.yaml.in/yaml/v3"
)

// Items is a mapping whose keys are names that the user chooses, each with a
// section of the same grammar.
type Items[T any] struct {
	Target *[]T                    // in the order of their names
	Check  func(name string) error // says what is wrong with a name
	New    func(name string) T     // returns an item with its defaults
	Name   func(*T) string
	Keys   func(*T) Section
}

// Each is a key whose value is a mapping of items. What is read is added to the
// target.
func Each[T any](name string, items Items[T]) Key { return Key{Name: name, value: items} }

func (m Items[T]) decode(d *decoder, path string, n *yaml.Node) {
	n = resolve(n)
	if n.ShortTag() == tagNull {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping of names")
		return
	}
	for _, p := range d.pairs(n, path) {
		if err := m.Check(p.name); err != nil {
			d.fail(p.key, path, "%w", err)
			continue
		}
		d.visit(p.key, Join(path, p.name))
		item := m.New(p.name)
		m.Keys(&item).decode(d, Join(path, p.name), p.value)
		*m.Target = append(*m.Target, item)
	}
	sort.Slice(*m.Target, func(i, j int) bool { return m.Name(&(*m.Target)[i]) < m.Name(&(*m.Target)[j]) })
}

func (m Items[T]) encode() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := range *m.Target {
		item := &(*m.Target)[i]
		n.Content = append(n.Content, textNode(m.Name(item)), m.Keys(item).encode())
	}
	return n
}
