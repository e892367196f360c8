package entcache_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// credits is what a check of a wallet says: what is left, of how much, and whether it can pay.
func (w *world) credits(customer, resource string) string {
	w.Helper()
	d, err := w.client.GetEntitlement(w.Context(), entcache.Query{CustomerID: customer, ResourceID: resource, CurrencyID: "ai-credits"})
	if err != nil {
		w.Errorf("check of the wallet of %s %s: %v", customer, resource, err)
	}
	limit, _ := d.Entitlement.UsageLimit()
	return fmt.Sprintf("%v of %v, %v", limit-d.Entitlement.CurrentUsage(), limit, d.HasAccess)
}

func (w *world) wantCredits(customer, resource, want string) {
	w.Helper()
	if got := w.credits(customer, resource); got != want {
		w.Errorf("a check of the wallet of %s %s shows %s, want %s", customer, resource, got, want)
	}
}

func gift(customer string, amount float64) entcache.CreditGrantInput {
	return entcache.CreditGrantInput{CustomerId: customer, CurrencyId: "ai-credits", DisplayName: "gift", GrantType: entcache.GrantPromotional, Amount: amount}
}

func consumption(customer string, amount float64) entcache.ConsumeCreditInput {
	return entcache.ConsumeCreditInput{CustomerId: customer, CurrencyId: "ai-credits", Amount: amount}
}

// Each write to a wallet is seen by the next check of this client, whether the stream brings it or not.
func TestEachWriteToAWalletIsVisibleToTheNextCheck(t *testing.T) {
	for name, opts := range map[string][]entcache.Option{
		"realtime": nil, "polling": {entcache.WithoutRealtime()}, "without local usage": {entcache.WithLocalUsage(false)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := started(t, opts...)
				ctx, c := t.Context(), w.client
				w.stigg.Faults().DropEvents(1000)
				w.wantCredits("globex", "", "0 of 0, false")
				w.wantCredits("globex", "site", "0 of 0, false")
				g, err := c.Credits.Grant(ctx, gift("globex", 10))
				if err != nil {
					t.Fatal(err)
				}
				w.wantCredits("globex", "", "10 of 10, true")
				out, err := c.Credits.Consume(ctx, consumption("globex", 4))
				if err != nil || out.Amount != 4 || out.Credit == nil || out.Credit.CurrentUsage != 4 || out.Credit.UsageLimit != 10 {
					t.Errorf("consumed %+v, %v", out, err)
				}
				w.wantCredits("globex", "", "6 of 10, true")
				if _, err := c.Credits.Consume(ctx, consumption("globex", 6.5)); err != nil {
					t.Fatal(err)
				}
				w.wantCredits("globex", "", "-0.5 of 10, false")
				of := gift("globex", 7)
				of.ResourceId = new("site")
				if _, err := c.Credits.Grant(ctx, of); err != nil {
					t.Fatal(err)
				}
				w.wantCredits("globex", "site", "7 of 7, true")
				w.wantCredits("globex", "", "-0.5 of 10, false")
				// A recharge by the settings, and one by what is consumed: the answer to that shows a limit that memory does not.
				if _, err := c.Credits.SaveAutomaticRecharge(ctx, entcache.SaveAutomaticRechargeInput{
					CustomerId: "globex", CurrencyId: "ai-credits", IsEnabled: true, ThresholdValue: new(5.0), TargetBalance: new(20.0),
				}); err != nil {
					t.Fatal(err)
				}
				w.wantCredits("globex", "", "20 of 30.5, true")
				if _, err := c.Credits.Consume(ctx, consumption("globex", 16)); err != nil {
					t.Fatal(err)
				}
				w.wantCredits("globex", "", "20 of 46.5, true")
				if g, err = c.Credits.Void(ctx, g.GrantId); err != nil || g.Status != "VOIDED" || g.VoidedAt == nil {
					t.Errorf("voided %+v, %v", g, err)
				}
				w.wantCredits("globex", "", "20 of 36.5, true")
				if _, err := c.Credits.Void(ctx, "credit-grant"); !errors.Is(err, entcache.ErrNotFound) {
					t.Errorf("voiding what does not exist: %v", err)
				}
			})
		})
	}
}

