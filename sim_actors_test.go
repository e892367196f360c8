package entcache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// What goes on while the network does its worst: readers, the operator of the Stigg account, and this client's own writes.

// sighting is one answer that a reader got.
type sighting struct {
	reader    int
	key       entcache.Key
	feat      string
	requested float64
	values    []string
	at        time.Time
	origin    entcache.Origin
	asOf      time.Time
	access    bool
	reason    entcache.Reason
	exists    bool
	granted   bool
	limit     float64
	unlimited bool
	enum      []string
	grant     time.Time // stamps
	usage     float64   // as the server has it
	pending   float64   // of this client, on top of it
	usedAt    time.Time
	// The places in the history that this client's own write led to, at the least.
	leastGrant, leastUsage int
}

// Readers beside those of the crowd of actors, who are 0, 1 and 2.
const (
	theBound   = 1 // of the crowd, who asks with bound questions
	theWriter  = 8 // looks at what this client wrote
	theWatcher = 9 // looks at what a healed network tells
)

// String is for people.
func (x sighting) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "at %v: %v as of %v", clockOf(x.at), x.origin, clockOf(x.asOf))
	if !x.exists {
		b.WriteString(", absent")
	} else {
		switch {
		case x.unlimited:
			b.WriteString(", unlimited")
		case len(x.enum) > 0:
			fmt.Fprintf(&b, ", values %v", x.enum)
		case counted[x.feat]:
			b.WriteString(", limit " + number(x.limit))
		default:
			b.WriteString(", there")
		}
		b.WriteString(stamped(x.grant))
		if counted[x.feat] {
			b.WriteString(", usage " + number(x.usage) + stamped(x.usedAt))
			if x.pending != 0 {
				b.WriteString(" and " + number(x.pending) + " pending")
			}
		}
		if !x.granted {
			b.WriteString(", not granted")
		}
	}
	fmt.Fprintf(&b, ", access %v", x.access)
	if x.reason != "" {
		fmt.Fprintf(&b, " (%s)", x.reason)
	}
	return b.String()
}

// number is a limit or a usage, without an exponent.
func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// stamped is a stamp behind what it stamps, if there is one.
func stamped(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " of " + clockOf(t)
}

func (s *sim) read(r *rand.Rand, reader int) {
	k, f := s.keys[r.IntN(len(s.keys))], s.features[r.IntN(len(s.features))]
	q := entcache.Query{CustomerID: k.CustomerID, ResourceID: k.ResourceID, FeatureID: f}
	switch {
	case f == "themes" && r.IntN(2) == 0:
		q.RequestedValues = [][]string{{"light"}, {"dark"}, {"light", "high-contrast"}}[r.IntN(3)]
	case f == "seats" || f == "api-calls":
		q.RequestedUsage = float64(r.IntN(4))
	}
	ctx := context.Background()
	if r.IntN(4) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(2000))*time.Millisecond)
		defer cancel()
	}
	_, resident := s.client.Peek(q)
	s.seeWithin(ctx, reader, q, 0, 0, resident && k.CustomerID != s.mine)
}

// ask is the query of a plain check.
func ask(k entcache.Key, feature string) entcache.Query {
	return entcache.Query{CustomerID: k.CustomerID, ResourceID: k.ResourceID, FeatureID: feature}
}

// bound asks with a question that is bound once, and asked from then on by whoever has it.
func (s *sim) bound(ctx context.Context, q entcache.Query) (entcache.Decision, error) {
	b, _ := s.bounds.LoadOrStore(fmt.Sprint(q), s.client.Bind(q))
	if ctx == context.Background() {
		a := b.(*entcache.Bound).Check()
		switch {
		case a.Origin() != entcache.Fallback:
			return a.Decision(), nil
		case !s.isShut():
			return a.Decision(), errors.New("Check does not say why")
		}
	}
	a, err := b.(*entcache.Bound).CheckContext(ctx)
	return a.Decision(), err
}

// see asks, and writes down the answer, which must not be behind what this client wrote.
func (s *sim) see(reader int, q entcache.Query, leastGrant, leastUsage int, mustNotWait bool) entcache.Decision {
	return s.seeWithin(context.Background(), reader, q, leastGrant, leastUsage, mustNotWait)
}

