// Package simtest is what the simulation of the whole client and that of package syncer have in common: which seeds to run, how an
// actor passes its time, and how a failure says what to type in order to see it again. It is for their tests alone, and knows
// nothing of what is simulated. Its functions may be called from any goroutine of a test.
package simtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Usual is how many seeds a simulation runs that nobody tells otherwise. internal/planted wants every bug found among them.
const Usual = 200

// Seeds returns the first seed to run and how many: usual of them, unless ENTCACHE_SIM_SEEDS says how many or ENTCACHE_SIM_SEED
// names a single one.
func Seeds(t *testing.T, usual uint64) (first, count uint64) {
	t.Helper()
	if seed := number(t, "ENTCACHE_SIM_SEED"); seed > 0 {
		return seed, 1
	}
	if n := number(t, "ENTCACHE_SIM_SEEDS"); n > 0 {
		return 1, n
	}
	return 1, usual
}

func number(t *testing.T, name string) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return n
}

// Act runs step again and again until quiet is closed. It rests before each for at most longest, in nanoseconds, so that no two
// actors act at the same instant.
func Act(r *rand.Rand, longest time.Duration, quiet <-chan struct{}, step func()) {
	for {
		t := time.NewTimer(Rest(r.IntN, longest))
		select {
		case <-t.C:
			step()
		case <-quiet:
			t.Stop()
			return
		}
	}
}

// Rest is a while of at most longest, and never none.
func Rest(pick func(int) int, longest time.Duration) time.Duration {
	return time.Duration(pick(int(longest))) + 1
}

// Left returns the stacks of all goroutines but the calling one that are in the same bubble of testing/synctest, and empty when there
// are none. A bubble does not end before they do, but one that only sleeps ends in time, if time goes on: a caller who waits for
// what is late has to look before.
func Left() string {
	all := make([]byte, 1<<20)
	own, rest, _ := strings.Cut(string(all[:runtime.Stack(all, true)]), "\n\n")
	_, bubble, ok := strings.Cut(own, ", synctest bubble ")
	if !ok {
		panic("simtest: Left is called outside a bubble")
	}
	bubble, _, _ = strings.Cut(bubble, "]")
	var left []string
	for stack := range strings.SplitSeq(rest, "\n\n") {
		head, _, _ := strings.Cut(stack, "\n")
		if strings.HasSuffix(head, ", synctest bubble "+bubble+"]:") && !strings.Contains(stack, "testing/synctest.") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}

// Kept reports whether what a test leaves in its ArtifactDir is still there after it: without -artifacts it is removed.
func Kept() bool {
	f := flag.Lookup("test.artifacts")
	return f != nil && f.Value.String() == "true"
}

// Again says what to type in order to keep the trace of a seed of a simulation, such as "TestSim", in dir, a directory such as "./sync"
// as it is named at the top of the repository. internal/planted reads the seed from it.
func Again(dir, test string, seed uint64) string {
	return fmt.Sprintf("seed %d; keep its trace with: ENTCACHE_SIM_SEED=%d go test -count=1 -artifacts -run '%s$' %s", seed, seed, test, dir)
}
