package origin

import (
	"net"
	"strings"
	"testing"

	"cloudmirror"
)

// An error's clause is made of what is inside of it, where its text leaves secrets out.
func TestAClauseRepeatsNoSecret(t *testing.T) {
	asked, err := cloudmirror.ParseObject("https://example.com/a?token=plantedsecret")
	if err != nil {
		t.Fatal(err)
	}
	e := exchange{client: &Client{}, trail: &trail{}}
	e.trail.add(asked)
	lookup := &net.DNSError{Err: "no such host", Name: "plantedsecret.example.com", IsNotFound: true}
	shown := e.hide(&cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable, Message: "the origin cannot be reached", Err: lookup})
	for _, text := range []string{cloudmirror.Clause(shown), cloudmirror.Brief(shown), shown.Error()} {
		if strings.Contains(text, "planted") || !strings.Contains(text, "no such host") {
			t.Errorf("it says %q", text)
		}
	}
}
