package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// optional lets a kind of text be empty.
func optional(k kind[string]) kind[string] {
	parse := k.parse
	k.parse = func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return parse(text)
	}
	return k
}

// textKind is text that check accepts; the error of check completes the sentence
// that the text begins.
func textKind(check func(text string) error) kind[string] {
	return kind[string]{
		parse: func(text string) (string, error) {
			if err := check(text); err != nil {
				return "", fmt.Errorf("%s %w", quote(text), err)
			}
			return text, nil
		},
		format: func(text string) string { return text },
		tags:   []string{tagText},
	}
}

// word is text of letters, digits and the other characters named.
func word(least, most int, others string) kind[string] {
	return textKind(func(text string) error {
		outside := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(letters+digits+others, r) })
		if outside >= 0 || len(text) < least || len(text) > most {
			return fmt.Errorf("must be %d to %d characters of letters, digits and %s", least, most, others)
		}
		return nil
	})
}

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

// path is the name of a file or directory.
func path() kind[string] {
	return textKind(func(text string) error {
		if text == "" || !isPrintable(text) {
			return errors.New("must be a path without control characters")
		}
		return nil
	})
}

func redisPrefix() kind[string] {
	return textKind(func(text string) error {
		if text == "" || len(text) > 100 || !isVisible(text) || strings.ContainsAny(text, "{}") {
			return errors.New("must be 1 to 100 visible ASCII characters without { and }, which mark the part of a key that a Redis Cluster hashes")
		}
		return nil
	})
}

// keyPrefix is the beginning of all keys of an S3 storage.
func keyPrefix() kind[string] {
	return textKind(func(text string) error {
		segments := strings.Split(text, "/")
		if len(text) > 512 || !isVisible(text) || segments[0] == "" ||
			slices.Contains(segments, ".") || slices.Contains(segments, "..") {
			return errors.New("must be at most 512 visible ASCII characters, without a slash at the beginning and without . and .. as segments")
		}
		return nil
	})
}
