package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"cloudmirror"
	"cloudmirror/api/client"
)

// A failure is the line of --json for a URL that something went wrong with.
type failure struct {
	URL    string `json:"url"`
	Failed any    `json:"failed"` // a client.Error, or its message alone
}

// eachURL calls do with every argument; for the argument "-", with every line of
// standard input that is not empty. A failure is told and does not keep the
// others from their turn; errReported is returned at the end. If nothing else went
// wrong than that there was nothing to do for one, errNothingThere is.
func (c *cli) eachURL(ctx context.Context, args []string, asJSON bool, do func(raw string) error) error {
	failed, idle := false, false
	one := func(raw string) error {
		err := do(raw)
		if errors.Is(err, errNothingThere) {
			idle, err = true, nil
		}
		if err == nil {
			return ctx.Err()
		}
		failed = true
		fmt.Fprintf(c.stderr, "cloudmirror: %s: %s\n", withoutSecrets(raw), errorText(err))
		if _, isTold := errors.AsType[toldError](err); asJSON && !isTold {
			return c.printJSON(failure{URL: raw, Failed: jsonError(err)})
		}
		return ctx.Err()
	}
	for _, arg := range args {
		each := c.eachLine
		if arg != "-" {
			each = func(one func(string) error) error { return one(arg) }
		}
		if err := each(one); err != nil {
			return err
		}
	}
	switch {
	case failed:
		return errReported
	case idle:
		return errNothingThere
	}
	return nil
}

// A toldError is one of which the line of --json tells already.
type toldError struct{ error }

func (t toldError) Unwrap() error { return t.error }

func told(err error) error {
	if err == nil {
		return nil
	}
	return toldError{err}
}

// eachLine calls do with the lines of standard input that are not empty, until
// it returns an error.
func (c *cli) eachLine(do func(line string) error) error {
	lines := bufio.NewScanner(c.stdin)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			if err := do(line); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}

func jsonError(err error) any {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e
	}
	return map[string]string{"message": errorText(err)}
}

// withoutSecrets shows a URL in an error: without its query, where signatures
// are, and without user and password.
func withoutSecrets(raw string) string {
	shown, query, _ := strings.Cut(raw, "?")
	if scheme, rest, found := strings.Cut(shown, "://"); found {
		authority, path, slash := strings.Cut(rest, "/")
		authority = authority[strings.LastIndexByte(authority, '@')+1:]
		shown = scheme + "://" + authority
		if slash {
			shown += "/" + path
		}
	}
	if query != "" {
		shown += "?…"
	}
	return cloudmirror.Plain(shown)
}
