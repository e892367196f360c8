package entcache

import (
	"slices"
	"sync"

	"github.com/entcache/entcache/entitlements"
)

// How pending usage is settled when the call that reported it is answered.

// answer prepares to take those lines of a flight that are of one key out of what is pending. What is said of a meter of whose group
// others are on their way, or in doubt, waits for them; those of it that wait for these come with them.
func (p *pending) answer(f flight, key Key, lines []line, usages []entitlements.Usage, how outcome) *landing {
	l := &landing{pending: p, flight: flight{meters: slices.Clone(f.meters)}, key: key, lines: lines, usages: slices.Clone(usages)}
	p.lines(lines, func(_ *account, m *meter, ln *line) {
		delete(m.doubt, ln.Key)
		if none := (Ref{}); m.wallet == none && m.ref != ln.pays {
			m.wallet = ln.pays // its customer was not in memory when it departed, or had another plan
		}
		x := l.part(m)
		if ln.direct {
			x.direct += ln.Deltas
			return
		}
		x.answered += ln.Deltas
		if how == refused {
			x.refused += ln.Deltas
		}
	})
	l.judge(f)
	if how == untold || l.unshown && (how == refused || l.strange) || !l.tells() {
		l.usages = nil // they may not show what is unshown: a fetch will tell of all
	}
	l.usages = latest(l.usages)
	return l
}

// tells reports whether the answers speak of every meter of which something was counted: one may speak of the wallet alone that another's
// is paid by, and not of its usage.
func (l *landing) tells() bool {
	return !slices.ContainsFunc(l.parts, func(x *part) bool {
		return !x.waits && x.before+x.answered+x.direct-x.refused != x.held &&
			!slices.ContainsFunc(l.usages, func(u entitlements.Usage) bool { return u.Ref == x.meter.ref })
	})
}

// latest leaves out of what several answers said whatever another of them is ahead of: applied after that, it would be a question.
func latest(usages []entitlements.Usage) []entitlements.Usage {
	all := slices.Clone(usages)
	return slices.DeleteFunc(usages, func(u entitlements.Usage) bool {
		return slices.ContainsFunc(all, func(o entitlements.Usage) bool {
			return o.Ref == u.Ref && o.PeriodStart == u.PeriodStart && o.UpdatedAt > u.UpdatedAt && u.UpdatedAt != 0
		})
	})
}

// judge finds out which parts have to wait, and takes what was said of those out of what can be applied.
func (l *landing) judge(f flight) {
	a := l.pending.account(l.key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	l.departs = a.departs
	for _, x := range slices.Clone(l.parts) {
		m := x.meter
		m.direct -= x.direct
		group := a.group(m)
		if x.waits = f.others(group); x.waits {
			m.expect(x)
			l.usages = slices.DeleteFunc(l.usages, func(u entitlements.Usage) bool {
				if u.Ref != m.ref && u.Ref != m.wallet {
					return false
				}
				m.keep(u, a.departs)
				return true
			})
			continue
		}
		l.ready = true
		l.strange = l.strange || m.stranger
		for _, o := range group {
			if o.answeredOpen > 0 { // what those answers said goes with these
				l.part(o)
				for _, u := range o.kept {
					l.usages, o.tied = append(l.usages, u.Usage), o.tied || u.tied
				}
				o.kept = nil
			}
			if o.unshown != 0 {
				l.part(o)
				l.unshown = true
			}
		}
	}
}

// expect makes what a call carried pending, now that it is answered, and the answer cannot be applied.
func (m *meter) expect(x *part) {
	m.tally.Set(m.tally.Total() + x.direct)
	x.answered, x.direct = x.answered+x.direct, 0
}

// landing is how lines of one key cease to be pending: usages is what can be applied, in one step with along, and done comes after that.
type landing struct {
	pending *pending
	flight  flight // until done
	departs uint64 // of the account, when it was seen who else flies
	key     Key
	lines   []line
	usages  []entitlements.Usage
	parts   []*part
	ready   bool // a part does not wait
	unshown bool // something was counted before, and what is held does not show it
	strange bool // the answer is to a line for which those who were answered before it did not wait

	mu     sync.Mutex // guards the following, and what parts have seen, and is taken before any lock of the account
	asked  bool       // along was called
	closed bool       // done was
}

type part struct {
	meter    *meter
	wallet   Ref     // the meter's, as of then
	held     float64 // of its tally, what is held shows
	before   float64 // of its tally, what was answered before
	answered float64 // of its tally, what is answered now
	refused  float64 // of that, what nothing will ever show
	direct   float64 // what is answered now, and not part of its tally
	waits    bool
	unseen   bool // what is held does not show what was answered, as along was told
}

func (l *landing) part(m *meter) *part {
	for _, x := range l.parts {
		if x.meter == m {
			return x
		}
	}
	m.landings++
	x := &part{meter: m, wallet: m.wallet, held: m.settled - m.unshown, before: m.settled + m.answeredDeltas}
	l.parts = append(l.parts, x)
	return x
}

// along is the change of the snapshot that goes with the usages, or is made without them.
func (l *landing) along(s *entitlements.Snapshot, shown bool) *entitlements.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = true
	for _, x := range l.parts {
		if x.waits {
			continue
		}
		seen := shown || l.ahead(s, x)
		l.saw(x, seen)
		if seen {
			s = s.WithTally(x.meter.ref, &x.meter.tally, x.before+x.answered)
		} else {
			s = s.WithTally(x.meter.ref, &x.meter.tally, x.held+x.refused)
		}
	}
	if shown {
		s = l.overheard(s)
	}
	if l.closed {
		return s // it enters memory: nothing is kept back of that
	}
	return l.pending.apply(l.key, s)
}

