package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// The columns that output takes on a terminal of 80: help keeps off its edge.
const (
	outputColumns = 80
	helpColumns   = 78
)

// columns returns how many columns a text takes on a terminal.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// wrapped returns first and the words of text behind it, as lines of at most
// outputColumns. All lines but the first are indented. A word that is longer than a
// line is broken, unless it holds a URL: that gets a line of its own, whole, so that
// it can be copied.
func wrapped(first, text string, indent int) string {
	return wrap(first, text, indent, outputColumns)
}

func wrap(first, text string, indent, limit int) string {
	var done strings.Builder
	line, isEmpty := first, true // isEmpty: it has no word of text yet
	next := func() {
		done.WriteString(strings.TrimRight(line, " ") + "\n")
		line, isEmpty = strings.Repeat(" ", indent), true
	}
	for word := range strings.FieldsSeq(text) {
		space := ""
		if !isEmpty {
			space = " "
		}
		if columns(line+space+word) > limit {
			if !isEmpty || columns(first) > indent && done.Len() == 0 {
				next()
			}
			space = ""
			for columns(line+word) > limit && !strings.Contains(word, "://") {
				head := fitting(word, limit-indent)
				line += head
				word = word[len(head):]
				next()
			}
		}
		line, isEmpty = line+space+word, false
	}
	return done.String() + strings.TrimRight(line, " ")
}

// fitting returns the beginning of a word that takes at most limit columns, and at
// least its first rune.
func fitting(word string, limit int) string {
	n := 0
	for i, r := range word {
		if n += runeColumns(r); n > limit && i > 0 {
			return word[:i]
		}
	}
	return word
}

// wrappedCommand returns a command line of a shell as lines of at most limit columns
// that are the same command line. Words are not broken.
func wrappedCommand(first, command string, limit int) string {
	indent := columns(first) + 4
	var done strings.Builder
	line, isEmpty := first, true
	for _, word := range commandWords(command) {
		if !isEmpty && columns(line+" "+word) > limit-2 { // " \" follows
			done.WriteString(line + " \\\n")
			line, isEmpty = strings.Repeat(" ", indent), true
		}
		if !isEmpty {
			line += " "
		}
		line, isEmpty = line+word, false
	}
	return done.String() + line
}

// commandWords splits a command line at spaces that are outside of quotes.
func commandWords(command string) []string {
	var words []string
	var quote rune
	begin := 0
	for i, r := range command {
		switch {
		case r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == 0 && r == ' ':
			words = append(words, command[begin:i])
			begin = i + 1
		}
	}
	return append(words, command[begin:])
}

// padded returns a text with spaces behind it, so that it takes at least n columns.
func padded(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-columns(text)))
}

// quoted returns a word as a shell has to be given it.
func quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:@%+=,", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
