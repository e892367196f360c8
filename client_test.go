package entcache_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
)

func TestFirstCheckFetchesAndTheNextIsAnsweredFromMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.wantState(entcache.StateLive)
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
		w.want(w.check("acme", "seats", 3), false, entcache.Live)
		w.want(w.check("acme", "sso", 0), false, entcache.Live)
		if s := w.client.Stats(); s.Fetches != 1 || s.Misses != 1 || s.Hits != 2 {
			t.Errorf("stats %+v; want one fetch, one miss, two hits", s)
		}
	})
}

func TestUpgradeByAnotherClientArrives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.after(10 * time.Millisecond) // two changes of the same millisecond cannot be ordered, and would cost a fetch
		w.provision("acme", "growth")
		w.after(10 * time.Millisecond)
		w.want(w.check("acme", "sso", 0), true, entcache.Live)
		w.provision("acme", "free")
		w.after(10 * time.Millisecond)
		d := w.check("acme", "sso", 0)
		w.want(d, false, entcache.Live)
		if d.AccessDeniedReason != entcache.NoFeatureEntitlementInSubscription {
			t.Errorf("reason %q", d.AccessDeniedReason)
		}
		if s := w.client.Stats(); s.Fetches != 1 {
			t.Errorf("%d fetches; the events carry it all", s.Fetches)
		}
	})
}

func TestUsageReportedIsVisibleToTheNextCheck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
		for n := 1; n <= 2; n++ {
			out, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1})
			if err != nil {
				t.Fatal(err)
			}
			d := w.check("acme", "seats", 1)
			w.want(d, n < 2, entcache.Live)
			if got := d.Entitlement.CurrentUsage(); got != float64(n) || *out.CurrentUsage != got {
				t.Errorf("after %d reports: usage %v, answer %v", n, got, *out.CurrentUsage)
			}
		}
		w.settle()
		w.want(w.check("acme", "seats", 0), true, entcache.Live)
		if s := w.client.Stats(); s.Fetches != 1 || s.Questions != 0 {
			t.Errorf("stats %+v; own reports need no fetch and raise no question", s)
		}
	})
}

func TestProvisioningIsVisibleToTheNextCheck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("newcomer", "seats", 1), false, entcache.Fetched)
		if _, err := w.client.Customers.Provision(t.Context(), entcache.ProvisionCustomerInput{
			CustomerId: new("newcomer"), SubscriptionParams: &entcache.ProvisionCustomerSubscriptionInput{PlanId: "free"},
		}); err != nil {
			t.Fatal(err)
		}
		if d := w.check("newcomer", "seats", 1); !d.HasAccess {
			t.Errorf("after provisioning: %q, %v", d.AccessDeniedReason, d.Origin)
		}
		out, err := w.client.Subscriptions.Provision(t.Context(), entcache.ProvisionSubscriptionInput{
			CustomerId: "newcomer", PlanId: "growth", SkipTrial: new(true),
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := w.check("newcomer", "sso", 0); out.Status != entcache.ProvisionSuccess || !d.HasAccess {
			t.Errorf("after the upgrade (%s): %q, %v", out.Status, d.AccessDeniedReason, d.Origin)
		}
	})
}

func TestLostStreamServesStaleAndComesBackLive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)

		w.stigg.Faults().Refuse(true)
		w.stigg.Faults().CutSockets()
		w.after(20 * time.Second)
		w.provision("acme", "growth")
		w.wantState(entcache.StateInterrupted)
		d := w.check("acme", "sso", 0)
		w.want(d, false, entcache.Stale)
		if age := d.Age(); age < 19*time.Second || age > 21*time.Second {
			t.Errorf("age %v, want about 20s: confirmed by the last frame before the cut", age)
		}

		w.stigg.Faults().Refuse(false)
		w.after(time.Minute)
		w.wantState(entcache.StateLive)
		w.want(w.check("acme", "sso", 0), true, entcache.Live)
	})
}

func TestManyAskersShareOneFetch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.stigg.Faults().Delay(time.Second)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { w.want(w.check("acme", "seats", 1), true, entcache.Fetched) })
		}
		wg.Wait()
		if s := w.client.Stats(); s.Fetches != 1 {
			t.Errorf("%d fetches for one customer, want 1", s.Fetches)
		}
	})
}

func TestAbsenceIsAnAnswerAndIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		for _, want := range []entcache.Origin{entcache.Fetched, entcache.Live} {
			d := w.check("nobody", "seats", 1)
			w.want(d, false, want)
			if d.AccessDeniedReason != entcache.CustomerNotFound {
				t.Errorf("reason %q", d.AccessDeniedReason)
			}
		}
		w.provision("nobody", "free")
		w.settle()
		w.want(w.check("nobody", "seats", 1), true, entcache.Live)
		if err := w.stigg.ArchiveCustomer("nobody"); err != nil {
			t.Fatal(err)
		}
		w.settle()
		if d := w.check("nobody", "seats", 1); d.AccessDeniedReason != entcache.CustomerIsArchived {
			t.Errorf("after archiving: %q, %v", d.AccessDeniedReason, d.Origin)
		}
	})
}

func TestUnknownCustomerDuringAnOutageAnswersTheFallback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithFeatureFallback("sso", entcache.FallbackValue{HasAccess: true}))
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.stigg.Faults().Refuse(true)
		w.stigg.Faults().CutSockets()
		w.settle()
		began := time.Now()
		d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "globex", FeatureID: "sso"})
		w.want(d, true, entcache.Fallback)
		if err == nil {
			t.Error("a fallback without an explanation")
		}
		if took := time.Since(began); took > entcache.DefaultEntitlementTimeout {
			t.Errorf("took %v", took)
		}
		w.want(w.check("acme", "sso", 0), false, entcache.Stale)
		// The customer that failed backs off: asking again costs nothing.
		fetches := w.client.Stats().Fetches
		for range 100 {
			w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "globex", FeatureID: "sso"})
		}
		if more := w.client.Stats().Fetches - fetches; more > 0 {
			t.Errorf("100 checks of a customer that just failed made %d requests", more)
		}
	})
}

func TestServerThatNeverAnswersHoldsNobodyBeyondItsTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.stigg.Faults().HangHTTP(true)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := w.client.Start(ctx); !errors.Is(err, entcache.ErrNotSynced) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Start: %v", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("Start took %v, want its ctx's 2s", took)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		d, err := w.client.GetEntitlement(ctx, entcache.Query{CustomerID: "acme", FeatureID: "seats"})
		w.want(d, false, entcache.Fallback)
		if took := time.Since(began); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("check took %v with %v, want its ctx's 1s", took, err)
		}
		began = time.Now()
		_, err = w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "globex", FeatureID: "seats"})
		if took := time.Since(began); took > entcache.DefaultEntitlementTimeout || err == nil {
			t.Errorf("check without a deadline took %v with %v, want at most %v", took, err, entcache.DefaultEntitlementTimeout)
		}
		w.stigg.Faults().HangHTTP(false)
		w.after(2 * time.Minute)
		w.wantState(entcache.StateLive)
		if d := w.check("acme", "seats", 1); !d.HasAccess {
			t.Errorf("after recovery: %v %q", d.Origin, d.AccessDeniedReason)
		}
	})
}

func TestRefusedKeyIsOffUntilItIsReplaced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
		w.stigg.RevokeAPIKey(emulator.DefaultAPIKey)
		w.after(5 * time.Second)
		w.wantState(entcache.StateOff)
		w.want(w.check("acme", "seats", 1), true, entcache.Stale)
		d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "globex", FeatureID: "seats"})
		w.want(d, false, entcache.Fallback)
		if !errors.Is(err, entcache.ErrUnauthenticated) {
			t.Errorf("a miss while Off: %v", err)
		}

		w.stigg.AddAPIKey("rotated")
		if err := w.client.SetAPIKey("rotated"); err != nil {
			t.Fatal(err)
		}
		w.after(time.Second)
		w.wantState(entcache.StateLive)
		w.want(w.check("acme", "seats", 1), true, entcache.Live)
	})
}

