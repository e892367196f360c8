package entcache_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// tail is how long a message may take that nothing keeps up but the way: it takes several reads.
const tail = 4 * longestWay

// settle waits, reading all the time, for as long as the client says that it may need. A key that failed is left alone for up to
// backoff. Live is promised for after the longest wait for a reconnect, the longest handshake and that backoff; equality for
// Status().Bound after both, and after the server has become quiet.
func (s *sim) settle() {
	const backoff = 30 * time.Second
	const reconnected = 30*time.Second + 30*time.Second + backoff
	r := rand.New(rand.NewPCG(s.seed, 50))
	look := func() {
		for range 4 {
			s.read(r, theWatcher)
		}
		for _, k := range s.keys {
			s.client.Entitlements(s.Context(), k)
		}
		time.Sleep(700 * time.Millisecond)
	}
	healed := time.Now()
	end := healed.Add(reconnected)
	for s.client.Status().State != entcache.StateLive {
		if st := s.client.Status(); time.Now().After(end) {
			s.fail("state %v (%v) %v after the network healed", st.State, st.Err, reconnected)
		}
		look()
	}
	end = time.Now()
	for _, t := range []time.Time{healed.Add(backoff), s.promised} { // until then the server is not quiet
		if end.Before(t) {
			end = t
		}
	}
	for end = end.Add(s.client.Status().Bound + tail); time.Now().Before(end); {
		look()
	}
}

// converged compares what is believed with what is so.
func (s *sim) converged(when string) {
	for _, k := range s.keys {
		want := s.stigg.Snapshot(k.CustomerID, k.ResourceID)
		got, err := s.client.Entitlements(s.Context(), k)
		if err != nil || got.Origin == entcache.Stale || string(got.AccessDeniedReason) != want.AccessDeniedReason || got.Len() != len(want.Entitlements) {
			s.fail("%s: %v: %v, %q with %d entitlements (%v); the server has %q with %d", when, k, got.Origin, got.AccessDeniedReason, got.Len(), err, want.AccessDeniedReason, len(want.Entitlements))
		}
		for _, w := range want.Entitlements {
			ref := entcache.Feature(w.FeatureID)
			if w.FeatureID == "" {
				ref = entcache.Currency(w.CurrencyID)
			}
			e, ok := got.Find(ref)
			l, has := e.UsageLimit()
			if !ok || e.CurrentUsage() != w.Usage || has != (w.Limit != nil && !w.Unlimited) || (has && l != *w.Limit) || e.HasUnlimitedUsage() != w.Unlimited ||
				e.IsGranted() != (w.AccessDeniedReason == "") || !e.EntitlementUpdatedAt().Equal(w.EntitlementStamp) {
				s.fail("%s: %v %v: there %v, granted %v, limit %s%s, usage %s; the server has: %s",
					when, k, ref, ok, e.IsGranted(), number(l), stamped(e.EntitlementUpdatedAt()), number(e.CurrentUsage()), textOf(w))
			}
		}
	}
	if st := s.client.Status(); st.State != entcache.StateLive {
		s.fail("%s: state %v (%v)", when, st.State, st.Err)
	}
}

