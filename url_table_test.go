package cloudmirror_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"cloudmirror"
)

// table returns the rows of the table under a heading of docs/urls.md, each cell
// without its backticks and unquoted as Go unquotes strings.
func table(t testing.TB, heading string) [][]string {
	t.Helper()
	page, err := os.ReadFile("docs/urls.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/urls.md has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var rows [][]string
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			row = append(row, unquote(t, cell))
		}
		rows = append(rows, row)
	}
	if len(rows) < 5 {
		t.Fatalf("docs/urls.md has %d rows under %q", len(rows), heading)
	}
	return rows
}

func unquote(t testing.TB, cell string) string {
	t.Helper()
	cell = strings.TrimPrefix(strings.TrimSuffix(cell, " "), " ")
	code, isCode := strings.CutPrefix(cell, "`")
	if !isCode || !strings.HasSuffix(code, "`") {
		return cell
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimSuffix(code, "`"), `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("docs/urls.md: %s: %v", cell, err)
	}
	return text
}

func TestDocumentedURLsAreAccepted(t *testing.T) {
	for _, row := range table(t, "Accepted") {
		given, want := row[0], row[1]
		o, err := cloudmirror.ParseObject(given)
		if err != nil || o.URL() != want {
			t.Errorf("%q: got %q, %v, want %q", given, o.URL(), err, want)
		}
	}
}

func TestDocumentedURLsAreRefused(t *testing.T) {
	for _, row := range table(t, "Refused") {
		if o, err := cloudmirror.ParseObject(row[0]); err == nil {
			t.Errorf("%q (%s) was accepted as %q", row[0], row[1], o.URL())
		}
	}
}

// Some of the keys are of copies that only old releases make.
func TestDocumentedKeysStand(t *testing.T) {
	for _, row := range table(t, "Keys") {
		o, err := cloudmirror.ParseLegacyObject(row[0])
		if err != nil || o.URL() != row[0] {
			t.Errorf("%q is not canonical: %q, %v", row[0], o.URL(), err)
		}
		if want := row[1] + "/0/" + row[2]; o.StorageKey(cloudmirror.FirstGeneration) != want {
			t.Errorf("%q: key %q, want %q", row[0], o.StorageKey(cloudmirror.FirstGeneration), want)
		}
		if want := row[1] + "/generation"; o.MarkerKey() != want {
			t.Errorf("%q: marker %q, want %q", row[0], o.MarkerKey(), want)
		}
	}
}
