package entcache

import (
	"slices"

	syncer "github.com/entcache/entcache/sync"
	"github.com/entcache/entcache/usage"
)

// What becomes of pending usage while the call that reports it is on its way.

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
			none := Ref{}
			m.stranger = m.stranger || !known && m.wallet == none
			m.out++
			a.departs++
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

// lost notes that lines went out, and no answer came.
func (p *pending) lost(lines []line) {
	p.lines(lines, func(_ *account, m *meter, ln *line) {
		if m.doubt == nil {
			m.doubt = map[string]bool{}
		}
		m.doubt[ln.Key] = true
	})
}

// landed notes that a flight is over. It is called while nothing else arrives, see [syncer.Syncer.Overhear], and returns what was kept
// back for its lines, unless others of their groups are on their way or in doubt, and of which keys a fetch has to decide: it kept one from
// showing what is unshown, or what was kept back cannot be ordered. Where others were answered that waited for this flight, and for none
// besides, it is not over yet: waited has those, for each key, as lines of nothing, to be settled before landed is called again.
func (p *pending) landed(f *flight) (kept []syncer.Overheard, unclear []Key, waited map[Key][]line) {
	p.lines(f.lines, func(a *account, m *meter, ln *line) {
		key, group := meterKey(&ln.Record), a.group(m)
		if slices.ContainsFunc(group, func(o *meter) bool { return o.answeredOpen > 0 }) && !f.others(group) {
			if waited == nil {
				waited = map[Key][]line{}
			}
			nothing := line{Line: usage.Line{Record: ln.Record}, ref: ln.ref}
			nothing.Key = "" // it is not what was answered
			waited[key] = append(waited[key], nothing)
			return
		}
		m.out -= f.out(m)
		f.meters = slices.DeleteFunc(f.meters, func(d *meter) bool { return d == m })
		if m.out == 0 {
			m.direct = 0 // rounding apart, it is
			m.stranger = m.stranger && m.flying()
		}
		if a.flies(m) {
			return
		}
		for _, o := range group {
			tied := o.tied
			for _, u := range o.kept {
				kept, tied = append(kept, syncer.Overheard{Key: key, Usage: u.Usage}), tied || u.tied
			}
			if tied || o.missed && o.unshown != 0 {
				unclear = append(unclear, key)
			}
			o.kept, o.missed, o.tied = nil, false, false
		}
	})
	return kept, unclear, waited
}

// others reports whether lines of a group that are not of the flight are on their way, or in doubt.
func (f *flight) others(group []*meter) bool {
	return slices.ContainsFunc(group, func(o *meter) bool { return len(o.doubt) > 0 || o.out > f.out(o) })
}
