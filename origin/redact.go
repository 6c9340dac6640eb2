package origin

import (
	"bytes"
	"errors"
	"index/suffixarray"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"cloudmirror"
)

// Bounds of what is looked for in the text of an error, and of the text.
const (
	minSecretBytes = 6       // shorter values are parts of too many words
	maxErrorBytes  = 4 << 10 // of a private cause; cache.MaxCauseBytes is as much
	maxTrail       = 32      // hops whose queries are known: those of the last requests, and the URL that was asked for
	secretDepth    = 3       // times that a text, or a secret, may be encoded, and none
	maxEncoding    = 10      // bytes that encode one byte, at most
)

// A trail is the URLs of one exchange. It is safe for concurrent use.
type trail struct {
	mu   sync.Mutex
	hops []cloudmirror.Object
}

// add notes a hop before anything is asked there.
func (t *trail) add(hop cloudmirror.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, known := range t.hops {
		if known == hop {
			return
		}
	}
	if len(t.hops) == maxTrail { // the first is what was asked for
		t.hops = append(t.hops[:1], t.hops[2:]...)
	}
	t.hops = append(t.hops, hop)
}

// hide returns an error of the exchange as it may be logged and kept: the private
// cause of a failure has no secret in its text, and at most maxErrorBytes. Every
// error passes here on its way out of the package. Origins repeat what they were
// asked for in places that errors quote: malformed headers, lengths, the paths and
// hosts that they redirect to.
func (e exchange) hide(err error) error {
	f, ok := errors.AsType[*cloudmirror.Failure](err)
	if !ok || f.Err == nil {
		return err
	}
	text := f.Err.Error()
	shown := e.secrets().hide(text)
	if shown == text {
		return err
	}
	hidden := *f
	hidden.Err = &redactedError{text: shown, cause: f.Err}
	return &hidden
}

// A redactedError reads like its cause, with secrets left out.
type redactedError struct {
	text  string
	cause error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.cause }

// secrets returns what the exchange knows to be secret: the values of the queries
// of all its URLs, the values of the service's headers with their parts (the value of
// a cookie is one), and the proxy's password.
func (e exchange) secrets() secrets {
	e.trail.mu.Lock()
	defer e.trail.mu.Unlock()
	s := make(secrets)
	for _, hop := range e.trail.hops {
		_, query, _ := strings.Cut(hop.URL(), "?")
		s.addQuery(query)
	}
	for _, value := range e.rules.Headers {
		s.add(value)
		for _, part := range strings.FieldsFunc(value, isDelimiter) {
			s.add(part)
		}
	}
	if proxy := e.client.options.Proxy; proxy != nil {
		password, _ := proxy.User.Password()
		s.add(password)
	}
	return s
}

// secrets are what no text may show, decoded up to secretDepth times and folded.
type secrets map[string]bool

// addQuery adds a query, and the value of each of its pairs; the whole pair if it
// has no value.
func (s secrets) addQuery(query string) {
	s.add(query)
	for pair := range strings.SplitSeq(query, "&") {
		s.addPair(pair)
		if strings.Contains(pair, ";") { // separates pairs for some
			for part := range strings.SplitSeq(pair, ";") {
				s.addPair(part)
			}
		}
	}
}

func (s secrets) addPair(pair string) {
	name, value, _ := strings.Cut(pair, "=")
	if value == "" {
		value = name
	}
	s.add(value)
}

// add adds one secret and, if it has blanks or plus signs, each of its words:
// net/http quotes words of a status line, and of a header such as "Bearer …" the
// second is secret.
func (s secrets) add(secret string) {
	text := newLayer(secret)
	for range secretDepth {
		s.addText(text)
		if words := bytes.FieldsFunc(text.text, isBlank); len(words) > 1 {
			for _, word := range words {
				s.addText(layer{text: word})
			}
		}
		text = text.decode()
	}
}

func isDelimiter(r rune) bool { return r == ',' || r == ';' || r == '=' }

func isBlank(r rune) bool { return r == ' ' || r == '+' || r == '\t' }

func (s secrets) addText(text layer) {
	if len(text.text) >= minSecretBytes {
		s[string(text.fold())] = true
	}
}

// hide returns a text, cut to maxErrorBytes, in which every run of secrets is an
// ellipsis: as they are, percent-encoded or quoted, in any case of letters. Its
// time grows with the lengths of the text and the secrets, and not with their
// product: the text is indexed.
func (s secrets) hide(text string) string {
	longest := 0
	for secret := range s {
		longest = max(longest, len(secret))
	}
	shown := min(len(text), maxErrorBytes)
	// A secret at the end of what is shown is looked for as a whole.
	seen := text[:min(len(text), shown+maxEncoding*longest)]
	edges := make([]int, len(seen)+1) // +1 where a secret begins, -1 behind its end
	layer := newLayer(seen)
	for depth := 0; depth < secretDepth && len(s) > 0; depth++ {
		index := suffixarray.New(layer.fold())
		for secret := range s {
			for _, i := range index.Lookup([]byte(secret), -1) {
				edges[layer.at[i]]++
				edges[layer.at[i+len(secret)]]--
			}
		}
		layer = layer.decode()
	}
	var b strings.Builder
	for i, depth := 0, 0; i < shown; i++ {
		isHidden := depth > 0
		if depth += edges[i]; depth > 0 {
			if !isHidden {
				b.WriteString("…")
			}
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// A layer is a text that was decoded some times. Its byte i stands for what begins
// at at[i] of the text; at has one element more, for the end.
type layer struct {
	text []byte
	at   []int
}

func newLayer(text string) layer {
	l := layer{text: []byte(text), at: make([]int, len(text)+1)}
	for i := range l.at {
		l.at[i] = i
	}
	return l
}

// fold returns the text in lower case, since hosts and names of headers are, and
// with blanks for plus signs, as queries have them.
func (l layer) fold() []byte {
	folded := bytes.Clone(l.text)
	for i, c := range folded {
		switch {
		case 'A' <= c && c <= 'Z':
			folded[i] = c + 'a' - 'A'
		case c == '+':
			folded[i] = ' '
		}
	}
	return folded
}

// decode takes one layer of percent-encoding, and of Go's quoting, from the text.
func (l layer) decode() layer {
	next := layer{text: make([]byte, 0, len(l.text)), at: make([]int, 0, len(l.at))}
	for i := 0; i < len(l.text); {
		decoded, n := decodeFirst(l.text[i:])
		for range decoded {
			next.at = append(next.at, l.at[i])
		}
		next.text = append(next.text, decoded...)
		i += n
	}
	next.at = append(next.at, l.at[len(l.text)])
	return next
}

// decodeFirst decodes the first byte of a text, or the escape of n bytes that
// begins there.
func decodeFirst(text []byte) (decoded []byte, n int) {
	switch {
	case text[0] == '%' && len(text) > 2 && isHex(text[1]) && isHex(text[2]):
		c, _ := strconv.ParseUint(string(text[1:3]), 16, 8)
		return []byte{byte(c)}, 3
	case text[0] == '\\':
		longest := text[:min(len(text), len(`\U0010ffff`))]
		r, isRune, rest, err := strconv.UnquoteChar(string(longest), '"')
		switch {
		case err != nil:
		case isRune:
			return utf8.AppendRune(nil, r), len(longest) - len(rest)
		default:
			return []byte{byte(r)}, len(longest) - len(rest)
		}
	}
	return text[:1], 1
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}
