package entcache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
)

// same wants a bound check, twice, to answer what GetEntitlement answers.
func (w *world) same(b *entcache.Bound) entcache.Decision {
	w.Helper()
	want, _ := w.client.GetEntitlement(w.Context(), b.Query())
	for range 2 {
		got := b.Check().Decision()
		if got.HasAccess != want.HasAccess || got.Origin != want.Origin || got.AccessDeniedReason != want.AccessDeniedReason ||
			got.Entitlement.CurrentUsage() != want.Entitlement.CurrentUsage() || got.Entitlement.PendingUsage() != want.Entitlement.PendingUsage() {
			w.Errorf("bound: access %v (%s), %v, usage %v; asked: access %v (%s), %v, usage %v",
				got.HasAccess, got.AccessDeniedReason, got.Origin, got.Entitlement.CurrentUsage(),
				want.HasAccess, want.AccessDeniedReason, want.Origin, want.Entitlement.CurrentUsage())
		}
	}
	return want
}

// TestABoundCheckIsLive: whatever happens to the answer, a bound check shows it when the ordinary one does.
func TestABoundCheckIsLive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.client.Bind(entcache.Query{CustomerID: "acme", FeatureID: "api-calls", RequestedUsage: 1})
		if _, err := b.CheckContext(t.Context()); !errors.Is(err, entcache.ErrNotStarted) {
			t.Errorf("before Start: %v, want %v", err, entcache.ErrNotStarted)
		}
		w.start(w.client)
		w.want(b.Check().Decision(), true, entcache.Fetched)
		w.want(w.same(b), true, entcache.Live)

		limit, _ := b.Check().Decision().Entitlement.UsageLimit()
		w.report(calls("acme", limit-1)) // pending, at once
		w.want(w.same(b), true, entcache.Live)
		w.report(calls("acme", 1))
		w.want(w.same(b), false, entcache.Live)
		w.flush()
		w.want(w.same(b), false, entcache.Live)

		w.provision("acme", "growth") // an event
		w.after(time.Second)
		w.want(w.same(b), true, entcache.Live)

		w.stigg.Faults().CutSockets()
		w.stigg.Faults().Refuse(true)
		w.settle()
		w.want(w.same(b), true, entcache.Stale)
		w.stigg.Faults().Refuse(false)
		w.after(2 * time.Minute)
		w.want(w.same(b), true, entcache.Live)

		w.client.Close()
		w.want(b.Check().Decision(), false, entcache.Fallback)
		if _, err := b.CheckContext(t.Context()); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("after Close: %v, want %v", err, entcache.ErrClosed)
		}
	})
}

// TestABoundCheckWaitsForWhatThisClientWrote, also when another's wait for it was given up a moment before.
func TestABoundCheckWaitsForWhatThisClientWrote(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		b := w.client.Bind(entcache.Query{CustomerID: "acme", FeatureID: "sso"})
		w.want(b.Check().Decision(), false, entcache.Fetched)
		w.want(b.Check().Decision(), false, entcache.Live)
		w.stigg.Faults().DropEventsIf(func(emulator.Event) bool { return true })
		w.answersSlowly() // by less than a tick of the clock
		if _, err := w.client.Subscriptions.Create(t.Context(), entcache.CreateSubscriptionInput{CustomerId: "acme", PlanId: "growth"}); err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if d, err := b.CheckContext(impatient); d.HasAccess() || d.Origin() != entcache.Stale || err != nil {
			t.Errorf("who does not wait gets %v, %v, %v; want what is held, Stale", d.HasAccess(), d.Origin(), err)
		}
		w.want(b.Check().Decision(), true, entcache.Fetched)
	})
}

// TestABoundCheckSeesAPeriodEnd, of which nobody tells.
func TestABoundCheckSeesAPeriodEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		end := time.Now().Add(time.Hour)
		spent := entcache.Grant{
			ID: "seats", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true,
			UsageLimit: 10, HasUsageLimit: true, CurrentUsage: 10, ResetPeriod: entitlements.ResetHour, EntitlementUpdatedAt: 1, UsageUpdatedAt: 1,
			UsagePeriodAnchor: entitlements.InstantOf(end.Add(-time.Hour)), UsagePeriodEnd: entitlements.InstantOf(end),
		}
		s := &countedSource{grants: []entcache.Grant{spent}}
		c := s.client(t, entcache.WithPollInterval(time.Hour)) // ten times that, with a stream
		b := c.Bind(entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1})
		for b.Check(); time.Now().Before(end); time.Sleep(10 * time.Second) {
			if b.Check().HasAccess() {
				t.Fatal("access to what is used up")
			}
		}
		time.Sleep(time.Second)
		if d := b.Check(); !d.HasAccess() || d.Origin() != entcache.Live {
			t.Errorf("after the period: access %v, %v; want access, Live", d.HasAccess(), d.Origin())
		}
		if n := s.fetches["acme"]; n != 1 {
			t.Errorf("fetched %d times: nothing is to be asked", n)
		}
	})
}

