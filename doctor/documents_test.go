package doctor_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryFindingIsDocumented compares the IDs with the table of
// docs/provisioning.md, and the endings with the text below it.
func TestEveryFindingIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/provisioning.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "## What doctor finds")
	if !found {
		t.Fatal("there is no section about findings")
	}
	var documented []string
	for line := range strings.Lines(section) {
		cell, isRow := strings.CutPrefix(line, "| `")
		if !isRow {
			continue
		}
		cell, _, _ = strings.Cut(cell, " | ")
		documented = append(documented, strings.Split(strings.Trim(cell, "`"), "`, `")...)
	}
	ids, endings := constants(t)
	slices.Sort(documented)
	slices.Sort(ids)
	if diff := cmp.Diff(ids, documented); diff != "" {
		t.Errorf("IDs (-code +docs):\n%s", diff)
	}
	for _, ending := range endings {
		if !regexp.MustCompile("`(<resource>)?" + ending + "`").MatchString(section) {
			t.Errorf("the ending %s is not explained", ending)
		}
	}
}

// constants returns the values in finding.go that are IDs, and those that end
// one.
func constants(t *testing.T) (ids, endings []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "finding.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if kind, typed := spec.Type.(*ast.Ident); typed && kind.Name == "ID" {
			ids = append(ids, value)
		} else if strings.HasPrefix(spec.Names[0].Name, "end") {
			endings = append(endings, value)
		}
		return true
	})
	return ids, endings
}
