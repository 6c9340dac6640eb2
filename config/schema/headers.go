package schema

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of headers. A value stays below the 8 KiB that many servers accept as a
// whole header.
const (
	maxHeaders     = 32
	maxHeaderName  = 128  // characters
	maxHeaderValue = 4096 // characters
)

// Headers is a key with a mapping of header names to values, which are secrets. The
// target gets canonical names. The function reserved gets a name in lower case and
// returns why that header cannot be set; "": it can.
func Headers(name string, target *map[string]string, reserved func(name string) string) Key { //nolint:gocritic // the map is replaced, so that a default is, too
	return Key{Name: name, value: headers{target, reserved}}
}

type headers struct {
	target   *map[string]string
	reserved func(name string) string
}

func (h headers) decode(d *decoder, path string, n *yaml.Node) {
	n = resolve(n)
	if n.ShortTag() == tagNull {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "must be a mapping of header names to values; {} is the empty one")
		return
	}
	pairs := d.pairs(n, path)
	if len(pairs) > maxHeaders {
		d.fail(n, path, "must have at most %d headers, not %d", maxHeaders, len(pairs))
		return
	}
	all := make(map[string]string, len(pairs))
	for _, p := range pairs {
		if !isHeaderName(p.name) { // perhaps a whole line, with its secret
			d.fail(p.key, path, "%s must be the name of a header: 1 to %d letters, digits and %s", Secret, maxHeaderName, nameSymbols)
			continue
		}
		keyPath, name := Join(path, label(p.name)), textproto.CanonicalMIMEHeaderKey(p.name)
		if reason := h.reserved(strings.ToLower(name)); reason != "" {
			d.fail(p.key, keyPath, "cannot be set: %s", reason)
			continue
		}
		if _, found := all[name]; found {
			d.fail(p.key, keyPath, "is set twice: header names differ by more than case")
			continue
		}
		d.visit(p.key, keyPath)
		all[name], _ = decodeScalar(d, keyPath, p.value, headerValue())
	}
	*h.target = all
}

func (h headers) encode() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	if len(*h.target) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, name := range slices.Sorted(maps.Keys(*h.target)) {
		n.Content = append(n.Content, textNode(name), headerValue().node((*h.target)[name]))
	}
	return n
}

// nameSymbols are what names of headers have besides letters and digits (RFC 9110,
// section 5.6.2).
const nameSymbols = "!#$%&'*+-.^_`|~"

func isHeaderName(name string) bool {
	return consistsOf(name, letters+digits+nameSymbols) && name != "" && len(name) <= maxHeaderName
}

// headerValue is what is sent in a header (RFC 9110, section 5.5), without the
// bytes beyond ASCII, which servers read differently.
func headerValue() Kind[string] {
	return Kind[string]{
		Parse: func(text string) (string, error) {
			switch {
			case text == Secret:
				return "", fmt.Errorf("%s is what is shown in the place of a secret: put the value back", Secret)
			case !isHeaderText(text) || len(text) > maxHeaderValue:
				return "", fmt.Errorf("%s must be 1 to %d printable ASCII characters, without a blank at the beginning or end", Secret, maxHeaderValue)
			}
			return text, nil
		},
		Format: Hide,
		Show:   Hide,
	}
}

// HeaderText is the value of a header that is no Secret, of 1 to most characters.
func HeaderText(most int) Kind[string] {
	return Text(func(text string) error {
		if !isHeaderText(text) || len(text) > most {
			return fmt.Errorf("must be 1 to %d printable ASCII characters, without a blank at the beginning or end", most)
		}
		return nil
	})
}

// isHeaderText reports whether text is the value of a header: visible ASCII
// characters, with blanks between them.
func isHeaderText(text string) bool {
	outside := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
	return text != "" && outside < 0 && strings.Trim(text, " ") == text
}