// ahead reports whether a snapshot that the answers cannot be applied to is newer than they are, and shows what they led to all the same,
// as one does that was fetched when they had been counted. A fetch is to tell for certain; until then it would be seen twice. A stamp
// alone does not say so, for several servers have several clocks: what is held has to have come as far.
func (l *landing) ahead(s *entitlements.Snapshot, x *part) (ahead bool) {
	tally, _ := s.Counts(x.meter.ref)
	sum := x.before + x.answered + x.direct - x.held // that it is to show
	for _, u := range l.usages {
		if u.Ref != x.meter.ref && u.Ref != x.wallet {
			continue
		}
		held, ok := s.Usage(u.Ref)
		switch {
		case l.raised(x, u.Ref):
			return false
		case !ok, u.UpdatedAt == 0, held.UpdatedAt < u.UpdatedAt, !samePeriod(held, u):
			return false
		case held.UpdatedAt == u.UpdatedAt && tally != nil: // it was in memory, and may have been raised, see atLeast
			return false
		case sum > 0 && held.Current < u.Current, sum < 0 && held.Current > u.Current:
			return false
		}
		ahead = ahead || u.Ref == x.meter.ref
	}
	return ahead
}

// raised reports whether what is held of an entitlement may have been raised to what was kept back for a part.
func (l *landing) raised(x *part, ref Ref) bool {
	a := l.pending.account(l.key)
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.group(x.meter), func(m *meter) bool {
		return slices.ContainsFunc(m.kept, func(u kept) bool { return u.Ref == ref })
	})
}

// saw notes whether what is held shows what was answered. Of a key that is being fetched that is known when the fetch is answered, which
// may be when all of this is done. l.mu is held.
func (l *landing) saw(x *part, seen bool) {
	again := x.unseen
	x.unseen = !seen
	switch {
	case !l.closed:
	case seen:
		l.pending.reshow(l.key, x)
	case !again:
		l.pending.unshow(l.key, x)
	}
}

// overheard is a snapshot with what was kept back for the lines: readers have been shown it, less what these came to, and would see the
// usage go back if the answers alone were applied.
func (l *landing) overheard(s *entitlements.Snapshot) *entitlements.Snapshot {
	a := l.pending.account(l.key)
	if a == nil {
		return s
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range l.parts {
		if x.waits {
			continue
		}
		group := a.group(x.meter)
		others := l.flight.others(group) // who departed since then: what was told after that may show those
		for _, m := range group {
			for _, u := range m.kept {
				held, ok := s.Usage(u.Ref)
				switch {
				case !ok || u.PeriodStart < held.PeriodStart || u.UpdatedAt < held.UpdatedAt:
				case others && u.departs != l.departs:
					s = s.WithUsage(a.atLeast(s, held, u.Usage))
				case u.UpdatedAt > held.UpdatedAt:
					s = s.WithUsage(u.Usage)
				case u.Current > held.Current:
					s, m.tied = s.WithUsage(u.Usage), true
				}
			}
		}
	}
	return s
}

// done closes the lines. Of a key that along was not asked about, shown says whether what is held shows what they led to.
func (l *landing) done(shown bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.flight = true, flight{}
	l.pending.apply(l.key, nil)
	a := l.pending.account(l.key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range l.lines {
		if m := a.meter(l.lines[i].ref); m != nil {
			m.answeredOpen += l.lines[i].Accepted
		}
	}
	for _, x := range l.parts {
		m := x.meter
		if l.asked {
			shown = !x.unseen
		}
		if !shown {
			m.expect(x)
		}
		m.answeredDeltas += x.answered
		if !x.waits {
			m.open -= m.answeredOpen
			m.settled += m.answeredDeltas
			if m.unshown += m.answeredDeltas - x.refused; shown {
				m.unshown = 0
			}
			m.answeredOpen, m.answeredDeltas = 0, 0
			if m.open == 0 {
				m.tally.Set(m.settled) // rounding apart, it is
			}
		}
	}
}

// over is called when what is held counts what was settled.
func (l *landing) over() {
	a := l.pending.account(l.key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range l.parts {
		x.meter.landings--
	}
}
