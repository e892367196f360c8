package entcache_test

import (
	"context"
	"encoding/json"

	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// The simulation: a whole client, a whole Stigg, and a network that does its worst, on virtual time. Each seed fixes every choice.
// What readers saw is judged at the end against the emulator's own history, which shares no code with the client:
//
//   - every state a reader saw is one that the server had, and for one customer, resource and feature no reader saw the grant or
//     the usage go back;
//   - when the network has healed and the server is quiet, what is being read equals the server within Status().Bound;
//   - no answer but a fallback is older than WithMaxStale, and none claims to be younger than it is;
//   - a read that began after a write of the same client had returned shows it, unless it says Stale or Fallback;
//   - no window of time has more fetches than the budget allows;
//   - a check of a resident customer to whom nobody here writes never waits;
//   - the bubble ends only when every goroutine, timer and connection is gone.
//
// ENTCACHE_SIM_SEEDS is how many seeds to run (default 40), ENTCACHE_SIM_SEED the only one.
func TestSim(t *testing.T) {
	first, seeds := uint64(1), uint64(40)
	if n := envUint(t, "ENTCACHE_SIM_SEEDS"); n > 0 {
		seeds = n
	}
	if n := envUint(t, "ENTCACHE_SIM_SEED"); n > 0 {
		first, seeds = n, 1
	}
	for seed := first; seed < first+seeds; seed++ {
		if !t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newSim(t, seed).run() })
		}) {
			t.Fatalf("seed %d; again with ENTCACHE_SIM_SEED=%d go test -run TestSim .", seed, seed)
		}
	}
}

func envUint(t *testing.T, name string) uint64 {
	s := os.Getenv(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, s, err)
	}
	return n
}

const (
	simTime      = 4 * time.Minute
	simPerMinute = 1200
	simBurst     = 30
	simMaxStale  = 90 * time.Second
)

type sim struct {
	*world
	seed      uint64
	keys      []entcache.Key
	mine      string // the customer that this client writes to; nobody else does
	features  []string
	lossy     bool // events may be lost, late or out of order: Live may be wrong until the poll
	quiet     chan struct{}
	mu        sync.Mutex // guards the following
	dark      bool       // no stream can be open, and the client has had time to notice
	dials     uint64
	trace     []string
	fetches   []time.Time
	sightings []sighting
}

// sighting is one answer that a reader got.
type sighting struct {
	reader int
	key    entcache.Key
	feat   string
	at     time.Time
	origin entcache.Origin
	asOf   time.Time
	reason entcache.Reason
	exists bool
	limit  float64
	grant  time.Time // stamps
	usage  float64
	usedAt time.Time
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		seed: seed, mine: "mine", features: []string{"seats", "api-calls", "sso", "themes"},
		quiet: make(chan struct{}), lossy: seed%3 != 0,
	}
	stigg, err := emulator.New(emulator.Config{History: 1 << 20, OnRequest: func(r emulator.Request) {
		if strings.Contains(fmt.Sprint(r.Fields), "entitlementsState") {
			s.mu.Lock()
			s.fetches = append(s.fetches, time.Now())
			s.mu.Unlock()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.world = &world{T: t, stigg: stigg, pipe: stigg.Pipe()}
	for _, id := range []string{"a", "b", "c", s.mine} {
		s.provision(id, "free")
		s.keys = append(s.keys, entcache.Key{CustomerID: id})
	}
	if err := stigg.Provision("a", "site", "starter"); err != nil {
		t.Fatal(err)
	}
	s.keys = append(s.keys, entcache.Key{CustomerID: "a", ResourceID: "site"})
	opts := []entcache.Option{
		entcache.WithRequestBudget(simPerMinute, simBurst), entcache.WithMaxStale(simMaxStale), entcache.WithPollInterval(10 * time.Second),
	}
	if seed%5 == 1 {
		opts = append(opts, entcache.WithoutRealtime())
	}
	if seed%7 == 2 {
		opts = append(opts, entcache.WithMaxMemory(12<<10)) // room for two or three
	}
	s.client = s.newClient(append(opts, entcache.WithDialContext(s.dial))...)
	return s
}

// dial connects over a way that takes its time: what the server sends arrives in order on one connection, and later than what it
// sent afterwards on another.
func (s *sim) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := s.pipe.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	return &farAway{Conn: c, rnd: rand.New(rand.NewPCG(s.seed, 1000+s.dials))}, nil
}

type farAway struct {
	net.Conn
	rnd *rand.Rand
}

const longestWay = 2 * time.Second

func (c *farAway) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	way := time.Duration(c.rnd.Int64N(int64(30 * time.Millisecond)))
	if c.rnd.IntN(15) == 0 {
		way = time.Duration(c.rnd.Int64N(int64(longestWay)))
	}
	time.Sleep(way)
	return n, nil
}

func (s *sim) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, time.Now().UTC().Format("04:05.000")+" "+fmt.Sprintf(format, args...))
}

