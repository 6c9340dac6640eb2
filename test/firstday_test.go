package test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxFirstDayWords keeps docs/first-day.md a page that a newcomer reads to its end.
const maxFirstDayWords = 1200

// TestFirstDayNamesWhatExists holds the page's one spelling of names: in code, the
// path of a file, and perhaps a colon, a blank and a function, a type or Type.Method
// that the file declares.
func TestFirstDayNamesWhatExists(t *testing.T) {
	page := readPage(t, "docs/first-day.md")
	names, broken := checkCodeNames(page, declaredIn)
	for _, b := range broken {
		t.Errorf("docs/first-day.md: %s", b)
	}
	if names < 20 {
		t.Errorf("docs/first-day.md names only %d places of the code: it is not read right", names)
	}
	if words := len(strings.Fields(page)); words > maxFirstDayWords {
		t.Errorf("docs/first-day.md has %d words, and may have %d", words, maxFirstDayWords)
	}
}

func TestBrokenCodeNamesAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want string // "": nothing is broken
	}{
		"a file":                   {"`test/firstday_test.go`", ""},
		"a function":               {"`test/firstday_test.go: declaredIn`", ""},
		"a constant":               {"`test/firstday_test.go: maxFirstDayWords`", ""},
		"a type":                   {"`test/pages_test.go: pageRow`", ""},
		"a method":                 {"`config/config.go: Config.Tokens`", ""},
		"a method of a value":      {"`config/config.go: SQS.QueueName`", ""},
		"other code":               {"`go run ./cmd`, `engine`", ""},
		"a command in a block":     {"```sh\ngo run x.go\n```", ""},
		"a file that is gone":      {"`test/gone.go`", "test/gone.go: there is no such file"},
		"a function that is gone":  {"`test/firstday_test.go: gone`", "test/firstday_test.go declares no gone"},
		"a method without a type":  {"`config/config.go: Tokens`", "config/config.go declares no Tokens"},
		"a method of another type": {"`config/config.go: Log.Tokens`", "config/config.go declares no Log.Tokens"},
		"a call":                   {"`test/firstday_test.go: declaredIn()`", "`test/firstday_test.go: declaredIn()` is not written as `file.go: Name`"},
		"another spelling":         {"`test.declaredIn (firstday_test.go)`", "`test.declaredIn (firstday_test.go)` is not written as `file.go: Name`"},
		"no blank":                 {"`test/firstday_test.go:declaredIn`", "`test/firstday_test.go:declaredIn` is not written as `file.go: Name`"},
	} {
		t.Run(name, func(t *testing.T) {
			_, broken := checkCodeNames(test.text, declaredIn)
			if got := strings.Join(broken, "\n"); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

var (
	codeBlock  = regexp.MustCompile("(?s)```.*?```")
	inlineCode = regexp.MustCompile("`[^`]+`")
	codeName   = regexp.MustCompile("^`([\\w./-]+\\.go)(?:: ([\\w.]+))?`$")
)

// checkCodeNames returns how many places of the code a text names, and what is wrong
// with them. The function declared returns the names that a file declares.
func checkCodeNames(text string, declared func(file string) ([]string, error)) (names int, broken []string) {
	for _, code := range inlineCode.FindAllString(codeBlock.ReplaceAllString(text, ""), -1) {
		if !strings.Contains(code, ".go") {
			continue
		}
		match := codeName.FindStringSubmatch(code)
		if match == nil {
			broken = append(broken, code+" is not written as `file.go: Name`")
			continue
		}
		names++
		all, err := declared(match[1])
		switch {
		case err != nil:
			broken = append(broken, match[1]+": "+err.Error())
		case match[2] != "" && !slices.Contains(all, match[2]):
			broken = append(broken, fmt.Sprintf("%s declares no %s", match[1], match[2]))
		}
	}
	return names, broken
}

// declaredIn returns what a file declares: functions, types, constants and variables
// by their names, methods as Type.Method.
func declaredIn(file string) (names []string, err error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "../"+file, nil, parser.SkipObjectResolution)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file")
	case err != nil:
		return nil, err
	}
	for _, declaration := range parsed.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			names = append(names, receiverOf(d)+d.Name.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names, nil
}

// receiverOf returns the type of a method with a dot behind it; "" for a function.
func receiverOf(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	e := d.Recv.List[0].Type
	if pointer, ok := e.(*ast.StarExpr); ok {
		e = pointer.X
	}
	if generic, ok := e.(*ast.IndexExpr); ok {
		e = generic.X
	}
	if name, ok := e.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}
