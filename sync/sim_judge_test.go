package syncer

import (
	"fmt"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// The judge holds what readers saw against the server's history. It knows nothing of the syncer.

// fact is what the server said of one feature, from some moment on.
type fact struct {
	at                     instant
	reason                 entitlements.Reason
	exists, granted        bool
	limit, usage           float64
	periodStart, periodEnd instant
	until                  instant // when the next one began; 0 for the last
}

// subject is one feature of one key.
type subject struct {
	key     key
	feature string
}

// record is the history of a subject, and how far readers have come in it. Grant and usage go separate ways.
type record struct {
	grants, usages []fact
	seen, seenUse  []progress // in the order in which the reads ended
	wrote          []progress // what this client's own writes led to
	wroteUse       []progress
}

type progress struct {
	at    instant
	index int
}

// upTo is how far things were at the moment at.
func upTo(p []progress, at instant) int {
	far := 0
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].at < at {
			far = max(far, p[i].index)
			if i < len(p)-20 {
				break // what follows only grows
			}
		}
	}
	return far
}

type court struct {
	manner
	states   []*state
	lines    []line
	records  map[subject]*record
	stale    map[key]instant // since when readers have seen nothing of it but Stale
	lastRead map[key]instant
	requests []instant
	healed   bool
	final    bool
	finals   int
}

// judge returns the first broken promise.
func judge(m manner, states []*state, lines []line) error {
	c := &court{manner: m, states: states, lines: lines, records: map[subject]*record{}, stale: map[key]instant{}, lastRead: map[key]instant{}}
	for _, st := range states {
		c.enter(st)
	}
	for i := range lines {
		if text := c.hear(&lines[i]); text != "" {
			return &blame{i, fmt.Sprintf("line %d (%v): %s", i+1, &lines[i], text)}
		}
	}
	if c.finals < len(simFeatures) {
		return &blame{len(lines) - 1, "nothing was compared at the end"}
	}
	return nil
}

// enter takes a state into the histories.
func (c *court) enter(st *state) {
	for _, f := range simFeatures {
		x := fact{at: st.at, reason: st.reason}
		for i := range st.grants {
			if g := &st.grants[i]; g.ID == f {
				x.exists, x.granted, x.limit = true, g.IsGranted, g.UsageLimit
				x.usage, x.periodStart, x.periodEnd = g.CurrentUsage, g.UsagePeriodStart, g.UsagePeriodEnd
			}
		}
		s := subject{st.key, f}
		r := c.records[s]
		if r == nil {
			r = &record{}
			c.records[s] = r
		}
		r.grants = appended(r.grants, x, func(a, b fact) bool {
			return a.reason == b.reason && a.exists == b.exists && a.granted == b.granted && a.limit == b.limit
		})
		if x.exists {
			r.usages = appended(r.usages, x, func(a, b fact) bool { return a.usage == b.usage && a.periodEnd == b.periodEnd })
		}
	}
}

func appended(list []fact, x fact, same func(a, b fact) bool) []fact {
	n := len(list)
	if n > 0 {
		if same(list[n-1], x) {
			return list
		}
		list[n-1].until = x.at
	}
	return append(list, x)
}

func (c *court) hear(l *line) string {
	switch l.Do {
	case "request":
		return c.budget(l.At)
	case "note":
		c.healed = c.healed || l.Text == healed
	case "final":
		c.final = true
		if l.Text != Live.String() {
			return "the network healed long ago, and the state is " + l.Text
		}
	case "wrote":
		c.wrote(l)
	case "read":
		return c.read(l)
	}
	return ""
}

const healed = "the network heals, and the server is quiet"

// budget: no window holds more requests than were allowed.
func (c *court) budget(at instant) string {
	c.requests = append(c.requests, at)
	for _, w := range []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, time.Minute} {
		n := 0
		for i := len(c.requests) - 1; i >= 0 && at-c.requests[i] < instant(w); i-- {
			n++
		}
		if most := simBurst + int(w.Seconds()*simPerMinute/60) + 1; n > most {
			return fmt.Sprintf("%d requests in %v, the budget allows %d", n, w, most)
		}
	}
	return ""
}

// wrote: whoever reads from here on sees the state that this client's own write led to, or a later one.
func (c *court) wrote(l *line) {
	at := c.states[l.State-1].at
	for s, r := range c.records {
		if s.key.CustomerID != l.Key.CustomerID || (s.key != l.Key && s.feature != tier) {
			continue
		}
		if l.Feature == "" { // else it was a report
			r.wrote = append(r.wrote, progress{l.At, last(r.grants, at)})
		}
		if s.key == l.Key && (l.Feature == "" || l.Feature == s.feature) {
			r.wroteUse = append(r.wroteUse, progress{l.At, last(r.usages, at)})
		}
	}
}

// last returns the fact that held at the moment at.
func last(facts []fact, at instant) int {
	n := 0
	for i := range facts {
		if facts[i].at <= at {
			n = i
		}
	}
	return n
}

// find returns the first and the last fact, of those from the index from on that had begun by the moment at, that a reader may
// have seen; -1 when there is none.
func find(facts []fact, from int, at instant, match func(*fact) bool) (first, latest int) {
	first, latest = -1, -1
	for i := from; i < len(facts) && facts[i].at <= at; i++ {
		if match(&facts[i]) {
			if first < 0 {
				first = i
			}
			latest = i
		}
	}
	return first, latest
}