// calm is what a healthy network tells at once, although the server tells only half of it.
func (s *sim) calm() {
	if s.polling {
		return
	}
	f := s.stigg.Faults()
	told := func(what string) {
		s.note("calm: %s", what)
		time.Sleep(tail + time.Second + time.Duration(s.crowd)*time.Minute/simPerMinute)
		s.converged(what)
	}
	setsOf := func(customer string) func(emulator.Event) bool {
		return func(ev emulator.Event) bool {
			return ev.Kind == emulator.EventEntitlements && (customer == "" || ev.CustomerID == customer)
		}
	}
	must := func(err error) {
		if err != nil {
			s.fail("calm: %v", err)
		}
	}

	// What this client writes is waited for where the answer does not show it.
	plan := "growth"
	if _, ok := s.stigg.Snapshot(s.mine, "").Find("sso"); ok {
		plan = "free"
	}
	_, err := s.client.Subscriptions.Provision(s.Context(), entcache.ProvisionSubscriptionInput{CustomerId: s.mine, PlanId: plan, SkipTrial: new(true)})
	must(err)
	for _, id := range []string{"", "site"} {
		key := entcache.Key{CustomerID: s.mine, ResourceID: id}
		past := s.stigg.HistoryOf(s.mine, id, 0)
		d := s.see(theWriter, ask(key, "seats"), len(past)-1, 0, false)
		// Stale it may be, when an event questions what the fetch brought; old it may not.
		e, ok := past[len(past)-1].Find("seats")
		if d.Origin == entcache.Fallback || d.Entitlement.Exists() != ok || (ok && !d.Entitlement.EntitlementUpdatedAt().Equal(e.EntitlementStamp)) {
			s.fail("after the plan %s had been provisioned, a read of resource %q does not wait for it: %v, there %v%s; the server has: %s",
				plan, id, d.Origin, d.Entitlement.Exists(), stamped(d.Entitlement.EntitlementUpdatedAt()), stateOf(past[len(past)-1], "seats"))
		}
	}
	told("an own plan")

	// Answers that are well-formed and say nothing change nothing.
	for _, body := range sayNothing {
		f.ReplaceReply("entitlementsState", emulator.Reply{Body: body})
		if got, err := s.client.Reload(s.Context(), entcache.Key{CustomerID: "b"}); err == nil {
			s.fail("%s was taken for %d entitlements", body, got.Len())
		}
	}
	f.RestoreReply("entitlementsState")
	if _, err := s.client.Reload(s.Context(), entcache.Key{CustomerID: "b"}); err != nil { // which also ends the key's backoff
		s.fail("calm: %v", err)
	}
	told("answers that say nothing")

	f.DropEventsIf(setsOf(""))
	must(s.stigg.UpdateCatalog(s.catalog(7), emulator.AllCustomers))
	f.DropEventsIf(nil)
	told("a package published, and no set told")

	f.DropEventsIf(func(ev emulator.Event) bool { return ev.ResourceID != "" })
	must(s.stigg.SetEntitlement("a", "", emulator.Entitlement{Feature: "upload-size", Limit: new(77.0)}))
	f.DropEventsIf(nil)
	told("a customer's set, and not that of its resource")

	f.DropEventsIf(setsOf("b"))
	must(s.stigg.SetEntitlement("b", "", emulator.Entitlement{Feature: "upload-size", Limit: new(78.0)}))
	f.DropEventsIf(nil)
	f.InjectFrame([]byte(`{"id":"entitlements","type":"next","payload":{"data":{"entitlementsUpdatedV2":{"customerId":"b","resourceId":null,"entitlements":[{}]}}}}`))
	told("an event that cannot be read")

	// A promotion ends: nobody tells, but the set said when.
	must(s.stigg.Provision("b", "", "free"))
	must(s.stigg.ClearEntitlement("b", "", "audit-log", ""))
	promote := func() (until time.Time) {
		until = time.Now().Add(tail + 4*time.Second).Truncate(time.Millisecond)
		must(s.stigg.GrantPromotional("b", emulator.Entitlement{Feature: "audit-log"}, until))
		s.note("calm: a promotion until %v", clockOf(until))
		time.Sleep(tail + time.Second)
		if d := s.see(theWatcher, ask(entcache.Key{CustomerID: "b"}, "audit-log"), 0, 0, false); !d.HasAccess || d.Origin == entcache.Stale {
			s.fail("during a promotion until %v: %v, access %v (%s)", clockOf(until), d.Origin, d.HasAccess, d.AccessDeniedReason)
		}
		return until
	}
	until := promote()
	time.Sleep(time.Until(until) + tail + time.Second)
	if d := s.see(theWatcher, ask(entcache.Key{CustomerID: "b"}, "audit-log"), 0, 0, false); d.HasAccess {
		s.fail("a promotion ended at %v, and the next read has access, %v as of %v: it was to be fetched in time", clockOf(until), d.Origin, clockOf(d.AsOf.Time()))
	}
	until = promote()
	f.FailOperation("entitlementsState", "OperationTimeout")
	time.Sleep(time.Until(until) + time.Second)
	if d := s.see(theWatcher, ask(entcache.Key{CustomerID: "b"}, "audit-log"), 0, 0, false); d.Origin == entcache.Live {
		s.fail("a promotion ended at %v, and without a fetch the next read is %v", clockOf(until), d.Origin)
	}
	f.Clear()
}

var sayNothing = []string{
	`{"data":null}`, `{}`, `{"data":{}}`, `{"data":{"entitlementsState":null}}`, `{"data":{"entitlementsState":{}}}`,
	`{"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":null}}}`,
	`{"data":{"entitlementsState":{"accessDeniedReason":null}}}`,
}

// grantIs reports whether a state holds the grant that x shows, stamps apart or not.
func grantIs(st emulator.State, x sighting, stamps bool) bool {
	e, ok := st.Find(x.feat)
	switch {
	case st.AccessDeniedReason != "":
		return !x.exists && string(x.reason) == st.AccessDeniedReason
	case !ok || !x.exists:
		return !ok && !x.exists && x.reason == entcache.NoFeatureEntitlementInSubscription
	}
	limited := e.Limit != nil && !e.Unlimited
	return (!stamps || e.EntitlementStamp.Equal(x.grant)) && (limited && x.limit == *e.Limit || !limited && x.limit == 0) &&
		e.Unlimited == x.unlimited && slices.Equal(e.Values, x.enum) && x.granted == (e.AccessDeniedReason == "")
}