// What the client does not hear of is told by the stream.
func TestConsumptionForLaterArrivesOverTheStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("acme", "growth")
		w.wantCredits("acme", "", "500 of 500, true")
		list := []entcache.ConsumeCreditInput{consumption("acme", 3), consumption("acme", 4)}
		if err := w.client.Credits.ConsumeAsync(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		if list[0].IdempotencyKey != "" {
			t.Error("what the caller gave was written to")
		}
		w.after(time.Second)
		w.wantCredits("acme", "", "493 of 500, true")
	})
}

// The answer to a consumption is lost. It is sent again, with the same key, and the credits are taken once.
func TestRepeatedConsumptionTakesOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("acme", "growth")
		w.credits("acme", "")
		w.stigg.Faults().ReplaceReply("consumeCredits", emulator.Reply{Status: http.StatusBadGateway, Body: "<html>"})
		time.AfterFunc(50*time.Millisecond, func() { w.stigg.Faults().RestoreReply("consumeCredits") })
		if _, err := w.client.Credits.Consume(t.Context(), consumption("acme", 5)); err != nil {
			t.Fatal(err)
		}
		if n := w.stigg.Requests()["consumeCredits"]; n < 2 {
			t.Errorf("it was sent %d times", n)
		}
		w.wantCredits("acme", "", "495 of 500, true")
		in := consumption("acme", 5)
		in.IdempotencyKey = "mine"
		for range 2 {
			if _, err := w.client.Credits.Consume(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			w.wantCredits("acme", "", "490 of 500, true")
		}
	})
}

// A wallet is drawn on by reports that are under way while it is consumed. Each counts at once, and once.
func TestConsumptionWhileReportsAreUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("acme", "growth")
		w.wantCredits("acme", "", "500 of 500, true")
		w.report(entcache.UsageReport{CustomerId: "acme", FeatureId: "ai-answers", Value: 10})
		w.wantCredits("acme", "", "480 of 500, true")
		w.stigg.Faults().ReplaceReply("reportUsageBulk", emulator.Reply{Status: http.StatusBadGateway, Body: "<html>"})
		w.after(2 * time.Second) // Stigg has counted it, and nobody here knows
		w.wantCredits("acme", "", "480 of 500, true")
		if out, err := w.client.Credits.Consume(t.Context(), consumption("acme", 5)); err != nil || out.Credit.CurrentUsage != 25 {
			t.Fatalf("%+v, %v", out, err)
		}
		w.wantCredits("acme", "", "475 of 500, true")
		w.after(time.Second)
		w.wantCredits("acme", "", "475 of 500, true")
		w.stigg.Faults().RestoreReply("reportUsageBulk")
		w.flush()
		w.wantCredits("acme", "", "475 of 500, true")
		if d := w.check("acme", "ai-answers", 0); d.Entitlement.CurrentUsage() != 10 || d.Entitlement.PendingUsage() != 0 {
			t.Errorf("%v answers, %v pending", d.Entitlement.CurrentUsage(), d.Entitlement.PendingUsage())
		}
		w.after(time.Minute)
		w.wantCredits("acme", "", "475 of 500, true")
	})
}