// A gateway that hiccups answers one request 401. That is a question about the key, not five minutes of Off.
func TestStray401DoesNotTurnTheClientOff(t *testing.T) {
	for name, opts := range map[string][]entcache.Option{"stream": nil, "polling": {entcache.WithoutRealtime()}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := started(t, opts...)
				w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
				confirmed := func() int { return int(w.client.Stats().Connects) + w.stigg.Requests()["sdkConfiguration"] }
				before := confirmed()
				w.stigg.Faults().FailNext(1, emulator.Reply{Status: 401})
				d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "globex", FeatureID: "seats"})
				w.want(d, false, entcache.Fallback)
				if !errors.Is(err, entcache.ErrUnauthenticated) {
					t.Errorf("the check that met it: %v", err)
				}
				if d, ok := w.client.Peek(entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1}); !ok || !d.HasAccess {
					t.Errorf("what is resident: %v, %v", d, ok)
				}
				w.after(3 * time.Second)
				w.wantState(entcache.StateLive)
				if n := confirmed() - before; n != 1 {
					t.Errorf("the key was confirmed %d times, want once", n)
				}
				w.want(w.check("acme", "seats", 1), true, entcache.Live)
				w.want(w.check("globex", "seats", 1), true, entcache.Fetched)

				w.stigg.RevokeAPIKey(emulator.DefaultAPIKey) // in earnest
				w.client.Reload(t.Context(), entcache.Key{CustomerID: "acme"})
				w.after(3 * time.Second)
				w.wantState(entcache.StateOff)
				w.want(w.check("acme", "seats", 1), true, entcache.Stale)
			})
		})
	}
}

func TestRefusedKeyIsProbed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.stigg.RevokeAPIKey(emulator.DefaultAPIKey)
		began := time.Now()
		err := w.client.Start(t.Context())
		if !errors.Is(err, entcache.ErrNotSynced) || !errors.Is(err, entcache.ErrUnauthenticated) || time.Since(began) > time.Second {
			t.Errorf("Start with a bad key: %v after %v, want both errors at once", err, time.Since(began))
		}
		w.stigg.AddAPIKey(emulator.DefaultAPIKey)
		w.after(7 * time.Minute) // 5 min ± 20 %
		w.wantState(entcache.StateLive)
	})
}

func TestHalfOpenStreamIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.stigg.Faults().HalfOpen(true)
		w.provision("acme", "growth") // the event is lost
		silent := w.client.Status().LastFrame
		w.after(time.Until(silent.Add(29 * time.Second)))
		d := w.check("acme", "sso", 0)
		w.want(d, false, entcache.Live)
		if age := d.Age(); age < 28*time.Second {
			t.Errorf("age %v, 29s after the last frame", age)
		}
		w.after(2 * time.Second)
		if s := w.client.Status(); s.State == entcache.StateLive {
			t.Errorf("still Live 31s after the server went silent; last frame %v ago", time.Since(s.LastFrame))
		}
		w.want(w.check("acme", "sso", 0), false, entcache.Stale)
		w.stigg.Faults().HalfOpen(false)
		w.after(time.Minute)
		w.wantState(entcache.StateLive)
		w.want(w.check("acme", "sso", 0), true, entcache.Live)
	})
}

func TestEventsLostInSilenceAreMadeUpForWithinTheBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.stigg.Faults().DropEvents(1000)
		w.provision("acme", "growth")
		bound := w.client.Status().Bound
		for range int(bound/time.Second) + 10 {
			w.after(time.Second)
			w.check("acme", "sso", 0) // it is being read
		}
		w.wantState(entcache.StateLive)
		w.want(w.check("acme", "sso", 0), true, entcache.Live)
	})
}

func TestPollingFollowsWithoutAStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithoutRealtime(), entcache.WithPollInterval(10*time.Second))
		if bound := w.client.Status().Bound; bound != 10*time.Second {
			t.Errorf("bound %v, want the poll interval", bound)
		}
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.provision("acme", "growth")
		for range 11 {
			w.after(time.Second)
			w.check("acme", "sso", 0)
		}
		w.want(w.check("acme", "sso", 0), true, entcache.Live)
		if s := w.client.Stats(); s.Connects != 0 {
			t.Errorf("%d streams opened, want none", s.Connects)
		}

		w.stigg.Faults().Refuse(true)
		w.after(time.Minute)
		w.want(w.check("acme", "sso", 0), true, entcache.Stale)
		w.stigg.Faults().Refuse(false)
		for range 60 {
			w.after(time.Second)
			w.check("acme", "sso", 0)
		}
		w.want(w.check("acme", "sso", 0), true, entcache.Live)
		w.wantState(entcache.StateLive)
	})
}

