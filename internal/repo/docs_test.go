package repo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// pkg is what the documentation of one package is judged by.
type pkg struct {
	name     string
	comments []string // positions of package comments
	text     string
	examples int
}

// TestPackageDocs holds every package to one comment that says what it is, and every package that can be imported to an example
// that runs.
func TestPackageDocs(t *testing.T) {
	packages := map[string]*pkg{}
	for _, f := range tree(t) {
		p := packages[f.dir()]
		if p == nil {
			p = &pkg{}
			packages[f.dir()] = p
		}
		if f.test {
			for _, name := range f.functions() {
				if strings.HasPrefix(name, "Example") {
					p.examples++
				}
			}
			continue
		}
		p.name = f.Name.Name
		if f.Doc != nil {
			p.comments = append(p.comments, f.position(f.Doc.Pos()))
			p.text = f.Doc.Text()
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		for _, problem := range packages[dir].problems(dir) {
			t.Errorf("package %s in ./%s: %s", packages[dir].name, dir, problem)
		}
	}
}

func (p *pkg) problems(dir string) []string {
	var list []string
	switch begins := "Package " + p.name + " "; {
	case p.name == "": // tests alone
		return nil
	case len(p.comments) == 0 || strings.TrimSpace(p.text) == "":
		list = append(list, "no package comment: say what it is, what it is not, and its concurrency rules")
	case len(p.comments) > 1:
		list = append(list, fmt.Sprintf("%d package comments, %s: keep one", len(p.comments), strings.Join(p.comments, " and ")))
	case p.name == "main" && !strings.HasPrefix(p.text, "Command "):
		list = append(list, fmt.Sprintf("the comment of a command begins with Command, not %q", firstLine(p.text)))
	case p.name != "main" && !strings.HasPrefix(p.text, begins):
		list = append(list, fmt.Sprintf("the package comment begins with %q, not %q", begins, firstLine(p.text)))
	}
	internal := slices.Contains(strings.Split(dir, "/"), "internal")
	if p.examples == 0 && p.name != "main" && !internal && dir != "bench" {
		list = append(list, "no Example: show its use in a test that runs")
	}
	return list
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func TestPackageDocsBite(t *testing.T) {
	for _, row := range []struct {
		dir  string
		pkg  pkg
		want string // a part of the one problem; empty: none
	}{
		{"cache", pkg{"cache", []string{"doc.go:1"}, "Package cache is.\n", 1}, ""},
		{"cache", pkg{"cache", nil, "", 1}, "no package comment"},
		{"cache", pkg{"cache", []string{"doc.go:1"}, "\n", 1}, "no package comment"},
		{"cache", pkg{"cache", []string{"doc.go:1", "cell.go:3"}, "Package cache is.\n", 1}, "doc.go:1 and cell.go:3"},
		{"cache", pkg{"cache", []string{"doc.go:1"}, "Package lru is.\n", 1}, "begins with"},
		{"cache", pkg{"cache", []string{"doc.go:1"}, "Package cache is.\n", 0}, "no Example"},
		{"internal/x", pkg{"x", []string{"doc.go:1"}, "Package x is.\n", 0}, ""},
		{"cmd/x", pkg{"main", []string{"main.go:1"}, "Command x does.\n", 0}, ""},
		{"cmd/x", pkg{"main", []string{"main.go:1"}, "Package main does.\n", 0}, "begins with Command"},
		{"only/tests", pkg{"", nil, "", 0}, ""},
	} {
		got := strings.Join(row.pkg.problems(row.dir), "; ")
		if row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%+v in %s: problems %q, want %q", row.pkg, row.dir, got, row.want)
		}
	}
}
