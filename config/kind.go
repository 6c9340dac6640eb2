package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"cloudmirror"
)

// A kind is a type of scalar: how it is read from text and written again.
type kind[T any] struct {
	// parse checks and converts. Its error is a sentence that shows the text,
	// or *** for it, and says what is allowed.
	parse  func(text string) (T, error)
	format func(T) string
	show   func(text string) string // as people may see it; nil: quoted
	tags   []string                 // the YAML types it can be written as
}

// The types that YAML takes scalars for.
const (
	tagText    = "!!str"
	tagInteger = "!!int"
	tagBoolean = "!!bool"
	tagNull    = "!!null"
)

func choice[T ~string](allowed ...T) kind[T] {
	return kind[T]{
		parse: func(text string) (T, error) {
			if slices.Contains(allowed, T(text)) {
				return T(text), nil
			}
			return "", fmt.Errorf("%s must be %s", quote(text), alternatives(allowed))
		},
		format: func(v T) string { return string(v) },
		tags:   []string{tagText},
	}
}

func boolean() kind[bool] {
	return kind[bool]{
		parse: func(text string) (bool, error) {
			if text != "true" && text != "false" {
				return false, fmt.Errorf("%s must be true or false", quote(text))
			}
			return text == "true", nil
		},
		format: strconv.FormatBool,
		tags:   []string{tagBoolean},
	}
}

func integer(least, most int) kind[int] {
	return kind[int]{
		parse: func(text string) (int, error) {
			n, err := strconv.Atoi(text)
			if err != nil || n < least || n > most {
				return 0, fmt.Errorf("%s must be a whole number from %d to %d", quote(text), least, most)
			}
			return n, nil
		},
		format: strconv.Itoa,
		tags:   []string{tagInteger},
	}
}

func port() kind[uint16] {
	k := integer(1, 65535)
	return kind[uint16]{
		parse: func(text string) (uint16, error) {
			n, err := k.parse(text)
			return uint16(n), err //nolint:gosec // the kind keeps it in range
		},
		format: func(p uint16) string { return strconv.Itoa(int(p)) },
		tags:   k.tags,
	}
}

func alternatives[T ~string](allowed []T) string {
	texts := make([]string, len(allowed))
	for i, a := range allowed {
		texts[i] = string(a)
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

// maxShownRunes bounds how much of a bad value an error repeats.
const maxShownRunes = 80

// allowPattern and backendID are what the vocabulary says; its errors begin with
// the noun that the key names already.
func allowPattern() kind[cloudmirror.AllowPattern] {
	return kind[cloudmirror.AllowPattern]{
		parse: func(text string) (cloudmirror.AllowPattern, error) {
			p, err := cloudmirror.ParseAllowPattern(text)
			return p, withoutNoun(err, "allow pattern ")
		},
		format: cloudmirror.AllowPattern.String,
		tags:   []string{tagText},
	}
}

func backendID() kind[cloudmirror.BackendID] {
	return kind[cloudmirror.BackendID]{
		parse: func(text string) (cloudmirror.BackendID, error) {
			b, err := cloudmirror.ParseBackendID(text)
			return b, withoutNoun(err, "backend ")
		},
		format: cloudmirror.BackendID.String,
		tags:   []string{tagText},
	}
}

func withoutNoun(err error, noun string) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), noun))
}

// quote shows a value on one line, whatever is in it.
func quote(text string) string {
	runes := []rune(text)
	if len(runes) > maxShownRunes {
		return strconv.Quote(string(runes[:maxShownRunes])) + "…"
	}
	return strconv.Quote(text)
}

// isVisible reports whether text is ASCII without spaces and control characters.
func isVisible(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

func isPrintable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
