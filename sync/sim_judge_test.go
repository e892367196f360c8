package syncer

import (
	"fmt"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// The judge holds what readers saw against the server's history. It knows nothing of the syncer.

// fact is what the server said of one feature, from some moment on.
type fact struct {
	state                  int // the first of those that say it
	at                     instant
	reason                 entitlements.Reason
	exists, granted        bool
	limit, usage           float64
	periodStart, periodEnd instant
	until                  instant // when the next one began; 0 for the last
}

// grant and use are for people: which state of the server it was, and how that can be told from others.
func (x *fact) grant() string {
	switch {
	case x.reason != "":
		return fmt.Sprintf("state %d (%s)", x.state, x.reason)
	case !x.exists:
		return fmt.Sprintf("state %d (absent)", x.state)
	case !x.granted:
		return fmt.Sprintf("state %d (limit %s, not granted)", x.state, number(x.limit))
	}
	return fmt.Sprintf("state %d (limit %s)", x.state, number(x.limit))
}

func (x *fact) use() string {
	return fmt.Sprintf("state %d (usage %s)", x.state, number(x.usage))
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
	dials    []instant
	open     bool    // the client follows a stream
	pause    instant // the server wants no request before this moment
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
			return &blame{i, text, &lines[i]}
		}
	}
	if c.finals < len(simFeatures) {
		return &blame{len(lines) - 1, "nothing was compared at the end", &lines[len(lines)-1]}
	}
	return nil
}

// enter takes a state into the histories.
func (c *court) enter(st *state) {
	for _, f := range simFeatures {
		x := fact{state: st.id, at: st.at, reason: st.reason}
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
	case "dial":
		return c.spaced(l.At)
	case "after Close":
		return "something goes on after Close"
	case "note":
		c.healed = c.healed || l.Text == healed
	case "final":
		c.final = true
		if l.Text != Live.String() {
			return "the network healed long ago, and the state is " + l.Text
		}
	case "open", "lost":
		c.open = l.Do == "open"
	case "throttle":
		c.pause = max(c.pause, l.At.Add(l.Pause))
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
	if at < c.pause {
		return fmt.Sprintf("the server has asked for none before %s", clock(c.pause))
	}
	c.requests = append(c.requests, at)
	perMinute, burst := c.manner.budget()
	for _, w := range []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, time.Minute} {
		n := 0
		for i := len(c.requests) - 1; i >= 0 && at-c.requests[i] < instant(w); i-- {
			n++
		}
		if most := burst + int(w.Seconds()*float64(perMinute)/60) + 1; n > most {
			return fmt.Sprintf("%d requests in %v, the budget allows %d", n, w, most)
		}
	}
	return ""
}

