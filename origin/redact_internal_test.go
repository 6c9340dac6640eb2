package origin

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// encodings are what origins and errors do to what they repeat.
func encodings() []func(string) string {
	quoted := func(s string) string { return fmt.Sprintf("%q", s) }
	inHex := func(format string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for i := range len(s) {
				fmt.Fprintf(&b, format, s[i])
			}
			return b.String()
		}
	}
	return []func(string) string{url.QueryEscape, url.PathEscape, quoted, inHex("%%%02x"), inHex("%%%02X"), inHex(`\x%02x`)}
}

// However a text repeats a secret: all of it is hidden, and nothing else.
func TestNothingOfARepeatedSecretIsShown(t *testing.T) {
	encoding := rapid.SampledFrom(encodings())
	around := rapid.StringMatching("[g-z]{0,40}")
	rapid.Check(t, func(t *rapid.T) {
		secret := string(rapid.SliceOfN(rapid.Byte(), minSecretBytes, 200).Draw(t, "secret"))
		known := rapid.SampledFrom([]string{secret, url.QueryEscape(secret), url.PathEscape(secret)}).Draw(t, "known")
		echo, quotes := secret, "" // quotes are what the encodings add
		for range rapid.IntRange(0, secretDepth).Draw(t, "times") {
			encode := encoding.Draw(t, "encoding")
			echo, quotes = encode(echo), encode(quotes)
		}
		before, after := around.Draw(t, "before")+" ", " "+around.Draw(t, "after")
		shown := hide(before+echo+after, []string{"another", "name=" + known + "&x=y"})
		if left := strings.ReplaceAll(shown, "…", ""); left != before+quotes+after {
			t.Fatalf("%q is shown as %q, want nothing but %q around an ellipsis", before+echo+after, shown, before+quotes+after)
		}
	})
}
