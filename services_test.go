package entcache_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// service is one method of a service, called with what it takes at least, on a world whose customer acme has a subscription.
type service struct {
	operation string // Stigg's
	field     string // the root field
	repeated  bool   // also when the outcome of the first is unknown
	reads     bool
	call      func(context.Context, *entcache.Client, string) error // given the id of acme's subscription
}

func discard[T any](_ T, err error) error { return err }

func drain[T any](list func(func(T, error) bool)) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

var services = map[string]service{
	"Customers.Provision": {"ProvisionCustomer", "provisionCustomer", true, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.Provision(ctx, entcache.ProvisionCustomerInput{CustomerId: new("acme")}))
	}},
	"Customers.Update": {"UpdateCustomer", "updateOneCustomer", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.Update(ctx, entcache.UpdateCustomerInput{CustomerId: new("acme"), Name: new("Acme")}))
	}},
	"Customers.Get": {"GetCustomerById", "getCustomerByRefId", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.Get(ctx, "acme"))
	}},
	"Customers.Archive": {"ArchiveCustomer", "archiveCustomer", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return c.Customers.Archive(ctx, "acme")
	}},
	"Customers.Unarchive": {"UnarchiveCustomer", "unarchiveCustomer", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.Unarchive(ctx, "acme"))
	}},
	"Customers.Import": {"ImportCustomer", "importOneCustomer", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.Import(ctx, entcache.ImportCustomerInput{CustomerId: new("acme"), Name: new("Acme")}))
	}},
	"Customers.ImportBulk": {"ImportCustomerBulk", "importCustomersBulk", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.ImportBulk(ctx, entcache.ImportCustomerBulkInput{Customers: []entcache.ImportCustomerInput{{CustomerId: new("acme")}}}))
	}},
	"Customers.DetachPaymentMethod": {"DetachCustomerPaymentMethod", "detachCustomerPaymentMethod", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.DetachPaymentMethod(ctx, "acme"))
	}},
	"Subscriptions.Provision": {"ProvisionSubscription", "provisionSubscriptionV2", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{CustomerId: "acme", PlanId: "starter"}))
	}},
	"Subscriptions.Apply": {"ApplySubscription", "applySubscription", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.Apply(ctx, entcache.ApplySubscriptionInput{CustomerId: "acme", PlanId: "starter"}))
	}},
	"Subscriptions.Update": {"UpdateSubscription", "updateOneSubscription", false, false, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Subscriptions.Update(ctx, entcache.UpdateSubscriptionInput{SubscriptionId: &id}))
	}},
	"Subscriptions.Cancel": {"CancelSubscription", "cancelSubscription", false, false, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Subscriptions.Cancel(ctx, entcache.SubscriptionCancellationInput{SubscriptionRefId: id}))
	}},
	"Subscriptions.CancelScheduledUpdates": {"CancelSubscriptionUpdates", "cancelSchedule", false, false, func(ctx context.Context, c *entcache.Client, id string) error {
		return c.Subscriptions.CancelScheduledUpdates(ctx, id)
	}},
	"Subscriptions.Create": {"CreateSubscription", "createSubscription", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.Create(ctx, entcache.CreateSubscriptionInput{CustomerId: "acme", PlanId: "starter"}))
	}},
	"Subscriptions.ImportBulk": {"ImportSubscriptionsBulk", "importSubscriptionsBulk", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.ImportBulk(ctx, entcache.ImportSubscriptionsBulkInput{
			Subscriptions: []entcache.ImportSubscriptionInput{{CustomerId: "acme", PlanId: "starter"}}}))
	}},
	"Subscriptions.MigrateToLatest": {"MigrateSubscriptionToLatest", "migrateSubscriptionToLatest", false, false, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Subscriptions.MigrateToLatest(ctx, entcache.SubscriptionMigrationInput{SubscriptionId: id}))
	}},
	"Subscriptions.Transfer": {"TransferSubscription", "transferSubscription", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.Transfer(ctx, entcache.TransferSubscriptionInput{CustomerId: "acme", SourceResourceId: "site", DestinationResourceId: "shop"}))
	}},
	"Subscriptions.TransferToResource": {"TransferSubscriptionToResource", "transferSubscriptionToResource", false, false, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Subscriptions.TransferToResource(ctx, entcache.TransferSubscriptionToResourceInput{SubscriptionId: id, DestinationResourceId: new("shop")}))
	}},
	"Subscriptions.Delegate": {"DelegateSubscriptionToCustomer", "delegateSubscriptionToCustomer", false, false, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Subscriptions.Delegate(ctx, entcache.DelegateSubscriptionToCustomerInput{SubscriptionId: id, DestinationCustomerId: new("globex")}))
	}},
	"Subscriptions.PreviewNextInvoice": {"PreviewNextInvoice", "previewNextInvoice", true, true, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Subscriptions.PreviewNextInvoice(ctx, id))
	}},
	"Subscriptions.Get": {"GetSubscription", "getSubscription", true, true, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Subscriptions.Get(ctx, id))
	}},
	"Subscriptions.List": {"GetSubscriptions", "subscriptions", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return drain(c.Subscriptions.List(ctx, nil))
	}},
	"Subscriptions.ActiveList": {"GetActiveSubscriptionsList", "getActiveSubscriptions", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.ActiveList(ctx, "acme"))
	}},
	"Subscriptions.Active": {"GetActiveSubscriptions", "getActiveSubscriptions", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.Active(ctx, "acme"))
	}},
	"Subscriptions.Estimate": {"EstimateSubscription", "estimateSubscription", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.Estimate(ctx, entcache.EstimateSubscriptionInput{CustomerId: "acme", PlanId: "starter"}))
	}},
	"Subscriptions.EstimateUpdate": {"EstimateSubscriptionUpdate", "estimateSubscriptionUpdate", true, true, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Subscriptions.EstimateUpdate(ctx, entcache.EstimateSubscriptionUpdateInput{SubscriptionId: id}))
	}},
	"Subscriptions.Preview": {"PreviewSubscription", "previewSubscription", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Subscriptions.Preview(ctx, entcache.PreviewSubscriptionInput{CustomerId: "acme", PlanId: "starter"}))
	}},
	"Usage.Report": {"ReportUsage", "reportUsage", true, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1}))
	}},
	"Usage.ReportBulk": {"ReportUsageBulk", "reportUsageBulk", true, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Usage.ReportBulk(ctx, []entcache.UsageReport{{CustomerId: "acme", FeatureId: "seats", Value: 1}}))
	}},
	"Usage.ReportEvents": {"ReportEvent", "reportEvent", true, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return c.Usage.ReportEvents(ctx, []entcache.UsageEvent{{CustomerId: "acme", EventName: "signed-in"}})
	}},
	"Usage.History": {"GetUsageHistoryV2", "usageHistoryV2", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Usage.History(ctx, entcache.UsageHistoryInput{CustomerId: "acme", FeatureId: "seats", StartDate: entcache.DateTime{Time: time.Now()}}))
	}},
	"Usage.HistoryV1": {"GetUsageHistory", "usageHistory", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Usage.HistoryV1(ctx, entcache.UsageHistoryV1Input{CustomerRefId: "acme", FeatureRefId: "seats", StartDate: entcache.DateTime{Time: time.Now()}}))
	}},
	"Promotions.Grant": {"GrantPromotionalEntitlements", "grantPromotionalEntitlements", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{CustomerId: "acme",
			PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{{FeatureId: "sso", Period: entcache.PromotionLifetime}}}))
	}},
	"Promotions.Revoke": {"RevokePromotionalEntitlement", "revokePromotionalEntitlement", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return c.Promotions.Revoke(ctx, "acme", "sso")
	}},
	"Usage.EstimateUsageCost": {"EstimateUsageCost", "estimateUsageCost", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Usage.EstimateUsageCost(ctx, entcache.EstimateUsageCostInput{CustomerId: "acme", FeatureId: "seats", Value: 1}))
	}},
	"Usage.EstimateEventCost": {"EstimateEventCost", "estimateEventCost", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Usage.EstimateEventCost(ctx, entcache.EstimateEventCostInput{CustomerId: "acme", EventName: "signed-in"}))
	}},
	"Credits.Consume": {"ConsumeCredits", "consumeCredits", true, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Credits.Consume(ctx, entcache.ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: 1}))
	}},
	"Credits.ConsumeAsync": {"ConsumeCreditsAsync", "consumeCreditsAsync", true, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return c.Credits.ConsumeAsync(ctx, []entcache.ConsumeCreditInput{{CustomerId: "acme", CurrencyId: "ai-credits", Amount: 1}})
	}},
	"Credits.Grant": {"GrantCredits", "createCreditGrant", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Credits.Grant(ctx, entcache.CreditGrantInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: 1, DisplayName: "x", GrantType: entcache.GrantPromotional}))
	}},
	"Credits.Void": {"VoidCreditGrant", "voidCreditGrant", false, false, func(ctx context.Context, c *entcache.Client, id string) error {
		return discard(c.Credits.Void(ctx, id))
	}},
	"Credits.Balance": {"GetCreditBalance", "creditBalanceSummary", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Credits.Balance(ctx, entcache.CreditBalanceInput{CustomerId: "acme"}))
	}},
	"Credits.Grants": {"GetCreditGrants", "creditGrants", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return drain(c.Credits.Grants(ctx, entcache.CreditGrantsInput{CustomerId: "acme"}))
	}},
	"Credits.Ledger": {"GetCreditLedger", "creditsLedger", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return drain(c.Credits.Ledger(ctx, entcache.CreditLedgerInput{CustomerId: "acme"}))
	}},
	"Credits.Usage": {"GetCreditUsage", "creditUsage", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Credits.Usage(ctx, entcache.CreditUsageInput{CustomerId: "acme"}))
	}},
	"Credits.AutomaticRecharge": {"GetAutomaticRechargeConfiguration", "getAutoRechargeSettings", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Credits.AutomaticRecharge(ctx, "acme", "ai-credits"))
	}},
	"Credits.SaveAutomaticRecharge": {"SaveAutomaticRechargeConfiguration", "saveAutoRechargeSettings", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Credits.SaveAutomaticRecharge(ctx, entcache.SaveAutomaticRechargeInput{CustomerId: "acme", CurrencyId: "ai-credits"}))
	}},
	"Customers.Statistics": {"GetCustomerStatistics", "getCustomerByRefId", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.Statistics(ctx, "acme"))
	}},
	"Customers.Portal": {"GetCustomerPortalByRefId", "customerPortal", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Customers.Portal(ctx, entcache.CustomerPortalInput{CustomerId: "acme"}))
	}},
	"Catalog.Products": {"GetProducts", "products", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return drain(c.Catalog.Products(ctx))
	}},
	"Catalog.Paywall": {"GetPaywall", "paywall", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Catalog.Paywall(ctx, entcache.PaywallInput{CustomerId: new("acme")}))
	}},
	"Catalog.MockPaywall": {"GetMockPaywall", "mockPaywall", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Catalog.MockPaywall(ctx, entcache.PaywallInput{}))
	}},
	"Checkout.State": {"GetCheckoutState", "checkoutState", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Checkout.State(ctx, entcache.CheckoutStateInput{CustomerId: "acme", PlanId: "starter"}))
	}},
	"Checkout.PaymentSession": {"CreatePaymentSession", "createPaymentSession", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Checkout.PaymentSession(ctx, entcache.PaymentSessionInput{CustomerId: "acme", PlanId: "starter"}))
	}},
	"Client.ReportEntitlementCheck": {"ReportEntitlementCheckRequested", "reportEntitlementCheckRequested", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return c.ReportEntitlementCheck(ctx, entcache.Query{CustomerID: "acme", FeatureID: "seats"}, entcache.Decision{HasAccess: true})
	}},
	"Client.SDKConfiguration": {"GetSdkConfiguration", "sdkConfiguration", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.SDKConfiguration(ctx))
	}},
	"Coupons.Create": {"CreateCoupon", "createOneCoupon", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Coupons.Create(ctx, entcache.CreateCouponInput{RefId: "half", Name: "Half", PercentOff: new(50.0)}))
	}},
	"Promotions.GrantGroup": {"GrantPromotionalEntitlementsGroup", "grantPromotionalEntitlementsGroup", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Promotions.GrantGroup(ctx, entcache.GrantPromotionalEntitlementsGroupInput{CustomerId: "acme", FeatureGroupId: "security",
			PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{
				{FeatureId: "sso", Period: entcache.PromotionLifetime}, {FeatureId: "audit-log", Period: entcache.PromotionLifetime},
			}}))
	}},
	"Promotions.RevokeGroup": {"RevokePromotionalEntitlementsGroup", "revokePromotionalEntitlementsGroup", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Promotions.RevokeGroup(ctx, "acme", "security"))
	}},
	"Promotions.UnlinkGroup": {"UnlinkPromotionalEntitlementsGroup", "unlinkPromotionalEntitlementsGroup", false, false, func(ctx context.Context, c *entcache.Client, _ string) error {
		return discard(c.Promotions.UnlinkGroup(ctx, "acme", "security"))
	}},
	"Coupons.List": {"GetCoupons", "coupons", true, true, func(ctx context.Context, c *entcache.Client, _ string) error {
		return drain(c.Coupons.List(ctx, nil))
	}},
}