// spaced: whatever goes on, the stream is not opened again and again.
func (c *court) spaced(at instant) string {
	const window, most = 10 * time.Second, 16
	c.dials = append(c.dials, at)
	if n := len(c.dials) - most; n > 0 && at-c.dials[n-1] < instant(window) {
		return fmt.Sprintf("more than %d attempts at a stream in %v", most, window)
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

// slack is how much older than its AsOf a state may be: what a stream's frames vouch for left the server before them.
const slack = instant(simLongestWay + 50*time.Millisecond)

func (c *court) read(l *line) string {
	r, v := c.records[subject{l.Key, l.Feature}], l.See
	if took := time.Duration(l.At - l.From); took > 2*simTimeout+time.Second {
		return fmt.Sprintf("it took %v", took)
	}
	if v == nil {
		if c.final || c.Calm && !c.Tight {
			return "a fallback, and nothing is broken"
		}
		return ""
	}
	if l.Failed && v.Origin != entitlements.Stale {
		return fmt.Sprintf("%v, and no fetch was answered", v.Origin)
	}
	if v.AsOf > l.At {
		return "it is as of a moment that is still to come"
	}
	from, fromUse := upTo(r.seen, l.From), upTo(r.seenUse, l.From)
	if !l.Failed { // else it may be Stale, and say so
		from, fromUse = max(from, upTo(r.wrote, l.From)), max(fromUse, upTo(r.wroteUse, l.From))
	}
	match := func(x *fact) bool {
		return x.reason == v.Reason && x.exists == v.Exists && x.granted == v.Granted && x.limit == v.Limit
	}
	n, text := c.place(r.grants, r.seen, from, l, match, (*fact).grant)
	if text != "" {
		return text
	}
	r.seen = append(r.seen, progress{l.At, max(n, upTo(r.seen, l.At))})
	if text := c.usage(l, r, fromUse); text != "" {
		return text
	}
	if access := v.Exists && v.Granted && v.Usage+1 <= v.Limit; v.Access != access {
		return fmt.Sprintf("access is %v, and should be %v", v.Access, access)
	}
	if text := c.followed(l); text != "" {
		return text
	}
	return c.timely(l, r)
}

// followed: Live is what a stream follows, or a poll, and no longer than the server wanted.
func (c *court) followed(l *line) string {
	v := l.See
	if v.Origin == entitlements.Live && !c.Poll {
		if !c.open {
			return "Live, and no stream is open"
		}
		if v.AsOf < l.Frame {
			return fmt.Sprintf("it claims to be as of %s, and a frame has arrived since, at %s", clock(v.AsOf), clock(l.Frame))
		}
	}
	if v.Until != 0 && v.Until < l.At && v.Confirmed < v.Until {
		if v.Origin == entitlements.Live {
			return fmt.Sprintf("Live, and the set was valid until %s", clock(v.Until))
		}
		if c.Calm && !c.Tight && v.Until+prompt < l.At {
			return fmt.Sprintf("the set was valid until %s, and has not been fetched since", clock(v.Until))
		}
	}
	return ""
}

// place returns the first version that a view may be of: one that the server had by then, no older than what a reader had seen
// before, and not over at the moment as of which the view claims it.
func (c *court) place(facts []fact, seen []progress, from int, l *line, match func(*fact) bool, name func(*fact) string) (version int, complaint string) {
	v, matched := l.See, -1
	for i := 0; i < len(facts) && facts[i].at <= l.At; i++ {
		if !match(&facts[i]) {
			continue
		}
		matched = i
		if i >= from && (facts[i].until == 0 || facts[i].until >= c.claim(v)) {
			return i, ""
		}
	}
	if matched < 0 {
		return 0, "the server never had that"
	}
	saw := name(&facts[matched])
	switch far := upTo(seen, l.From); {
	case matched < far:
		return 0, fmt.Sprintf("back to %s, after a reader had seen %s", saw, name(&facts[far]))
	case matched < from:
		return 0, fmt.Sprintf("%s, and this client's own write led to %s", saw, name(&facts[from]))
	}
	return 0, fmt.Sprintf("%s, which ended at %s, and it claims to be as of %s", saw, clock(facts[matched].until), clock(c.claim(v)))
}

// claim is the moment as of which a view is true. A fetch vouches for what it brought; an event for what it says as of its stamp,
// if that is a moment; a stream, with every frame, for all that it follows but for what is on its way, unless it loses things. A
// poll knows when it asked.
func (c *court) claim(v *view) instant {
	confirmed := v.Confirmed - instant(2*time.Millisecond) - instant(max(0, c.Ahead))
	switch {
	case v.Origin == entitlements.Fetched && c.Ahead > 0:
		return confirmed // an event may have overtaken the fetch, and its stamp is known up to the shortest way
	case v.Origin == entitlements.Fetched:
		return v.AsOf
	case c.Timeless:
		return v.Confirmed - slack
	case c.Lossy || c.Poll:
		return confirmed
	case c.Late:
		return max(confirmed, v.AsOf-slack-instant(simLatest))
	}
	return max(confirmed, v.AsOf-slack)
}

func (c *court) usage(l *line, r *record, from int) string {
	v := l.See
	if !v.Exists {
		return ""
	}
	if v.PeriodEnd != 0 && v.PeriodEnd < l.At {
		return fmt.Sprintf("the usage of a period that ended at %s", clock(v.PeriodEnd))
	}
	match := func(x *fact) bool {
		if x.periodEnd != 0 && x.periodEnd < l.At { // the reader knows when it ended, and what comes after it
			return v.Usage == 0 && v.PeriodEnd == x.periodEnd.Add(time.Hour)
		}
		return x.usage == v.Usage && x.periodEnd == v.PeriodEnd
	}
	n, text := c.place(r.usages, r.seenUse, from, l, match, (*fact).use)
	if text != "" {
		return "of its usage: " + text
	}
	r.seenUse = append(r.seenUse, progress{l.At, max(n, upTo(r.seenUse, l.At))})
	return ""
}

// prompt is how long the fetch may take that is due at validUntil, where nothing is broken.
const prompt = instant(2*simLongestWay + time.Second)

// patience is how long a reader may see Stale where nothing is broken: two fetches, one after the other, that take their time.
const patience = instant(4*simLongestWay + 2*time.Second)

// timely: where nothing is broken, a key that is being read is not Stale for long; and in the end it is what the server has.
func (c *court) timely(l *line, r *record) string {
	v := l.See
	if since := c.stale[l.Key]; v.Origin != entitlements.Stale {
		delete(c.stale, l.Key)
	} else if since == 0 || l.At-c.lastRead[l.Key] > instant(2*time.Second) {
		c.stale[l.Key] = l.At
	} else if c.Calm && !c.Tight && l.At-since > patience {
		return fmt.Sprintf("Stale since %s, and nothing is broken", clock(since))
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
		return fmt.Sprintf("the server has %s", x.grant())
	}
	if n := len(r.usages) - 1; v.Exists && r.usages[n].usage != v.Usage {
		return fmt.Sprintf("the server has %s", r.usages[n].use())
	}
	return ""
}
