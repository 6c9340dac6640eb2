package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Kind is a type of values: how one is read from text and written again.
type Kind[T any] struct {
	// Parse checks and converts. Its error is a sentence that begins with the
	// text ([Quote]), or with [Secret] in its place, and says what is allowed.
	Parse  func(text string) (T, error)
	Format func(T) string
	// Show returns a text as an error may show it; nil: quoted.
	Show func(text string) string

	tags []string // the YAML types that it can be written as; nil: text
}

// The types that YAML takes values for.
const (
	tagText    = "!!str"
	tagInteger = "!!int"
	tagBoolean = "!!bool"
	tagNull    = "!!null"
)

func (k Kind[T]) types() []string {
	if k.tags == nil {
		return []string{tagText}
	}
	return k.tags
}

// Choice is one of two or more texts.
func Choice[T ~string](allowed ...T) Kind[T] {
	return Kind[T]{
		Parse: func(text string) (T, error) {
			if slices.Contains(allowed, T(text)) {
				return T(text), nil
			}
			return "", fmt.Errorf("%s must be %s", Quote(text), alternatives(allowed))
		},
		Format: func(v T) string { return string(v) },
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

// Boolean is true or false.
func Boolean() Kind[bool] {
	return Kind[bool]{
		Parse: func(text string) (bool, error) {
			if text != "true" && text != "false" {
				return false, fmt.Errorf("%s must be true or false", Quote(text))
			}
			return text == "true", nil
		},
		Format: strconv.FormatBool,
		tags:   []string{tagBoolean},
	}
}

// Integer is a whole number from least to most.
func Integer(least, most int) Kind[int] {
	return Kind[int]{
		Parse: func(text string) (int, error) {
			n, err := strconv.Atoi(text)
			if err != nil || n < least || n > most {
				return 0, fmt.Errorf("%s must be a whole number from %d to %d", Quote(text), least, most)
			}
			return n, nil
		},
		Format: strconv.Itoa,
		tags:   []string{tagInteger},
	}
}

// Port is the number of a TCP port, from 1 to 65535.
func Port() Kind[uint16] {
	k := Integer(1, 65535)
	return Kind[uint16]{
		Parse: func(text string) (uint16, error) {
			n, err := k.Parse(text)
			return uint16(n), err //nolint:gosec // the kind keeps it in range
		},
		Format: func(p uint16) string { return strconv.Itoa(int(p)) },
		tags:   k.tags,
	}
}
