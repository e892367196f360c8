package entcache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/internal/simtest"
)

// TestSimMeter is the simulation of usage that is reported without waiting: whatever the network does, every check shows what this
// client has reported so far, all of it and none of it twice, and what others report is there in the end; Stigg counts each report
// once; and no reader sees usage go back. It runs a quarter of the seeds that TestSim does.
func TestSimMeter(t *testing.T) {
	overSeeds(t, simSeeds()/4, func(t *testing.T, seed uint64) { newMeterSim(t, seed).run() })
}

// TestSimWallet is TestSimMeter of a credit wallet, on which the usage of two features draws, and this client by itself; and of those
// features.
func TestSimWallet(t *testing.T) {
	overSeeds(t, simSeeds()/8, func(t *testing.T, seed uint64) {
		s := newMeterSim(t, seed)
		s.wallet, s.direct = true, true
		s.run()
	})
}

type meterSim struct {
	*world
	seed    uint64
	wallet  bool // it is a wallet that is watched, and the features that it pays for
	way     *network
	crowded bool // memory for a customer or two
	others  bool // somebody else reports to the same meter
	direct  bool // this client also reports without the queue
	quiet   chan struct{}

	mu      sync.Mutex // guards the following
	watched []*watched
	trace   []string
}

// watched is an entitlement, and what becomes of its usage.
type watched struct {
	query       entcache.Query
	begun, done float64 // what has been handed to the meter, or to Stigg, and what was taken
	unknown     float64 // of what was handed to Stigg: nobody knows
	foreign     float64 // what others have reported
	seen        float64 // the most that a check has shown
}

func newMeterSim(t *testing.T, seed uint64) *meterSim {
	r := rand.New(rand.NewPCG(seed, 77))
	catalog := emulator.DemoCatalog()
	catalog.Features = append(catalog.Features, emulator.Feature{ID: "ai-images", Type: emulator.Number, Meter: emulator.Incremental})
	for i := range catalog.Plans {
		if p := &catalog.Plans[i]; p.ID == "growth" {
			p.Entitlements = append(p.Entitlements, emulator.Entitlement{
				Feature: "ai-images", Unlimited: true, Reset: emulator.Month, CreditRate: &emulator.CreditRate{Currency: "ai-credits", Amount: 3},
			})
		}
	}
	// Reports that are counted at the same millisecond have the same stamp, or all of a second have.
	stamps := emulator.Stamps{Every: []time.Duration{0, 0, time.Millisecond, time.Second}[rand.New(rand.NewPCG(seed, 78)).IntN(4)]}
	stigg, err := emulator.New(emulator.Config{Catalog: catalog, Stamps: stamps})
	if err != nil {
		t.Fatal(err)
	}
	s := &meterSim{
		world: &world{T: t, stigg: stigg, pipe: stigg.Pipe()}, seed: seed, quiet: make(chan struct{}),
		crowded: r.IntN(4) == 0, others: r.IntN(3) == 0, direct: r.IntN(3) == 0,
	}
	s.way = &network{pipe: s.pipe, seed: seed}
	s.provision("acme", "growth")
	for n := range 5 {
		s.provision(fmt.Sprint("other-", n), "free")
	}
	opts := []entcache.Option{entcache.WithDialContext(s.way.dial), entcache.WithPollInterval(10 * time.Second), entcache.WithCloseTimeout(time.Hour)}
	if s.crowded {
		opts = append(opts, entcache.WithMaxMemory(8<<10))
	}
	if r.IntN(4) == 0 {
		opts = append(opts, entcache.WithoutRealtime())
	}
	s.client = s.newClient(opts...)
	return s
}

func (s *meterSim) run() {
	defer func() {
		s.client.Close()
		s.stigg.Close()
		time.Sleep(time.Hour) // what is on its way arrives nowhere
	}()
	s.watched = []*watched{{query: apiCalls("acme")}}
	if s.wallet {
		s.watched = []*watched{
			{query: credits("acme")},
			{query: entcache.Query{CustomerID: "acme", FeatureID: "ai-images"}}, {query: entcache.Query{CustomerID: "acme", FeatureID: "ai-answers"}},
		}
	}
	s.start(s.client)
	s.check() // it is in memory before anything is reported
	var wg sync.WaitGroup
	act := func(id uint64, longest time.Duration, step func(*rand.Rand)) {
		r := rand.New(rand.NewPCG(s.seed, id))
		wg.Go(func() { simtest.Act(r, longest, s.quiet, func() { step(r) }) })
	}
	act(1, 400*time.Millisecond, func(r *rand.Rand) { s.meter(float64(1 + r.IntN(5))) })
	act(2, 50*time.Millisecond, func(*rand.Rand) { s.check() })
	act(3, 3*time.Second, s.operate)
	act(4, 4*time.Second, s.sabotage)
	if s.direct {
		act(5, time.Second, func(r *rand.Rand) { s.report(float64(1 + r.IntN(5))) })
	}
	if s.wallet {
		act(6, time.Second, func(r *rand.Rand) { s.consume(float64(1 + r.IntN(5))) })
	}
	time.Sleep(2 * time.Minute)
	close(s.quiet)
	wg.Wait()
	s.stigg.Faults().Clear()
	s.settled()
}

