package frontend

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Terms are how a client wants to be answered.
type terms struct {
	wait     time.Duration // 0: not at all
	now      bool          // the service does not let its clients wait
	fallback Fallback
}

// termsOf reads the query that is addressed to us: a client may shorten the
// service's wait and choose its fallback. Other keys are ignored. The error is
// for the client: it names the value and what is allowed.
func termsOf(s *service, query string) (terms, error) {
	t := terms{wait: s.Wait, fallback: s.Fallback, now: s.Mode == ModeRedirectNow}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		var err error
		switch key {
		case "wait":
			err = t.shorten(value)
		case "fallback":
			err = t.fallBackTo(value)
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *terms) shorten(value string) error {
	value, err := url.QueryUnescape(value)
	wait, ok := parseWait(value)
	if err != nil || !ok {
		return fmt.Errorf("the option wait=%q is neither a duration like 5s or 1m30s nor a number of seconds, of 0 or more", clip(value))
	}
	t.wait = min(t.wait, wait)
	return nil
}

func (t *terms) fallBackTo(value string) error {
	switch f := Fallback(value); f {
	case FallbackOrigin, FallbackNone:
		t.fallback = f
		return nil
	default:
		return fmt.Errorf("the option fallback=%q is neither %s nor %s", clip(value), FallbackOrigin, FallbackNone)
	}
}

// parseWait reads a Go duration or a decimal number of seconds.
func parseWait(value string) (time.Duration, bool) {
	if _, err := strconv.ParseFloat(value, 64); err == nil {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	return d, err == nil && d >= 0
}

// clip shortens what a client sent to what an error message may repeat.
func clip(value string) string { return cut(value, 32) }