// each runs a story for every service method, in a world of its own.
func each(t *testing.T, story func(t *testing.T, w *world, s service, call func() error)) {
	for name, s := range services {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := started(t, entcache.WithWriteTimeout(20*time.Second))
				active, err := w.client.Subscriptions.ActiveList(t.Context(), "acme")
				if err != nil || len(active) != 1 {
					t.Fatalf("subscriptions of acme: %+v, %v", active, err)
				}
				story(t, w, s, func() error { return s.call(t.Context(), w.client, active[0].SubscriptionId) })
			})
		})
	}
}

func TestNothingIsSentOfflineOrAfterClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		offline := w.newClient(entcache.WithOffline())
		t.Cleanup(func() { offline.Close() })
		before := len(w.stigg.Requests())
		for name, s := range services {
			acknowledged := strings.HasPrefix(name, "Usage.Report") || strings.HasPrefix(name, "Credits.Consume")
			if err := s.call(t.Context(), offline, "subscription"); acknowledged && err != nil || !acknowledged && !errors.Is(err, entcache.ErrOffline) {
				t.Errorf("%s offline: %v", name, err)
			}
		}
		w.client.Close()
		for name, s := range services {
			if err := s.call(t.Context(), w.client, "subscription"); !errors.Is(err, entcache.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
		if after := len(w.stigg.Requests()); after != before {
			t.Errorf("requests went out: %v", w.stigg.Requests())
		}
	})
}