func (s *sim) fail(format string, args ...any) {
	s.Helper()
	s.mu.Lock()
	trace := s.trace[max(0, len(s.trace)-60):]
	s.mu.Unlock()
	s.Log(strings.Join(trace, "\n") + "\nFOUND: " + fmt.Sprintf(format, args...))
	s.Fatalf(format, args...)
}

// actor runs step again and again until the network heals, with pauses of its own.
func (s *sim) actor(wg *sync.WaitGroup, id uint64, longest time.Duration, step func(r *rand.Rand)) {
	r := rand.New(rand.NewPCG(s.seed, id))
	wg.Go(func() {
		for {
			// Nanoseconds, so that no two actors act at the same instant.
			t := time.NewTimer(time.Duration(r.Int64N(int64(longest))) + 1)
			select {
			case <-t.C:
				step(r)
			case <-s.quiet:
				t.Stop()
				return
			}
		}
	})
}

func (s *sim) run() {
	defer func() {
		s.client.Close()
		s.stigg.Close()
		time.Sleep(4 * longestWay) // what is on its way arrives nowhere; time stands still once this goroutine has ended
	}()
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Second)
	s.client.Start(ctx)
	cancel()
	var wg sync.WaitGroup
	for n := range 3 {
		s.actor(&wg, uint64(10+n), 400*time.Millisecond, func(r *rand.Rand) { s.read(r, n) })
	}
	s.actor(&wg, 20, 3*time.Second, s.operate)
	s.actor(&wg, 30, 12*time.Second, s.sabotage)
	s.actor(&wg, 40, 5*time.Second, s.write)
	time.Sleep(simTime)
	close(s.quiet)
	wg.Wait()

	s.note("the network heals")
	s.stigg.Faults().Clear()
	s.stigg.AddAPIKey(emulator.DefaultAPIKey)
	s.client.SetAPIKey(emulator.DefaultAPIKey)
	r := rand.New(rand.NewPCG(s.seed, 50))
	// The key may have been refused, and backoffs run out; from then on, the bound.
	for end := time.Now().Add(time.Minute + s.client.Status().Bound + 10*time.Minute/10); time.Now().Before(end); time.Sleep(700 * time.Millisecond) {
		for range 4 {
			s.read(r, 9)
		}
		for _, k := range s.keys {
			s.client.Entitlements(s.Context(), k)
		}
	}
	s.converged()
	s.judge()
	s.budget()
}

func (s *sim) read(r *rand.Rand, reader int) {
	k, f := s.keys[r.IntN(len(s.keys))], s.features[r.IntN(len(s.features))]
	_, resident := s.client.Peek(entcache.Query{CustomerID: k.CustomerID, ResourceID: k.ResourceID, FeatureID: f})
	s.see(reader, k, f, resident && k.CustomerID != s.mine)
}

