package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strings"
	"testing"
)

// maySleep gives the reasons of packages whose tests cannot use testing/synctest
// and have no event to wait for either.
var maySleep = map[string]string{
	"test/e2e": "asks other processes until they are done",
}

// TestNoTestSleeps allows calls of time.Sleep only to tests of packages that use
// testing/synctest, where it takes no time and hides no race. (As a value it is
// the clock of a suite whose server has no other.)
func TestNoTestSleeps(t *testing.T) {
	inBubbles, sleeps := make(map[string]bool), make(map[string][]token.Position)
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue // golangci-lint forbids it
		}
		set, dir := token.NewFileSet(), path.Dir(file)
		parsed, err := parser.ParseFile(set, "../"+file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if imports(parsed, "testing/synctest") {
			inBubbles[dir] = true
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isSleep(call.Fun) {
				sleeps[dir] = append(sleeps[dir], set.Position(n.Pos()))
			}
			return true
		})
	}
	for dir, positions := range sleeps {
		if inBubbles[dir] || maySleep[dir] != "" {
			continue
		}
		for _, position := range positions {
			t.Errorf("%s: time.Sleep outside of testing/synctest: wait for an event", position)
		}
	}
}

func imports(f *ast.File, name string) bool {
	for _, spec := range f.Imports {
		if spec.Path.Value == `"`+name+`"` {
			return true
		}
	}
	return false
}

func isSleep(e ast.Expr) bool {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Sleep" {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	return ok && pkg.Name == "time"
}
