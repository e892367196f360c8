package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// widest is how many columns a line with a comment may have, a tab being four. Prose is wrapped at 132; the rest is for what
// stands behind code.
const widest = 140

// TestCommentsFitTheScreen: gofmt wraps no comment.
func TestCommentsFitTheScreen(t *testing.T) {
	for _, f := range tree(t) {
		if ast.IsGenerated(f.File) {
			continue
		}
		for _, problem := range wide(f, read(t, f.name)) {
			t.Error(problem)
		}
	}
}

// wide says which lines with comments are too wide.
func wide(f *file, src string) []string {
	var list []string
	lines := strings.Split(src, "\n")
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") {
				continue // cannot be wrapped
			}
			first, last := f.fset.Position(c.Pos()).Line, f.fset.Position(c.End()).Line
			for n := first; n <= last; n++ {
				line := lines[n-1]
				if columns := utf8.RuneCountInString(line) + 3*strings.Count(line, "\t"); columns > widest {
					list = append(list, fmt.Sprintf("%s:%d: %d columns with a comment, want at most %d: wrap it", f.name, n, columns, widest))
				}
			}
		}
	}
	return list
}

func TestCommentsFitTheScreenBites(t *testing.T) {
	const long = 139
	src := strings.Join([]string{
		"// Package p is " + strings.Repeat("w", 124), // 140: fits
		"package p",
		"",
		"// " + strings.Repeat("é", 138),
		"//go:generate " + strings.Repeat("w", long),
		"func f() {",
		"\t// " + strings.Repeat("w", 134),
		"\t_ = \"// " + strings.Repeat("w", long) + "\"",
		"\t_ = 1 // " + strings.Repeat("w", 130),
		"\t/* one",
		"\t" + strings.Repeat("w", 137) + " */",
		"}",
		"",
	}, "\n")
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, problem := range wide(&file{"p.go", false, fset, parsed}, src) {
		at, _, _ := strings.Cut(problem, " ")
		got = append(got, at)
	}
	if want := []string{"p.go:4:", "p.go:7:", "p.go:9:", "p.go:11:"}; !slices.Equal(got, want) {
		t.Errorf("too wide: %q, want %q", got, want)
	}
}
