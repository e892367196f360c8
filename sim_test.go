package entcache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/internal/simtest"
)

// The simulation: a whole client, a whole Stigg, and a network that does its worst, on virtual time. A seed fixes what the model
// does; it fixes neither the scheduler nor the jitter of the client's backoffs, so a failure may need -count=50 -failfast, or all
// seeds, to show again: its trace is what you have. What readers saw is judged at the end against the emulator's own history, which
// shares no code with the client:
//
//  1. every state a reader saw is one that the server had, with a usage that starts again when its period ends and, on top of it,
//     what this client has reported and the server's word does not show yet; for one customer, resource and feature no reader saw
//     the grant or the server's usage go back; access is what that state gives;
//  2. when the network has healed and the server is quiet, what is being read equals the server within Status().Bound; and what
//     a calm network has to tell arrives at once;
//  3. what is said to be confirmed as of some moment was so at that moment, no answer but a fallback is older than WithMaxStale,
//     nothing is Live while no stream can be, or past its validUntil, and what is said to be fetched was;
//  4. a read that began after a write of the same client had returned shows it, unless it says Stale or Fallback;
//  5. no window of time has more fetches than the budget allows, and none falls into a pause that the server asked for;
//  6. a check of a resident customer to whom nobody here writes never waits, and none outlives its ctx;
//  7. after Close, at any moment, nothing is sent, however long one waits, and once what was on its way has arrived no goroutine
//     and no connection is left.
//
// ENTCACHE_SIM_SEEDS is how many seeds to run (default 200, 10 under the race detector), ENTCACHE_SIM_SEED the only one. Seeds run
// side by side, one on each processor. A failure names its seed, and with -artifacts it leaves the whole trace.
func TestSim(t *testing.T) {
	overSeeds(t, simSeeds(), func(t *testing.T, seed uint64) { newSim(t, seed).run() })
}

// overSeeds runs a simulation in a bubble of its own for each seed, one on each processor at a time, up to the first failure.
func overSeeds(t *testing.T, usual uint64, simulate func(t *testing.T, seed uint64)) {
	first, seeds := simtest.Seeds(t, usual)
	var next atomic.Uint64
	next.Store(first)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1) - 1; seed < first+seeds; seed = next.Add(1) - 1 {
				if !t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
				}) {
					next.Store(first + seeds) // one failure is enough to look at
				}
			}
		})
	}
	wg.Wait()
}

// simSeeds is how many seeds TestSim runs unless it is told otherwise.
func simSeeds() uint64 {
	if raceDetector {
		return 10
	}
	return simtest.Usual
}

const (
	simTime      = 4 * time.Minute
	simPerMinute = 1200
	simBurst     = 30
	simMaxStale  = 90 * time.Second
	simPoll      = 10 * time.Second
	simClose     = 2 * time.Second
)

// traits are what a seed decides once and for all.
type traits struct {
	polling bool // without a stream
	lossy   bool // events may be lost in silence, or kept back for long: Live may be wrong until the poll
	tiny    bool // memory for two or three customers
	crowd   int  // more customers, who are read all at once now and then
	outage  bool // one long one
	closes  bool // at a random instant
	month   bool // usage starts again every month, else every hour
	stamps  emulator.Stamps
}

func newTraits(r *rand.Rand) traits {
	oneIn := func(n int) bool { return r.IntN(n) == 0 }
	tr := traits{
		polling: oneIn(5), lossy: !oneIn(3), tiny: oneIn(6), outage: oneIn(6), closes: oneIn(8), month: oneIn(3),
		stamps: emulator.Stamps{Each: oneIn(2)},
	}
	if oneIn(4) {
		tr.crowd = 60 + r.IntN(60)
	}
	if oneIn(4) {
		tr.stamps.Every = time.Duration(1+r.IntN(3)) * time.Second
	}
	if oneIn(4) {
		tr.stamps.Ahead = time.Duration(r.IntN(8000)-3000) * time.Millisecond
	}
	return tr
}

type sim struct {
	*world
	traits
	seed     uint64
	bounds   sync.Map // *entcache.Bound, by what it asks
	keys     []entcache.Key
	mine     string // the customer that this client writes to; nobody else does
	features []string
	quiet    chan struct{} // closed when the network heals
	broken   chan struct{} // closed at the first failure
	net      network

	mu        sync.Mutex // guards the following
	dark      bool       // no stream can be open, and the client has had time to notice
	shut      bool       // Close has returned
	promised  time.Time  // when the last promotion ends
	trace     []remark
	sightings []sighting
}

func newSim(t *testing.T, seed uint64) *sim {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &sim{
		seed: seed, traits: newTraits(r), mine: "mine", features: []string{"seats", "api-calls", "sso", "themes", "ai-answers", "audit-log"},
		quiet: make(chan struct{}), broken: make(chan struct{}),
	}
	s.net.seed = seed
	stigg, err := emulator.New(emulator.Config{History: 1 << 20, Stamps: s.stamps, Catalog: s.catalog(0)})
	if err != nil {
		t.Fatal(err)
	}
	s.world = &world{T: t, stigg: stigg, pipe: stigg.Pipe()}
	s.net.pipe = s.pipe
	for _, id := range []string{"a", "b", "c", s.mine} {
		time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
		s.provision(id, "free")
		s.keys = append(s.keys, entcache.Key{CustomerID: id})
	}
	for _, id := range []string{"a", s.mine} {
		if err := stigg.Provision(id, "site", "starter"); err != nil {
			t.Fatal(err)
		}
		s.keys = append(s.keys, entcache.Key{CustomerID: id, ResourceID: "site"})
	}
	for n := range s.crowd {
		s.provision("crowd-"+strconv.Itoa(n), "free")
	}
	// The customers' periods end while the simulation goes on.
	until := time.Hour
	if s.month {
		until = 31 * 24 * time.Hour
	}
	time.Sleep(until - time.Duration(r.Int64N(int64(simTime))))
	opts := []entcache.Option{
		entcache.WithRequestBudget(simPerMinute, simBurst), entcache.WithMaxStale(simMaxStale), entcache.WithPollInterval(simPoll),
		entcache.WithCloseTimeout(simClose),
	}
	if s.polling {
		opts = append(opts, entcache.WithoutRealtime())
	}
	if s.tiny {
		opts = append(opts, entcache.WithMaxMemory(12<<10))
	}
	s.client = s.newClient(append(opts, entcache.WithDialContext(s.net.dial))...)
	s.note("%+v", s.traits)
	return s
}

