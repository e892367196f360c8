package entcache

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
	syncer "github.com/entcache/entcache/sync"
	"github.com/entcache/entcache/usage"
)

// delivery takes what the reporter has to Stigg, and its answers to the cache.
type delivery struct{ c *Client }

// Send implements [usage.Sender].
func (d delivery) Send(ctx context.Context, lane usage.Lane, lines []usage.Line) error {
	if lane == usage.Events {
		return d.sendEvents(ctx, lines)
	}
	list := make([]UsageReport, len(lines))
	for i := range lines {
		r := &lines[i].Record
		list[i] = UsageReport{
			CustomerId: r.CustomerID, FeatureId: r.FeatureID, Value: r.Value, IdempotencyKey: &r.Key,
			CreatedAt: &DateTime{Time: r.At.UTC()}, UpdateBehavior: new(UsageDelta),
		}
		if r.Kind == usage.Set {
			list[i].UpdateBehavior = new(UsageSet)
		}
		if r.ResourceID != "" {
			list[i].ResourceId = &r.ResourceID
		}
		if r.Dimensions != nil {
			list[i].Dimensions = &r.Dimensions
		}
	}
	d.c.counts.writes.Add(1)
	f := d.depart(linesOf(lines))
	defer d.landed(f)
	reply, err := gql.ReportUsageBulk(ctx, d.c.api, gql.ReportUsageBulkInput{Usages: list})
	if err == nil && len(reply.ReportUsageBulk) == 0 { // not even null for one of them: nothing says that it was Stigg who answered
		err = fmt.Errorf("entcache: the answer to %d reports has none: %w", len(list), gql.ErrMalformed)
	}
	if err != nil {
		why := meaning(err)
		if why.Means == usage.Failed || why.Means == usage.Refused && len(lines) > 1 { // some may have been counted
			d.c.pending.lost(f.lines)
		}
		return why
	}
	d.answered(f, answersOf(reply.ReportUsageBulk))
	return nil
}

func (d delivery) sendEvents(ctx context.Context, lines []usage.Line) error {
	list := make([]UsageEvent, len(lines))
	for i := range lines {
		r := &lines[i].Record
		list[i] = UsageEvent{CustomerId: r.CustomerID, EventName: r.EventName, IdempotencyKey: r.Key, Timestamp: &DateTime{Time: r.At.UTC()}}
		if r.ResourceID != "" {
			list[i].ResourceId = &r.ResourceID
		}
		if r.Dimensions != nil {
			list[i].Dimensions = &r.Dimensions
		}
	}
	d.c.counts.writes.Add(1)
	if _, err := gql.ReportEvent(ctx, d.c.api, gql.UsageEventsReportInput{UsageEvents: list}); err != nil {
		return meaning(err)
	}
	return nil
}

// meaning says what a failed call says of what it carried.
func meaning(err error) *usage.Failure {
	f := &usage.Failure{Err: err}
	e, ok := errors.AsType[*gql.Error](err)
	if !ok {
		return f
	}
	f.RetryAfter = e.RetryAfter
	switch {
	case errors.Is(e, gql.ErrRateLimited), errors.Is(e, gql.ErrUnauthenticated), errors.Is(e, gql.ErrForbidden), e.Retryable():
		f.Means = usage.Away
	case e.OutcomeUnknown():
	case e.Code != "", errors.Is(e.Err, gql.ErrBadInput):
		f.Means = usage.Refused // by Stigg; an answer without a code may be anybody's, such as that of a proxy
	}
	return f
}

// depart notes that reports are on their way, and which wallets they draw on.
func (d delivery) depart(lines []line) flight {
	if !d.c.cfg.localUsage {
		return flight{lines: lines}
	}
	return d.c.pending.depart(lines, func(key Key, ref Ref) (pays Ref, known bool) {
		e := d.c.running.Load()
		if e == nil {
			return pays, false
		}
		held, ok := e.cache.Peek(key)
		if !ok {
			return pays, false
		}
		ent, _ := held.Belief.Snapshot.Find(ref, e.clock.load())
		if _, currency, ok := ent.CreditRate(); ok {
			pays = entitlements.Currency(currency)
		}
		return pays, true
	})
}

