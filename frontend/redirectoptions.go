package frontend

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloudmirror"
)

// redirectOptions are how a redirect request is answered, by its service and its options.
type redirectOptions struct {
	wait     time.Duration // for a copy, at most; 0: not at all
	now      bool          // the service does not let its clients wait
	fallback cloudmirror.Fallback
}

// The options of a redirect request.
const (
	optionWait     = "wait"
	optionFallback = "fallback"
)

// onlyOptions reports the first option that is not among the allowed ones. No
// option is ever passed over: a client that states one counts on it.
func onlyOptions(options []cloudmirror.Option, allowed []string) error {
	for _, o := range options {
		switch {
		case slices.Contains(allowed, o.Name):
		case len(allowed) == 0:
			return fmt.Errorf("the option %s has no meaning here, where no option is allowed", o.Name)
		default:
			return fmt.Errorf("the option %s has no meaning here; allowed are: %s", o.Name, strings.Join(allowed, ", "))
		}
	}
	return nil
}

// redirectOptionsOf reads the options of a redirect request: a client may shorten the
// service's wait and choose its fallback. The error is for the client: it names
// the value and what is allowed.
func redirectOptionsOf(s *service, options []cloudmirror.Option) (chosen redirectOptions, err error) {
	chosen = redirectOptions{wait: s.Wait, fallback: s.Fallback, now: s.Mode == cloudmirror.ModeRedirectNow}
	for _, o := range options {
		switch o.Name {
		case optionWait:
			err = chosen.shortenWait(o.Value)
		case optionFallback:
			err = chosen.chooseFallback(o.Value)
		}
		if err != nil {
			return chosen, err
		}
	}
	return chosen, nil
}

func (ro *redirectOptions) shortenWait(value string) error {
	wait, ok := parseWait(value)
	if !ok {
		return fmt.Errorf("the option wait=%q is neither a duration like 5s or 1m30s nor a number of seconds, of 0 or more", clip(value))
	}
	ro.wait = min(ro.wait, wait)
	return nil
}

func (ro *redirectOptions) chooseFallback(value string) error {
	switch f := cloudmirror.Fallback(value); f {
	case cloudmirror.FallbackOrigin, cloudmirror.FallbackNone:
		ro.fallback = f
		return nil
	default:
		return fmt.Errorf("the option fallback=%q is neither %s nor %s", clip(value), cloudmirror.FallbackOrigin, cloudmirror.FallbackNone)
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
