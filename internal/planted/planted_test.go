package planted

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/entcache/entcache/internal/simtest"
)

// patience bounds one run of a simulation: what takes longer is stuck.
const patience = 5 * time.Minute

// healthy is how many seeds must pass with every bug in the binary and none of them acting.
const healthy = 12

// TestEveryRuleHasABug: none of what the simulations have to prove is left without a bug that would show it.
func TestEveryRuleHasABug(t *testing.T) {
	want := append(rules(t), "generation bump", "dead peer", "budget", "reconnects", "age", "max stale", "own writes", "convergence", "ctx", "close", "origin", "pending usage", "counted once", "bound checks")
	seen := map[string]bool{}
	for _, b := range bugs {
		if seen[b.name] {
			t.Errorf("two bugs are called %q", b.name)
		}
		seen[b.name] = true
		if !slices.Contains(want, b.breaks) {
			t.Errorf("%q breaks %q, which is none of %q", b.name, b.breaks, want)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(bugs, func(b bug) bool { return b.breaks == w }) {
			t.Errorf("no bug breaks %q", w)
		}
	}
	for name, seed := range rare {
		if !seen[name] || seed < 1 || seed > simtest.Usual {
			t.Errorf("seed %d is named for %q: want one of the %d usual ones, for a bug of the list", seed, name, simtest.Usual)
		}
	}
}

// rules lists the rules that sync/doc.go numbers, one to the last.
func rules(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), "sync", "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n// # The order of things\n")
	section, _, _ = strings.Cut(section, "\n// # ")
	var list []string
	for _, m := range numbered.FindAllStringSubmatch(section, -1) {
		list = append(list, "rule "+m[1])
		if want := "rule " + strconv.Itoa(len(list)); list[len(list)-1] != want {
			t.Fatalf("sync/doc.go has %s where %s is to be", list[len(list)-1], want)
		}
	}
	if len(list) == 0 {
		t.Fatal("sync/doc.go: no rules found under \"The order of things\"")
	}
	return list
}

// numbered is how gofmt has an item of a numbered list in a comment.
var numbered = regexp.MustCompile(`(?m)^//  (\d+)\. `)

// build compiles the packages of simulations with every bug in them. It returns the binaries by directory.
func build(t *testing.T, root string, sims ...sim) map[string]string {
	t.Helper()
	dir := t.TempDir()
	path, err := overlay(dir, root, bugs)
	if err != nil {
		t.Fatal(err)
	}
	binaries := map[string]string{}
	for _, s := range sims {
		binaries[s.dir] = compile(t, dir, root, path, s.dir)
	}
	return binaries
}

// TestPlantedBugsAreFound plants every bug in turn and wants its simulation to fail, at a seed of those that run by default; and
// wants the same binary to pass with none. What a failure leaves behind is wanted, too.
func TestPlantedBugsAreFound(t *testing.T) {
	root := repository(t)
	binaries := build(t, root, both...)
	t.Run("trace", func(t *testing.T) { traceIsReplayed(t, binaries["./sync"], filepath.Join(root, "sync")) })
	run := func(ctx context.Context, s sim, name string, which ...string) outcome {
		return simulate(ctx, binaries[s.dir], filepath.Join(root, s.dir), s.test, name, which...)
	}
	slots := make(chan struct{}, runtime.GOMAXPROCS(0)) // each run takes one processor
	var wg sync.WaitGroup
	for _, sim := range slices.Concat(both, metered, paid) {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if out := run(t.Context(), sim, "no such bug", "ENTCACHE_SIM_SEEDS=1"); out.err == nil || !strings.Contains(out.text, "names no bug") {
				t.Errorf("%s with a bug that does not exist: %v, want a panic that says so\n%s", sim, out.err, out.text)
			}
			if out := run(t.Context(), sim, "", "ENTCACHE_SIM_SEEDS="+strconv.Itoa(healthy)); out.err != nil {
				t.Errorf("%s fails without a bug: %v\n%s", sim, out.err, out.text)
			}
		})
	}
	if wg.Wait(); t.Failed() {
		return
	}
	// It is the bug that a seed shows, and nothing else. Those of the healthy ones have been shown to, and one seed finds many bugs.
	var mu sync.Mutex
	type attempt struct {
		sim  sim
		seed string
	}
	passed := map[attempt]func() outcome{}
	without := func(sim sim, seed string) outcome {
		if n, err := strconv.Atoi(seed); err == nil && n <= healthy {
			return outcome{}
		}
		mu.Lock()
		once := passed[attempt{sim, seed}]
		if once == nil {
			once = sync.OnceValue(func() outcome { return run(t.Context(), sim, "", "ENTCACHE_SIM_SEED="+seed) })
			passed[attempt{sim, seed}] = once
		}
		mu.Unlock()
		return once()
	}
	for _, b := range bugs {
		for _, sim := range b.sims {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				var out outcome
				if seed := rare[b.name]; seed > 0 && sim == client[0] {
					out = run(t.Context(), sim, b.name, "ENTCACHE_SIM_SEED="+strconv.Itoa(seed))
				}
				if ok, _ := out.caught(); !ok {
					out = run(t.Context(), sim, b.name)
				}
				caught, seed := out.caught()
				t.Logf("%-16s %-66s %-16s seed %4s %6.1fs  %s", b.breaks, b.name, sim, seed, out.took.Seconds(), out.said())
				if !caught {
					t.Errorf("%q, which breaks %s, is not found by %s: %v\n%s", b.name, b.breaks, sim, out.err, out.tail())
					return
				}
				if out := without(sim, seed); out.err != nil {
					t.Errorf("%s: seed %s, which found %q, fails without it: %v\n%s", sim, seed, b.name, out.err, out.tail())
				}
			})
		}
	}
	wg.Wait()
}