// Every write that changes what a customer may do is seen by the next check, whether the stream brings it or not.
func TestEachWriteIsVisibleToTheNextCheck(t *testing.T) {
	type step struct {
		name string
		call func(ctx context.Context, c *entcache.Client, subscription string) error
		sees func(w *world) string // empty, or what is wrong
	}
	access := func(customer, feature string, want bool) func(*world) string {
		return func(w *world) string {
			if d := w.check(customer, feature, 0); d.HasAccess != want {
				return fmt.Sprintf("%s of %s: access %v (%s), %v", feature, customer, d.HasAccess, d.AccessDeniedReason, d.Origin)
			}
			return ""
		}
	}
	seats := func(want float64) func(*world) string {
		return func(w *world) string {
			if got, _ := w.check("globex", "seats", 0).Entitlement.UsageLimit(); got != want {
				return fmt.Sprintf("%v seats, want %v", got, want)
			}
			return ""
		}
	}
	steps := []step{
		{"apply", func(ctx context.Context, c *entcache.Client, _ string) error {
			return discard(c.Subscriptions.Apply(ctx, entcache.ApplySubscriptionInput{CustomerId: "acme", PlanId: "growth", SkipTrial: new(true)}))
		}, access("acme", "sso", true)},
		{"archive", func(ctx context.Context, c *entcache.Client, _ string) error { return c.Customers.Archive(ctx, "acme") }, access("acme", "seats", false)},
		{"unarchive", func(ctx context.Context, c *entcache.Client, _ string) error {
			return discard(c.Customers.Unarchive(ctx, "acme"))
		}, func(w *world) string {
			if d := w.check("acme", "seats", 0); d.AccessDeniedReason != entcache.NoActiveSubscription {
				return fmt.Sprintf("denied for %q", d.AccessDeniedReason)
			}
			return ""
		}},
		{"add-ons", func(ctx context.Context, c *entcache.Client, id string) error {
			return discard(c.Subscriptions.Update(ctx, entcache.UpdateSubscriptionInput{
				SubscriptionId: &id, Addons: []entcache.SubscriptionAddonInput{{AddonId: "extra-seats", Quantity: new(2)}},
			}))
		}, seats(15)},
		{"no add-ons", func(ctx context.Context, c *entcache.Client, id string) error {
			return discard(c.Subscriptions.Update(ctx, entcache.UpdateSubscriptionInput{SubscriptionId: &id, Addons: []entcache.SubscriptionAddonInput{}}))
		}, seats(5)},
		{"promotion", func(ctx context.Context, c *entcache.Client, _ string) error {
			return discard(c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{CustomerId: "globex",
				PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{{FeatureId: "sso", Period: entcache.PromotionOneWeek}}}))
		}, access("globex", "sso", true)},
		{"promotion revoked", func(ctx context.Context, c *entcache.Client, _ string) error {
			return c.Promotions.Revoke(ctx, "globex", "sso")
		}, access("globex", "sso", false)},
		{"bulk", func(ctx context.Context, c *entcache.Client, _ string) error {
			return discard(c.Usage.ReportBulk(ctx, []entcache.UsageReport{
				{CustomerId: "globex", FeatureId: "seats", Value: 2}, {CustomerId: "globex", FeatureId: "seats", Value: 1},
			}))
		}, func(w *world) string {
			if got := w.check("globex", "seats", 0).Entitlement.CurrentUsage(); got != 3 {
				return fmt.Sprintf("%v seats used, want 3", got)
			}
			return ""
		}},
		{"cancel", func(ctx context.Context, c *entcache.Client, id string) error {
			return discard(c.Subscriptions.Cancel(ctx, entcache.SubscriptionCancellationInput{
				SubscriptionRefId: id, SubscriptionCancellationTime: new(entcache.CancelImmediately),
			}))
		}, access("globex", "exports", false)},
	}
	for _, opts := range [][]entcache.Option{nil, {entcache.WithoutRealtime()}} {
		bubble(t, func(t *testing.T) {
			w := started(t, opts...)
			active, err := w.client.Subscriptions.ActiveList(t.Context(), "globex")
			if err != nil || len(active) != 1 {
				t.Fatalf("%+v, %v", active, err)
			}
			w.check("acme", "seats", 0)
			w.check("globex", "seats", 0)
			for _, s := range steps {
				w.stigg.Faults().DropEvents(1000) // the write alone must do
				if err := s.call(t.Context(), w.client, active[0].SubscriptionId); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
				if wrong := s.sees(w); wrong != "" {
					t.Errorf("the check after %s: %s", s.name, wrong)
				}
			}
		})
	}
}

