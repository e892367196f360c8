package entcache

import (
	"slices"

	"github.com/entcache/entcache/entitlements"
)

// What the server says while a report is on its way may show that report, or may not: it is kept back until the report is answered.

// guard is what a change of a belief comes to: the usage of a meter on which a report is on its way stays as it was, and what is
// pending counts. Where what was kept back cannot be ordered, the next read waits for a fetch.
func (p *pending) guard(key Key, held, next *entitlements.Belief) *entitlements.Belief {
	if next == nil || next.Snapshot == held.Snapshot {
		return next
	}
	a := p.account(key)
	if a == nil {
		return next
	}
	s, tied := a.keepBack(held.Snapshot, next.Snapshot, held.AwaitRefresh && !next.AwaitRefresh)
	next = withSnapshot(next, p.count(key, s, false))
	if tied {
		n := *next
		n.Suspect, n.AwaitRefresh = true, true
		next = &n
	}
	return next
}

// keepBack puts the usage of meters that fly, and of the wallets that pay for them, back to what is held; also that of meters of which
// something is unshown, unless fetched says that next is of a fetch that shows it. Then tied is whether an event may be as new as that.
func (a *account) keepBack(held, next *entitlements.Snapshot, fetched bool) (_ *entitlements.Snapshot, tied bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if next == a.applied {
		return next, false
	}
	told := next
	for _, m := range a.meters {
		flying := a.flies(m)
		switch {
		case fetched && !flying:
			m.unshown, m.missed = 0, false
			with, tie := m.withKept(next)
			next, tied = with.WithTally(m.ref, &m.tally, m.settled), tied || tie
			continue
		case fetched:
			m.missed = true
		case !m.flying() && m.answeredOpen == 0 && m.unshown == 0:
			if !flying {
				m.kept = nil // a fetch has decided, see withKept
			}
			continue
		}
		for _, ref := range []Ref{m.ref, m.wallet} {
			was, ok := held.Usage(ref)
			is, still := told.Usage(ref) // not what was made of it for another meter of the wallet
			if !ok || !still || is.UpdatedAt == was.UpdatedAt && is.Current == was.Current && is.PeriodStart == was.PeriodStart {
				continue
			}
			if !flying && was.PeriodStart != 0 && is.PeriodStart > was.PeriodStart {
				continue // what is unshown was of the period before, and may be shown on top of this one: denied rather than granted
			}
			next = next.WithUsage(a.atLeast(held, was, is))
			m.keep(is, a.departs)
		}
	}
	return next, tied
}

// atLeast is the usage that is held, raised to what the server says now if it says more than all that is pending could make of it: others
// have used that, and must not be kept waiting for the answer to a report. Whatever is shown is never more than there is.
func (a *account) atLeast(held *entitlements.Snapshot, was, is entitlements.Usage) entitlements.Usage {
	e, _ := held.Find(was.Ref, 0)
	mine := e.PendingUsage()
	for _, m := range a.meters {
		switch {
		case m.direct == 0:
		case m.ref == was.Ref:
			mine += max(m.direct, 0)
		case m.wallet == was.Ref:
			return was // what it will cost is the answer's to say
		}
	}
	if samePeriod(is, was) && mine >= 0 {
		was.Current = max(was.Current, is.Current-mine)
	}
	return was
}

// samePeriod reports whether two usages are of one period, as far as both say: of a wallet only events do.
func samePeriod(a, b entitlements.Usage) bool {
	return a.PeriodStart == b.PeriodStart || a.PeriodStart == 0 || b.PeriodStart == 0
}

// kept is a usage that was kept back.
type kept struct {
	entitlements.Usage
	tied    bool   // another was as new
	departs uint64 // of the account at that time: it shows nothing of what departed later
}

// keep remembers a usage that was kept back, the latest of each entitlement. Of two that are equally new nobody knows which that is, as
// when several reports are counted at the same millisecond, and one of their events comes again: the greater is kept, so that nobody who
// was shown it sees the usage go back before a fetch decides.
func (m *meter) keep(u entitlements.Usage, departs uint64) {
	i := slices.IndexFunc(m.kept, func(k kept) bool { return k.Ref == u.Ref })
	if i < 0 {
		m.kept = append(m.kept, kept{Usage: u, departs: departs})
		return
	}
	k := &m.kept[i]
	u.Seq = max(u.Seq, k.Seq) // an answer has none
	switch {
	case u.UpdatedAt > k.UpdatedAt:
		*k = kept{Usage: u, departs: departs}
	case u.UpdatedAt == k.UpdatedAt && u.Current != k.Current:
		if u.Current > k.Current {
			k.Usage, k.departs = u, departs
		}
		k.tied = true
	}
}

// withKept is what a fetch brought, with events told while it was on its way: they may be newer; tied is whether one may be as new. It
// gives up what is no newer, and leaves what it has applied, because the change of a belief is tried again when another came in between:
// the next time that is no newer. The next change that is not of the fetch has it given up, see keepBack.
func (m *meter) withKept(s *entitlements.Snapshot) (_ *entitlements.Snapshot, tied bool) {
	m.kept = slices.DeleteFunc(m.kept, func(u kept) bool {
		is, ok := s.Usage(u.Ref)
		switch {
		case !ok || u.Seq <= is.Seq || u.PeriodStart < is.PeriodStart:
			return true
		case u.UpdatedAt > is.UpdatedAt:
			s, tied = s.WithUsage(u.Usage), tied || u.tied
			return false
		case u.UpdatedAt == is.UpdatedAt && (u.tied || u.Current != is.Current):
			tied = true
			return false
		}
		return true
	})
	return s, tied
}

// recall is what enters memory, raised to what was kept back, and has been shown, if that is newer. Of whoever does not fly, and has
// nothing unshown, that is then over.
func (p *pending) recall(key Key, s *entitlements.Snapshot) *entitlements.Snapshot {
	a := p.account(key)
	if a == nil {
		return s
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.meters {
		for _, u := range m.kept {
			if is, ok := s.Usage(u.Ref); ok && u.Seq > is.Seq && u.UpdatedAt >= is.UpdatedAt {
				s = s.WithUsage(a.atLeast(s, is, u.Usage))
			}
		}
		if m.answeredOpen == 0 && m.unshown == 0 && !a.flies(m) {
			m.kept = nil
		}
	}
	return s
}