// traceIsReplayed wants the trace of a failure to be kept, and to be replayed step by step up to the line that is blamed: exactly,
// with the bug that it shows, and differently without.
func traceIsReplayed(t *testing.T, binary, dir string) {
	const bug = "an older set is taken"
	out := execute(t.Context(), binary, dir, bug, []string{"-test.run=^TestSim$", "-test.artifacts", "-test.outputdir=" + t.TempDir()}, "ENTCACHE_SIM_SEEDS=20")
	trace, found := kept.FindStringSubmatch(out.text), out.said()
	if trace == nil || found == "" {
		t.Fatalf("%q leaves no trace: %v\n%s", bug, out.err, out.tail())
	}
	for _, name := range []string{bug, ""} {
		out := execute(t.Context(), binary, dir, name, []string{"-test.run=^TestReplay$", "-test.v"}, "ENTCACHE_SIM_TRACE="+trace[1])
		differs := strings.Contains(out.text, "has the code changed since?")
		if out.err == nil || out.said() != found || !strings.Contains(out.text, ">>>") || differs != (name == "") {
			t.Errorf("replayed with %q planted, the trace of %q says %q (%v), and its steps differ: %v; want what the simulation said: %q\n%s",
				name, bug, out.said(), out.err, differs, found, out.tail())
		}
	}
}

// kept is where a simulation says that its trace is.
var kept = regexp.MustCompile(`; its trace is (\S+)\n`)

// outcome is how one run of a simulation ended.
type outcome struct {
	err  error
	text string
	took time.Duration
}

// simulate runs a simulation with one bug acting, over the seeds that run by default unless which says others.
func simulate(ctx context.Context, binary, dir, test, name string, which ...string) outcome {
	return execute(ctx, binary, dir, name, []string{"-test.run=^" + test + "$", "-test.failfast"}, which...)
}

// execute runs a binary with one bug acting.
func execute(ctx context.Context, binary, dir, name string, args []string, which ...string) outcome {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // what is stuck says where
	cmd.WaitDelay = 10 * time.Second
	// One processor for each: several run side by side, and who asks for another number of seeds does not mean these runs.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "ENTCACHE_SIM_") || strings.HasPrefix(v, env+"=") || strings.HasPrefix(v, "GOMAXPROCS=")
	}), env+"="+name, "GOMAXPROCS=1")
	cmd.Env = append(cmd.Env, which...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	began := time.Now()
	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end within %v: %w", patience, ctx.Err())
	}
	return outcome{err, text.String(), time.Since(began)}
}

// again is the line with which a simulation names the seed that failed: simtest.Again.
var again = regexp.MustCompile(`seed (\d+); keep its trace with: ENTCACHE_SIM_SEED=`)

// caught reports whether the simulation itself found fault, and at which seed: an ordinary failure that names its seed, and no
// crash, which would also happen to a harness that is broken.
func (o outcome) caught() (ok bool, seed string) {
	exit, failed := errors.AsType[*exec.ExitError](o.err)
	m := again.FindStringSubmatch(o.text)
	if !failed || exit.ExitCode() != 1 || m == nil || strings.Contains(o.text, "panic: ") {
		return false, "none"
	}
	return true, m[1]
}

// said is the first complaint: the line behind the trace that names a file of the simulation.
func (o outcome) said() string {
	for line := range strings.Lines(o.text) {
		if _, rest, ok := strings.Cut(line, "found: "); ok {
			return rest[:min(len(rest)-1, 140)]
		}
	}
	return ""
}

// tail is the end of what it printed, and all of it when it was stuck: then it ends with every goroutine.
func (o outcome) tail() string {
	if errors.Is(o.err, context.DeadlineExceeded) {
		return o.text
	}
	const most = 3000
	return o.text[max(0, len(o.text)-most):]
}

// repository returns the directory of the module, and looks at every source file in it: what go test remembers of this test is
// worth nothing once one of them has changed, and it does not see what the compiler reads.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return root
}