// seeWithin is see for as long as ctx says.
func (s *sim) seeWithin(ctx context.Context, reader int, q entcache.Query, leastGrant, leastUsage int, mustNotWait bool) entcache.Decision {
	k := q.Key()
	began, dark, shut := time.Now(), s.isDark(), s.isShut()
	ask := s.client.GetEntitlement
	if reader == theBound {
		ask = s.bound
	}
	d, err := ask(ctx, q)
	now := time.Now()
	if end, ok := ctx.Deadline(); ok && now.After(end) && now.After(began) {
		s.fail("a check of %v ended %v after its ctx", k, now.Sub(end))
	}
	// A fetch takes its time, unless it is answered hard upon something else on the same connection.
	if took := now.Sub(began); d.Origin == entcache.Live && took > 0 || d.Origin == entcache.Fetched && took == 0 && s.net.lastFetch().Before(began) {
		s.fail("a check of %v says %v: it took %v, and the last fetch was sent at %v", k, d.Origin, took, clockOf(s.net.lastFetch()))
	}
	if took := now.Sub(began); mustNotWait && took > 0 {
		s.fail("a check of %v, which is resident, waited %v", k, took)
	}
	if took := now.Sub(began); took > entcache.DefaultEntitlementTimeout+time.Second {
		s.fail("a check of %v took %v", k, took)
	}
	if shut && (d.Origin != entcache.Fallback || !errors.Is(err, entcache.ErrClosed)) {
		s.fail("a check of a closed client: %v, %v; want a fallback because it is closed", d.Origin, err)
	}
	if d.Origin == entcache.Live && dark && s.isDark() {
		s.fail("%v is Live, and no stream can be", k)
	}
	if d.Origin == entcache.Fallback {
		if err == nil {
			s.fail("a fallback without a reason")
		}
		if mustNotWait && !s.closes {
			s.fail("a check of %v, which is in memory and young enough to be served, gets the fallback: %v", k, err)
		}
		return d
	}
	// The clock that a hit reads may be a tick behind.
	const tick = 100 * time.Millisecond
	if age := d.Age(); age > simMaxStale+tick || d.AsOf.Time().After(now) {
		s.fail("%v of %v is %v old; the bound is %v", d.Origin, k, age, simMaxStale)
	}
	e := d.Entitlement
	// A wallet's period holds its own end, so an answer to the question put at that very instant names it again; soon is when the
	// client asks once more.
	const soon = 5 * time.Second
	if until := e.ValidUntil(); d.Origin == entcache.Live && !until.IsZero() && now.After(until.Add(soon+tick)) {
		s.fail("%v %s of %v is Live at %v, as of %v, and was to be calculated again at %v", k, q.FeatureID, clockOf(e.EntitlementUpdatedAt()), clockOf(now), clockOf(d.AsOf.Time()), clockOf(until))
	}
	l, _ := e.UsageLimit()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sightings = append(s.sightings, sighting{
		reader: reader, key: k, feat: q.FeatureID, requested: q.RequestedUsage, values: q.RequestedValues,
		at: now, origin: d.Origin, asOf: d.AsOf.Time(), access: d.HasAccess, reason: d.AccessDeniedReason,
		exists: e.Exists(), granted: e.IsGranted(), limit: l, unlimited: e.HasUnlimitedUsage(), enum: e.EnumValues(),
		grant: e.EntitlementUpdatedAt(), usage: e.CurrentUsage() - e.PendingUsage(), pending: e.PendingUsage(), usedAt: e.UsageUpdatedAt(), leastGrant: leastGrant, leastUsage: leastUsage,
	})
	return d
}

// rush is a crowd that comes at once. It is there to be too much for the budget.
func (s *sim) rush(r *rand.Rand) {
	s.note("a crowd of %d", s.crowd)
	var wg sync.WaitGroup
	for n := range s.crowd {
		wg.Go(func() {
			q := entcache.Query{CustomerID: "crowd-" + strconv.Itoa(n), FeatureID: "seats"}
			_, resident := s.client.Peek(q)
			began := time.Now()
			d, err := s.client.GetEntitlement(context.Background(), q)
			if took := time.Since(began); resident && took > 0 || took > entcache.DefaultEntitlementTimeout+time.Second {
				s.fail("a check in a crowd took %v (in memory: %v)", took, resident)
			}
			if d.Origin == entcache.Fallback && err == nil {
				s.fail("a fallback without a reason")
			}
		})
	}
	wg.Wait()
}

// operate is what goes on at Stigg.
func (s *sim) operate(r *rand.Rand) {
	k := s.keys[r.IntN(len(s.keys))]
	if k.CustomerID == s.mine {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	if r.IntN(3) == 0 { // the change meets a fetch in the air
		wg.Go(func() { s.client.Reload(context.Background(), k) })
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
	}
	for {
		what, err := s.change(r, k)
		s.note("%v: %s (%v)", k, what, err)
		switch r.IntN(6) {
		case 0: // and is told again
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			s.stigg.Faults().ReplayEvents(1+r.IntN(3), r.IntN(3))
			return
		case 1, 2:
		case 3: // twice within what may be one stamp, and the first told again
			s.stigg.Report(k.CustomerID, k.ResourceID, "seats", 1)
			time.Sleep(50 * time.Millisecond)
			s.stigg.Report(k.CustomerID, k.ResourceID, "seats", 1)
			time.Sleep(50 * time.Millisecond)
			s.stigg.Faults().ReplayEvents(1, 1)
			return
		default:
			return
		}
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond) // and once more, so soon that the stamps may be the same
	}
}

