package syncer

import (
	"maps"
	"slices"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// The server of the simulation. Unlike the emulator, which stamps a whole set anew when it calculates it, this one stamps each
// entitlement when it changes, takes entitlements away without leaving a stamp, and brings back old ones as they were: whatever
// the rules have to withstand.

// account is the server's state of one key, with its whole history.
type account struct {
	archived bool
	grants   map[string]entitlements.Grant // with their usage
	last     *state
}

// state is what a fetch of some moment answers.
type state struct {
	id     int     // 1 is the first of all
	at     instant // when it began, by the client's clock, as everything that is judged
	key    key
	reason entitlements.Reason
	grants []entitlements.Grant
	set    *entitlements.Snapshot
}

// stigg is the server. It is guarded by sim.mu; its methods are called with it held.
type stigg struct {
	sim      *sim
	accounts map[key]*account
	serial   float64 // limits and usages are never used twice, so that what a reader sees tells when it was so
	ahead    time.Duration
	roll     instant // when the usage period of "calls" ends
	rollMark bool    // a rollover leaves a stamp of its own
}

// The features of the simulation, each with a part of its own.
const (
	seats = "seats" // metered, fluctuating: given, taken, used
	calls = "calls" // metered by the hour: its period ends during the simulation
	tier  = "tier"  // a customer's, which its resources inherit
	promo = "promo" // valid until some moment, and then gone without a word
	beta  = "beta"  // granted or not
)

var simFeatures = []string{seats, calls, tier, promo, beta}

// now is the moment by the client's clock, stamp by the server's, which counts milliseconds.
func (g *stigg) now() instant { return entitlements.InstantOf(time.Now()) }

func (g *stigg) stamp() instant {
	if g.sim.Timeless {
		return g.now() - g.sim.epoch + 1 // of 1970
	}
	return entitlements.InstantOf(time.Now().Add(g.ahead).Truncate(time.Millisecond))
}

func (g *stigg) next() float64 { g.serial++; return g.serial }

func (g *stigg) open(k key) {
	g.accounts[k] = &account{grants: map[string]entitlements.Grant{}}
	for _, f := range []string{seats, calls, tier} {
		g.put(k, f)
	}
	g.record(k)
}

// put gives an entitlement a new limit, or gives it anew.
func (g *stigg) put(k key, feature string) {
	a := g.accounts[k]
	e, ok := a.grants[feature]
	if !ok {
		e = used(grant(feature, 0, 0), g.next(), g.stamp())
		if feature == calls {
			e.MeterType, e.ResetPeriod, e.UsagePeriodAnchor = entitlements.MeterIncremental, entitlements.ResetHour, g.roll
			e.UsagePeriodStart, e.UsagePeriodEnd, _ = entitlements.PeriodAt(g.roll, entitlements.ResetHour, g.now())
		}
	}
	e.UsageLimit, e.EntitlementUpdatedAt = 1e6+g.next(), g.stamp()
	a.grants[feature] = e
	if feature == tier { // what belongs to the customer belongs to its resources
		for _, r := range g.sim.keys {
			if r.CustomerID == k.CustomerID && r.ResourceID != "" && k.ResourceID == "" && g.accounts[r] != nil {
				g.accounts[r].grants[tier] = e
				g.record(r)
			}
		}
	}
}

func (g *stigg) use(k key, feature string) (entitlements.Usage, bool) {
	a := g.accounts[k]
	e, ok := a.grants[feature]
	if !ok || a.archived {
		return entitlements.Usage{}, false
	}
	e.CurrentUsage, e.UsageUpdatedAt = g.next(), g.stamp()
	a.grants[feature] = e
	g.record(k)
	return entitlements.Usage{
		Ref: e.Ref(), Current: e.CurrentUsage, UpdatedAt: e.UsageUpdatedAt, PeriodStart: e.UsagePeriodStart, PeriodEnd: e.UsagePeriodEnd,
	}, true
}

// rollover begins a usage period for everybody. Nobody is told.
func (g *stigg) rollover() {
	for _, k := range g.sim.keys {
		a := g.accounts[k]
		if e, ok := a.grants[calls]; ok {
			e.CurrentUsage = 0
			e.UsagePeriodStart, e.UsagePeriodEnd, _ = entitlements.PeriodAt(g.roll, entitlements.ResetHour, g.now())
			if g.rollMark {
				e.UsageUpdatedAt = g.stamp()
			}
			a.grants[calls] = e
			g.record(k)
		}
	}
}

// record makes a state of what there is now.
func (g *stigg) record(k key) *state {
	a := g.accounts[k]
	st := &state{id: len(g.sim.states) + 1, at: g.now(), key: k}
	if a.archived {
		st.reason = "CustomerIsArchived"
	} else {
		for _, f := range slices.Sorted(maps.Keys(a.grants)) {
			st.grants = append(st.grants, a.grants[f])
		}
	}
	st.set = entitlements.NewSnapshot(k, st.reason, st.grants)
	g.sim.states = append(g.sim.states, st)
	g.sim.ids[st.set] = st.id
	a.last = st
	g.sim.add(line{Do: "state", Key: k, State: st.id})
	return st
}

// operate lets something happen at the server, and tells the network what the server says of it.
func (s *sim) operate(pick func(int) int) {
	k := s.keys[pick(len(s.keys))]
	g := &s.stigg
	s.mu.Lock()
	defer s.mu.Unlock()
	a := g.accounts[k]
	feature := []string{seats, calls, tier, tier}[pick(4)]
	if k.ResourceID != "" && feature == tier {
		feature = seats
	}
	n := pick(16)
	if s.Calm && k == s.keys[1] { // where little happens, but for what ends by itself
		if n = 12; pick(4) > 0 {
			return
		}
	}
	if s.Timeless && (n == 4 || n == 5 || n == 10 || n == 11) {
		n = 6 // see manner
	}
	switch {
	case n < 4:
		g.put(k, feature)
		s.say(g.record(k))
		if pick(4) == 0 { // twice within a millisecond
			g.put(k, feature)
			s.say(g.record(k))
		}
	case n < 6:
		delete(a.grants, feature)
		s.say(g.record(k))
	case n < 10:
		for range 1 + pick(4)/3 { // now and then twice within a millisecond
			if u, ok := g.use(k, feature); ok {
				s.sayUsage(k, u)
			}
		}
	case n == 10:
		a.archived = !a.archived
		s.say(g.record(k))
	case n == 11: // archived, and restored at once
		a.archived = true
		s.say(g.record(k))
		s.later(entitlements.InstantOf(time.Now().Add(s.pause(pick, 300*time.Millisecond))), func() {
			a.archived = false
			s.say(g.record(k))
		})
	case n < 14 && !s.Timeless:
		e := grant(promo, g.stamp(), 1e6+g.next())
		e.ValidUntil = entitlements.InstantOf(time.Now().Add(time.Duration(1+pick(20_000)) * time.Millisecond))
		a.grants[promo] = e
		s.say(g.record(k))
		s.later(e.ValidUntil, func() {
			if a.grants[promo].UsageLimit == e.UsageLimit {
				delete(a.grants, promo)
				g.record(k) // and says nothing: it has said until when
			}
		})
		if s.Calm { // somebody looks just when the fetch that is due then must have landed
			after := time.Duration(prompt) + s.pause(pick, time.Second)
			s.wg.Go(func() {
				time.Sleep(time.Until(e.ValidUntil.Time()) + after)
				s.check(k, promo)
			})
		}
	case n <= 14:
		e, ok := a.grants[beta]
		if !ok {
			e = grant(beta, 0, 1e6+g.next())
		}
		e.IsGranted, e.EntitlementUpdatedAt = !e.IsGranted, g.stamp()
		a.grants[beta] = e
		s.say(g.record(k))
	case n == 15:
		if pick(3) > 0 {
			break
		}
		for _, k := range s.keys {
			if k.ResourceID == "" {
				g.put(k, seats)
				g.record(k)
			}
		}
		s.note("a package is published to all customers")
		s.network.send(entitlements.Event{Kind: entitlements.EventPackagePublished, AllCustomers: true})
	}
}

func (s *sim) say(st *state) { s.network.send(event(st)) }

func event(st *state) entitlements.Event {
	return entitlements.Event{Kind: entitlements.EventEntitlements, Key: st.key, Snapshot: st.set}
}

func (s *sim) sayUsage(k key, u entitlements.Usage) {
	s.network.send(entitlements.Event{Kind: entitlements.EventUsage, Key: k, Usage: u})
}