func (s *meterSim) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, clockOf(time.Now())+" "+fmt.Sprintf(format, args...))
}

// fail says what was found, once, and which seed found it. The simulation goes on to its end.
func (s *meterSim) fail(format string, args ...any) {
	s.Helper()
	s.mu.Lock()
	first := !s.Failed()
	s.Fail()
	trace := s.trace
	s.mu.Unlock()
	if !first {
		return
	}
	found := fmt.Sprintf(format, args...)
	s.Log("\n" + strings.Join(trace[max(0, len(trace)-60):], "\n"))
	s.Errorf("found: %s\n%s\n%s", found, simtest.Again(".", map[bool]string{false: "TestSimMeter", true: "TestSimWallet"}[s.wallet], s.seed), perhaps)
	if simtest.Kept() {
		path := filepath.Join(s.ArtifactDir(), "trace.txt")
		if err := os.WriteFile(path, []byte(strings.Join(append(trace, "found: "+found), "\n")+"\n"), 0o600); err != nil {
			s.Error(err)
		}
		s.Logf("the whole trace: %s", path)
	}
}

// feature is what a report of v is of.
func (s *meterSim) feature(v float64) string {
	switch {
	case !s.wallet:
		return "api-calls"
	case int(v)%2 == 0:
		return "ai-images"
	}
	return "ai-answers"
}

// rates is what a report of one comes to of the wallet.
var rates = map[string]float64{"ai-images": 3, "ai-answers": 2, "ai-credits": 1}

// became notes what became of a report of v of id.
func (s *meterSim) became(id string, v float64, what func(w *watched, changes float64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watched {
		switch {
		case w.query.FeatureID == id:
			what(w, v)
		case w.query.CurrencyID != "":
			what(w, v*rates[id])
		}
	}
}

// meter reports a delta, which the next check shows.
func (s *meterSim) meter(v float64) {
	id := s.feature(v)
	s.became(id, v, func(w *watched, changes float64) { w.begun += changes })
	if err := s.client.Meter.Report(s.Context(), entcache.UsageReport{CustomerId: "acme", FeatureId: id, Value: v}); err != nil {
		s.fail("a report is not accepted: %v", err)
	}
	s.became(id, v, func(w *watched, changes float64) { w.done += changes })
	s.note("reported %v of %s", v, id)
	s.check()
}

// report reports a delta and waits until Stigg has counted it.
func (s *meterSim) report(v float64) {
	id := s.feature(v)
	s.wait(id, v, func() error {
		_, err := s.client.Usage.Report(s.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: id, Value: v})
		return err
	})
}

// consume draws on the wallet itself.
func (s *meterSim) consume(v float64) {
	s.wait("ai-credits", v, func() error {
		_, err := s.client.Credits.Consume(s.Context(), entcache.ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: v})
		return err
	})
}

func (s *meterSim) wait(id string, v float64, call func() error) {
	s.became(id, v, func(w *watched, changes float64) { w.begun += changes })
	err := call()
	s.became(id, v, func(w *watched, changes float64) {
		if err == nil {
			w.done += changes
		} else {
			w.unknown += changes
		}
	})
	s.note("reported %v of %s, and waited (%v)", v, id, err)
	s.check()
}

func (s *meterSim) check() {
	for _, w := range s.watched {
		s.look(w)
	}
}

func (s *meterSim) look(w *watched) {
	now := func() watched {
		s.mu.Lock()
		defer s.mu.Unlock()
		return *w
	}
	before := now()
	d, _ := s.client.GetEntitlement(context.Background(), w.query)
	after := now()
	if d.Origin == entcache.Fallback {
		return
	}
	got, seen, most := d.Entitlement.CurrentUsage(), before.seen, after.begun+after.foreign
	if s.crowded {
		// A set that is fetched while a report is on its way may show it, and counts it until its answer; and of the usage of others
		// memory that has no room for the customer remembers nothing.
		most, seen = 2*most, 0
	}
	what := w.query.FeatureID + w.query.CurrencyID
	if got < seen {
		s.fail("%s, %v: %v, of it %v pending, and a check before it has shown %v", what, d.Origin, got, d.Entitlement.PendingUsage(), seen)
	}
	s.mu.Lock()
	w.seen = max(w.seen, got)
	s.mu.Unlock()
	if got < before.done || got > most {
		s.fail("%s, %v: %v, of it %v pending; this client has reported %v to %v, and others %v", what, d.Origin, got, d.Entitlement.PendingUsage(), before.done, after.begun, after.foreign)
	}
}