// slack is how much older than its AsOf a state may be: what a stream's frames vouch for left the server before them.
const slack = instant(simLongestWay + 50*time.Millisecond)

func (c *court) read(l *line) string {
	r, v := c.records[subject{l.Key, l.Feature}], l.See
	if took := time.Duration(l.At - l.From); took > 2*simTimeout+time.Second {
		return fmt.Sprintf("it took %v", took)
	}
	if v == nil {
		if c.final || c.Calm {
			return "a fallback, and nothing is broken"
		}
		return ""
	}
	if v.AsOf > l.At {
		return "it is as of a moment that is still to come"
	}
	from, fromUse := upTo(r.seen, l.From), upTo(r.seenUse, l.From)
	wants := v.Origin != entitlements.Stale
	if wants {
		from, fromUse = max(from, upTo(r.wrote, l.From)), max(fromUse, upTo(r.wroteUse, l.From))
	}
	match := func(x *fact) bool {
		return x.reason == v.Reason && x.exists == v.Exists && x.granted == v.Granted && x.limit == v.Limit
	}
	first, latest := find(r.grants, from, l.At, match)
	if first < 0 {
		if n, _ := find(r.grants, 0, l.At, match); n < 0 {
			return "the server never had that"
		} else if upTo(r.seen, l.From) <= n {
			return fmt.Sprintf("version %d, and this client's own write led to version %d", n, from)
		}
		return fmt.Sprintf("version %d or so, after a reader had seen version %d: back", c.nearest(r.grants, from, match), upTo(r.seen, l.From))
	}
	if until := r.grants[latest].until; until != 0 && until < v.AsOf-c.slack(v) {
		return fmt.Sprintf("it says that this was so as of %v, and it ended at %v", v.AsOf, until)
	}
	r.seen = append(r.seen, progress{l.At, max(first, upTo(r.seen, l.At))})
	if text := c.usage(l, r, fromUse); text != "" {
		return text
	}
	if access := v.Exists && v.Granted && v.Usage+1 <= v.Limit; v.Access != access {
		return fmt.Sprintf("access %v", v.Access)
	}
	return c.timely(l, r)
}

// slack is how far a view's AsOf may be ahead: not at all where a fetch vouches for it.
func (c *court) slack(v *view) instant {
	switch {
	case v.Origin == entitlements.Fetched:
		return 0
	case c.Lossy || c.Poll:
		return instant(time.Hour) // a stream that loses what it carries vouches for nothing; a poll says when it asked
	}
	return slack
}

func (c *court) nearest(facts []fact, from int, match func(*fact) bool) int {
	for i := min(from, len(facts)-1); i >= 0; i-- {
		if match(&facts[i]) {
			return i
		}
	}
	return -1
}

func (c *court) usage(l *line, r *record, from int) string {
	v := l.See
	if !v.Exists {
		return ""
	}
	if v.PeriodEnd != 0 && v.PeriodEnd < l.At {
		return fmt.Sprintf("the usage of a period that ended at %v", v.PeriodEnd)
	}
	match := func(x *fact) bool {
		if x.periodEnd != 0 && x.periodEnd < l.At { // the reader knows when it ended, and what comes after it
			return v.Usage == 0 && v.PeriodEnd == x.periodEnd.Add(time.Hour)
		}
		return x.usage == v.Usage && x.periodEnd == v.PeriodEnd
	}
	first, latest := find(r.usages, from, l.At, match)
	if first < 0 {
		if n := c.nearest(r.usages, len(r.usages)-1, match); n < 0 {
			return "the server never had that usage"
		} else if far := upTo(r.seenUse, l.From); far <= n {
			return fmt.Sprintf("version %d of the usage, and this client's own report led to version %d", n, from)
		} else {
			return fmt.Sprintf("version %d of the usage, after a reader had seen version %d: back", n, far)
		}
	}
	if until := r.usages[latest].until; until != 0 && until < v.AsOf-c.slack(v) {
		return fmt.Sprintf("it says that this usage was so as of %v, and it ended at %v", v.AsOf, until)
	}
	r.seenUse = append(r.seenUse, progress{l.At, max(first, upTo(r.seenUse, l.At))})
	return ""
}

// patience is how long a reader may see Stale where nothing is broken: two fetches, one after the other, that take their time.
const patience = instant(4*simLongestWay + 2*time.Second)

// timely: where nothing is broken, a key that is being read is not Stale for long; and in the end it is what the server has.
func (c *court) timely(l *line, r *record) string {
	v := l.See
	if since := c.stale[l.Key]; v.Origin != entitlements.Stale {
		delete(c.stale, l.Key)
	} else if since == 0 || l.At-c.lastRead[l.Key] > instant(2*time.Second) {
		c.stale[l.Key] = l.At
	} else if c.Calm && l.At-since > patience {
		return fmt.Sprintf("Stale since %v, and nothing is broken", since)
	}
	c.lastRead[l.Key] = l.At
	if !c.final {
		return ""
	}
	c.finals++
	if v.Origin != entitlements.Live {
		return fmt.Sprintf("%v long after the network healed", v.Origin)
	}
	if x := &r.grants[len(r.grants)-1]; x.reason != v.Reason || x.exists != v.Exists || x.granted != v.Granted || x.limit != v.Limit {
		return fmt.Sprintf("the server has %+v", *x)
	}
	if n := len(r.usages) - 1; v.Exists && r.usages[n].usage != v.Usage {
		return fmt.Sprintf("the server has a usage of %v", r.usages[n].usage)
	}
	return ""
}