// A write to the customer is seen through each of its resources.
func TestWritesToACustomerReachItsResources(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithoutRealtime())
		if err := w.stigg.Provision("globex", "site", "starter"); err != nil {
			t.Fatal(err)
		}
		site := func() bool {
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "globex", ResourceID: "site", FeatureID: "sso"})
			if err != nil {
				t.Error(err)
			}
			return d.HasAccess
		}
		if site() {
			t.Fatal("sso before the promotion")
		}
		if _, err := w.client.Promotions.Grant(t.Context(), entcache.GrantPromotionalEntitlementsInput{CustomerId: "globex",
			PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{{FeatureId: "sso", Period: entcache.PromotionLifetime}}}); err != nil {
			t.Fatal(err)
		}
		if !site() {
			t.Error("the resource does not see the customer's promotion")
		}
		if err := w.client.Customers.Archive(t.Context(), "globex"); err != nil {
			t.Fatal(err)
		}
		if site() {
			t.Error("the resource of an archived customer has access")
		}
	})
}

// Absent, set and null are three things, and Stigg is told which.
func TestAbsentSetAndNullAreThreeThings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		ctx := t.Context()
		text := func(s *string) string {
			if s == nil {
				return "nothing"
			}
			return *s
		}
		wantCustomer := func(name, email string) {
			t.Helper()
			c, err := w.client.Customers.Get(ctx, "acme")
			if err != nil || text(c.Name) != name || text(c.Email) != email {
				t.Fatalf("%+v, %v; want name %s, email %s", c, err, name, email)
			}
		}
		update := func(in entcache.UpdateCustomerInput) {
			t.Helper()
			in.CustomerId = new("acme")
			if _, err := w.client.Customers.Update(ctx, in); err != nil {
				t.Fatal(err)
			}
		}
		update(entcache.UpdateCustomerInput{Name: new("Acme"), Email: new("a@acme.test")})
		wantCustomer("Acme", "a@acme.test")
		update(entcache.UpdateCustomerInput{Email: new("b@acme.test")})
		wantCustomer("Acme", "b@acme.test")
		update(entcache.UpdateCustomerInput{Name: entcache.Null[string]()})
		wantCustomer("nothing", "b@acme.test")

		// The journey's plan, none, or the one that is asked for.
		for id, params := range map[string]*entcache.ProvisionCustomerSubscriptionInput{
			"PREDEFINED_FREE_PLAN": nil, "SKIPPED_SUBSCRIPTION_CREATION": entcache.Null[entcache.ProvisionCustomerSubscriptionInput](), "REQUESTED_PLAN": {PlanId: "starter"},
		} {
			out, err := w.client.Customers.Provision(ctx, entcache.ProvisionCustomerInput{CustomerId: &id, SubscriptionParams: params})
			if err != nil || string(out.SubscriptionDecisionStrategy) != id || (out.Subscription == nil) != (id == "SKIPPED_SUBSCRIPTION_CREATION") {
				t.Errorf("%+v, %v; want %s", out, err, id)
			}
		}

		// A cancellation is left alone, or taken back.
		active, err := w.client.Subscriptions.ActiveList(ctx, "globex")
		if err != nil {
			t.Fatal(err)
		}
		id := active[0].SubscriptionId
		if _, err := w.client.Subscriptions.Cancel(ctx, entcache.SubscriptionCancellationInput{SubscriptionRefId: id}); err != nil {
			t.Fatal(err)
		}
		for _, change := range []struct {
			in        entcache.UpdateSubscriptionInput
			cancelled bool
		}{
			{entcache.UpdateSubscriptionInput{SubscriptionId: &id, AdditionalMetaData: new(json.RawMessage(`{"a":1}`))}, true},
			{entcache.UpdateSubscriptionInput{SubscriptionId: &id, CancellationDate: entcache.Null[entcache.DateTime]()}, false},
		} {
			if s, err := w.client.Subscriptions.Update(ctx, change.in); err != nil || (s.CancellationDate != nil) != change.cancelled {
				t.Errorf("%+v, %v; want cancelled: %v", s, err, change.cancelled)
			}
		}
	})
}