func TestPublishedPackageReachesEverybodyWhoIsRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "seats", 3), false, entcache.Fetched)
		w.want(w.check("globex", "seats", 1), true, entcache.Fetched)
		c := emulator.DemoCatalog()
		for i := range c.Plans {
			if c.Plans[i].ID == "free" {
				for j := range c.Plans[i].Entitlements {
					if c.Plans[i].Entitlements[j].Feature == "seats" {
						c.Plans[i].Entitlements[j].Limit = new(3.0)
					}
				}
			}
		}
		if err := w.stigg.UpdateCatalog(c, emulator.AllCustomers); err != nil {
			t.Fatal(err)
		}
		w.after(time.Second)
		w.want(w.check("acme", "seats", 3), true, entcache.Live)
		w.want(w.check("globex", "seats", 1), true, entcache.Live)
	})
}

func TestResourcesHaveTheirOwnSets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		if err := w.stigg.Provision("acme", "site-1", "growth"); err != nil {
			t.Fatal(err)
		}
		ask := func(resource string) entcache.Decision {
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "acme", ResourceID: resource, FeatureID: "sso"})
			if err != nil {
				t.Error(err)
			}
			return d
		}
		w.want(ask(""), false, entcache.Fetched)
		w.want(ask("site-1"), true, entcache.Fetched)
		if err := w.stigg.Provision("acme", "site-1", "free"); err != nil {
			t.Fatal(err)
		}
		w.after(time.Second)
		w.want(ask("site-1"), false, entcache.Live)
	})
}

func TestEntitlementsListsEverything(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		set, err := w.client.Entitlements(t.Context(), entcache.Key{CustomerID: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for e := range set.All() {
			ids = append(ids, e.FeatureID())
		}
		if want := []string{"api-calls", "seats", "themes", "upload-size"}; !slices.Equal(ids, want) || set.Len() != 4 || set.Origin != entcache.Fetched {
			t.Errorf("got %v (%d, %v), want %v", ids, set.Len(), set.Origin, want)
		}
		e, ok := set.Find(entcache.Feature("themes"))
		if !ok || !e.HasEnumValue("light") || e.HasEnumValue("dark") {
			t.Errorf("themes: %v %v", ok, e.EnumValues())
		}
		none, err := w.client.Entitlements(t.Context(), entcache.Key{CustomerID: "nobody"})
		if err != nil || none.Len() != 0 || none.AccessDeniedReason != entcache.CustomerNotFound {
			t.Errorf("nobody: %+v, %v", none, err)
		}
		if _, err := w.client.Entitlements(t.Context(), entcache.Key{}); !errors.Is(err, entcache.ErrInvalidQuery) {
			t.Errorf("no customer: %v", err)
		}
	})
}

func TestPeekNeverAsks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		q := entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1}
		if d, ok := w.client.Peek(q); ok || d.Origin != entcache.Fallback {
			t.Errorf("Peek of what is not there: %v %v", d.Origin, ok)
		}
		w.settle()
		if s := w.client.Stats(); s.Fetches != 0 {
			t.Errorf("Peek made %d requests", s.Fetches)
		}
		w.check("acme", "seats", 1)
		d, ok := w.client.Peek(q)
		w.want(d, true, entcache.Live)
		if !ok {
			t.Error("Peek does not see what is in memory")
		}
	})
}

func TestReloadAsksWhateverIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.stigg.Faults().DropEvents(1000)
		w.provision("acme", "growth")
		w.want(w.check("acme", "sso", 0), false, entcache.Live)
		set, err := w.client.Reload(t.Context(), entcache.Key{CustomerID: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := set.Find(entcache.Feature("sso")); !ok || set.Origin != entcache.Fetched {
			t.Errorf("Reload: sso %v, %v", ok, set.Origin)
		}
		w.want(w.check("acme", "sso", 0), true, entcache.Live)
	})
}

