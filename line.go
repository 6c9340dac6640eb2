package cloudmirror

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLineSource bounds how much of a text Line looks at, in bytes.
const maxLineSource = 8 << 10

// Line returns text that may have come from a stranger as one line of at most
// maxBytes, which is at least 3: valid UTF-8, without control characters, repeated
// white space, and users and queries of URLs. What is cut off ends with "…".
func Line(text string, maxBytes int) string {
	if len(text) > maxLineSource {
		text = text[:maxLineSource]
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = withoutSecrets(word)
	}
	text = strings.Join(words, " ")
	if len(text) <= maxBytes {
		return text
	}
	end := maxBytes - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// Plain returns text of others as a terminal may show it: as it is, or quoted if it
// holds control characters.
func Plain(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// withoutSecrets returns a word without the users of URLs and without queries.
func withoutSecrets(word string) string {
	scheme, rest, isURL := strings.Cut(word, "://")
	if !isURL {
		if before, query, ok := strings.Cut(word, "?"); ok && strings.Contains(query, "=") {
			return before + "?…" + closing(query)
		}
		return word
	}
	before, query, ok := strings.Cut(rest, "?")
	end := len(before)
	if slash := strings.IndexByte(before, '/'); slash >= 0 && (strings.HasSuffix(scheme, "http") || strings.HasSuffix(scheme, "https")) {
		end = slash // paths of npm have an @
	}
	if user := strings.LastIndexByte(before[:end], '@'); user >= 0 {
		before = before[user+1:]
	}
	if ok {
		before += "?…" + closing(query)
	}
	return scheme + "://" + withoutSecrets(before)
}

// closing returns the punctuation at the end of a word.
func closing(word string) string {
	return word[len(strings.TrimRight(word, `"'”’)]}>:,;.`)):]
}