func TestServicesRefuseBadInputWithoutAsking(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		c, ctx := w.client, t.Context()
		before := len(w.stigg.Requests())
		for _, row := range []struct {
			says string
			err  error
		}{
			{"CustomerId", discard(c.Customers.Update(ctx, entcache.UpdateCustomerInput{}))},
			{"customerID", discard(c.Customers.Get(ctx, ""))},
			{"customerID", c.Customers.Archive(ctx, "")},
			{"customerID", discard(c.Customers.Unarchive(ctx, ""))},
			{"CustomerId", discard(c.Subscriptions.Apply(ctx, entcache.ApplySubscriptionInput{PlanId: "free"}))},
			{"PlanId", discard(c.Subscriptions.Apply(ctx, entcache.ApplySubscriptionInput{CustomerId: "acme"}))},
			{"SubscriptionId", discard(c.Subscriptions.Update(ctx, entcache.UpdateSubscriptionInput{}))},
			{"SubscriptionRefId", discard(c.Subscriptions.Cancel(ctx, entcache.SubscriptionCancellationInput{}))},
			{"EndDate", discard(c.Subscriptions.Cancel(ctx, entcache.SubscriptionCancellationInput{SubscriptionRefId: "s", SubscriptionCancellationTime: new(entcache.CancelOnDate)}))},
			{"subscriptionID", c.Subscriptions.CancelScheduledUpdates(ctx, "")},
			{"subscriptionID", discard(c.Subscriptions.Get(ctx, ""))},
			{"customerID", discard(c.Subscriptions.Active(ctx, ""))},
			{"resource", discard(c.Subscriptions.ActiveList(ctx, "acme", ""))},
			{"100 resources", discard(c.Subscriptions.ActiveList(ctx, "acme", make([]string, 101)...))},
			{"CustomerId", discard(c.Subscriptions.Estimate(ctx, entcache.EstimateSubscriptionInput{PlanId: "free"}))},
			{"PlanId", discard(c.Subscriptions.Estimate(ctx, entcache.EstimateSubscriptionInput{CustomerId: "acme"}))},
			{"SubscriptionId", discard(c.Subscriptions.EstimateUpdate(ctx, entcache.EstimateSubscriptionUpdateInput{}))},
			{"CustomerId", discard(c.Subscriptions.Preview(ctx, entcache.PreviewSubscriptionInput{PlanId: "free"}))},
			{"PlanId", discard(c.Subscriptions.Preview(ctx, entcache.PreviewSubscriptionInput{CustomerId: "acme"}))},
			{"subscriptionID", discard(c.Subscriptions.PreviewNextInvoice(ctx, ""))},
			{"CustomerId", discard(c.Customers.Import(ctx, entcache.ImportCustomerInput{}))},
			{"customer 1:", discard(c.Customers.ImportBulk(ctx, entcache.ImportCustomerBulkInput{Customers: []entcache.ImportCustomerInput{{RefId: new("a")}, {}}}))},
			{"customerID", discard(c.Customers.DetachPaymentMethod(ctx, ""))},
			{"CustomerId", discard(c.Subscriptions.Create(ctx, entcache.CreateSubscriptionInput{PlanId: "free"}))},
			{"PlanId", discard(c.Subscriptions.Create(ctx, entcache.CreateSubscriptionInput{CustomerId: "acme"}))},
			{"subscription 0:", discard(c.Subscriptions.ImportBulk(ctx, entcache.ImportSubscriptionsBulkInput{Subscriptions: []entcache.ImportSubscriptionInput{{}}}))},
			{"PlanId", discard(c.Subscriptions.ImportBulk(ctx, entcache.ImportSubscriptionsBulkInput{Subscriptions: []entcache.ImportSubscriptionInput{{CustomerId: "acme"}}}))},
			{"SubscriptionId", discard(c.Subscriptions.MigrateToLatest(ctx, entcache.SubscriptionMigrationInput{}))},
			{"CustomerId", discard(c.Subscriptions.Transfer(ctx, entcache.TransferSubscriptionInput{}))},
			{"SourceResourceId", discard(c.Subscriptions.Transfer(ctx, entcache.TransferSubscriptionInput{CustomerId: "acme"}))},
			{"DestinationResourceId", discard(c.Subscriptions.Transfer(ctx, entcache.TransferSubscriptionInput{CustomerId: "acme", SourceResourceId: "site"}))},
			{"SubscriptionId", discard(c.Subscriptions.TransferToResource(ctx, entcache.TransferSubscriptionToResourceInput{}))},
			{"SubscriptionId", discard(c.Subscriptions.Delegate(ctx, entcache.DelegateSubscriptionToCustomerInput{}))},
			{"CustomerRefId", discard(c.Usage.HistoryV1(ctx, entcache.UsageHistoryV1Input{}))},
			{"FeatureRefId", discard(c.Usage.HistoryV1(ctx, entcache.UsageHistoryV1Input{CustomerRefId: "acme"}))},
			{"StartDate", discard(c.Usage.HistoryV1(ctx, entcache.UsageHistoryV1Input{CustomerRefId: "acme", FeatureRefId: "seats"}))},
			{"FeatureGroupId", discard(c.Promotions.GrantGroup(ctx, entcache.GrantPromotionalEntitlementsGroupInput{CustomerId: "acme"}))},
			{"PromotionalEntitlements", discard(c.Promotions.GrantGroup(ctx, entcache.GrantPromotionalEntitlementsGroupInput{CustomerId: "acme", FeatureGroupId: "g"}))},
			{"customerID", discard(c.Promotions.RevokeGroup(ctx, "", "g"))},
			{"featureGroupID", discard(c.Promotions.UnlinkGroup(ctx, "acme", ""))},
			{"101 reports", discard(c.Usage.ReportBulk(ctx, make([]entcache.UsageReport, 101)))},
			{"report 1", discard(c.Usage.ReportBulk(ctx, []entcache.UsageReport{{CustomerId: "acme", FeatureId: "seats"}, {CustomerId: "acme"}}))},
			{"1001 events", c.Usage.ReportEvents(ctx, make([]entcache.UsageEvent, 1001))},
			{"EventName", c.Usage.ReportEvents(ctx, []entcache.UsageEvent{{CustomerId: "acme"}})},
			{"event 0", c.Usage.ReportEvents(ctx, []entcache.UsageEvent{{EventName: "signed-in"}})},
			{"FeatureId", discard(c.Usage.History(ctx, entcache.UsageHistoryInput{CustomerId: "acme"}))},
			{"StartDate", discard(c.Usage.History(ctx, entcache.UsageHistoryInput{CustomerId: "acme", FeatureId: "seats"}))},
			{"CustomerId", discard(c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{}))},
			{"PromotionalEntitlements", discard(c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{CustomerId: "acme"}))},
			{"Period", discard(c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{CustomerId: "acme", PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{{FeatureId: "sso"}}}))},
			{"CustomEndDate", discard(c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{CustomerId: "acme", PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{{FeatureId: "sso", Period: entcache.PromotionCustom}}}))},
			{"featureID", c.Promotions.Revoke(ctx, "acme", "")},
			{"CustomerId", discard(c.Credits.Consume(ctx, entcache.ConsumeCreditInput{CurrencyId: "ai-credits"}))},
			{"CurrencyId", discard(c.Credits.Consume(ctx, entcache.ConsumeCreditInput{CustomerId: "acme"}))},
			{"Amount", discard(c.Credits.Consume(ctx, entcache.ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: -1}))},
			{"Amount", discard(c.Credits.Consume(ctx, entcache.ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: math.NaN()}))},
			{"1001 consumptions", c.Credits.ConsumeAsync(ctx, make([]entcache.ConsumeCreditInput, 1001))},
			{"consumption 1", c.Credits.ConsumeAsync(ctx, []entcache.ConsumeCreditInput{{CustomerId: "acme", CurrencyId: "ai-credits"}, {CustomerId: "acme"}})},
			{"CustomerId", discard(c.Credits.Grant(ctx, entcache.CreditGrantInput{}))},
			{"CurrencyId", discard(c.Credits.Grant(ctx, entcache.CreditGrantInput{CustomerId: "acme"}))},
			{"DisplayName", discard(c.Credits.Grant(ctx, entcache.CreditGrantInput{CustomerId: "acme", CurrencyId: "ai-credits"}))},
			{"GrantType", discard(c.Credits.Grant(ctx, entcache.CreditGrantInput{CustomerId: "acme", CurrencyId: "ai-credits", DisplayName: "x"}))},
			{"Amount", discard(c.Credits.Grant(ctx, entcache.CreditGrantInput{CustomerId: "acme", CurrencyId: "ai-credits", DisplayName: "x", GrantType: entcache.GrantPaid}))},
			{"grantID", discard(c.Credits.Void(ctx, ""))},
			{"CustomerId", discard(c.Credits.Balance(ctx, entcache.CreditBalanceInput{}))},
			{"CustomerId", drain(c.Credits.Grants(ctx, entcache.CreditGrantsInput{}))},
			{"CustomerId", drain(c.Credits.Ledger(ctx, entcache.CreditLedgerInput{}))},
			{"CustomerId", discard(c.Credits.Usage(ctx, entcache.CreditUsageInput{}))},
			{"customerID", discard(c.Credits.AutomaticRecharge(ctx, "", "ai-credits"))},
			{"currencyID", discard(c.Credits.AutomaticRecharge(ctx, "acme", ""))},
			{"CustomerId", discard(c.Credits.SaveAutomaticRecharge(ctx, entcache.SaveAutomaticRechargeInput{}))},
			{"CurrencyId", discard(c.Credits.SaveAutomaticRecharge(ctx, entcache.SaveAutomaticRechargeInput{CustomerId: "acme"}))},
			{"FeatureId", discard(c.Usage.EstimateUsageCost(ctx, entcache.EstimateUsageCostInput{CustomerId: "acme"}))},
			{"CustomerId", discard(c.Usage.EstimateEventCost(ctx, entcache.EstimateEventCostInput{EventName: "x"}))},
			{"EventName", discard(c.Usage.EstimateEventCost(ctx, entcache.EstimateEventCostInput{CustomerId: "acme"}))},
			{"customerID", discard(c.Customers.Statistics(ctx, ""))},
			{"CustomerId", discard(c.Customers.Portal(ctx, entcache.CustomerPortalInput{}))},
			{"CustomerId", discard(c.Catalog.Paywall(ctx, entcache.PaywallInput{ResourceId: new("site")}))},
			{"CustomerId", discard(c.Checkout.State(ctx, entcache.CheckoutStateInput{PlanId: "starter"}))},
			{"PlanId", discard(c.Checkout.State(ctx, entcache.CheckoutStateInput{CustomerId: "acme"}))},
			{"CustomerId", discard(c.Checkout.PaymentSession(ctx, entcache.PaymentSessionInput{PlanId: "starter"}))},
			{"PlanId", discard(c.Checkout.PaymentSession(ctx, entcache.PaymentSessionInput{CustomerId: "acme"}))},
			{"RefId", discard(c.Coupons.Create(ctx, entcache.CreateCouponInput{Name: "n", PercentOff: new(5.0)}))},
			{"Name", discard(c.Coupons.Create(ctx, entcache.CreateCouponInput{RefId: "r", PercentOff: new(5.0)}))},
			{"nothing is taken off", discard(c.Coupons.Create(ctx, entcache.CreateCouponInput{RefId: "r", Name: "n"}))},
			{"only one", discard(c.Coupons.Create(ctx, entcache.CreateCouponInput{RefId: "r", Name: "n", PercentOff: new(5.0), AmountsOff: []entcache.MoneyInput{{Amount: 5}}}))},
			{"at most 100", discard(c.Coupons.Create(ctx, entcache.CreateCouponInput{RefId: "r", Name: "n", PercentOff: new(100.5)}))},
			{"CustomerID", c.ReportEntitlementCheck(ctx, entcache.Query{FeatureID: "seats"}, entcache.Decision{})},
			{"FeatureID", c.ReportEntitlementCheck(ctx, entcache.Query{CustomerID: "acme", CurrencyID: "ai-credits"}, entcache.Decision{})},
			{"RequestedUsage", c.ReportEntitlementCheck(ctx, entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: -1}, entcache.Decision{})},
		} {
			if !errors.Is(row.err, entcache.ErrBadInput) || !strings.Contains(row.err.Error(), row.says) {
				t.Errorf("%v, want ErrBadInput that says %s", row.err, row.says)
			}
		}
		if after := len(w.stigg.Requests()); after != before {
			t.Errorf("requests went out: %v", w.stigg.Requests())
		}
		if out, err := c.Usage.ReportBulk(ctx, nil); len(out) != 0 || err != nil {
			t.Errorf("no reports: %v, %v", out, err)
		}
		if err := c.Credits.ConsumeAsync(ctx, nil); err != nil {
			t.Errorf("no consumptions: %v", err)
		}
	})
}