func TestPrefetchLoadsWithinTheBudgetAndReportsProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithRequestBudget(600, 10))
		var keys []entcache.Key
		for i := range 50 {
			keys = append(keys, entcache.Key{CustomerID: fmt.Sprintf("customer-%d", i)})
			w.provision(keys[i].CustomerID, "free")
		}
		var calls int
		var last entcache.PrefetchProgress
		began := time.Now()
		if err := w.client.Prefetch(t.Context(), append(keys, entcache.Key{CustomerID: "acme"}), func(p entcache.PrefetchProgress) {
			calls++
			last = p
		}); err != nil {
			t.Fatal(err)
		}
		if calls != 51 || last != (entcache.PrefetchProgress{Done: 51, Total: 51}) {
			t.Errorf("%d calls, last %+v", calls, last)
		}
		if took := time.Since(began); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("51 keys at 10 a second after a burst of 10 took %v", took)
		}
		for _, k := range keys {
			w.want(w.check(k.CustomerID, "seats", 1), true, entcache.Live)
		}
		if err := w.client.Prefetch(t.Context(), []entcache.Key{{}}, nil); !errors.Is(err, entcache.ErrInvalidQuery) {
			t.Errorf("prefetch of nobody: %v", err)
		}
	})
}

// Whoever gives up a Prefetch has it back at once, with a word on every key that was asked for; the answers that are on their way come
// in all the same.
func TestPrefetchThatIsGivenUpReturnsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("globex", "free")
		w.stigg.Faults().Delay(2 * time.Second)
		keys := []entcache.Key{{CustomerID: "acme"}, {}, {CustomerID: "globex"}}
		var last entcache.PrefetchProgress
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := w.client.Prefetch(ctx, keys, func(p entcache.PrefetchProgress) { last = p }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Prefetch = %v, want ctx's error", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it returned after %v, want 1s", took)
		}
		if want := (entcache.PrefetchProgress{Failed: 3, Total: 3}); last != want {
			t.Errorf("progress %+v, want %+v", last, want)
		}
		before := last
		w.after(2 * time.Second)
		if last != before {
			t.Errorf("told %+v after it had returned", last)
		}
		w.want(w.check("globex", "seats", 1), true, entcache.Live)
		if n := w.client.Status().Resident; n != 2 {
			t.Errorf("%d residents, want both", n)
		}
	})
}

// The keys are the caller's again when Prefetch returns, also while it was waiting for the budget: the race detector looks.
func TestPrefetchLeavesTheKeysToTheirOwner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithRequestBudget(60, 2))
		keys := make([]entcache.Key, 10)
		for i := range keys {
			keys[i].CustomerID = fmt.Sprintf("customer-%d", i)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if err := w.client.Prefetch(ctx, keys, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Prefetch = %v, want ctx's error", err)
		}
		clear(keys)
		w.after(time.Minute)
		if n := w.client.Stats().Fetches; n > 5 {
			t.Errorf("%d fetches, and the budget had tokens for four", n)
		}
	})
}

// Nothing is asked for any more once ctx has ended, however much the budget allows.
func TestPrefetchAsksNothingAfterItWasGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		ctx, cancel := context.WithCancel(t.Context())
		keys := make([]entcache.Key, 200)
		for i := range keys {
			keys[i].CustomerID = fmt.Sprintf("customer-%d", i)
		}
		before := w.client.Stats().Fetches
		if err := w.client.Prefetch(ctx, keys, func(entcache.PrefetchProgress) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("Prefetch = %v, want ctx's error", err)
		}
		w.settle()
		if n := w.client.Stats().Fetches - before; n > 40 {
			t.Errorf("%d fetches, want those that were in the air and a few more", n)
		}
	})
}

