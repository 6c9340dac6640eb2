package origin

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"cloudmirror"
)

// Bounds of what is looked for in the text of an error, and of the text.
const (
	minSecretBytes = 6       // of a secret in a row; fewer are parts of too many words
	maxErrorBytes  = 4 << 10 // of a private cause; cache.MaxCauseBytes is as much
	maxTrail       = 32      // hops whose queries are known: those of the last requests, and the URL that was asked for
	secretDepth    = 3       // encodings over one another that are undone, in the text and in secrets
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
	clause := cloudmirror.Clause(f.Err)
	secrets := e.secrets()
	shown, shownClause := hide(text, secrets), hide(clause, secrets)
	if shown == text && shownClause == clause {
		return err
	}
	hidden := *f
	hidden.Err = &redactedError{text: shown, clause: shownClause, cause: f.Err}
	return &hidden
}

// A redactedError reads like its cause, with secrets left out.
type redactedError struct {
	text, clause string
	cause        error
}

func (e *redactedError) Error() string  { return e.text }
func (e *redactedError) Clause() string { return e.clause }
func (e *redactedError) Unwrap() error  { return e.cause }

// secrets returns what the exchange knows to be secret: the queries of all its
// URLs, the values of the service's headers, and the proxy's password.
func (e exchange) secrets() []string {
	e.trail.mu.Lock()
	defer e.trail.mu.Unlock()
	var secrets []string
	for _, hop := range e.trail.hops {
		_, query, _ := strings.Cut(hop.URL(), "?")
		secrets = append(secrets, query)
	}
	for _, value := range e.rules.Headers {
		secrets = append(secrets, value)
	}
	if proxy := e.client.options.Proxy; proxy != nil {
		password, _ := proxy.User.Password()
		secrets = append(secrets, password)
	}
	return secrets
}

// hide returns a text, cut to maxErrorBytes, with an ellipsis in the place of all
// that repeats minSecretBytes or more of a secret: as they are, percent-encoded or
// quoted, in any case of letters. Its time grows with the lengths of the text and
// the secrets, and not with their product: it compares grams.
func hide(text string, secrets []string) string {
	shown := newLayer(text[:min(len(text), maxErrorBytes)])
	type place struct{ begin, end int } // of a gram in the text
	places := make(map[gram][]place)
	shown.walk(secretDepth, func(l layer) {
		for i := range l.grams() {
			g := l.gram(i)
			places[g] = append(places[g], place{l.at[i], l.at[i+minSecretBytes]})
		}
	})
	hidden := make([]bool, len(shown.text))
	for _, secret := range secrets {
		newLayer(secret).walk(secretDepth, func(l layer) {
			for i := range l.grams() {
				g := l.gram(i)
				for _, p := range places[g] {
					for j := p.begin; j < p.end; j++ {
						hidden[j] = true
					}
				}
				delete(places, g) // is hidden now
			}
		})
	}
	var b strings.Builder
	for i, isHidden := range hidden {
		switch {
		case !isHidden:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString("…")
		}
	}
	return b.String()
}

// A gram is minSecretBytes of a layer, in lower case, since hosts and names of
// headers are, and with blanks for plus signs, as queries have them.
type gram [minSecretBytes]byte

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

// grams returns how many grams the layer has.
func (l layer) grams() int { return max(len(l.text)-minSecretBytes+1, 0) }

func (l layer) gram(i int) (g gram) {
	for j, c := range l.text[i : i+minSecretBytes] {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '+':
			c = ' '
		}
		g[j] = c
	}
	return g
}

// walk visits the layer, and what is left of it when up to depth encodings are
// undone, in every order.
func (l layer) walk(depth int, visit func(layer)) {
	visit(l)
	if depth == 0 {
		return
	}
	for _, decodeFirst := range []func([]byte) ([]byte, int){unescapeFirst, unquoteFirst} {
		if next := l.decode(decodeFirst); len(next.text) < len(l.text) { // there was an escape
			next.walk(depth-1, visit)
		}
	}
}

// decode undoes an encoding. decodeFirst decodes the first byte of a text, or the
// escape of n bytes that begins there.
func (l layer) decode(decodeFirst func([]byte) (decoded []byte, n int)) layer {
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

// unescapeFirst undoes percent-encoding.
func unescapeFirst(text []byte) (decoded []byte, n int) {
	if text[0] != '%' || len(text) < 3 {
		return text[:1], 1
	}
	c, err := strconv.ParseUint(string(text[1:3]), 16, 8)
	if err != nil {
		return text[:1], 1
	}
	return []byte{byte(c)}, 3
}

// unquoteFirst undoes Go's quoting.
func unquoteFirst(text []byte) (decoded []byte, n int) {
	if text[0] != '\\' {
		return text[:1], 1
	}
	longest := string(text[:min(len(text), len(`\U0010ffff`))])
	r, isRune, rest, err := strconv.UnquoteChar(longest, '"')
	switch {
	case err != nil:
		return text[:1], 1
	case isRune:
		return utf8.AppendRune(nil, r), len(longest) - len(rest)
	}
	return []byte{byte(r)}, len(longest) - len(rest)
}
