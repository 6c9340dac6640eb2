package config

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of what a service sends with its requests: below the 8 KiB that many
// servers take as a whole header, a value at a time.
const (
	maxHeaders     = 32
	maxHeaderName  = 128  // characters
	maxHeaderValue = 4096 // characters
)

// headers is a mapping of header names to values, which may be secrets and are
// shown nowhere.
type headers struct{ target *map[string]string }

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
			d.fail(p.key, path, "%s must be the name of a header: 1 to %d letters, digits and %s", secret, maxHeaderName, nameSymbols)
			continue
		}
		keyPath, name := join(path, label(p.name)), textproto.CanonicalMIMEHeaderKey(p.name)
		if reason := reserved(strings.ToLower(name)); reason != "" {
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
	outside := strings.IndexFunc(name, func(r rune) bool { return !strings.ContainsRune(letters+digits+nameSymbols, r) })
	return outside < 0 && name != "" && len(name) <= maxHeaderName
}

// reserved returns why a header, in lower case, is the copier's alone; "" if it is
// not.
func reserved(name string) string {
	switch name {
	case "host":
		return "it is part of the URL that is asked for"
	case "range":
		return "copiers ask for ranges where an object is continued or read over several connections"
	case "accept-encoding":
		return "bodies are copied as the origin keeps them, without a coding for the way"
	case "cdn-loop":
		return "it tells front ends which requests their own copiers make"
	case "connection", "content-length", "expect", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade":
		return "it is about the connection or the body of a request, and not about the object"
	}
	switch {
	case strings.HasPrefix(name, "if-"):
		return "copiers set conditions where they continue an object, and want all of it otherwise"
	case strings.HasPrefix(name, "proxy-"):
		return "it is for proxies: see origin.proxy"
	}
	return ""
}

// headerValue is what is sent in a header (RFC 9110, section 5.5), without the
// bytes beyond ASCII, which servers read differently.
func headerValue() kind[string] {
	return kind[string]{
		parse: func(text string) (string, error) {
			switch {
			case text == secret:
				return "", fmt.Errorf("%s is what is shown in the place of a secret: put the value back", secret)
			case !isHeaderText(text) || len(text) > maxHeaderValue:
				return "", fmt.Errorf("%s must be 1 to %d printable ASCII characters, without a blank at the beginning or end", secret, maxHeaderValue)
			}
			return text, nil
		},
		format: hide,
		show:   hide,
		tags:   []string{tagText},
	}
}

// userAgent is how copiers name themselves to origins.
func userAgent() kind[string] {
	return textKind(func(text string) error {
		const most = 256
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
