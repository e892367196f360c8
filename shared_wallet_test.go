package entcache_test

import (
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// shared is the demonstration's catalog with a second feature that is paid by credits: an API call costs one, an AI answer two.
func shared() *emulator.Catalog {
	catalog := emulator.DemoCatalog()
	for i := range catalog.Plans {
		for k := range catalog.Plans[i].Entitlements {
			if e := &catalog.Plans[i].Entitlements[k]; catalog.Plans[i].ID == "growth" && e.Feature == "api-calls" {
				e.CreditRate = &emulator.CreditRate{Currency: "ai-credits", Amount: 1}
			}
		}
	}
	return catalog
}

// TestAnAnswerForAnotherFeatureOfTheWalletDoesNotTakeBack: what API calls came to could not be ordered, and fetches fail. The answer to
// a report of AI answers, which the same wallet pays, says nothing of API calls: they stay pending.
func TestAnAnswerForAnotherFeatureOfTheWalletDoesNotTakeBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorldOf(t, emulator.Config{Catalog: shared(), Stamps: emulator.Stamps{Every: time.Minute}})
		w.provision("gee", "growth")
		w.after(time.Second) // a minute has just begun
		w.start(w.client)
		w.report(calls("gee", 3))
		w.flush()
		w.sees("gee", 3, 0)
		w.stigg.Faults().FailOperation("entitlementsState", "OperationTimeout")
		w.report(calls("gee", 36))
		w.flush()
		w.counted("gee", 39)
		w.sees("gee", 39, 36)
		w.after(time.Minute)
		w.report(entcache.UsageReport{CustomerId: "gee", FeatureId: "ai-answers", Value: 1})
		w.flush()
		w.sees("gee", 39, 36)
		w.stigg.Faults().FailOperation("entitlementsState", "")
		w.after(time.Minute)
		w.sees("gee", 39, 0)
		d, err := w.client.GetEntitlement(t.Context(), credits("gee"))
		if err != nil || d.Entitlement.CurrentUsage() != 41 || d.Entitlement.PendingUsage() != 0 {
			t.Errorf("%v credits, %v of them pending (%v), want 41", d.Entitlement.CurrentUsage(), d.Entitlement.PendingUsage(), err)
		}
	})
}

func credits(customer string) entcache.Query {
	return entcache.Query{CustomerID: customer, CurrencyID: "ai-credits"}
}

// TestWhatOthersPayCountsAtOnce, also while reports of this client are not answered for an hour, of one feature of the wallet or of two.
func TestWhatOthersPayCountsAtOnce(t *testing.T) {
	for name, reports := range map[string][]entcache.UsageReport{
		"one feature":  {{CustomerId: "gee", FeatureId: "ai-answers", Value: 25}},
		"two features": {{CustomerId: "gee", FeatureId: "ai-answers", Value: 25}, calls("gee", 50)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorldOf(t, emulator.Config{Catalog: shared()})
				slow := w.slowly("reportUsageBulk")
				w.provision("gee", "growth")
				w.start(w.client)
				used := func() float64 {
					t.Helper()
					d, err := w.client.GetEntitlement(t.Context(), credits("gee"))
					if err != nil {
						t.Fatal(err)
					}
					return d.Entitlement.CurrentUsage()
				}
				mine := 50.0 * float64(len(reports))
				used() // so that it is in memory
				slow.by = time.Hour
				w.report(reports...)
				w.after(3 * time.Second)
				if got := used(); got != mine {
					t.Errorf("%v credits are shown as used, want the %v of this client", got, mine)
				}
				if _, err := w.stigg.Report("gee", "", "ai-answers", 150); err != nil {
					t.Fatal(err)
				}
				w.after(3 * time.Second)
				if got := used(); got < 300 {
					t.Errorf("%v credits are shown as used; Stigg has counted 300 of others", got)
				}
				slow.by = 0
			})
		})
	}
}