// usageIs reports whether a state, looked at when x was, shows the usage of x. A period that has ended reads as zero, whatever was
// used in it, and whether or not the server has noticed; the clock that a hit reads may be a tick behind.
func usageIs(st emulator.State, x sighting, stamps bool) bool {
	const tick = 100 * time.Millisecond
	e, ok := st.Find(x.feat)
	if !ok {
		return false
	}
	same := !stamps || e.UsageStamp.Equal(x.usedAt)
	if e.PeriodEnd.IsZero() || !x.at.After(e.PeriodEnd) {
		if x.usage == 0 && e.Usage == 0 && x.usedAt.Before(e.PeriodStart) {
			return true // it started again here before it did there
		}
		return same && x.usage == e.Usage
	}
	return same && (x.usage == 0 || x.usage == e.Usage && !x.at.After(e.PeriodEnd.Add(tick)))
}

// accessIs reports whether the access of x is what the grant that it shows gives; certain is false where that cannot be said
// without doing as the client does.
func accessIs(e emulator.EntitlementState, x sighting) (access, certain bool) {
	switch {
	case !x.exists, e.AccessDeniedReason != "":
		return false, true
	case x.feat == "sso" || x.feat == "audit-log":
		return true, true
	case x.feat == "themes":
		for _, v := range x.values {
			if !slices.Contains(e.Values, v) {
				return false, true
			}
		}
		return true, true
	case x.feat == "ai-answers": // a wallet decides
		return false, false
	case e.Unlimited || e.SoftLimit:
		return true, true
	}
	return x.usage+x.pending+x.requested <= *e.Limit, true
}

// counted are the features that have usage.
var counted = map[string]bool{"seats": true, "api-calls": true, "ai-answers": true}

// judge holds what was seen against the server's own history.
func (s *sim) judge() {
	type line struct {
		reader int
		key    entcache.Key
		feat   string
	}
	grants, usages := map[line]int{}, map[line]int{}
	history := map[entcache.Key][]emulator.State{}
	for _, k := range s.keys {
		history[k] = s.stigg.HistoryOf(k.CustomerID, k.ResourceID, 0)
	}
	for _, x := range s.sightings {
		l, past := line{x.reader, x.key, x.feat}, history[x.key]
		find := func(from, least int, match func(emulator.State, sighting, bool) bool) int {
			if x.origin >= entcache.Fetched {
				from = max(from, least)
			}
			for i := from; i < len(past) && !past[i].At.After(x.at); i++ {
				if match(past[i], x, true) {
					return i
				}
			}
			return -1
		}
		// What is said to be confirmed as of some moment was so at that moment, the way from the server apart.
		truth := func(what string, from int, match func(emulator.State, sighting, bool) bool) {
			if x.origin != entcache.Fetched && (x.origin != entcache.Live || s.lossy) {
				return
			}
			for i := len(past) - 1; i >= from; i-- {
				if !past[i].At.After(x.at) && match(past[i], x, false) {
					return
				}
				if past[i].At.Before(x.asOf.Add(-tail)) {
					break // what was before this one had ended by then
				}
			}
			s.explain(x)
			s.fail("the %s of %v %s as reader %d saw it had ended before: %v", what, x.key, x.feat, x.reader, x)
		}
		g := find(grants[l], x.leastGrant, grantIs)
		if g < 0 {
			s.explain(x)
			s.fail("%v %s as reader %d saw it is none of the states %d to %d (own write: %d): %v",
				x.key, x.feat, x.reader, grants[l], len(past)-1, x.leastGrant, x)
		}
		grants[l] = g
		truth("grant", g, grantIs)
		e, _ := past[g].Find(x.feat)
		if want, certain := accessIs(e, x); certain && x.access != want {
			s.explain(x)
			s.fail("access should be %v: reader %d asked %v %s for %v %v %v; the server had %s",
				want, x.reader, x.key, x.feat, x.requested, x.values, x, stateOf(past[g], x.feat))
		}
		if !x.exists || x.usedAt.IsZero() || !counted[x.feat] {
			continue
		}
		u := find(usages[l], x.leastUsage, usageIs)
		if u < 0 {
			s.explain(x)
			s.fail("the usage of %v %s as reader %d saw it is in none of the states %d to %d (own write: %d): %v",
				x.key, x.feat, x.reader, usages[l], len(past)-1, x.leastUsage, x)
		}
		usages[l] = u
		if x.pending == 0 { // else what the server has may be ahead, by what is on its way
			truth("usage", u, usageIs)
		}
	}
	if n := len(s.sightings); !s.closes && n < 500 {
		s.fail("only %d answers to judge", n)
	}
}

