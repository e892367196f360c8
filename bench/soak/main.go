// Command soak holds the library to its promises over real sockets while everything goes wrong at once.
//
// Usage:
//
//	go run -race ./bench/soak [-time 30s] [-seed N] [-readers N] [-rate N] [-without THINGS] [-v]
//
// It builds cmd/stigg-emulator and runs it as a process of its own on loopback. Readers on all cores ask one client about a
// few dozen customers and resources without pause. An operator changes plans, usage, promotions and overrides, archives
// customers and brings them back, publishes plans and rotates the API key, and switches faults on and off through the
// emulator's control interface, all from one seed. In every other round it kills the process, -9, and starts it again. Each
// round ends with a quiet time.
//
// # Judgement
//
// The judge knows nothing but the emulator's own history: every state that each key really had. Every answer that shows
// something else than the reader's last one is looked up there, its grant and its usage each by stamp and content:
//
//   - regressions: a reader saw state i of a grant, or of a usage, and later a state before i;
//   - wrong values: an answer whose grant, usage or access the emulator never had (usage may be ahead by the end of its period);
//   - overdue: the server had been quiet and reachable for longer than the bound that Status reports, and a state older than
//     that was still served; as Live at any time, or as anything once the client said that it is Live;
//   - budget: more fetches arrived within a second, or within a minute, than burst and rate allow, give or take half a second on
//     the way;
//   - leaks: a goroutine left after Close.
//
// All of them must be 0. An answer without an entitlement carries no stamp; it counts as the first such state that is no
// regression, so it can be wrong, and can be found to go back only when no such state is left.
//
// A killed emulator has lost its memory, and with it its customers. The judge has not: right before the kill, while new
// requests are refused, it takes in the rest of the history. The log goes on with "no such customer", which is what the new
// process answers until the operator has made the customers again, and then with the history of the new process. So readers
// stay on the same keys over the kill, and what they see is held to one order across both lives.
//
// # Leaving things out
//
// With -without, separated by commas, to look past something that is known to fail:
//
//   - archive: no customer is archived, so no set is ever empty but after a kill;
//   - moving-periods: usage counts by the calendar. As a rule it counts from the oldest subscription that grants a feature,
//     which for a resource comes and goes with the plan of its customer, so that a period can begin anew, or earlier.
//
// Exit codes: 0 when everything held, 1 with the seed and the story of the first violation when something did not, or when
// the soak could not go on, 2 for a wrong command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is main with everything it touches given; it returns the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(stderr)
	c := config{log: io.Discard}
	flags.DurationVar(&c.time, "time", 30*time.Second, "how `long`; the round that is under way then is finished")
	flags.Uint64Var(&c.seed, "seed", rand.Uint64(), "what the operator does follows from this `number`; default: random")
	flags.IntVar(&c.readers, "readers", runtime.GOMAXPROCS(0), "reading goroutines")
	flags.IntVar(&c.rate, "rate", 150, "changes a second")
	without := flags.String("without", "", "leave these `things` out: archive, moving-periods")
	verbose := flags.Bool("v", false, "print what the operator does")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0 || c.readers < 1 || c.rate < 1 || c.time <= 0:
		fmt.Fprintln(stderr, "soak: -time, -readers and -rate are positive, and there are no other arguments")
		return 2
	}
	for thing := range strings.SplitSeq(*without, ",") {
		switch thing {
		case "":
		case "archive":
			c.noArchive = true
		case "moving-periods":
			c.calendar = true
		default:
			fmt.Fprintf(stderr, "soak: -without %q: there are archive and moving-periods\n", thing)
			return 2
		}
	}
	if *verbose {
		c.log = stderr
	}
	fmt.Fprintf(stdout, "seed %d, %v, %d readers, %d changes/s, GOMAXPROCS %d, race detector %v\n",
		c.seed, c.time, c.readers, c.rate, runtime.GOMAXPROCS(0), raceDetector)
	report, err := run(ctx, c)
	if err != nil {
		fmt.Fprintf(stderr, "soak: seed %d: %v\n", c.seed, err)
		return 1
	}
	report.print(stdout)
	if report.violations() > 0 {
		fmt.Fprintf(stderr, "soak: FAILED; again with -seed %d\n%s", c.seed, report.story)
		return 1
	}
	fmt.Fprintln(stdout, "ok: nothing went back, nothing was wrong, nothing was late")
	return 0
}
