package schema

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// maxPairs bounds the work of reading a file whose aliases and merges multiply.
const maxPairs = 50_000

// mergeKey takes over the keys of other mappings (yaml.org/type/merge.html).
const mergeKey = "<<"

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
			d.fail(k, Join(path, label(k.Value)), "is set twice, first in line %d", own[first].key.Line)
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
