package config_test

import (
	"slices"
	"testing"
)

func TestEverySiteMayBeWrittenInTwoWays(t *testing.T) {
	for _, line := range []string{`cors: "*"`, `cors: ["*"]`} {
		c := load(t, service(line))
		if got := c.Services[0].CORS; !slices.Equal(got, []string{"*"}) {
			t.Errorf("%s is %q", line, got)
		}
		if got := load(t, printed(t, c)).Services[0].CORS; !slices.Equal(got, []string{"*"}) {
			t.Errorf("%s, printed and loaded again, is %q", line, got)
		}
	}
}