func (s *sim) change(r *rand.Rand, k entcache.Key) (what string, err error) {
	switch r.IntN(12) {
	case 0, 1:
		plan := []string{"free", "starter", "growth", "enterprise"}[r.IntN(4)]
		return "plan " + plan, s.stigg.Provision(k.CustomerID, k.ResourceID, plan)
	case 2, 3, 4:
		feature := []string{"seats", "api-calls", "ai-answers"}[r.IntN(3)]
		_, err = s.stigg.Report(k.CustomerID, k.ResourceID, feature, float64(r.IntN(90)))
		return "usage of " + feature, err
	case 5:
		_, err = s.stigg.Report(k.CustomerID, k.ResourceID, "seats", -float64(r.IntN(5)))
		return "fewer seats", err
	case 6:
		return "override", s.stigg.SetEntitlement(k.CustomerID, k.ResourceID, emulator.Entitlement{Feature: "seats", Limit: new(float64(r.IntN(50)))})
	case 7:
		return "no override", s.stigg.ClearEntitlement(k.CustomerID, k.ResourceID, "seats", "")
	case 8:
		if k.ResourceID == "" {
			until := time.Now().Add(time.Duration(1+r.IntN(40)) * time.Second)
			s.mu.Lock()
			s.promised = until
			s.mu.Unlock()
			return "promotion until " + until.UTC().Format("04:05.000"), s.stigg.GrantPromotional(k.CustomerID, emulator.Entitlement{Feature: "sso"}, until)
		}
	case 9:
		why := []string{"Revoked", emulator.Unexplained}[r.IntN(2)]
		return "denied, " + why, s.stigg.DenyEntitlement(k.CustomerID, k.ResourceID, emulator.Entitlement{Feature: "sso"}, why)
	case 10:
		return "granted again", s.stigg.ClearEntitlement(k.CustomerID, k.ResourceID, "sso", "")
	case 11:
		if k.ResourceID == "" && k.CustomerID != "a" {
			if err := s.stigg.ArchiveCustomer(k.CustomerID); err != nil {
				return "archive", err
			}
			s.note("%v: archived", k)
			time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
			if err := s.stigg.UnarchiveCustomer(k.CustomerID); err != nil {
				return "restore", err
			}
			return "restored", s.stigg.Provision(k.CustomerID, "", "starter")
		}
	}
	return "nothing", nil
}

// write is what this client does to its own customer, and reads at once.
func (s *sim) write(r *rand.Rand) {
	k, resource := entcache.Key{CustomerID: s.mine}, ""
	if r.IntN(3) == 0 {
		resource = "site"
		k.ResourceID = resource
	}
	// Nobody else writes to the customer: the next state is the one that the write leads to, or one that a calendar or a catalog
	// puts before it. There is none when the write changes nothing, stamps included.
	last := func(id string) int {
		past := s.stigg.HistoryOf(s.mine, id, 0)
		return past[len(past)-1].Index
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	switch r.IntN(4) {
	case 0:
		in := entcache.UsageReport{CustomerId: s.mine, FeatureId: "api-calls", Value: float64(1 + r.IntN(20))}
		if resource != "" {
			in.ResourceId = &resource
		}
		err := s.client.Meter.Report(ctx, in)
		s.note("own usage of %v, %v calls, without waiting (%v)", k, in.Value, err)
		if err == nil && !s.isShut() {
			s.see(theWriter, ask(k, "api-calls"), 0, 0, false)
		}
		return
	case 1, 2:
		in := entcache.ReportUsageInput{CustomerId: s.mine, FeatureId: "seats", Value: float64(1 + r.IntN(2))}
		if resource != "" {
			in.ResourceId = &resource
		}
		before := last(resource)
		_, err := s.client.Usage.Report(ctx, in)
		s.note("own usage of %v (%v)", k, err)
		if err == nil && !s.isShut() {
			s.see(theWriter, ask(k, "seats"), 0, min(before+1, last(resource)), false)
		}
		return
	}
	plan := []string{"free", "starter", "growth"}[r.IntN(3)]
	in := entcache.ProvisionSubscriptionInput{CustomerId: s.mine, PlanId: plan, SkipTrial: new(true)}
	if resource != "" {
		in.ResourceId = &resource
	}
	customer, site := last(""), last("site")
	_, err := s.client.Subscriptions.Provision(ctx, in)
	s.note("own plan %s of %v (%v)", plan, k, err)
	if err != nil || s.isShut() {
		return
	}
	feature := s.features[r.IntN(len(s.features))]
	if resource == "" {
		s.see(theWriter, ask(k, feature), min(customer+1, last("")), 0, false)
	}
	s.see(theWriter, ask(entcache.Key{CustomerID: s.mine, ResourceID: "site"}, feature), min(site+1, last("site")), 0, false)
}
