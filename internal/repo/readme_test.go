package repo

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents are the texts whose code compiles, whose links lead somewhere and whose tests exist.
var documents = []string{"README.md", "CONTRIBUTING.md", "docs/usage.md", "docs/edge.md"}

var (
	goBlock   = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	qualifier = regexp.MustCompile(`\b([a-z]+)\.[A-Z]`)
	testName  = regexp.MustCompile("`((?:Test|Benchmark|Fuzz|Example)[A-Z][A-Za-z0-9_]*)`")
	link      = regexp.MustCompile(`\]\(([^)#][^)]*)\)`)
)

// packagesOf are what a snippet may use without importing it.
var packagesOf = map[string]string{
	"entcache": module, "emulator": module + "/emulator", "entitlements": module + "/entitlements",
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "log": "log", "os": "os", "slog": "log/slog",
	"testing": "testing", "time": "time",
}

// program makes a Go file of a block: a whole file is left as it is, statements become the body of a function that is given a
// ctx, a started client and a test.
func program(block string) string {
	if strings.HasPrefix(block, "package ") {
		return block
	}
	imports := map[string]bool{"context": true, module: true, "testing": true}
	for _, m := range qualifier.FindAllStringSubmatch(block, -1) {
		if path, ok := packagesOf[m[1]]; ok {
			imports[path] = true
		}
	}
	var b strings.Builder
	b.WriteString("package readme\n\nimport (\n")
	for _, path := range slices.Sorted(maps.Keys(imports)) {
		fmt.Fprintf(&b, "\t%q\n", path)
	}
	b.WriteString(")\n\n")
	if regexp.MustCompile(`(?m)^func `).MatchString(block) {
		b.WriteString("var _ context.Context\nvar _ *entcache.Client\nvar _ *testing.T\n\n" + block)
		return b.String()
	}
	b.WriteString("func _(ctx context.Context, client *entcache.Client, t *testing.T) error {\n")
	b.WriteString(block)
	if !regexp.MustCompile(`(?m)^return .*\n\z`).MatchString(block) {
		b.WriteString("return nil\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// vet compiles and vets the given programs, each a package of a module that requires this one, as a user's would. It needs no
// network: the requirements are those of this module.
func vet(t *testing.T, programs ...string) error {
	t.Helper()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mod := strings.Replace(read(t, "go.mod"), "module "+module+"\n", "module example.test/readme\n", 1)
	write("go.mod", fmt.Sprintf("%s\nrequire %s v0.0.0\n\nreplace %s => %s\n", mod, module, module, top))
	write("go.sum", read(t, "go.sum"))
	for i, text := range programs {
		write(fmt.Sprintf("block%d/block.go", i), text)
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func TestReadmeCompiles(t *testing.T) {
	var programs []string
	for _, name := range documents {
		for _, m := range goBlock.FindAllStringSubmatch(read(t, name), -1) {
			programs = append(programs, program(m[1]))
		}
	}
	if len(programs) < 2 {
		t.Fatalf("%d blocks of Go found; there are more", len(programs))
	}
	if err := vet(t, programs...); err != nil {
		t.Errorf("a block of Go does not compile: %v", err)
		for i, text := range programs {
			t.Logf("block %d:\n%s", i, text)
		}
	}
}

func TestReadmeCompilesBites(t *testing.T) {
	for _, row := range []struct{ block, want string }{
		{"_, err := client.GetEntitlement(ctx, entcache.Query{Customer: \"acme\"})\nreturn err\n", "unknown field Customer"},
		{"func TestIt(t *testing.T) {\n\tt.Log(emulator.Nothing)\n}\n", "undefined: emulator.Nothing"},
		{"fmt.Printf(\"%d\\n\", \"acme\")\n", "wrong type string"},
	} {
		err := vet(t, program(row.block))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("vet of %q: %v, want %q", row.block, err, row.want)
		}
	}
}

// TestReadmeNamesWhatExists: a promise that names the test that holds it names one that is there.
func TestReadmeNamesWhatExists(t *testing.T) {
	exists := map[string]bool{}
	for _, f := range tree(t) {
		for _, name := range f.functions() {
			exists[name] = exists[name] || f.test
		}
	}
	for _, name := range append([]string{"CHANGELOG.md", "docs/reliability.md"}, documents...) {
		for _, m := range testName.FindAllStringSubmatch(read(t, name), -1) {
			if !exists[m[1]] {
				t.Errorf("%s names %s, which is no test or benchmark of this repository", name, m[1])
			}
		}
	}
}

func TestReadmeLinksLeadSomewhere(t *testing.T) {
	others := []string{"CHANGELOG.md", "contrib/bolt/README.md", "docs/catalog.md", "docs/operations.md", "docs/reliability.md"}
	for _, name := range append(others, documents...) {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), target)); err != nil {
				t.Errorf("%s links to %s: %v", name, target, err)
			}
		}
	}
}

// TestReadmeListsEveryOption: the table of options is complete.
func TestReadmeListsEveryOption(t *testing.T) {
	text, options := read(t, "README.md"), 0
	for _, f := range tree(t) {
		if f.dir() != "" || f.test {
			continue
		}
		for _, name := range f.functions() {
			if !strings.HasPrefix(name, "With") {
				continue
			}
			options++
			if !strings.Contains(text, "| `"+name) {
				t.Errorf("%s is missing from the table of options in README.md", name)
			}
		}
	}
	if options == 0 {
		t.Error("no options found")
	}
}

// TestEveryFaultNamesItsTest: a row of the table of faults without a test is a promise that nothing holds.
func TestEveryFaultNamesItsTest(t *testing.T) {
	rows := 0
	faults, _, _ := strings.Cut(read(t, "docs/reliability.md"), "\n## ") // what follows is how they are proven
	for line := range strings.Lines(faults) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 || cells[1] == " Fault " || strings.HasPrefix(cells[1], "---") {
			continue
		}
		rows++
		if !testName.MatchString(cells[5]) && !strings.Contains(cells[5], "go run") {
			t.Errorf("docs/reliability.md: no test is named for%s", cells[1])
		}
	}
	if rows < 20 {
		t.Errorf("%d rows found; there are more", rows)
	}
}