// TestABoundCheckKeepsItsCustomer: many others come and go; the customer of the bound check stays.
func TestABoundCheckKeepsItsCustomer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &countedSource{grants: []entcache.Grant{{ID: "sso", FeatureType: entitlements.FeatureBoolean, IsGranted: true, EntitlementUpdatedAt: 1}}}
		c := s.client(t, entcache.WithMaxMemory(64<<10))
		b := c.Bind(entcache.Query{CustomerID: "kept", FeatureID: "sso"})
		var forgotten []*entcache.Bound // for a while, and more than there is room for
		for n := range 200 {
			forgotten = append(forgotten, c.Bind(entcache.Query{CustomerID: fmt.Sprint("forgotten-", n), FeatureID: "sso"}))
			forgotten[n].Check()
		}
		b.Check()
		for n := range 2000 {
			for range 10 {
				b.Check()
			}
			if _, err := c.GetEntitlement(t.Context(), entcache.Query{CustomerID: fmt.Sprint("passer-by-", n), FeatureID: "sso"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if st := c.Stats(); st.Evicted+st.Refused < 1000 {
			t.Fatalf("%+v: memory is not full, and proves nothing", st)
		}
		if n := s.fetches["kept"]; n > 5 { // it may have to come back while nobody knows yet that it is read
			t.Errorf("the customer was fetched %d times", n)
		}
		again := 0
		for n, b := range forgotten { // who has left is there again at once
			if d := b.Check(); !d.HasAccess() {
				t.Errorf("after an eviction: %+v", d)
			}
			again += s.fetches[fmt.Sprint("forgotten-", n)] - 1
		}
		if room := c.Status().Resident; again < 200-room-1 {
			t.Errorf("%d of 200 were fetched again, and there is room for %d", again, room)
		}
	})
}

// TestABoundCheckOfNonsenseSaysSo.
func TestABoundCheckOfNonsenseSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		b := w.client.Bind(entcache.Query{CustomerID: "acme"})
		if d, err := b.CheckContext(t.Context()); d.Origin() != entcache.Fallback || !errors.Is(err, entcache.ErrInvalidQuery) {
			t.Errorf("%v, %v; want the fallback, and why", d.Origin(), err)
		}
		values := []string{"dark"}
		b = w.client.Bind(entcache.Query{CustomerID: "globex", FeatureID: "themes", RequestedValues: values})
		values[0] = "no such theme"
		w.want(b.Check().Decision(), true, entcache.Fetched)
		b.Query().RequestedValues[0] = "no such theme"
		w.want(b.Check().Decision(), true, entcache.Live)
		w.stigg.Faults().HangHTTP(true) // what is answered at once may be so before anybody looks at the context
		defer w.stigg.Faults().HangHTTP(false)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.client.Bind(entcache.Query{CustomerID: "initech", FeatureID: "sso"}).CheckContext(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

// TestAnAnswerStaysWhatItWas, whatever becomes of the question.
func TestAnAnswerStaysWhatItWas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		b := w.client.Bind(apiCalls("acme"))
		b.Check()
		before := b.Check()
		w.report(calls("acme", 5))
		after := b.Check()
		if was, is := before.Decision().Entitlement.CurrentUsage(), after.Decision().Entitlement.CurrentUsage(); was != 0 || is != 5 {
			t.Errorf("%v before a report of 5, and %v after it; want 0 and 5", was, is)
		}
		if after.Decision() != b.Check().Decision() || !after.HasAccess() || after.Origin() != entcache.Live {
			t.Errorf("%v; want the same answer as long as nothing happens", after)
		}
		if got, _ := json.Marshal(after); !bytes.Contains(got, []byte(`"currentUsage":5`)) || !strings.Contains(after.String(), "HasAccess:true") {
			t.Errorf("it is shown as %s, and %s", got, after)
		}
		if got, want := after.LogValue().String(), after.Decision().LogValue().String(); got != want {
			t.Errorf("it is logged as %s, and its decision as %s", got, want)
		}
		var none entcache.Answer
		if none.HasAccess() || none.Origin() != entcache.Fallback || none.Decision() != (entcache.Decision{}) {
			t.Errorf("the zero Answer is %v", none.Decision())
		}
	})
}

// TestBoundChecksOfManyGoroutines never show usage go back, while it grows.
func TestBoundChecksOfManyGoroutines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("acme", "growth")
		w.settle()
		b := w.client.Bind(apiCalls("acme"))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				last := 0.0
				for {
					select {
					case <-stop:
						if last < 200 {
							t.Errorf("the last check shows %v of 200", last)
						}
						return
					default:
					}
					d := b.Check().Decision()
					if now := d.Entitlement.CurrentUsage(); now < last {
						t.Errorf("usage went from %v to %v", last, now)
					} else {
						last = now
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		for range 200 {
			w.report(calls("acme", 1))
			time.Sleep(7 * time.Millisecond)
		}
		w.flush()
		w.after(time.Second)
		close(stop)
		wg.Wait()
	})
}

// countedSource answers every customer with the same grants, and counts how often it is asked for each. It has a stream on which
// nothing happens.
type countedSource struct {
	grants []entcache.Grant

	mu      sync.Mutex // guards fetches
	fetches map[string]int
}

func (s *countedSource) client(t *testing.T, opts ...entcache.Option) *entcache.Client {
	t.Helper()
	s.fetches = map[string]int{}
	c, err := entcache.New("key", append([]entcache.Option{entcache.WithSource(s), entcache.WithRequestBudget(1<<30, 1<<30)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *countedSource) Fetch(_ context.Context, key entcache.Key) (*entitlements.Snapshot, error) {
	s.mu.Lock()
	s.fetches[key.CustomerID]++
	s.mu.Unlock()
	return entitlements.NewSnapshot(key, "", s.grants), nil
}

func (s *countedSource) Subscribe(context.Context, func(entcache.Key) bool) (entcache.Stream, error) {
	return &quietStream{closed: make(chan struct{})}, nil
}
