package emulator

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestInputsThatAreNotReadAreListed holds the emulator to what it takes: every field of every input type of the schema is read somewhere,
// or testdata/unread.txt lists it, and package doc says under "Choices" what becomes of those that mean something. One that is read in
// one mutation and not in another goes unnoticed only where the two share an input type.
func TestInputsThatAreNotReadAreListed(t *testing.T) {
	const wirePath = "github.com/entcache/entcache/emulator/internal/wire"
	files := token.NewFileSet()
	parse := func(dir string) (list []*ast.File) {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(files, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, f)
		}
		return list
	}
	// Nothing but the two packages is loaded. What is of another has no type then, and the fields of the inputs have theirs all the same.
	known := imported{}
	config := types.Config{Importer: known, Error: func(error) {}}
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
	known[wirePath], _ = config.Check(wirePath, files, parse("internal/wire"), nil)
	own := parse(".")
	config.Check("emulator", files, own, info)

	read := map[*types.Var]bool{}
	for _, f := range own {
		written := map[ast.Expr]bool{}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, to := range n.Lhs {
					written[to] = true
				}
			case *ast.SelectorExpr:
				if s := info.Selections[n]; s != nil && s.Kind() == types.FieldVal && !written[n] {
					read[s.Obj().(*types.Var)] = true
				}
			}
			return true
		})
	}
	var unread []string
	fields := 0
	scope := known[wirePath].Scope()
	for _, name := range scope.Names() {
		s, ok := scope.Lookup(name).Type().Underlying().(*types.Struct)
		for i := 0; ok && i < s.NumFields(); i++ {
			field, tagged := reflect.StructTag(s.Tag(i)).Lookup("graphql")
			if !tagged {
				continue
			}
			if fields++; !read[s.Field(i)] && field != "environmentId" { // there is one environment
				unread = append(unread, name+"."+field)
			}
		}
	}
	if fields < 500 || len(read) < fields/2 {
		t.Fatalf("found %d fields of inputs, %d fields read: the test looks at the wrong thing", fields, len(read))
	}
	lines := listed(t, "testdata/unread.txt")
	if !slices.IsSorted(lines) {
		t.Error("testdata/unread.txt is not sorted")
	}
	for _, x := range lines {
		if !slices.Contains(unread, x) {
			t.Errorf("%s is read now, or there is no such input: take it off testdata/unread.txt, and what doc.go says of it", x)
		}
	}
	for _, x := range unread {
		if !slices.Contains(lines, x) {
			t.Errorf("%s is accepted and never read: honour it, or list it in testdata/unread.txt and say so under Choices in doc.go", x)
		}
	}
}

// imported is an importer that has what it is given, and an empty package for anything else.
type imported map[string]*types.Package

func (known imported) Import(path string) (*types.Package, error) {
	if known[path] == nil {
		p := types.NewPackage(path, path[strings.LastIndexByte(path, '/')+1:])
		p.MarkComplete()
		known[path] = p
	}
	return known[path], nil
}
