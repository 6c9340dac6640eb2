package test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/guarantees.md names tests, which may be renamed.
func TestGuaranteesNameTestsThatExist(t *testing.T) {
	text, err := os.ReadFile("../docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range goFiles(t) {
		// Suites are in packages named like storagetest.
		if !strings.HasSuffix(file, "_test.go") && !strings.HasSuffix(path.Dir(file), "test") {
			continue
		}
		source, err := os.ReadFile("../" + file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(source)
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+|"[a-z][^"]+"`).FindAllString(string(text), -1)
	if len(named) < 50 {
		t.Fatalf("the document names %d tests: it is not read right", len(named))
	}
	for _, name := range named {
		declared := []string{"func " + name + "("}
		if strings.HasPrefix(name, `"`) {
			declared = []string{"{" + name + ", ", "{name: " + name + ", "}
		}
		if !slices.ContainsFunc(declared, func(d string) bool { return strings.Contains(tests.String(), d) }) {
			t.Errorf("there is no test %s", name)
		}
	}
}
