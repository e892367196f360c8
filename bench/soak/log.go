package main

import (
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// historyKept is how many states of a key are kept, by the emulator and by the judge: minutes of them, where the readers
// are seconds behind at most.
const historyKept = 4096

// keyLog is everything that was true of one key, over all lives of the emulator: its sets, and the usage of each subject,
// each in order and by stamp. A position is a place in that order.
type keyLog struct {
	next   int // index of the next state to ask the emulator for
	grants timeline[set]
	usages [7]timeline[usage] // by subject
}

// set is one full set of entitlements.
type set struct {
	at     time.Time
	reason string                       // of the whole set
	ents   [7]emulator.EntitlementState // by subject; without an id when the set does not have it
}

func (s *set) has(subject int) bool {
	e := &s.ents[subject]
	return e.FeatureID != "" || e.CurrencyID != ""
}

// usage is one usage of one subject.
type usage struct {
	at         time.Time
	value      float64
	start, end time.Time // of its period; zero: none
}

// timeline is a sequence of stamped things of which the oldest are forgotten.
type timeline[T any] struct {
	first   int // position of list[0]
	list    []T
	stamps  []int64
	byStamp map[int64]int
	latest  int64
}

func (t *timeline[T]) add(stamp int64, v T) {
	if t.byStamp == nil {
		t.byStamp = map[int64]int{}
	}
	if len(t.list) >= 2*historyKept {
		for _, old := range t.stamps[:historyKept] {
			delete(t.byStamp, old)
		}
		t.list = append([]T(nil), t.list[historyKept:]...)
		t.stamps = append([]int64(nil), t.stamps[historyKept:]...)
		t.first += historyKept
	}
	if stamp != 0 {
		t.byStamp[stamp] = t.first + len(t.list)
	}
	t.list, t.stamps, t.latest = append(t.list, v), append(t.stamps, stamp), stamp
}

// at returns what is at a position.
func (t *timeline[T]) at(position int) *T { return &t.list[position-t.first] }

// end is the position after the last.
func (t *timeline[T]) end() int { return t.first + len(t.list) }

// find returns the position of a stamp.
func (t *timeline[T]) find(stamp int64) (position int, ok bool) {
	position, ok = t.byStamp[stamp]
	return position, ok
}

// add appends one state of the emulator's history.
func (l *keyLog) add(s emulator.State) {
	l.next = s.Index + 1
	next := set{at: s.At, reason: s.AccessDeniedReason}
	for _, ent := range s.Entitlements {
		i := subjectOf(ent)
		if i < 0 {
			continue
		}
		next.ents[i] = ent
		if stamp := ent.UsageStamp.UnixMilli(); stamp != l.usages[i].latest {
			l.usages[i].add(stamp, usage{s.At, ent.Usage, ent.PeriodStart, ent.PeriodEnd})
		}
	}
	if stamp := s.Stamp.UnixMilli(); stamp != l.grants.latest {
		l.grants.add(stamp, next)
	}
}

// killed notes that the emulator, and with it the customer, is gone.
func (l *keyLog) killed(at time.Time) {
	l.next = 0
	l.grants.add(0, set{at: at, reason: string(entcache.CustomerNotFound)})
}

func subjectOf(ent emulator.EntitlementState) int {
	for i, s := range subjects {
		if s.id == ent.FeatureID && !s.currency || s.id == ent.CurrencyID && s.currency {
			return i
		}
	}
	return -1
}

// grantOf finds the set that a sight is of: by its stamp, or, without one, the first from position from on that fits. What
// is wrong is said when there is none.
func (l *keyLog) grantOf(s sight, subject, from int) (position int, wrong string) {
	if s.exists {
		position, ok := l.grants.find(s.stamp)
		if !ok {
			return 0, "there never was a set of this stamp"
		}
		return position, s.differs(l.grants.at(position), subject)
	}
	fits := func(position int) bool { return s.absentIn(l.grants.at(position), subject) }
	for position := max(from, l.grants.first); position < l.grants.end(); position++ {
		if fits(position) {
			return position, ""
		}
	}
	for position := min(from, l.grants.end()) - 1; position >= l.grants.first; position-- {
		if fits(position) {
			return position, ""
		}
	}
	return 0, "there never was such a set"
}

// absentIn reports whether an answer without an entitlement is what the set gives.
func (s sight) absentIn(set *set, subject int) bool {
	if set.reason != "" {
		return !s.access && string(s.reason) == set.reason
	}
	want := entcache.NoFeatureEntitlementInSubscription
	if subjects[subject].currency {
		want = entcache.EntitlementNotFound
	}
	return !set.has(subject) && !s.access && s.reason == want
}

// differs says in what a sight is not the entitlement of the set; empty when it is.
func (s sight) differs(set *set, subject int) string {
	if !set.has(subject) {
		return "the set of this stamp had no such entitlement"
	}
	ent := &set.ents[subject]
	var values uint8
	for i, v := range themes {
		for _, have := range ent.Values {
			if have == v {
				values |= 1 << i
			}
		}
	}
	switch limited := ent.Limit != nil && !ent.Unlimited; {
	case s.granted != (ent.AccessDeniedReason == "") || string(s.denied) != ent.AccessDeniedReason:
		return "the grant of this stamp was denied for another reason, or not at all: " + ent.AccessDeniedReason
	case s.unlimited != ent.Unlimited || s.hasLimit != limited || limited && s.limit != *ent.Limit:
		return "the grant of this stamp had another limit"
	case s.soft != ent.SoftLimit && ent.Limit != nil:
		return "the grant of this stamp was soft where this is not, or the reverse"
	case s.values != values:
		return "the grant of this stamp had other values"
	}
	return ""
}

// usageOf finds the usage that a sight is of.
func (l *keyLog) usageOf(s seen, subject int) (position int, wrong string) {
	position, ok := l.usages[subject].find(s.usageStamp)
	if !ok {
		return 0, "there never was a usage of this stamp"
	}
	u := l.usages[subject].at(position)
	over := !u.end.IsZero() && s.at.After(u.end)
	if s.usage != u.value && !(over && s.usage == 0) {
		return position, "the usage of this stamp was another"
	}
	return position, ""
}

// verdict says what is wrong with the verdict, given that grant and usage are right. It knows the rules for what is not paid
// from a wallet; this is the judge's own reading of them.
func (s sight) verdict(subject int) string {
	x := subjects[subject]
	if !s.exists || x.paid {
		return ""
	}
	want := s.granted
	switch {
	case !want:
	case x.value != "":
		want = s.values&(1<<1) != 0 // dark
	case x.metered: // a number that is not is configuration: it is told, never counted
		want = s.unlimited || s.soft || s.usage+x.amount <= s.limit
	}
	if s.access != want {
		return "grant and usage are right and the verdict on them is wrong"
	}
	return ""
}
