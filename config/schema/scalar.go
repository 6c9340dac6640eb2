package schema

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// One is a key with one value of a kind.
func One[T any](name string, target *T, kind Kind[T]) Key {
	return Key{Name: name, value: scalar[T]{target, kind}}
}

type scalar[T any] struct {
	target *T
	kind   Kind[T]
}

// set reads the value from text, wherever that comes from.
func (s scalar[T]) set(text string) error {
	v, err := s.kind.Parse(text)
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

// Many is a key with a list of values of a kind. A list that is read replaces the
// default one.
func Many[T any](name string, target *[]T, kind Kind[T]) Key {
	return Key{Name: name, value: list[T]{target: target, kind: kind}}
}

// ManyOr is [Many] where one text may stand alone, without the brackets of a list:
// it is the list of that text.
func ManyOr[T any](name, alone string, target *[]T, kind Kind[T]) Key {
	return Key{Name: name, value: list[T]{target, kind, alone}}
}

type list[T any] struct {
	target *[]T
	kind   Kind[T]
	alone  string // "": no text may stand alone
}

func (l list[T]) decode(d *decoder, path string, n *yaml.Node) {
	n = resolve(n)
	if l.alone != "" && n.Kind == yaml.ScalarNode && n.Value == l.alone {
		if v, err := l.kind.Parse(n.Value); err == nil {
			*l.target = []T{v}
			return
		}
	}
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

// decodeScalar reads one value and reports what keeps it from being one.
func decodeScalar[T any](d *decoder, path string, n *yaml.Node, k Kind[T]) (v T, ok bool) {
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
	v, err := k.Parse(n.Value)
	if err == nil && !slices.Contains(k.types(), n.ShortTag()) {
		err = k.wrongType(n)
	}
	if err != nil {
		d.fail(at, path, "%w", err)
		return v, false
	}
	return v, true
}

// wrongType says how to write a value that the kind accepts, but not with the type
// that YAML gives it.
func (k Kind[T]) wrongType(n *yaml.Node) error {
	show := k.Show
	if show == nil {
		show = Quote
	}
	if n.ShortTag() == tagText {
		return fmt.Errorf("%s must be written without quotes", show(n.Value))
	}
	return fmt.Errorf("%s must be text: write it in quotes", show(n.Value))
}

// node writes a value with the first type of its kind.
func (k Kind[T]) node(v T) *yaml.Node {
	n := textNode(k.Format(v))
	n.Tag = k.types()[0]
	return n
}

func textNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tagText, Value: text}
}
