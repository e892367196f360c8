package syncer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/internal/simtest"
)

// The simulation: a whole Syncer, a server with a true history, and a network that does its worst, on virtual time. Its sister in
// the root package has the whole client, the emulator and real bytes; this one has a server that is free to be worse than
// the emulator, and can be replayed.
//
// A seed fixes every choice of the model, each at a virtual instant of its own. It fixes neither the scheduler nor the jitter of
// the syncer's backoffs, so a failure may need -count=50 -failfast, or all seeds, to show again: its trace is what you have. What
// happened is written down line by line, and two things are then done with the lines, both on a single thread: they are judged
// (sim_judge_test.go), and they are replayed step by step against a new ledger, which must believe the same at every read
// (replay_test.go). With -artifacts the lines of a seed that fails are kept, and TestReplay goes through them again.
//
// ENTCACHE_SIM_SEEDS is how many seeds to run (default 200; 25 with the race detector), ENTCACHE_SIM_SEED the only one.
func TestSim(t *testing.T) {
	usual := uint64(simtest.Usual)
	if raceDetector {
		usual = 25
	}
	first, seeds := simtest.Seeds(t, usual)
	for seed := first; seed < first+seeds; seed++ {
		if !t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		}) {
			return // one failure is enough to look at
		}
	}
}

const (
	simTime    = 4 * time.Minute
	simPoll    = 8 * time.Second
	simTimeout = 5 * time.Second
)

// manner is what kind of world a seed simulates. In all but a calm one, connections and requests fail in every way.
type manner struct {
	Calm  bool // nothing breaks
	Poll  bool // there is no stream
	Lossy bool // events may be lost, late, or come again
	Late  bool // events may overtake one another, also into the next stream, and none is lost while one is open
	// Timeless: the server's stamps are no moments of any clock, so they alone order what arrives. Nobody could then tell a late
	// event of something that was taken away from news, unless it is a copy, or meets an empty set: only such are late.
	Timeless bool
	Ahead    time.Duration // the server's clock, of ours
	Tight    bool          // the budget is small
}

func mannerOf(seed uint64) manner {
	m := manner{Tight: seed%7 == 3}
	switch seed % 12 {
	case 0, 6:
		m.Calm = true
	case 1, 4, 7:
		m.Lossy = true
	case 11:
		m.Lossy, m.Ahead = true, -1500*time.Millisecond
	case 2:
		m.Timeless = true
	case 3, 9:
		m.Late = true
	case 5:
		m.Poll = true
	case 8: // not lossy: the clocks cannot be compared before something has arrived on time
		m.Ahead = 1500 * time.Millisecond
	}
	return m
}

// budget is what the requests of all readers together may cost.
func (m manner) budget() (perMinute, burst int) {
	if m.Tight {
		return 100, 5
	}
	return 900, 20
}

// sim is one run of the simulation.
type sim struct {
	seed uint64
	keys []key
	mine key // what this client writes to; so do others
	manner
	epoch instant
	sync  *Syncer
	store *memory
	wg    sync.WaitGroup
	quiet chan struct{}
	left  string // goroutines, after Close

	mu      sync.Mutex // guards the following
	stigg   stigg
	network network
	states  []*state
	ids     map[*entitlements.Snapshot]int
	lines   []line
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		seed: seed, mine: key{CustomerID: "mine"}, quiet: make(chan struct{}), store: newMemory(), ids: map[*entitlements.Snapshot]int{},
		manner: mannerOf(seed), epoch: entitlements.InstantOf(time.Now()),
	}
	for _, c := range []string{"a", "b", "mine"} {
		s.keys = append(s.keys, key{CustomerID: c})
	}
	s.keys = append(s.keys, key{CustomerID: "a", ResourceID: "site"}, key{CustomerID: "mine", ResourceID: "site"})
	r := s.random(1)
	s.stigg = stigg{
		sim: s, accounts: map[key]*account{}, ahead: s.Ahead, rollMark: r.IntN(2) == 0,
		roll: entitlements.InstantOf(time.Now().Add(time.Duration(r.Int64N(int64(simTime))))),
	}
	s.network = network{sim: s}
	for _, k := range s.keys {
		s.stigg.open(k)
	}
	perMinute, burst := s.budget()
	var err error
	s.sync, err = New(Config{
		Source: &s.network, Store: s.store, PollInterval: simPoll, RequestsPerMinute: perMinute, Burst: burst, FetchTimeout: simTimeout,
		ReconnectMax: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.store.gone = s.sync.Evicted
	s.sync.ledger.tap = s.stepped
	return s
}

func (s *sim) random(id uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, id)) }