func TestNoSuchCustomerOrSubscription(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		if c, err := w.client.Customers.Get(t.Context(), "nobody"); c != nil || !errors.Is(err, entcache.ErrNotFound) {
			t.Errorf("customer: %+v, %v", c, err)
		}
		if n, err := w.client.Customers.Statistics(t.Context(), "nobody"); n != nil || !errors.Is(err, entcache.ErrNotFound) {
			t.Errorf("statistics: %+v, %v", n, err)
		}
		if s, err := w.client.Subscriptions.Get(t.Context(), "none"); s != nil || !errors.Is(err, entcache.ErrNotFound) {
			t.Errorf("subscription: %+v, %v", s, err)
		}
		if list, err := w.client.Subscriptions.ActiveList(t.Context(), "acme", "unheard-of"); len(list) != 0 || err != nil {
			t.Errorf("of a resource nobody knows: %+v, %v", list, err)
		}
	})
}

// The list of coupons has no cursors: what was seen is excluded from the next question, and what the caller's filter says still holds.
func TestCouponsAreListedBeyondTheFirstPage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		catalog := emulator.DemoCatalog()
		catalog.Coupons = nil
		ten, err := emulator.ParseDecimal("10")
		if err != nil {
			t.Fatal(err)
		}
		var all, active, percentages []string
		for i := range 150 {
			c := emulator.Coupon{ID: fmt.Sprintf("coupon-%03d", i), Archived: i%5 == 0}
			if i%2 == 0 {
				c.PercentOff = &ten
				percentages = append(percentages, c.ID)
			} else {
				c.AmountsOff = []emulator.Amount{{Amount: &ten}}
			}
			if !c.Archived {
				active = append(active, c.ID)
			}
			all = append(all, c.ID)
			catalog.Coupons = append(catalog.Coupons, c)
		}
		w := started(t)
		if err := w.stigg.UpdateCatalog(catalog, emulator.NewCustomers); err != nil {
			t.Fatal(err)
		}
		for name, row := range map[string]struct {
			filter *entcache.CouponFilter
			want   []string
		}{
			"none, which is the active ones": {nil, active},
			"one that lets all through":      {&entcache.CouponFilter{}, all},
			"by type":                        {&entcache.CouponFilter{Type: &entcache.CouponTypeFilter{Eq: new(entcache.CouponPercentage)}}, percentages},
		} {
			asked := w.stigg.Requests()["coupons"]
			var got []string
			for c, err := range w.client.Coupons.List(t.Context(), row.filter) {
				if err != nil {
					t.Fatalf("filter %s: %v", name, err)
				}
				got = append(got, c.RefId)
			}
			if slices.Sort(got); !slices.Equal(got, row.want) {
				t.Errorf("filter %s: %d coupons, want these %d: got %q, want %q", name, len(got), len(row.want), got, row.want)
			}
			if n := w.stigg.Requests()["coupons"] - asked; n != len(row.want)/25+1 {
				t.Errorf("filter %s: %d pages of 25 asked for, and there are %d coupons", name, n, len(row.want))
			}
		}
		asked := w.stigg.Requests()["coupons"]
		for range w.client.Coupons.List(t.Context(), nil) {
			break
		}
		if n := w.stigg.Requests()["coupons"] - asked; n != 1 {
			t.Errorf("%d pages asked for, want the one that was needed", n)
		}
	})
}

func TestSubscriptionsAreListedPageByPage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		for i := range 58 {
			w.provision(fmt.Sprintf("customer-%02d", i), "starter")
		}
		var got []string
		for s, err := range w.client.Subscriptions.List(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s.Customer.CustomerId)
		}
		if slices.Sort(got); len(got) != 60 || len(slices.Compact(got)) != 60 {
			t.Errorf("%d subscriptions, want 60 different ones: %v", len(got), got)
		}
		if n := w.stigg.Requests()["subscriptions"]; n != 3 {
			t.Errorf("%d pages asked for, want 3", n)
		}
	})
}
