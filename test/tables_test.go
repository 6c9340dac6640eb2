package test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every table of the documents is one: each of its rows has as many cells as its
// header, and no row is cut off from it by an empty line.
func TestTablesOfTheDocuments(t *testing.T) {
	files := []string{"../README.md"}
	for _, root := range []string{"../docs", "../deploy"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if filepath.Ext(path) == ".md" {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tables := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, broken := checkTables(string(text))
		for _, b := range broken {
			t.Errorf("%s:%s", file, b)
		}
		tables += n
	}
	if tables < 40 {
		t.Errorf("only %d tables were found in %d files", tables, len(files))
	}
}

func TestBrokenTablesAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"whole":            {"| a | b |\n| --- | --- |\n| `x\\|y` | 2 |\n", nil},
		"within a list":    {"- a list\n\n  | a | b |\n  | --- | --- |\n", nil},
		"in a code block":  {"```text\n| a |\n```\n", nil},
		"a cell too many":  {"| a | b |\n| --- | --- |\n| `x|y` | 2 |\n", []string{"3: 3 cells, and the table's header has 2"}},
		"a cell too few":   {"| a | b |\n| --- | --- |\n| 1 |\n", []string{"3: 1 cells, and the table's header has 2"}},
		"an empty line":    {"| a | b |\n| --- | --- |\n| 1 | 2 |\n\n| 3 | 4 |\n", []string{"5: a row without a table"}},
		"no separator":     {"| a | b |\n| 1 | 2 |\n", []string{"1: a row without a table"}},
		"an unended row":   {"| a | b |\n| --- | --- |\n| 1 | 2\n", []string{"3: the row does not end with |"}},
		"text behind rows": {"| a | b |\n| --- | --- |\n| 1 | 2 |\ntext\n", []string{"4: this line would be a row of the table above it"}},
	} {
		if _, got := checkTables(test.text); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

var separatorRow = regexp.MustCompile(`^\|(?: *:?-+:? *\|)+$`)

// checkTables returns how many tables a text in Markdown has, and what is wrong with
// them, as LINE: WHAT.
func checkTables(text string) (tables int, broken []string) {
	lines := strings.Split(text, "\n")
	isCode := false
	columns := 0 // of the table that the line before belongs to; 0: none
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			isCode = !isCode
		}
		isRow := strings.HasPrefix(line, "|") && !isCode
		tell := func(format string, args ...any) {
			broken = append(broken, fmt.Sprintf("%d: ", i+1)+fmt.Sprintf(format, args...))
		}
		switch {
		case !isRow && columns > 0 && line != "" && !isCode:
			tell("this line would be a row of the table above it")
			columns = 0
		case !isRow:
			columns = 0
		case !strings.HasSuffix(line, "|"):
			tell("the row does not end with |")
		case columns == 0 && (i+1 == len(lines) || !separatorRow.MatchString(strings.TrimSpace(lines[i+1]))):
			tell("a row without a table")
			columns = cells(line)
		case columns == 0:
			tables++
			columns = cells(line)
		case cells(line) != columns:
			tell("%d cells, and the table's header has %d", cells(line), columns)
		}
	}
	return tables, broken
}

// cells returns how many cells a row has. GitHub splits at each | without a
// backslash, also within code.
func cells(row string) int { return strings.Count(row, "|") - strings.Count(row, `\|`) - 1 }
