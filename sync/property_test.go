package syncer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// The property: whatever becomes of events (late, twice, out of order, never) and whenever fetches begin and end, each state
// that a reader sees of a feature, its grant and its usage, is one that the server had, and never one from before what was
// seen already; and one fetch that begins after everything makes the belief equal the server.

// truth is the server's state of one key, with its whole history.
type truth struct {
	now      instant
	grants   map[string]entitlements.Grant
	usage    map[string]entitlements.Usage
	states   []*entitlements.Snapshot // every state there ever was
	contents map[string][]float64     // of each feature: the limits it had, in order; -1 for absent. Limits are never used twice.
	usages   map[string][]float64     // of each feature: the usages it had, in order. Never used twice either.
	serial   float64
}

var features = []string{"a", "b", "c"}

func newTruth() *truth {
	tr := &truth{
		now: entitlements.InstantOf(time.Now()), grants: map[string]entitlements.Grant{}, usage: map[string]entitlements.Usage{},
		contents: map[string][]float64{}, usages: map[string][]float64{},
	}
	for _, f := range features {
		tr.contents[f] = []float64{-1}
		tr.consume(f)
	}
	tr.give("a")
	return tr
}

func (tr *truth) give(f string) {
	tr.serial++
	tr.grants[f] = grant(f, tr.now, tr.serial)
	tr.contents[f] = append(tr.contents[f], tr.serial)
	tr.record()
}

func (tr *truth) take(f string) {
	if _, ok := tr.grants[f]; !ok {
		return
	}
	delete(tr.grants, f)
	tr.contents[f] = append(tr.contents[f], -1)
	tr.record()
}

func (tr *truth) consume(f string) entitlements.Usage {
	tr.serial++
	tr.usage[f] = entitlements.Usage{Ref: entitlements.Feature(f), Current: tr.serial, UpdatedAt: tr.now}
	tr.usages[f] = append(tr.usages[f], tr.serial)
	tr.record()
	return tr.usage[f]
}

func (tr *truth) record() {
	var list []entitlements.Grant
	for _, f := range features {
		if g, ok := tr.grants[f]; ok {
			list = append(list, used(g, tr.usage[f].Current, tr.usage[f].UpdatedAt))
		}
	}
	tr.states = append(tr.states, set(acme, list...))
}

func (tr *truth) version() int { return len(tr.states) - 1 }

// message is an event on its way.
type message struct {
	version int // of the state it tells of
	set     *entitlements.Snapshot
	usage   *entitlements.Usage
	own     bool // not an event: the answer to this client's own report
}

type property struct {
	t         *testing.T
	rnd       *rand.Rand
	truth     *truth
	s         *Syncer
	store     *memory
	wire      []message
	inOrder   bool
	removals  bool
	flight    *flight
	at        arrival
	began     int // version of the truth when the attempt began
	seen      *entitlements.Snapshot
	seenGrant map[string]int // index into truth.contents
	seenUsage map[string]int // index into truth.usages
	why       string
	trace     []string
}

func (p *property) note(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf(format, args...))
}

func (p *property) fail(format string, args ...any) {
	p.t.Helper()
	for _, line := range p.trace[max(0, len(p.trace)-40):] {
		p.t.Log(line)
	}
	p.t.Fatalf(format, args...)
}

func (p *property) belief() *entitlements.Belief {
	r, _ := p.store.Peek(acme)
	return r.Belief
}

// step lets one thing happen.
func (p *property) step() {
	if p.rnd.IntN(3) > 0 { // else two changes share a stamp
		time.Sleep(time.Millisecond)
		p.truth.now = entitlements.InstantOf(time.Now())
	}
	f := features[p.rnd.IntN(len(features))]
	switch p.rnd.IntN(12) {
	case 0, 1:
		p.truth.give(f)
		p.emit(message{version: p.truth.version(), set: p.truth.states[p.truth.version()]})
	case 2:
		if p.removals {
			p.truth.take(f)
			p.emit(message{version: p.truth.version(), set: p.truth.states[p.truth.version()]})
		}
	case 3:
		u := p.truth.consume(f)
		p.emit(message{version: p.truth.version(), usage: &u, own: p.rnd.IntN(3) == 0})
	case 4, 5, 6:
		p.deliver()
	case 7:
		p.begin()
	case 8:
		p.land()
	case 9: // an attempt that fails, and is repeated in the same flight
		if p.flight != nil {
			p.attempt()
		}
	case 10:
		if p.rnd.IntN(4) == 0 && p.belief() != nil {
			p.note("evict")
			p.store.evict(acme)
		}
	case 11:
		if p.rnd.IntN(4) == 0 {
			p.note("unreadable event")
			p.s.handle(&entitlements.Event{Kind: entitlements.EventUnreadable, Key: acme})
		}
	}
	p.look()
}

func (p *property) emit(m message) {
	copies := 1
	if !m.own {
		copies = []int{1, 1, 1, 0, 2}[p.rnd.IntN(5)]
	}
	for range copies {
		p.wire = append(p.wire, m)
	}
}