func clockOf(t time.Time) string { return t.UTC().Format("04:05.000") }

// explain adds to the trace what led to x: what went on, what the server had, and what the reader saw, the last of each. Judgement
// comes when all is over: what the trace ends with is of no use to it.
func (s *sim) explain(x sighting) {
	const shortly = time.Second // after it: what was about to happen
	var before, had, seen []string
	var last string // many states say the same of this feature
	s.mu.Lock()
	for _, r := range s.trace {
		if !r.at.After(x.at.Add(shortly)) {
			before = append(before, r.String())
		}
	}
	s.mu.Unlock()
	for _, st := range s.stigg.HistoryOf(x.key.CustomerID, x.key.ResourceID, 0) {
		if text := stateOf(st, x.feat); text != last && !st.At.After(x.at.Add(shortly)) {
			had, last = append(had, fmt.Sprintf("from %v, state %d: %s", clockOf(st.At), st.Index, text)), text
		}
	}
	for _, y := range s.sightings {
		if y.reader == x.reader && y.key == x.key && y.feat == x.feat && !y.at.After(x.at) {
			seen = append(seen, y.String())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, part := range []struct {
		title string
		most  int
		lines []string
	}{
		{fmt.Sprintf("what went on until %v, when reader %d saw %v %s:", clockOf(x.at), x.reader, x.key, x.feat), 24, before},
		{"what the server said of it:", 16, had},
		{fmt.Sprintf("what reader %d saw of it, the last as it should not:", x.reader), 12, seen},
	} {
		s.trace = append(s.trace, remark{text: part.title})
		for _, l := range part.lines[max(0, len(part.lines)-part.most):] {
			s.trace = append(s.trace, remark{text: "  " + l})
		}
	}
}

// stateOf is what a state says of a feature, for people.
func stateOf(st emulator.State, feature string) string {
	e, ok := st.Find(feature)
	switch {
	case st.AccessDeniedReason != "":
		return st.AccessDeniedReason
	case !ok:
		return "absent"
	}
	return textOf(e)
}

// textOf is an entitlement at the server, for people.
func textOf(e emulator.EntitlementState) string {
	text := "there"
	switch {
	case e.Unlimited:
		text = "unlimited"
	case len(e.Values) > 0:
		text = fmt.Sprintf("values %v", e.Values)
	case e.Limit != nil:
		text = "limit " + number(*e.Limit)
	}
	if text += stamped(e.EntitlementStamp); counted[e.FeatureID] {
		text += ", usage " + number(e.Usage) + stamped(e.UsageStamp)
	}
	if !e.PeriodEnd.IsZero() {
		text += " until " + e.PeriodEnd.UTC().Format("Jan 2 15:04:05.000")
	}
	if e.AccessDeniedReason != "" {
		text += ", denied: " + e.AccessDeniedReason
	}
	return text
}

// budget counts the fetches of every window against burst + rate × time, as the client sent them, and looks for any in a pause.
func (s *sim) budget() {
	s.net.mu.Lock()
	fetches, pauses, late := s.net.fetches, s.net.pauses, s.net.late
	s.net.mu.Unlock()
	const perSecond = simPerMinute / 60.0
	// The worst window that ends with fetch j: the tokens that were there cannot have been more than the burst.
	tokens, last := float64(simBurst), time.Time{}
	for _, at := range fetches {
		if !last.IsZero() {
			tokens = min(simBurst, tokens+at.Sub(last).Seconds()*perSecond)
		}
		last = at
		if tokens--; tokens < -0.01 {
			for _, f := range fetches {
				if f.After(at.Add(-8*time.Second)) && f.Before(at.Add(3*time.Second)) {
					s.note("  fetch at %v", clockOf(f))
				}
			}
			for _, p := range pauses {
				s.note("  pause asked for at %v until %v", clockOf(p.from), clockOf(p.until))
			}
			s.fail("a fetch at %v is one more than a burst of %d and %d a minute allow", clockOf(at), simBurst, simPerMinute)
		}
	}
	for _, p := range pauses {
		for _, at := range fetches {
			if at.After(p.from) && at.Before(p.until) {
				s.fail("a fetch at %v, and the server had asked at %v for a pause until %v", clockOf(at), clockOf(p.from), clockOf(p.until))
			}
		}
	}
	if len(late) > 0 {
		s.fail("sent after Close: %q", late)
	}
	if len(fetches) < 10 && !s.closes {
		s.fail("only %d fetches seen", len(fetches))
	}
}
