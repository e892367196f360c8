package entcache

import (
	"slices"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/usage"
)

// What becomes of pending usage while the call that reports it is on its way, and when it lands.

// flight is a call that carries lines.
type flight struct {
	lines  []line
	meters []*meter // of those lines that have one
}

// depart notes that lines are on their way, and which wallets they draw on, where that is known. Whoever calls it calls landed, too.
func (p *pending) depart(lines []line, wallet func(Key, Ref) (pays Ref, known bool)) flight {
	f := flight{lines: lines}
	for i := range lines {
		ln := &lines[i]
		key := meterKey(&ln.Record)
		a := p.account(key)
		if a == nil {
			continue
		}
		pays, known := wallet(key, ln.ref)
		a.mu.Lock()
		if m := a.meter(ln.ref); m != nil {
			// Who waits for others of its group, or is waited for, stays in it: nobody else would settle what waits.
			if known && (m.wallet == Ref{} || !m.flying() && m.answeredOpen == 0) {
				m.wallet = pays
			}
			m.out++
			f.meters = append(f.meters, m)
		}
		a.mu.Unlock()
	}
	return f
}

// out is how many lines of a meter the flight carries.
func (f *flight) out(m *meter) (n int) {
	for _, other := range f.meters {
		if other == m {
			n++
		}
	}
	return n
}

// overheard is a usage that was kept back.
type overheard struct {
	key   Key
	usage entitlements.Usage
}

// lost notes that lines went out, and no answer came.
func (p *pending) lost(lines []line) {
	p.lines(lines, func(_ *account, m *meter, ln *line) {
		if m.doubt == nil {
			m.doubt = map[string]bool{}
		}
		m.doubt[ln.Key] = true
	})
}

// landed notes that a flight is over, and returns what was kept back for its lines, unless others of their groups are on their way
// or in doubt, and of which keys it kept a fetch from showing what is unshown. Where others were answered that waited for this
// flight, and for none besides, it is not over yet: waited has those, for each key, as lines of nothing, to be settled before
// landed is called again.
func (p *pending) landed(f *flight) (kept []overheard, missed []Key, waited map[Key][]line) {
	p.lines(f.lines, func(a *account, m *meter, ln *line) {
		key, group := meterKey(&ln.Record), a.group(m)
		if slices.ContainsFunc(group, func(o *meter) bool { return o.answeredOpen > 0 }) && !f.others(group) {
			if waited == nil {
				waited = map[Key][]line{}
			}
			nothing := line{usage.Line{Record: ln.Record}, ln.ref}
			nothing.Key = "" // it is not what was answered
			waited[key] = append(waited[key], nothing)
			return
		}
		m.out -= f.out(m)
		f.meters = slices.DeleteFunc(f.meters, func(d *meter) bool { return d == m })
		if m.out == 0 {
			m.direct = 0 // rounding apart, it is
		}
		if slices.ContainsFunc(group, (*meter).flying) {
			return
		}
		for _, o := range group {
			for _, u := range o.kept {
				kept = append(kept, overheard{key, u})
			}
			o.kept = nil
			if o.missed && o.unshown != 0 {
				missed = append(missed, key)
			}
			o.missed = false
		}
	})
	return kept, missed, waited
}

// others reports whether lines of a group that are not of the flight are on their way, or in doubt.
func (f *flight) others(group []*meter) bool {
	return slices.ContainsFunc(group, func(o *meter) bool { return len(o.doubt) > 0 || o.out > f.out(o) })
}

// answer prepares to take those lines of a flight that are of one key out of what is pending. What is said of a meter of whose group
// others are on their way, or in doubt, waits for them; those of it that wait for these come with them.
func (p *pending) answer(f flight, key Key, lines []line, usages []entitlements.Usage, how outcome) *landing {
	l, unshown := &landing{pending: p, key: key, lines: lines, usages: slices.Clone(usages)}, false
	p.lines(lines, func(_ *account, m *meter, ln *line) {
		x := l.part(m)
		x.shown += ln.Deltas
		if how == refused {
			x.refused += ln.Deltas
		}
		delete(m.doubt, ln.Key)
	})
	p.lines(lines, func(a *account, m *meter, _ *line) {
		x, group := l.part(m), a.group(m)
		if x.waits = f.others(group); x.waits {
			l.usages = slices.DeleteFunc(l.usages, func(u entitlements.Usage) bool {
				if u.Ref != m.ref && u.Ref != m.wallet {
					return false
				}
				m.keep(u)
				return true
			})
			return
		}
		l.ready = true
		for _, o := range group {
			if o.answeredOpen > 0 { // what those answers said goes with these
				l.part(o)
				l.usages, o.kept = append(l.usages, o.kept...), nil
			}
			if o.unshown != 0 {
				l.part(o)
				unshown = true
			}
		}
	})
	if how == untold || how == refused && unshown {
		l.usages = nil // a fetch will tell of all
	}
	return l
}

// landing is how lines of one key cease to be pending: usages is what can be applied, in one step with along, and done comes after that.
type landing struct {
	pending *pending
	key     Key
	lines   []line
	usages  []entitlements.Usage
	parts   []*part
	ready   bool // a part does not wait
}

type part struct {
	meter   *meter
	held    float64 // of its tally, what is held shows
	shown   float64 // what is held will show once all is applied
	refused float64 // of that, what nothing will ever show
	waits   bool
}

func (l *landing) part(m *meter) *part {
	for _, x := range l.parts {
		if x.meter == m {
			return x
		}
	}
	x := &part{meter: m, held: m.settled - m.unshown, shown: m.settled + m.answeredDeltas}
	l.parts = append(l.parts, x)
	return x
}

// along is the change of the snapshot that goes with the usages, or is made without them.
func (l *landing) along(s *entitlements.Snapshot, shown bool) *entitlements.Snapshot {
	for _, x := range l.parts {
		switch {
		case x.waits:
		case shown:
			s = s.WithTally(x.meter.ref, &x.meter.tally, x.shown)
		default:
			s = s.WithTally(x.meter.ref, &x.meter.tally, x.held+x.refused)
		}
	}
	if shown {
		s = l.overheard(s)
	}
	return l.pending.apply(l.key, s)
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
		for _, m := range a.group(x.meter) {
			for _, u := range m.kept {
				if held, ok := s.Usage(u.Ref); ok && u.UpdatedAt > held.UpdatedAt && u.PeriodStart >= held.PeriodStart {
					s = s.WithUsage(u)
				}
			}
		}
	}
	return s
}

// done closes the lines. shown is false when what is held of the key does not show what they led to.
func (l *landing) done(shown bool) {
	p := l.pending
	p.apply(l.key, nil)
	p.lines(l.lines, func(_ *account, m *meter, ln *line) {
		m.answeredOpen += ln.Accepted
		m.answeredDeltas += ln.Deltas
	})
	a := p.account(l.key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range l.parts {
		if m := x.meter; !x.waits {
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