// landed lets what was kept back for reports through, now that it is known whether they arrived, and settles those that were answered
// while these were on their way.
func (d delivery) landed(f flight) {
	if !d.c.cfg.localUsage {
		return
	}
	for {
		var unclear []Key
		var waited map[Key][]line
		landed := func() (kept []syncer.Overheard) {
			kept, unclear, waited = d.c.pending.landed(&f)
			return kept
		}
		if s := d.c.syncer(); s == nil {
			landed()
		} else {
			s.Overhear(landed)
			for _, key := range unclear {
				s.Reported(key, nil, unchanged)
			}
		}
		if len(waited) == 0 {
			return
		}
		for key, lines := range waited {
			d.settle(f, key, lines, nil, told)
		}
	}
}

// answered applies the answers to reports, one for each line, and takes the lines out of what is pending in the same step. Without
// answers, the next read of each key waits for a fetch.
func (d delivery) answered(f flight, answers []answer) {
	lines := f.lines
	if len(answers) != len(lines) { // which answer is whose cannot be told
		answers = nil
	}
	for _, key := range keysOf(lines) {
		var mine []line
		var usages []entitlements.Usage
		how := told
		for i := range lines {
			if meterKey(&lines[i].Record) != key {
				continue
			}
			ln := lines[i]
			if answers != nil && answers[i].key == key {
				ln.pays = answers[i].pays()
			}
			mine = append(mine, ln)
			if answers == nil || answers[i].key != key || !answers[i].told {
				how = untold
				continue
			}
			usages = follow(usages, answers[i].usages)
		}
		d.settle(f, key, mine, usages, how)
	}
}

// follow is what answers have said so far, and the next one says: Stigg counts the reports of a call in their order, so that of two
// usages with one stamp, as reports that are counted at the same millisecond have, the second is the newer.
func follow(said, next []entitlements.Usage) []entitlements.Usage {
	for _, u := range next {
		if i := slices.IndexFunc(said, func(o entitlements.Usage) bool { return o.Ref == u.Ref && o.UpdatedAt <= u.UpdatedAt }); i >= 0 {
			said[i] = u
		} else {
			said = append(said, u)
		}
	}
	return said
}

// answer is what Stigg said to one report.
type answer struct {
	key    Key
	usages []entitlements.Usage
	told   bool // the usage of what was reported is among them
}

// pays is the wallet that the answer speaks of.
func (a *answer) pays() Ref {
	for _, u := range a.usages {
		if u.Ref.Kind == entitlements.KindCredit {
			return u.Ref
		}
	}
	return Ref{}
}

func answersOf(reported []ReportedUsage) []answer {
	answers := make([]answer, len(reported))
	for i := range reported {
		r, a := &reported[i], &answers[i]
		a.key, a.usages = r.Usages()
		a.told = r.CurrentUsage != nil
	}
	return answers
}

func keysOf(lines []line) (keys []Key) {
	for i := range lines {
		if k := meterKey(&lines[i].Record); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// outcome is what became of lines.
type outcome uint8

const (
	told    outcome = iota // Stigg counted them, and said what they led to
	untold                 // Stigg counted them, and did not say
	refused                // Stigg did not count them
)

// unchanged is for reports with which nothing else changes.
func unchanged(s *entitlements.Snapshot, _ bool) *entitlements.Snapshot { return s }

// settle closes lines of one key, with the usages that they led to, if those were told.
func (d delivery) settle(f flight, key Key, lines []line, usages []entitlements.Usage, how outcome) {
	s := d.c.syncer()
	if how != told {
		usages = nil
	}
	if !d.c.cfg.localUsage {
		if s != nil {
			s.Reported(key, usages, unchanged)
		}
		return
	}
	if a := d.c.pending.account(key); a != nil {
		a.settling.Lock()
		defer d.c.tidy(key) // after it is unlocked
		defer a.settling.Unlock()
	}
	l, shown := d.c.pending.answer(f, key, lines, usages, how), true
	if s != nil && (how != told || l.ready || len(l.usages) > 0) {
		shown = s.Reported(key, l.usages, l.along)
	}
	l.done(shown)
	if e := d.c.running.Load(); e != nil {
		e.store.count(key, true) // it may have become resident in between
	}
	l.over()
}

// setAside sees to what Stigg refuses: it is not pending any more, and the program is told.
func (d delivery) setAside(s usage.SetAside) {
	if s.Line.Kind != usage.Event {
		f := d.depart(linesOf([]usage.Line{s.Line})) // so that what becomes unshown meanwhile is not missed
		d.settle(f, meterKey(&s.Line.Record), f.lines, nil, refused)
		d.landed(f)
	}
	if tell := d.c.cfg.usage.OnSetAside; tell != nil {
		tell(s)
		return
	}
	usage.LogSetAside(d.c.cfg.lossLogger)(s)
}