// see asks, and writes down the answer.
func (s *sim) see(reader int, k entcache.Key, f string, mustNotWait bool) entcache.Decision {
	began, dark := time.Now(), s.isDark()
	d, err := s.client.GetEntitlement(context.Background(), entcache.Query{CustomerID: k.CustomerID, ResourceID: k.ResourceID, FeatureID: f})
	now := time.Now()
	if took := now.Sub(began); mustNotWait && took > 0 {
		s.fail("a check of %v, which is resident, waited %v", k, took)
	}
	if took := now.Sub(began); took > entcache.DefaultEntitlementTimeout+time.Second {
		s.fail("a check of %v took %v", k, took)
	}
	if d.Origin == entcache.Live && dark && s.isDark() {
		s.fail("%v is Live, and no stream can be", k)
	}
	if d.Origin == entcache.Fallback {
		if err == nil {
			s.fail("a fallback without a reason")
		}
		return d
	}
	// The clock that a hit reads may be a tick behind.
	if age := d.Age(); age > simMaxStale+100*time.Millisecond || d.AsOf.Time().After(now) {
		s.fail("%v of %v is %v old; the bound is %v", d.Origin, k, age, simMaxStale)
	}
	l, _ := d.Entitlement.UsageLimit()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sightings = append(s.sightings, sighting{
		reader: reader, key: k, feat: f, at: now, origin: d.Origin, asOf: d.AsOf.Time(), reason: d.AccessDeniedReason,
		exists: d.Entitlement.Exists(), limit: l, grant: d.Entitlement.EntitlementUpdatedAt(),
		usage: d.Entitlement.CurrentUsage(), usedAt: d.Entitlement.UsageUpdatedAt(),
	})
	return d
}

// operate is what goes on at Stigg.
func (s *sim) operate(r *rand.Rand) {
	k := s.keys[r.IntN(len(s.keys))]
	if k.CustomerID == s.mine {
		return
	}
	var err error
	what := ""
	switch r.IntN(9) {
	case 8: // and back, a little later
		if k.ResourceID == "" && k.CustomerID != "a" {
			what, err = "archive", s.stigg.ArchiveCustomer(k.CustomerID)
			time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
			s.stigg.UnarchiveCustomer(k.CustomerID)
			s.stigg.Provision(k.CustomerID, "", "starter")
		}
	case 0, 1, 2:
		plan := []string{"free", "starter", "growth", "enterprise"}[r.IntN(4)]
		what, err = "plan "+plan, s.stigg.Provision(k.CustomerID, k.ResourceID, plan)
	case 3, 4:
		what = "usage"
		_, err = s.stigg.Report(k.CustomerID, k.ResourceID, []string{"seats", "api-calls"}[r.IntN(2)], float64(r.IntN(3)))
	case 5:
		what, err = "override", s.stigg.SetEntitlement(k.CustomerID, k.ResourceID, emulator.Entitlement{Feature: "seats", Limit: new(float64(r.IntN(50)))})
	case 6:
		what, err = "no override", s.stigg.ClearEntitlement(k.CustomerID, k.ResourceID, "seats", "")
	case 7:
		what, err = "promotion", s.stigg.GrantPromotional(k.CustomerID, emulator.Entitlement{Feature: "sso"}, time.Now().Add(time.Duration(1+r.IntN(60))*time.Second))
	}
	s.note("%v: %s (%v)", k, what, err)
}

