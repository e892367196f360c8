package planted

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// env names the bug that acts; empty or absent: none does.
const env = "ENTCACHE_PLANTED"

// switchFile is what each package that a bug is planted in gets besides.
const switchFile = "planted_switch.go"

// switchSource answers whether a bug acts, in the package of that name. A name that is not in the list is a mistake of the
// caller's, and must not look like a bug that nothing caught.
func switchSource(pkg string, names []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n\nimport \"os\"\n\nvar plantedName = os.Getenv(%q)\n\n", pkg, env)
	fmt.Fprintf(&b, "func planted(name string) bool { return name == plantedName }\n\nfunc init() {\n\tswitch plantedName {\n\tcase \"\"")
	for _, n := range names {
		fmt.Fprintf(&b, ", %q", n)
	}
	fmt.Fprintf(&b, ":\n\tdefault:\n\t\tpanic(%q + plantedName)\n\t}\n}\n", env+" names no bug: ")
	return b.Bytes()
}

// edit is one change on its way into a file.
type edit struct {
	bug      string
	old, new string
	at       int
}

// apply makes all edits of one file at once. Each old text must occur exactly once in src, and no two may overlap: then the order
// in which they are listed means nothing.
func apply(file string, src []byte, edits []edit) ([]byte, error) {
	for i := range edits {
		e := &edits[i]
		switch n := bytes.Count(src, []byte(e.old)); {
		case e.old == "" || e.new == "":
			return nil, fmt.Errorf("the entry %q leaves out the old or the new text", e.bug)
		case n != 1:
			return nil, fmt.Errorf("%s: the text that the entry %q replaces is there %d times, want once; update the entry to what the file says now:\n%s", file, e.bug, n, e.old)
		case !strings.Contains(e.new, fmt.Sprintf("planted(%q)", e.bug)):
			return nil, fmt.Errorf("the entry %q acts without being asked: its text does not call planted(%q)", e.bug, e.bug)
		}
		e.at = bytes.Index(src, []byte(e.old))
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.at - b.at })
	var out []byte
	end := 0
	for _, e := range edits {
		if e.at < end {
			return nil, fmt.Errorf("%s: the entry %q replaces a part of what another one does: choose a shorter text", file, e.bug)
		}
		out = append(append(out, src[end:e.at]...), e.new...)
		end = e.at + len(e.old)
	}
	out = append(out, src[end:]...)
	if _, err := format.Source(out); err != nil {
		return nil, fmt.Errorf("%s: with its bugs planted: %w", file, err)
	}
	return out, nil
}

// overlay writes the changed files into dir and returns the path of the overlay for go build.
func overlay(dir, root string, bugs []bug) (string, error) {
	var names []string
	byFile := map[string][]edit{}
	for _, b := range bugs {
		names = append(names, b.name)
		for _, c := range b.changes {
			byFile[c.file] = append(byFile[c.file], edit{bug: b.name, old: c.old, new: c.new})
		}
	}
	replace := map[string]string{}
	write := func(file string, data []byte) error {
		copied := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		replace[filepath.Join(root, file)] = copied
		return os.WriteFile(copied, data, 0o600)
	}
	for file, edits := range byFile {
		src, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		out, err := apply(file, src, edits)
		if err != nil {
			return "", err
		}
		if err := write(file, out); err != nil {
			return "", err
		}
		clause, err := parser.ParseFile(token.NewFileSet(), file, src, parser.PackageClauseOnly)
		if err != nil {
			return "", err
		}
		if err := write(filepath.ToSlash(filepath.Join(filepath.Dir(file), switchFile)), switchSource(clause.Name.Name, names)); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data, 0o600)
}

// compile builds the test binary of one package with every bug in it. Without the race detector, whoever asks: what is planted is
// no race, and the detector costs several times the time.
func compile(t *testing.T, dir, root, overlay, pkg string) string {
	t.Helper()
	out := filepath.Join(dir, strings.Trim(strings.ReplaceAll(pkg, "/", "_"), "._")+"sim.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-race=false", "-vet=off", "-overlay", overlay, "-o", out, pkg)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, text)
	}
	return out
}

func TestApply(t *testing.T) {
	src := "package p\n\nvar x, y = 1, 2\n\nvar z = 1\n"
	asked := func(bug, text string) edit {
		return edit{bug: bug, old: text, new: text + "; var _ = planted(\"" + bug + "\")"}
	}
	for _, row := range []struct {
		edits []edit
		want  string // in the error; empty: none
	}{
		{[]edit{asked("x", "2")}, ""},
		{[]edit{asked("x", "3")}, "there 0 times"},
		{[]edit{asked("x", "1")}, "there 2 times"},
		{[]edit{{bug: "x", old: "2", new: "3"}}, "without being asked"},
		{[]edit{{bug: "x", old: "2"}}, "leaves out"},
		{[]edit{asked("x", "1, 2"), asked("y", "2")}, "choose a shorter text"},
		{[]edit{{bug: "x", old: "2", new: `planted("x"))`}}, "with its bugs planted"},
	} {
		out, err := apply("p.go", []byte(src), row.edits)
		if row.want == "" && (err != nil || !strings.Contains(string(out), "planted")) || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%+v: %v\n%s\nwant %q", row.edits, err, out, row.want)
		}
	}
}