// operate is what goes on beside it.
func (s *meterSim) operate(r *rand.Rand) {
	switch r.IntN(4) {
	case 0:
		_, _ = s.stigg.Report("acme", "", "seats", float64(r.IntN(5)-2))
	case 1:
		_, _ = s.client.Reload(context.Background(), entcache.Key{CustomerID: "acme"})
	case 2:
		_ = s.stigg.SetEntitlement("acme", "", emulator.Entitlement{Feature: "upload-size", Limit: new(float64(r.IntN(100)))})
	case 3:
		if !s.others {
			break
		}
		v := float64(1 + r.IntN(5))
		id := s.feature(v)
		s.became(id, v, func(w *watched, changes float64) { w.foreign += changes })
		if _, err := s.stigg.Report("acme", "", id, v); err != nil {
			s.fail("others report: %v", err)
		}
		s.note("others reported %v of %s", v, id)
	}
	if s.crowded {
		for n := range 5 {
			_, _ = s.client.GetEntitlement(context.Background(), apiCalls(fmt.Sprint("other-", n)))
		}
	}
}

func (s *meterSim) sabotage(r *rand.Rand) {
	f := s.stigg.Faults()
	what, longest := "", 0 // for how many seconds it lasts
	undo := func() {}
	switch r.IntN(11) {
	case 0:
		what = "sockets are cut"
		f.CutSockets()
	case 1:
		what = "answers are slow"
		f.Delay(time.Duration(r.IntN(3000)) * time.Millisecond)
	case 2:
		what = "502"
		f.FailNext(1+r.IntN(3), emulator.Reply{Status: http.StatusBadGateway, Body: "<html>"})
	case 3:
		what = "429"
		f.FailNext(1+r.IntN(3), emulator.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}})
	case 4:
		what, longest = "reports are counted, and the answers lost", 8
		lost := []string{"reportUsageBulk"}
		if s.wallet {
			lost = append(lost, "consumeCredits")
		}
		for _, operation := range lost {
			f.ReplaceReply(operation, emulator.Reply{Status: http.StatusBadGateway, Body: "<html>"})
		}
		undo = func() {
			for _, operation := range lost {
				f.RestoreReply(operation)
			}
		}
	case 5:
		what, longest = "nothing is answered", 40
		f.HangHTTP(true)
		undo = func() { f.HangHTTP(false) }
	case 6:
		what, longest = "nobody is there", 20
		f.Refuse(true)
		s.way.cut()
		undo = func() { f.Refuse(false) }
	case 7:
		what = "events come twice"
		f.DuplicateEvents(3)
	case 8:
		what = "old events come again"
		f.ReplayEvents(1+r.IntN(4), r.IntN(8))
	case 9:
		what = "events are late"
		f.DelayEvents(time.Duration(r.IntN(4000)) * time.Millisecond)
	case 10:
		what = "all is well"
		f.Clear()
	}
	s.note("%s", what)
	if longest > 0 {
		time.Sleep(time.Duration(r.IntN(longest)) * time.Second)
		undo()
		s.note("no more: %s", what)
	}
}

// settled is how it must end: everything is delivered, Stigg has counted it once, and checks show what Stigg has counted.
func (s *meterSim) settled() {
	s.note("the network heals")
	if err := s.client.Meter.Flush(s.Context()); err != nil {
		s.fail("Flush: %v", err)
	}
	time.Sleep(time.Minute)
	s.check()
	for _, w := range s.watched {
		var counted emulator.EntitlementState
		for _, ent := range s.stigg.Snapshot("acme", "").Entitlements {
			if ent.FeatureID == w.query.FeatureID && ent.CurrencyID == w.query.CurrencyID {
				counted = ent
			}
		}
		what := w.query.FeatureID + w.query.CurrencyID
		if counted.Usage < w.done+w.foreign || counted.Usage > w.done+w.foreign+w.unknown {
			s.fail("Stigg has counted %v of %s; this client has reported %v, perhaps %v, and others %v", counted.Usage, what, w.done, w.unknown, w.foreign)
		}
		d, _ := s.client.GetEntitlement(s.Context(), w.query)
		if e := d.Entitlement; e.PendingUsage() != 0 || e.CurrentUsage() != counted.Usage {
			s.fail("in the end a check of %s shows %v, of it %v pending, %v; Stigg has counted %v", what, e.CurrentUsage(), e.PendingUsage(), d.Origin, counted.Usage)
		}
	}
	if st := s.client.Meter.Stats(); st.SetAside != 0 || st.Waiting != 0 || st.Accepted != st.Sent {
		s.fail("in the end: %+v", st)
	}
}
