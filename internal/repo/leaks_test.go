package repo

import (
	"go/ast"
	"maps"
	"slices"
	"testing"
)

// TestLeaksAreChecked: the tests of a package that starts goroutines end with a look for those that are left (P9).
func TestLeaksAreChecked(t *testing.T) {
	starts, checked := map[string]string{}, map[string]bool{}
	for _, f := range tree(t) {
		ast.Inspect(f.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				if !f.test {
					starts[f.dir()] = f.position(n.Pos())
				}
			case *ast.SelectorExpr:
				switch {
				case n.Sel.Name == "Go" && !f.test: // of a sync.WaitGroup or an errgroup
					starts[f.dir()] = f.position(n.Pos())
				case n.Sel.Name == "VerifyTestMain" && f.test:
					checked[f.dir()] = true
				}
			}
			return true
		})
	}
	for _, dir := range slices.Sorted(maps.Keys(starts)) {
		if !checked[dir] {
			t.Errorf("./%s starts goroutines (%s) and its tests do not check for leaks: add func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }",
				dir, starts[dir])
		}
	}
	if len(starts) < 3 {
		t.Errorf("goroutines are started in %v only: this test looks in the wrong place", starts)
	}
}