// What a wallet was granted, what became of it, and what it would cost: every list with all of its pages.
func TestAWalletIsShown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("acme", "growth")
		ctx, c := t.Context(), w.client
		for range 60 {
			if _, err := c.Credits.Grant(ctx, gift("acme", 1)); err != nil {
				t.Fatal(err)
			}
		}
		in := consumption("acme", 30)
		in.Dimensions = new(json.RawMessage(`{"model":"m"}`))
		if _, err := c.Credits.Consume(ctx, in); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "ai-answers", Value: 1}); err != nil {
			t.Fatal(err)
		}
		grants, seen := 0, map[string]bool{}
		for g, err := range c.Credits.Grants(ctx, entcache.CreditGrantsInput{CustomerId: "acme"}) {
			if err != nil {
				t.Fatal(err)
			}
			if grants++; seen[g.GrantId] {
				t.Errorf("%s twice", g.GrantId)
			}
			seen[g.GrantId] = true
		}
		if n := w.stigg.Requests()["creditGrants"]; grants != 61 || n != 3 {
			t.Errorf("%d grants in %d pages, want 61 in 3", grants, n)
		}
		sum := 0.0
		for x, err := range c.Credits.Ledger(ctx, entcache.CreditLedgerInput{CustomerId: "acme"}) {
			if err != nil {
				t.Fatal(err)
			}
			sum += x.Amount
		}
		balances, err := c.Credits.Balance(ctx, entcache.CreditBalanceInput{CustomerId: "acme"})
		if err != nil || len(balances) != 1 || balances[0].CurrentBalance != 528 || sum != 528 {
			t.Errorf("balances %+v, %v; the ledger says %v", balances, err, sum)
		}
		for range c.Credits.Ledger(ctx, entcache.CreditLedgerInput{CustomerId: "acme", EventType: []entcache.CreditLedgerEventType{entcache.LedgerConsumed}}) {
			break // and no more pages are asked for
		}
		usage, err := c.Credits.Usage(ctx, entcache.CreditUsageInput{CustomerId: "acme"})
		if err != nil || len(usage.Series) != 2 || usage.Series[0].TotalCredits != 30 || usage.Series[1].TotalCredits != 2 || usage.Currency.CurrencyId != "ai-credits" {
			t.Errorf("usage %+v, %v", usage, err)
		}
		estimate, err := c.Usage.EstimateUsageCost(ctx, entcache.EstimateUsageCostInput{CustomerId: "acme", FeatureId: "ai-answers", Value: 300})
		if err != nil || len(estimate.Estimates) != 1 || estimate.Estimates[0].EstimatedCost != 600 || !estimate.Estimates[0].WouldOverdraft {
			t.Errorf("estimate %+v, %v", estimate, err)
		}
		event, err := c.Usage.EstimateEventCost(ctx, entcache.EstimateEventCostInput{CustomerId: "acme", EventName: "signed-in", Dimensions: new(json.RawMessage(`{"user":"ann"}`))})
		if err != nil || len(event.Estimates) != 0 || len(event.Warnings) != 1 {
			t.Errorf("estimate of an event %+v, %v", event, err)
		}
		recharge, err := c.Credits.AutomaticRecharge(ctx, "acme", "ai-credits")
		if err != nil || recharge.IsEnabled || recharge.CreatedAt != nil {
			t.Errorf("recharge %+v, %v", recharge, err)
		}
	})
}

// TestOneListCanBeRangedOverByManyAtOnce: each has all of it. (The race detector sees it if they share a question.)
func TestOneListCanBeRangedOverByManyAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		const grants = 60 // of which a page has 25
		for range grants {
			if _, err := w.client.Credits.Grant(t.Context(), gift("acme", 1)); err != nil {
				t.Fatal(err)
			}
			w.after(3 * time.Second) // Stigg takes 30 changes a minute of one customer
		}
		given := w.client.Credits.Grants(t.Context(), entcache.CreditGrantsInput{CustomerId: "acme"})
		happened := w.client.Credits.Ledger(t.Context(), entcache.CreditLedgerInput{CustomerId: "acme"})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				seen := map[string]bool{}
				for g, err := range given {
					if err != nil {
						t.Error(err)
					}
					seen[g.GrantId] = true
				}
				if n, err := lengthOf(happened); len(seen) != grants || n != grants || err != nil {
					t.Errorf("%d grants and %d entries, want %d of each (%v)", len(seen), n, grants, err)
				}
			})
		}
		wg.Wait()
	})
}

// TestUsageOfCreditsWithoutEndIsAnError, instead of all the memory there is.
func TestUsageOfCreditsWithoutEndIsAnError(t *testing.T) {
	var asked atomic.Int64
	stigg := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, `{"data":{"creditUsage":{"currency":null,"series":[{"featureId":"f","totalCredits":1,"points":[]}],
			"pageInfo":{"hasNextPage":true,"endCursor":"%d"}}}}`, asked.Add(1))
	}))
	defer stigg.Close()
	c, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(stigg.URL), entcache.WithProxy(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	usage, err := c.Credits.Usage(t.Context(), entcache.CreditUsageInput{CustomerId: "acme"})
	if usage != nil || !errors.Is(err, entcache.ErrMalformed) || asked.Load() != 1000 {
		t.Errorf("asked %d times: %v; want ErrMalformed after 1,000", asked.Load(), err)
	}
}