// sabotage breaks something, and now and then mends everything.
func (s *sim) sabotage(r *rand.Rand) {
	f := s.stigg.Faults()
	n := r.IntN(18)
	if !s.lossy && n >= 13 {
		n -= 8
	}
	s.note("sabotage %d", n)
	switch n {
	case 0, 1:
		f.CutSockets()
	case 2:
		f.CloseSockets([]int{1000, 1001, 1011, 1012, 4403, 4429, 4500}[r.IntN(7)], "bye")
	case 3:
		f.Refuse(true)
		f.CutSockets()
		s.darkness(time.Duration(r.IntN(45))*time.Second, 21*time.Second, f.CutSockets) // the longest handshake, and cut what came of it
		f.Refuse(false)
	case 4:
		f.Delay(time.Duration(r.IntN(3000)) * time.Millisecond)
	case 5:
		f.HangHTTP(true)
		time.Sleep(time.Duration(r.IntN(20)) * time.Second)
		f.HangHTTP(false)
	case 6:
		f.FailNext(1+r.IntN(5), emulator.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {strconv.Itoa(r.IntN(4))}}})
	case 7:
		f.FailNext(1+r.IntN(5), emulator.Reply{Status: 502, Body: "<html>"})
	case 8:
		f.FailNext(1+r.IntN(3), emulator.Reply{Body: `{"data":{"entitlementsState":{"entitlementsV2":[`, Truncate: true})
	case 9:
		f.CompleteSubscriptions()
	case 10:
		f.ErrorSubscriptions("UnexpectedError")
	case 11:
		s.stigg.RevokeAPIKey(emulator.DefaultAPIKey)
		time.Sleep(time.Duration(r.IntN(10)) * time.Second)
		s.stigg.AddAPIKey(emulator.DefaultAPIKey)
		s.client.SetAPIKey(emulator.DefaultAPIKey)
	case 12:
		s.stigg.UpdateCatalog(emulator.DemoCatalog(), emulator.AllCustomers)
	case 13:
		f.DropEvents(1 + r.IntN(4))
	case 14:
		f.DuplicateEvents(1 + r.IntN(4))
	case 15:
		f.ReorderEvents(1 + r.IntN(3))
	case 16:
		f.DelayEvents(time.Duration(r.IntN(4000)) * time.Millisecond)
	case 17:
		f.HalfOpen(true)
		s.darkness(time.Duration(r.IntN(70))*time.Second, 30*time.Second, func() {})
		f.HalfOpen(false)
	}
	if r.IntN(3) == 0 {
		s.note("mended")
		f.Clear()
	}
}

// darkness lets time pass without a stream. After notice it does again what makes it dark, and when that has arrived, a client that
// follows a stream must know.
func (s *sim) darkness(d, notice time.Duration, again func()) {
	set := func(dark bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dark = dark && s.seed%5 != 1 // that one polls
	}
	time.Sleep(min(d, notice))
	if d <= notice {
		return
	}
	again()
	time.Sleep(4 * longestWay)
	set(true)
	time.Sleep(d - notice)
	set(false)
}

func (s *sim) isDark() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dark
}

// write is what this client does to its own customer, and reads at once.
func (s *sim) write(r *rand.Rand) {
	k := entcache.Key{CustomerID: s.mine}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if r.IntN(4) == 0 {
		plan := []string{"free", "starter", "growth"}[r.IntN(3)]
		out, err := s.client.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{CustomerId: s.mine, PlanId: plan, SkipTrial: new(true)})
		s.note("own plan %s (%v)", plan, err)
		if err != nil {
			return
		}
		var wrote struct{ EntitlementUpdatedAt time.Time }
		if err := json.Unmarshal(out.EntitlementsV2[0], &wrote); err != nil {
			s.fail("the answer: %v", err)
		}
		if d := s.see(8, k, "seats", false); d.Origin >= entcache.Fetched && d.Entitlement.EntitlementUpdatedAt().Before(wrote.EntitlementUpdatedAt) {
			s.fail("after the plan %s had been provisioned, a %v read shows the set of %v, want that of %v", plan, d.Origin, d.Entitlement.EntitlementUpdatedAt(), wrote.EntitlementUpdatedAt)
		}
		return
	}
	out, err := s.client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: s.mine, FeatureId: "seats", Value: float64(1 + r.IntN(2))})
	s.note("own usage (%v)", err)
	if err != nil || out.CurrentUsage == nil {
		return
	}
	if d := s.see(8, k, "seats", false); d.Origin >= entcache.Fetched && d.Entitlement.Exists() && d.Entitlement.UsageUpdatedAt().Before(out.Timestamp.Time) {
		s.fail("after the usage became %v at %v, a %v read shows %v of %v", *out.CurrentUsage, out.Timestamp, d.Origin, d.Entitlement.CurrentUsage(), d.Entitlement.UsageUpdatedAt())
	}
}