func (s *sim) pause(pick func(int) int, d time.Duration) time.Duration { return simtest.Rest(pick, d) }

// actor does something again and again until it is quiet.
func (s *sim) actor(id uint64, longest time.Duration, step func(pick func(int) int)) {
	r := s.random(id)
	s.wg.Go(func() { simtest.Act(r, longest, s.quiet, func() { step(r.IntN) }) })
}

// later does something at the server at a given moment.
func (s *sim) later(at instant, f func()) {
	s.wg.Go(func() {
		time.Sleep(time.Until(at.Time()) + 1)
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	})
}

// run is the whole story, inside a bubble: afterwards nothing is left but the lines.
func (s *sim) run() {
	s.sync.Start()
	s.later(s.stigg.roll, s.stigg.rollover)
	for n := range 3 {
		s.actor(uint64(10+n), 500*time.Millisecond, s.read)
	}
	s.actor(20, 1500*time.Millisecond, s.operate)
	s.actor(30, 4*time.Second, s.write)
	s.actor(40, 3*time.Second, s.forget)
	s.actor(45, 8*time.Second, s.race)
	if !s.Calm {
		s.actor(50, 15*time.Second, s.sabotage)
	}
	time.Sleep(simTime)
	close(s.quiet)
	s.wg.Wait()
	s.converge()
	s.sync.Close()
	synctest.Wait() // what has been joined may still be about to end; time stands still
	s.left = simtest.Left()
	s.mu.Lock()
	done := len(s.lines)
	s.mu.Unlock()
	time.Sleep(time.Hour) // whatever timer is left has its way
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) > done {
		s.add(line{Do: "after Close"})
	}
}

func simulate(t *testing.T, seed uint64) {
	s := newSim(t, seed)
	s.run()
	err := judge(s.manner, s.states, s.lines)
	if err == nil {
		err = replay(s.states, s.lines)
	}
	if err == nil && s.left != "" {
		err = fmt.Errorf("after Close there are left:\n%s", s.left)
	}
	if err == nil && s.network.open != nil {
		err = errors.New("a stream is open after Close")
	}
	if err == nil {
		return
	}
	show(t, s.lines, s.states, err)
	if !simtest.Kept() {
		t.Fatalf("found: %v\n%s", err, simtest.Again("./sync", "TestSim", seed))
	}
	file := filepath.Join(t.ArtifactDir(), fmt.Sprintf("sim-%d.jsonl", seed))
	if err := save(file, s.manner, s.states, s.lines); err != nil {
		t.Error(err)
	}
	t.Fatalf("found: %v\nseed %d; its trace is %s\nstep through it with: ENTCACHE_SIM_TRACE=%s go test -v -count=1 -run TestReplay ./sync", err, seed, file, file)
}

// converge mends everything, and goes on reading for as long as it may take.
func (s *sim) converge() {
	s.mu.Lock()
	s.network.heal()
	s.note("%s", healed)
	s.mu.Unlock()
	r := s.random(60)
	// What may pass before the stream is open again: the notice of a dead peer, the longest wait between attempts, the way there.
	reconnect := simSilence + 10*time.Second + 3*simLongestWay
	if s.sync.Status().State == Off && r.IntN(2) == 0 {
		reconnect += keyProbe * 6 / 5 // nobody says that the key is good again
	} else {
		s.sync.KeyChanged()
	}
	read := func(until time.Time, enough func() bool) {
		for time.Now().Before(until) && !enough() {
			s.readAll()
			time.Sleep(s.pause(r.IntN, max(1, min(3*time.Second, time.Until(until)))))
		}
	}
	read(time.Now().Add(reconnect), func() bool { return s.sync.Status().State == Live })
	// A key whose fetch has failed is left alone for up to 30 s. Where none has, the bound holds from now on.
	const backoff = 30 * time.Second
	s.mu.Lock()
	failed := s.network.failed
	s.mu.Unlock()
	read(failed.Add(backoff), func() bool { return false })
	bound := s.sync.Status().Bound
	s.mu.Lock()
	s.add(line{Do: "bound", Text: bound.String()})
	s.mu.Unlock()
	read(time.Now().Add(bound+2*simLongestWay), func() bool { return false })
	s.mu.Lock()
	s.add(line{Do: "final", Text: s.sync.Status().State.String()})
	s.mu.Unlock()
	s.readAll()
}