// catalog is the demo's, with more seats on every plan, and with usage that starts again every hour where that is wanted.
func (s *sim) catalog(more float64) *emulator.Catalog {
	c := emulator.DemoCatalog()
	for i := range c.Plans {
		for j := range c.Plans[i].Entitlements {
			e := &c.Plans[i].Entitlements[j]
			if e.Feature == "seats" && e.Limit != nil {
				e.Limit = new(*e.Limit + more)
			}
			if e.Reset != "" && !s.month {
				e.Reset, e.ResetOn = emulator.Hour, ""
			}
		}
	}
	return c
}

func (s *sim) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, remark{time.Now(), fmt.Sprintf(format, args...)})
}

// remark is a line of the trace. What is said afterwards has no time.
type remark struct {
	at   time.Time
	text string
}

func (r remark) String() string {
	if r.at.IsZero() {
		return r.text
	}
	return clockOf(r.at) + " " + r.text
}

// fail ends the simulation with what was found. It may be called from any of its goroutines, and does not return.
func (s *sim) fail(format string, args ...any) {
	s.Helper()
	found := fmt.Sprintf(format, args...)
	s.mu.Lock()
	var trace []string
	for _, r := range s.trace {
		trace = append(trace, r.String())
	}
	first := !s.Failed()
	if first {
		s.Fail()
		close(s.broken)
	}
	s.mu.Unlock()
	if !first { // what else goes wrong while the simulation comes to an end is of no interest
		runtime.Goexit()
	}
	s.Log("\n" + strings.Join(trace[max(0, len(trace)-60):], "\n"))
	if !simtest.Kept() {
		s.Fatalf("found: %s\n%s\n%s", found, simtest.Again(".", "TestSim", s.seed), perhaps)
	}
	path := filepath.Join(s.ArtifactDir(), "trace.txt")
	if err := os.WriteFile(path, []byte(strings.Join(append(trace, "found: "+found), "\n")+"\n"), 0o600); err != nil {
		path = err.Error()
	}
	s.Fatalf("found: %s\nseed %d; the whole trace: %s", found, s.seed, path)
}

const perhaps = "(the scheduler and the jitter of backoffs have a say: it may take -count=50 -failfast, or all seeds, to show again)"

// actor runs step again and again until the network heals, with pauses of its own.
func (s *sim) actor(wg *sync.WaitGroup, id uint64, longest time.Duration, step func(r *rand.Rand)) {
	r := rand.New(rand.NewPCG(s.seed, id))
	wg.Go(func() { simtest.Act(r, longest, s.quiet, func() { step(r) }) })
}

func (s *sim) run() {
	defer func() {
		s.client.Close()
		s.stigg.Close()
		time.Sleep(2 * longestWay) // what is on its way is not ours to hurry
		synctest.Wait()
		left := simtest.Left()
		// Whatever timer is left has its way, and what is sent arrives nowhere; time stands still once this goroutine has ended.
		time.Sleep(time.Hour)
		if left != "" && !s.Failed() {
			s.fail("after Close there are left:\n%s", left)
		}
	}()
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Second)
	s.client.Start(ctx)
	cancel()
	var wg sync.WaitGroup
	for n := range 3 {
		s.actor(&wg, uint64(10+n), 400*time.Millisecond, func(r *rand.Rand) { s.read(r, n) })
	}
	s.actor(&wg, 20, 3*time.Second, s.operate)
	s.actor(&wg, 30, 12*time.Second, s.sabotage)
	s.actor(&wg, 40, 5*time.Second, s.write)
	if s.crowd > 0 {
		s.actor(&wg, 60, 40*time.Second, s.rush)
	}
	r := rand.New(rand.NewPCG(s.seed, 2))
	end := time.After(simTime)
	if s.closes {
		end = time.After(time.Duration(r.Int64N(int64(simTime))))
	}
	select {
	case <-end:
	case <-s.broken:
	}
	if s.closes {
		s.close()
		time.Sleep(time.Minute) // everybody goes on as before
	}
	close(s.quiet)
	wg.Wait()
	if s.Failed() {
		return
	}
	s.note("the network heals")
	s.heal()
	if !s.closes {
		if err := s.client.Meter.Flush(s.Context()); err != nil {
			s.fail("usage that was accepted: %v", err)
		}
		s.settle()
		s.converged("after the bound")
		s.calm()
	}
	s.judge()
	s.budget()
}

// close ends the client while everybody goes on, and holds it to silence.
func (s *sim) close() {
	s.note("close")
	began := time.Now()
	rest := &entcache.UndeliveredError{}
	if err := s.client.Close(); err != nil && (!errors.As(err, &rest) || rest.Waiting != len(rest.Records)) {
		s.fail("Close: %v", err)
	}
	if took := time.Since(began); took > simClose+longestWay+time.Second {
		s.fail("Close took %v", took)
	}
	s.mu.Lock()
	s.shut = true
	s.mu.Unlock()
	s.net.hush()
}

func (s *sim) isShut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shut
}