// converged compares what is believed with what is so.
func (s *sim) converged() {
	for _, k := range s.keys {
		want := s.stigg.Snapshot(k.CustomerID, k.ResourceID)
		got, err := s.client.Entitlements(s.Context(), k)
		if err != nil || got.Origin == entcache.Stale || string(got.AccessDeniedReason) != want.AccessDeniedReason || got.Len() != len(want.Entitlements) {
			s.fail("%v: %v, %q with %d entitlements (%v); the server has %q with %d", k, got.Origin, got.AccessDeniedReason, got.Len(), err, want.AccessDeniedReason, len(want.Entitlements))
		}
		for _, w := range want.Entitlements {
			ref := entcache.Feature(w.FeatureID)
			if w.FeatureID == "" {
				ref = entcache.Currency(w.CurrencyID)
			}
			e, ok := got.Find(ref)
			l, has := e.UsageLimit()
			if !ok || e.CurrentUsage() != w.Usage || has != (w.Limit != nil) || (has && l != *w.Limit) || !e.EntitlementUpdatedAt().Equal(w.EntitlementStamp) {
				s.fail("%v %v: limit %v usage %v of %v; the server has %+v", k, ref, l, e.CurrentUsage(), e.EntitlementUpdatedAt(), w)
			}
		}
	}
	if st := s.client.Status(); st.State != entcache.StateLive {
		s.fail("state %v (%v) after the network healed", st.State, st.Err)
	}
}

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
		at := func(from int, match func(emulator.State) bool) int {
			for i := from; i < len(past); i++ {
				if past[i].At.After(x.at) {
					break
				}
				if match(past[i]) {
					return i
				}
			}
			return -1
		}
		g := at(grants[l], func(st emulator.State) bool {
			e, ok := st.Find(x.feat)
			if !x.exists {
				return !ok || (st.AccessDeniedReason != "" && st.AccessDeniedReason == string(x.reason))
			}
			return ok && e.EntitlementStamp.Equal(x.grant) && (e.Limit == nil && x.limit == 0 || e.Limit != nil && *e.Limit == x.limit)
		})
		if g < 0 {
			s.fail("reader %d at %v saw %v %s %v as of %v: %+v; no state from %d of %d on is that", x.reader, x.at.Format("04:05.000"), x.key, x.feat, x.origin, x.asOf.Format("04:05.000"), x, grants[l], len(past))
		}
		grants[l] = g
		if !x.exists || x.usedAt.IsZero() {
			continue
		}
		u := at(usages[l], func(st emulator.State) bool {
			e, ok := st.Find(x.feat)
			return ok && e.UsageStamp.Equal(x.usedAt) && e.Usage == x.usage
		})
		if u < 0 {
			s.fail("reader %d at %v saw usage %v of %v in %v %s; no state from %d of %d on has it", x.reader, x.at.Format("04:05.000"), x.usage, x.usedAt, x.key, x.feat, usages[l], len(past))
		}
		usages[l] = u
		// What is said to be confirmed as of some moment was not replaced before it, the way from the server apart: a message takes
		// several reads.
		if x.origin == entcache.Fetched || !s.lossy {
			last := g
			for last+1 < len(past) && past[last+1].Stamp.Equal(past[g].Stamp) {
				last++
			}
			if last+1 < len(past) && past[last+1].At.Before(x.asOf.Add(-4*longestWay)) {
				s.fail("reader %d at %v saw %v %s, %v as of %v, which ended at %v", x.reader, x.at.Format("04:05.000"), x.key, x.feat, x.origin, x.asOf.Format("04:05.000"), past[last+1].At.Format("04:05.000"))
			}
		}
	}
	if len(s.sightings) < 500 {
		s.fail("only %d answers to judge", len(s.sightings))
	}
}

// budget counts the fetches of every window against burst + rate × time.
func (s *sim) budget() {
	for i := range s.fetches {
		for _, w := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
			n := 0
			for j := i; j < len(s.fetches) && s.fetches[j].Sub(s.fetches[i]) < w; j++ {
				n++
			}
			if most := simBurst + int(w.Seconds()*simPerMinute/60) + 2; n > most {
				s.fail("%d fetches in %v, the budget allows %d", n, w, most)
			}
		}
	}
}
