package schema

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Optional lets a kind of text be empty.
func Optional(k Kind[string]) Kind[string] {
	parse := k.Parse
	k.Parse = func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return parse(text)
	}
	return k
}

// Text is text that check accepts. The error of check completes the sentence that
// the text begins.
func Text(check func(text string) error) Kind[string] {
	return Kind[string]{
		Parse: func(text string) (string, error) {
			if err := check(text); err != nil {
				return "", fmt.Errorf("%s %w", Quote(text), err)
			}
			return text, nil
		},
		Format: func(text string) string { return text },
	}
}

// Word is text of least to most characters: letters, digits and those of others.
func Word(least, most int, others string) Kind[string] {
	return Text(func(text string) error {
		if !consistsOf(text, letters+digits+others) || len(text) < least || len(text) > most {
			return fmt.Errorf("must be %d to %d characters of letters, digits and %s", least, most, others)
		}
		return nil
	})
}

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

func consistsOf(text, allowed string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(allowed, r) }) < 0
}

// Path is the name of a file or directory.
func Path() Kind[string] {
	return Text(func(text string) error {
		if text == "" || strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
			return errors.New("must be a path without control characters")
		}
		return nil
	})
}

// maxShownRunes bounds how much of a bad value an error repeats.
const maxShownRunes = 80

// Quote returns a value as an error shows it: quoted, on one line, at most 80
// characters of it.
func Quote(text string) string {
	runes := []rune(text)
	if len(runes) > maxShownRunes {
		return strconv.Quote(string(runes[:maxShownRunes])) + "…"
	}
	return strconv.Quote(text)
}

// label returns a key as an error shows it: as it is, unless that takes more than
// a word.
func label(key string) string {
	if key == "" || !IsVisible(key) || len(key) > maxShownRunes {
		return Quote(key)
	}
	return key
}

// IsVisible reports whether text is ASCII without spaces and control characters.
func IsVisible(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
