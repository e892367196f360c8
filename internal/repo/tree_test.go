package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the top of the repository, seen from this package's directory, where its tests run.
const root = "../.."

const module = "github.com/entcache/entcache"

// file is a Go source file of the repository.
type file struct {
	name string // slash-separated, from the root
	test bool
	fset *token.FileSet
	*ast.File
}

func (f *file) dir() string {
	if d := path.Dir(f.name); d != "." {
		return d
	}
	return ""
}

func (f *file) position(p token.Pos) string {
	at := f.fset.Position(p)
	at.Filename = f.name
	return at.String()
}

// functions yields the names of the package-level functions of a file.
func (f *file) functions() []string {
	var names []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
			names = append(names, fn.Name.Name)
		}
	}
	return names
}

// sources parses every Go file of the repository, of all its modules, once.
var sources = sync.OnceValues(func() ([]*file, error) {
	var files []*file
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != root && (base == "testdata" || base == "node_modules" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		files = append(files, &file{filepath.ToSlash(rel), strings.HasSuffix(base, "_test.go"), fset, parsed})
		return nil
	})
	return files, err
})

func tree(t *testing.T) []*file {
	t.Helper()
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
