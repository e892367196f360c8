package entcache_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
)

func TestWritesRefuseBadInputWithoutAsking(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		before := w.stigg.Requests()
		ctx := t.Context()
		for name, call := range map[string]func() error{
			"customer without id": func() error {
				_, err := w.client.Customers.Provision(ctx, entcache.ProvisionCustomerInput{})
				return err
			},
			"subscription without customer": func() error {
				_, err := w.client.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{PlanId: "free"})
				return err
			},
			"subscription without plan": func() error {
				_, err := w.client.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{CustomerId: "acme"})
				return err
			},
			"usage without customer": func() error {
				_, err := w.client.Usage.Report(ctx, entcache.ReportUsageInput{FeatureId: "seats"})
				return err
			},
			"usage without feature": func() error {
				_, err := w.client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme"})
				return err
			},
			"usage that is not a number": func() error {
				_, err := w.client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: math.NaN()})
				return err
			},
			"a key that is not UTF-8": func() error {
				_, err := w.client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", IdempotencyKey: new("\xff")})
				return err
			},
			"a key in bulk that is not UTF-8": func() error {
				_, err := w.client.Usage.ReportBulk(ctx, []entcache.UsageReport{{CustomerId: "acme", FeatureId: "seats", IdempotencyKey: new("\xff")}})
				return err
			},
			"a key of an event that is not UTF-8": func() error {
				return w.client.Usage.ReportEvents(ctx, []entcache.UsageEvent{{CustomerId: "acme", EventName: "login", IdempotencyKey: "\xff"}})
			},
			"a key of a consumption that is not UTF-8": func() error {
				_, err := w.client.Credits.Consume(ctx, entcache.ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: 1, IdempotencyKey: "\xff"})
				return err
			},
			"a key of a consumption nobody waits for that is not UTF-8": func() error {
				return w.client.Credits.ConsumeAsync(ctx, []entcache.ConsumeCreditInput{
					{CustomerId: "acme", CurrencyId: "ai-credits", Amount: 1, IdempotencyKey: "\xff"},
				})
			},
			"a customer that is not UTF-8": func() error {
				_, err := w.client.Customers.Provision(ctx, entcache.ProvisionCustomerInput{CustomerId: new("acme\xff")})
				return err
			},
			"usage of a customer that is not UTF-8": func() error {
				_, err := w.client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme\xff", FeatureId: "seats"})
				return err
			},
			"usage of a resource that is not UTF-8": func() error {
				_, err := w.client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", ResourceId: new("a\xff"), FeatureId: "seats"})
				return err
			},
			"a consumption of a resource that is not UTF-8": func() error {
				_, err := w.client.Credits.Consume(ctx, entcache.ConsumeCreditInput{CustomerId: "acme", ResourceId: new("a\xff"), CurrencyId: "ai-credits", Amount: 1})
				return err
			},
			"an add-on that is not UTF-8": func() error {
				_, err := w.client.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{
					CustomerId: "acme", PlanId: "free", Addons: []entcache.SubscriptionAddonInput{{AddonId: "a\xff", Quantity: new(1)}},
				})
				return err
			},
		} {
			if err := call(); !errors.Is(err, entcache.ErrBadInput) {
				t.Errorf("%s: %v, want ErrBadInput", name, err)
			}
		}
		if after := w.stigg.Requests(); len(after) != len(before) {
			t.Errorf("requests went out: %v, then %v", before, after)
		}
	})
}

func TestWriteErrorsSayWhatStiggSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		_, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "nobody", FeatureId: "seats", Value: 1})
		e, ok := errors.AsType[*entcache.APIError](err)
		if !errors.Is(err, entcache.ErrNotFound) || !ok || e.Code != "CustomerNotFound" || e.TraceID == "" || e.Op != "ReportUsage" {
			t.Errorf("report for nobody: %v (%+v)", err, e)
		}
		if _, err := w.client.Subscriptions.Provision(t.Context(), entcache.ProvisionSubscriptionInput{CustomerId: "acme", PlanId: "platinum"}); !errors.Is(err, entcache.ErrNotFound) {
			t.Errorf("unknown plan: %v", err)
		}
	})
}

func TestRepeatedReportCountsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "seats", 0), true, entcache.Fetched)
		// Stigg counts the report, and a gateway loses the answer; the client cannot know.
		w.stigg.Faults().ReplaceReply("ReportUsage", emulator.Reply{Status: http.StatusBadGateway, Body: "<html>bad gateway</html>"})
		time.AfterFunc(50*time.Millisecond, func() { w.stigg.Faults().RestoreReply("ReportUsage") })
		out, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1})
		if err != nil || *out.CurrentUsage != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		for range 3 {
			if _, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{
				CustomerId: "acme", FeatureId: "seats", Value: 1, IdempotencyKey: new("the caller's own"),
			}); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.check("acme", "seats", 0).Entitlement.CurrentUsage(); got != 2 {
			t.Errorf("usage %v, want 2: one generated key, one of the caller's", got)
		}
		if n := w.stigg.Requests()["reportUsage"]; n != 5 {
			t.Errorf("%d reports sent, want 5: one twice, one three times", n)
		}
	})
}

func TestReportCanReplace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		for _, v := range []float64{5, 1} {
			if _, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{
				CustomerId: "globex", FeatureId: "seats", Value: v, UpdateBehavior: new(entcache.UsageSet),
			}); err != nil {
				t.Fatal(err)
			}
			if got := w.check("globex", "seats", 0).Entitlement.CurrentUsage(); got != v {
				t.Errorf("usage %v, want %v", got, v)
			}
		}
	})
}

func TestCreditsPaidByAReportAreVisible(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("globex", "growth")
		wallet := func() entcache.Decision {
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "globex", CurrencyID: "ai-credits", RequestedUsage: 1})
			if err != nil {
				t.Error(err)
			}
			return d
		}
		w.want(wallet(), true, entcache.Fetched)
		w.stigg.Faults().DropEvents(1000) // the answer alone must do
		if _, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "globex", FeatureId: "ai-answers", Value: 250}); err != nil {
			t.Fatal(err)
		}
		d := wallet()
		if d.HasAccess || d.AccessDeniedReason != entcache.InsufficientCredits || d.Entitlement.CurrentUsage() != 500 {
			t.Errorf("wallet after 250 answers at 2 credits: %v %q, %v used", d.HasAccess, d.AccessDeniedReason, d.Entitlement.CurrentUsage())
		}
		if d := w.check("globex", "ai-answers", 1); d.HasAccess {
			t.Error("a feature is granted whose wallet is empty")
		}
	})
}

// slowFirst is a source whose first answer is decided at once and arrives when it is let go; every later one is newer.
type slowFirst struct {
	residentSource
	mu    sync.Mutex
	asked int
	let   chan struct{}
}

func (s *slowFirst) Fetch(ctx context.Context, key entcache.Key) (*entitlements.Snapshot, error) {
	s.mu.Lock()
	s.asked++
	n := s.asked
	s.mu.Unlock()
	if n == 1 {
		<-s.let
	}
	return entitlements.NewSnapshot(key, "", []entcache.Grant{{
		ID: "sso", FeatureType: entitlements.FeatureBoolean, IsGranted: n > 1, EntitlementUpdatedAt: entitlements.Instant(n),
	}}), nil
}

func TestWriteDuringAFillIsNotHiddenByIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		source := &slowFirst{let: make(chan struct{})}
		w := started(t, entcache.WithSource(source))
		var wg sync.WaitGroup
		wg.Go(func() { w.check("acme", "sso", 0) })
		w.settle() // the first answer is decided, and on its way
		if _, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1}); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if d := w.check("acme", "sso", 0); !d.HasAccess {
				t.Errorf("a check that began after the write does not see it: %v %q", d.Origin, d.AccessDeniedReason)
			}
		})
		w.settle()
		close(source.let)
		wg.Wait()
	})
}

func TestWriteWithUnknownOutcomeIsFoundOutByTheNextCheck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithWriteTimeout(time.Second))
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.stigg.Faults().DropEvents(1000)
		w.stigg.Faults().HangHTTP(true)
		_, err := w.client.Subscriptions.Provision(t.Context(), entcache.ProvisionSubscriptionInput{CustomerId: "acme", PlanId: "growth"})
		if e, ok := errors.AsType[*entcache.APIError](err); !ok || !e.OutcomeUnknown() {
			t.Fatalf("provision: %v", err)
		}
		w.answersSlowly()
		w.stigg.Faults().HangHTTP(false)
		w.provision("acme", "growth") // it had arrived after all
		w.want(w.check("acme", "sso", 0), true, entcache.Fetched)
	})
}

func TestWriteSucceedsThoughItsRefreshFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
		// The answer does not say what the usage is now, so the next check has to ask; and that fails.
		w.stigg.Faults().ReplaceReply("ReportUsage", emulator.Reply{Status: 200, Body: `{"data":{"reportUsage":{"id":"1","featureId":"seats","customerId":"acme","resourceId":null,"currentUsage":null,"credit":null,"usagePeriodStart":null,"usagePeriodEnd":null,"nextResetDate":null,"timestamp":"2026-11-22T00:00:00.000Z"}}}`})
		w.stigg.Faults().FailOperation("GetEntitlementsState", "UnexpectedError")
		if _, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1}); err != nil {
			t.Errorf("the write failed: %v", err)
		}
		w.want(w.check("acme", "seats", 1), true, entcache.Stale)
		w.stigg.Faults().Clear()
		w.after(time.Minute)
		if d := w.check("acme", "seats", 1); d.Origin == entcache.Stale {
			t.Errorf("still %v after the server recovered", d.Origin)
		}
	})
}

func TestWritesWorkBeforeStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.client.Customers.Provision(context.Background(), entcache.ProvisionCustomerInput{CustomerId: new("early")}); err != nil {
			t.Error(err)
		}
		w.start(w.client)
		w.want(w.check("early", "seats", 1), true, entcache.Fetched)
	})
}

// A customer that did not exist is cached as that, and so are its resources; provisioning one resource makes all of them exist.
func TestProvisioningAResourceIsVisibleAtEveryLevel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithoutRealtime())
		ask := func(resource string) entcache.Decision {
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "newco", ResourceID: resource, FeatureID: "seats"})
			if err != nil {
				t.Error(err)
			}
			return d
		}
		for _, r := range []string{"", "r1", "r2"} {
			if d := ask(r); d.AccessDeniedReason != entcache.CustomerNotFound {
				t.Errorf("%q before: %q", r, d.AccessDeniedReason)
			}
		}
		if _, err := w.client.Customers.Provision(t.Context(), entcache.ProvisionCustomerInput{
			CustomerId:         new("newco"),
			SubscriptionParams: &entcache.ProvisionCustomerSubscriptionInput{PlanId: "free", ResourceId: new("r1")},
		}); err != nil {
			t.Fatal(err)
		}
		if d := ask("r1"); !d.HasAccess {
			t.Errorf("r1 after: %q, %v", d.AccessDeniedReason, d.Origin)
		}
		for _, r := range []string{"", "r2"} {
			if d := ask(r); d.AccessDeniedReason == entcache.CustomerNotFound {
				t.Errorf("%q after: %q, %v", r, d.AccessDeniedReason, d.Origin)
			}
		}
	})
}

// An answer that does not carry the new set leaves the next check to ask for it.
func TestAnswerWithoutASetIsMadeUpForByTheNextCheck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.want(w.check("globex", "sso", 0), false, entcache.Fetched)
		w.stigg.Faults().DropEvents(1000)
		w.provision("acme", "growth") // what the write below does, as its answer is made up
		customer := `{"id":"1","customerId":"acme","refId":"acme","name":null,"email":null,"createdAt":null,"updatedAt":"2026-11-22T00:00:00.000Z","billingId":null,"additionalMetaData":null,"awsMarketplaceCustomerId":null}`
		w.stigg.Faults().ReplaceReply("ProvisionCustomer", emulator.Reply{Body: `{"data":{"provisionCustomer":{"customer":` + customer + `,"subscriptionDecisionStrategy":"REQUESTED_PLAN","subscription":null,"entitlementsV2":null}}}`})
		if _, err := w.client.Customers.Provision(t.Context(), entcache.ProvisionCustomerInput{
			CustomerId: new("acme"), SubscriptionParams: &entcache.ProvisionCustomerSubscriptionInput{PlanId: "growth"},
		}); err != nil {
			t.Fatal(err)
		}
		w.shows("acme", "sso")

		w.stigg.Faults().ReplaceReply("ProvisionSubscription", emulator.Reply{Body: `{"data":{"provisionSubscriptionV2":{"status":"SUCCESS","checkoutUrl":null,"checkoutBillingId":null,"subscription":null,"entitlementsV2":null}}}`})
		if _, err := w.client.Subscriptions.Provision(t.Context(), entcache.ProvisionSubscriptionInput{CustomerId: "globex", PlanId: "growth", SkipTrial: new(true)}); err != nil {
			t.Fatal(err)
		}
		w.shows("globex", "sso")
	})
}