func TestBadQueriesAnswerTheFallbackAndSayWhy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		for _, q := range []entcache.Query{
			{FeatureID: "seats"}, {CustomerID: "acme"}, {CustomerID: "acme", FeatureID: "a", CurrencyID: "b"},
			{CustomerID: "acme", FeatureID: "seats", RequestedUsage: -1},
		} {
			d, err := w.client.GetEntitlement(t.Context(), q)
			w.want(d, false, entcache.Fallback)
			if !errors.Is(err, entcache.ErrInvalidQuery) {
				t.Errorf("%+v: %v", q, err)
			}
			if _, ok := w.client.Peek(q); ok {
				t.Errorf("Peek(%+v) is true", q)
			}
		}
		if s := w.client.Stats(); s.Fetches != 0 {
			t.Errorf("%d requests", s.Fetches)
		}
	})
}

func TestAnotherTypeAnswersTheFallback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		for _, how := range []string{"cold", "hot"} {
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "acme", FeatureID: "seats", Type: entcache.TypeBoolean})
			w.want(d, false, entcache.Fallback)
			if d.AccessDeniedReason != entcache.FeatureTypeMismatch || !errors.Is(err, entcache.ErrTypeMismatch) || !strings.Contains(err.Error(), "metered") {
				t.Errorf("%s: %q, %v", how, d.AccessDeniedReason, err)
			}
		}
	})
}

func TestMalformedRepliesChangeNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
		for name, body := range map[string]string{
			"empty": "", "null": "null", "html": "<html>", "no data": "{}", "null data": `{"data":null}`,
			"null state": `{"data":{"entitlementsState":null}}`, "null set": `{"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":null}}}`,
			"wrong type": `{"data":{"entitlementsState":{"entitlementsV2":"all"}}}`, "truncated": `{"data":{"entitlementsState":{"entitlementsV2":[`,
			"huge": `{"data":"` + strings.Repeat("x", 9<<20) + `"}`,
		} {
			w.stigg.Faults().ReplaceReply("GetEntitlementsState", emulator.Reply{Status: 200, Body: body})
			if _, err := w.client.Reload(t.Context(), entcache.Key{CustomerID: "acme"}); err == nil {
				t.Errorf("%s: accepted", name)
			}
			w.want(w.check("acme", "seats", 1), true, entcache.Live)
			w.after(time.Minute) // the key backs off
		}
		w.stigg.Faults().RestoreReply("GetEntitlementsState")
		if _, err := w.client.Reload(t.Context(), entcache.Key{CustomerID: "acme"}); err != nil {
			t.Error(err)
		}
	})
}

// A fallback is for when nothing is known. What Stigg denies stays denied, also when this client does not know the type.
func TestFallbackDoesNotOverruleADenial(t *testing.T) {
	for _, tt := range []struct {
		name string
		g    entcache.Grant
		want entcache.Origin
	}{
		{"unknown type, not granted", entcache.Grant{FeatureType: "JSON"}, entcache.Live},
		{"unknown type, denied as Unknown", entcache.Grant{FeatureType: "JSON", IsGranted: true, AccessDeniedReason: entcache.UnknownReason}, entcache.Live},
		{"denied as another type by Stigg", entcache.Grant{FeatureType: entcache.FeatureBoolean, IsGranted: true, AccessDeniedReason: entcache.FeatureTypeMismatch}, entcache.Live},
		{"unknown type, granted", entcache.Grant{FeatureType: "JSON", IsGranted: true}, entcache.Fallback},
	} {
		bubble(t, func(t *testing.T) {
			tt.g.ID, tt.g.EntitlementUpdatedAt = "f", 1
			w := started(t, entcache.WithSource(oneGrant{grant: tt.g}), entcache.WithFallback(entcache.FallbackValue{HasAccess: true}))
			for range 2 {
				d, _ := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "acme", FeatureID: "f"})
				if d.HasAccess != (tt.want == entcache.Fallback) {
					t.Errorf("%s: access %v, %v %q", tt.name, d.HasAccess, d.Origin, d.AccessDeniedReason)
				}
			}
		})
	}
}

// oneGrant is a source of the same one entitlement for everybody.
type oneGrant struct {
	residentSource
	grant entcache.Grant
}

func (s oneGrant) Fetch(_ context.Context, key entcache.Key) (*entcache.Snapshot, error) {
	return entitlements.NewSnapshot(key, "", []entcache.Grant{s.grant}), nil
}

func TestIdsThatCannotBeToldApartAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		for name, key := range map[string]entcache.Key{
			"customer not UTF-8": {CustomerID: "a\xff"}, "resource not UTF-8": {CustomerID: "a", ResourceID: "\xfe"},
			"customer too long": {CustomerID: strings.Repeat("a", 1025)},
		} {
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: key.CustomerID, ResourceID: key.ResourceID, FeatureID: "seats"})
			w.want(d, false, entcache.Fallback)
			if !errors.Is(err, entcache.ErrInvalidQuery) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := w.client.Entitlements(t.Context(), key); !errors.Is(err, entcache.ErrInvalidQuery) {
				t.Errorf("%s: Entitlements: %v", name, err)
			}
			if _, err := w.client.Reload(t.Context(), key); !errors.Is(err, entcache.ErrInvalidQuery) {
				t.Errorf("%s: Reload: %v", name, err)
			}
			if err := w.client.Prefetch(t.Context(), []entcache.Key{key}, nil); !errors.Is(err, entcache.ErrInvalidQuery) {
				t.Errorf("%s: Prefetch: %v", name, err)
			}
		}
		if s := w.client.Stats(); s.Fetches != 0 {
			t.Errorf("%d requests", s.Fetches)
		}
	})
}

func TestHitsAreCountedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.check("acme", "seats", 1)
		w.stigg.Faults().Refuse(true)
		w.stigg.Faults().CutSockets()
		w.settle()
		before := w.client.Stats()
		for range 10 {
			w.want(w.check("acme", "seats", 1), true, entcache.Stale)
		}
		after := w.client.Stats()
		if hits, stale := after.Hits-before.Hits, after.Stale-before.Stale; hits != 10 || stale != 10 {
			t.Errorf("ten stale checks count as %d hits, %d of them stale", hits, stale)
		}
	})
}

func TestErrorsNameTheCustomerAndTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.stigg.Faults().HangHTTP(true)
		_, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "acme", FeatureID: "seats"})
		// Two clocks end the wait at the same instant, the check's and the fetch's; each says which it was.
		if err == nil || !strings.Contains(err.Error(), `"acme"`) || !strings.Contains(err.Error(), "entitlement timeout") && !strings.Contains(err.Error(), "no answer within 10s") {
			t.Errorf("a server that never answers: %v", err)
		}
		w.stigg.Faults().HangHTTP(false)
		w.stigg.Faults().FailNext(1, emulator.Reply{Status: 401, Body: "go away"})
		if _, err = w.client.Reload(t.Context(), entcache.Key{CustomerID: "globex"}); err == nil || !strings.Contains(err.Error(), "API key refused") {
			t.Errorf("a bare 401: %v", err)
		}
	})
}

// TestOriginsAndStatesAreNamesInJSON, which is what a structured log writes, and are read from them.
func TestOriginsAndStatesAreNamesInJSON(t *testing.T) {
	type both struct {
		Origin entcache.Origin
		State  entcache.State
	}
	for want, v := range map[string]both{
		`{"Origin":"fallback","State":"initializing"}`: {entcache.Fallback, entcache.StateInitializing},
		`{"Origin":"stale","State":"interrupted"}`:     {entcache.Stale, entcache.StateInterrupted},
		`{"Origin":"fetched","State":"live"}`:          {entcache.Fetched, entcache.StateLive},
		`{"Origin":"live","State":"off"}`:              {entcache.Live, entcache.StateOff},
	} {
		text, err := json.Marshal(v)
		if err != nil || string(text) != want {
			t.Errorf("%v in JSON is %s, %v; want %s", v, text, err, want)
		}
		var back both
		if err := json.Unmarshal(text, &back); err != nil || back != v {
			t.Errorf("%s is read as %v, %v", text, back, err)
		}
	}
	for _, text := range []string{`{"Origin":"fresh"}`, `{"State":"dead"}`} {
		if err := json.Unmarshal([]byte(text), new(both)); err == nil || !strings.Contains(err.Error(), "want ") {
			t.Errorf("%s: %v, want an error that says what is known", text, err)
		}
	}
}
