package origin

import (
	"net/url"
	"slices"
	"strings"

	"cloudmirror"
)

// minSecretBytes is the length from which on a part of a header's value counts as
// a secret. Shorter ones are in any text.
const minSecretBytes = 6

// secrets returns the parts of the service's header values that no error may
// show, the longest first: the credential of "Bearer <credential>" is one, and so
// is the value of each cookie. Each comes in the forms in which an origin can
// repeat it: as it is, and percent-encoded.
func (r Rules) secrets() []string {
	var all []string
	for _, value := range r.Headers {
		parts := strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(" ,;=", c) })
		for _, part := range append(parts, value) {
			if len(part) >= minSecretBytes {
				all = append(all, part, url.QueryEscape(part), url.PathEscape(part))
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// conceal returns err without the service's secrets in the text of its cause.
// Origins repeat what they were sent in places that errors quote, such as the
// target of a redirect.
func (e exchange) conceal(err error) error {
	if err == nil || isEnd(err) || len(e.rules.Headers) == 0 {
		return err
	}
	f := cloudmirror.AsFailure(err)
	if f.Err == nil {
		return err
	}
	text := f.Err.Error()
	for _, secret := range e.rules.secrets() {
		text = strings.ReplaceAll(text, secret, "…")
	}
	if text == f.Err.Error() {
		return err
	}
	concealed := *f
	concealed.Err = &redactedError{text: text, cause: f.Err}
	return &concealed
}
