package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestNoTestSleeps allows calls of time.Sleep only in test files that use
// testing/synctest, where it takes no time and hides no race. (As a value it is
// the clock of a suite whose server has no other.)
func TestNoTestSleeps(t *testing.T) {
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue // golangci-lint forbids it
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, "../"+file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if imports(parsed, "testing/synctest") {
			continue
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isSleep(call.Fun) {
				t.Errorf("%s:%d: time.Sleep outside of testing/synctest: wait for an event", file, set.Position(n.Pos()).Line)
			}
			return true
		})
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