// shows wants a check that shows what was written: because it waited for a fetch, or because one had landed already.
func (w *world) shows(customer, feature string) {
	w.Helper()
	if d := w.check(customer, feature, 0); !d.HasAccess || d.Origin < entcache.Fetched {
		w.Errorf("%s of %s after it was written: access %v, %v; want access, fetched or live", feature, customer, d.HasAccess, d.Origin)
	}
}

func TestPaymentRequiredChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.stigg.Faults().ReplaceReply("ProvisionSubscription", emulator.Reply{Body: `{"data":{"provisionSubscriptionV2":{"status":"PAYMENT_REQUIRED","checkoutUrl":"https://pay.test","checkoutBillingId":"b","subscription":null,"entitlementsV2":null}}}`})
		w.stigg.Faults().DropEvents(1000)
		out, err := w.client.Subscriptions.Provision(t.Context(), entcache.ProvisionSubscriptionInput{CustomerId: "acme", PlanId: "growth"})
		if err != nil || out.Status != entcache.ProvisionPaymentRequired || out.CheckoutUrl == nil {
			t.Fatalf("%+v, %v", out, err)
		}
		w.want(w.check("acme", "sso", 0), false, entcache.Live)
	})
}

// lateAnswer is a connection on which the answer to one operation takes two seconds.
type lateAnswer struct {
	net.Conn
	operation string
	asked     atomic.Bool
}

func (c *lateAnswer) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.operation)) {
		c.asked.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *lateAnswer) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.asked.Swap(false) {
		time.Sleep(2 * time.Second)
	}
	return n, err
}

// A fetch of the customer saw what was written before the answer to the write came. The answer was then no news, and the
// customer's resources were believed to be as before.
func TestWriteIsSeenInAResourceAlthoughAFetchSawItFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var w *world
		w = newWorld(t, entcache.WithoutRealtime(), entcache.WithDialContext(func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := w.pipe.DialContext(ctx, network, addr)
			return &lateAnswer{Conn: c, operation: `"operationName":"ProvisionSubscription"`}, err
		}))
		w.start(w.client)
		if err := w.stigg.Provision("globex", "site", "starter"); err != nil {
			t.Fatal(err)
		}
		customer, site := entcache.Key{CustomerID: "globex"}, entcache.Query{CustomerID: "globex", ResourceID: "site", FeatureID: "sso"}
		w.check("globex", "sso", 0)
		if d, err := w.client.GetEntitlement(t.Context(), site); d.HasAccess || err != nil {
			t.Fatalf("before: access %v, %v", d.HasAccess, err)
		}
		time.AfterFunc(time.Second, func() { w.client.Reload(t.Context(), customer) })
		if _, err := w.client.Subscriptions.Provision(t.Context(), entcache.ProvisionSubscriptionInput{CustomerId: "globex", PlanId: "growth", SkipTrial: new(true)}); err != nil {
			t.Fatal(err)
		}
		w.want(w.check("globex", "sso", 0), true, entcache.Live)
		if d, err := w.client.GetEntitlement(t.Context(), site); !d.HasAccess || err != nil {
			t.Errorf("the resource, after the write to its customer: access %v, %v, %v; want what was written", d.HasAccess, d.Origin, err)
		}
	})
}

// TestABulkReportWithFewerAnswers says so, where nobody could tell which answer is whose, and the next check asks.
func TestABulkReportWithFewerAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.check("acme", "seats", 0)
		w.stigg.Faults().ReplaceReply("reportUsageBulk", emulator.Reply{
			Body: `{"data":{"reportUsageBulk":[{"id":"1","featureId":"seats","customerId":"acme","resourceId":null,"currentUsage":1,"timestamp":"2026-01-01T00:00:00.000Z"}]}}`,
		})
		w.answersSlowly()
		list, err := w.client.Usage.ReportBulk(t.Context(), []entcache.UsageReport{
			{CustomerId: "acme", FeatureId: "seats", Value: 1}, {CustomerId: "acme", FeatureId: "api-calls", Value: 2},
		})
		if list != nil || !errors.Is(err, entcache.ErrMalformed) || !strings.Contains(err.Error(), "1 answers to 2 reports") {
			t.Errorf("%v, %v", list, err)
		}
		if d := w.check("acme", "api-calls", 0); d.Entitlement.CurrentUsage() != 2 || d.Origin != entcache.Fetched {
			t.Errorf("%v used, %v", d.Entitlement.CurrentUsage(), d.Origin)
		}
	})
}