func (p *property) deliver() {
	if len(p.wire) == 0 {
		return
	}
	i := 0
	if !p.inOrder {
		i = p.rnd.IntN(len(p.wire))
	}
	m := p.wire[i]
	p.wire = append(p.wire[:i:i], p.wire[i+1:]...)
	if m.set != nil {
		p.s.handle(&entitlements.Event{Kind: entitlements.EventEntitlements, Key: acme, Snapshot: m.set})
		p.note("event of state %d, stamp %v", m.version, m.set.EntitlementUpdatedAt())
		return
	}
	if !m.own {
		p.s.handle(&entitlements.Event{Kind: entitlements.EventUsage, Key: acme, Usage: *m.usage})
		p.note("usage %v of %s, stamp %v", m.usage.Current, m.usage.Ref.ID, m.usage.UpdatedAt)
		return
	}
	p.s.WroteUsage(acme, *m.usage)
	p.note("own usage %v of %s, stamp %d", m.usage.Current, m.usage.Ref.ID, m.usage.UpdatedAt)
	// P5: from here on, a reader sees it, or waits.
	if b := p.belief(); b != nil && !b.AwaitRefresh {
		if got := usageOf(b, m.usage.Ref.ID); got < m.usage.Current {
			p.fail("a read after the report of %v sees %v, and does not wait", m.usage.Current, got)
		}
	}
}

func (p *property) begin() {
	if p.flight != nil {
		return
	}
	p.s.mu.Lock()
	p.flight = p.s.ledger.takeOff(acme)
	p.s.mu.Unlock()
	p.attempt()
}

func (p *property) attempt() {
	p.at = p.s.arrive()
	p.began = p.truth.version()
	p.s.mu.Lock()
	p.flight.began = p.at.seq
	p.s.mu.Unlock()
	p.note("fetch begins at state %d", p.began)
}

// land answers with the state of some moment between the beginning of the fetch and now.
func (p *property) land() {
	if p.flight == nil {
		return
	}
	n := p.began + p.rnd.IntN(p.truth.version()-p.began+1)
	p.s.land(p.flight, p.truth.states[n], p.at)
	b := p.belief()
	p.note("fetch answers state %d, overtaken %v, suspect %v", n, p.flight.overtaken, b.Suspect)
	p.flight = nil
}

// look is a reader.
func (p *property) look() {
	b := p.belief()
	if b == nil {
		return
	}
	if !p.follows(b) {
		p.fail("%s", p.why)
	}
	p.seen = b.Snapshot
}

// follows reports whether each feature is as the server had it then or later, and if so moves on to that moment.
func (p *property) follows(b *entitlements.Belief) bool {
	grants, usages := map[string]int{}, map[string]int{}
	for _, f := range features {
		limit, usage := limitOf(b, f), usageOf(b, f)
		if grants[f] = indexOf(p.truth.contents[f], limit, p.seenGrant[f]); grants[f] < 0 {
			p.why = fmt.Sprintf("%s has the limit %v after a reader saw version %d of %v (-1: absent)", f, limit, p.seenGrant[f], p.truth.contents[f])
			return false
		}
		if usage < 0 {
			continue // absent: when it is granted again, a set that is on its way may bring the usage of that moment
		}
		if usages[f] = indexOf(p.truth.usages[f], usage, p.seenUsage[f]); usages[f] < 0 {
			p.why = fmt.Sprintf("%s has the usage %v after a reader saw version %d of %v", f, usage, p.seenUsage[f], p.truth.usages[f])
			return false
		}
	}
	p.seenGrant, p.seenUsage = grants, usages
	return true
}

func indexOf(in []float64, what float64, from int) int {
	for i := from; i < len(in); i++ {
		if in[i] == what {
			return i
		}
	}
	return -1
}

// settle: everything that is on its way arrives or is lost, then one fetch.
func (p *property) settle() {
	for len(p.wire) > 0 {
		if p.rnd.IntN(3) == 0 {
			p.wire = p.wire[1:]
			continue
		}
		p.deliver()
		p.look()
	}
	p.land()
	p.look()
	p.begin()
	p.land()
	p.look()
	b, want := p.belief(), p.truth.states[p.truth.version()]
	if b.Suspect || b.AwaitRefresh {
		p.fail("suspect %v, awaiting %v after a fetch that began after everything", b.Suspect, b.AwaitRefresh)
	}
	if !b.Snapshot.SameGrants(want) {
		p.fail("the belief is %v, the server says %v", b.Snapshot, want)
	}
	for _, f := range features {
		if got, want := usageOf(b, f), usageOf(&entitlements.Belief{Snapshot: want}, f); got != want {
			p.fail("the usage of %s is %v, the server says %v", f, got, want)
		}
	}
}

func TestNeverBackwardsAndConverging(t *testing.T) {
	seed := uint64(1) // the same histories each time; ENTCACHE_SEED asks for others
	if s := os.Getenv("ENTCACHE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	const runs, steps = 2000, 80
	for _, mode := range []struct {
		name              string
		inOrder, removals bool
	}{{"in order", true, false}, {"any order", false, false}, {"in order, with removals", true, true}, {"any order, with removals", false, true}} {
		t.Run(mode.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := newServer()
				remembered := newStamps()
				for run := range uint64(runs) {
					store := newMemory()
					s, err := New(Config{Source: source, Store: store})
					if err != nil {
						t.Fatal(err)
					}
					store.gone = s.Evicted
					clear(remembered.slots)
					s.ledger.stamps = remembered
					s.newGeneration()
					// An event of another customer arrived on time: the clocks have been compared.
					s.lag.note(entitlements.InstantOf(time.Now()), entitlements.InstantOf(time.Now()))
					p := &property{
						t: t, rnd: rand.New(rand.NewPCG(seed, run)), truth: newTruth(), s: s, store: store, inOrder: mode.inOrder, removals: mode.removals,
						seenGrant: map[string]int{}, seenUsage: map[string]int{},
					}
					p.note("ENTCACHE_SEED=%d, run %d", seed, run)
					for range steps {
						p.step()
					}
					p.settle()
				}
			})
		})
	}
}
