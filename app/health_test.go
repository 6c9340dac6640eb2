package app_test

import (
	"errors"
	"strings"
	"testing"

	"cloudmirror/app"
)

// Anyone may read /readyz, and a part may send any text as its error.
func TestReadyzRepeatsLittle(t *testing.T) {
	if got := app.TextOf(errors.New("a\n" + strings.Repeat("b", 1<<20))); len(got) > 520 || !strings.HasPrefix(got, "a b") {
		t.Errorf("%d bytes: %.20q", len(got), got)
	}
}
