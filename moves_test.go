package entcache_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// Whoever gained or lost something by an import or a move knows it at the next check, whether the stream brings it or not.
func TestMovesAreSeenByTheNextCheckOfEachSide(t *testing.T) {
	for _, opts := range [][]entcache.Option{nil, {entcache.WithoutRealtime()}} {
		bubble(t, func(t *testing.T) {
			w := started(t, opts...)
			c, ctx := w.client, t.Context()
			seats := func(customerID, resourceID string) string {
				t.Helper()
				d, err := c.GetEntitlement(ctx, entcache.Query{CustomerID: customerID, ResourceID: resourceID, FeatureID: "seats"})
				if err != nil {
					t.Errorf("%s/%s: %v", customerID, resourceID, err)
				}
				if limit, ok := d.Entitlement.UsageLimit(); ok && d.HasAccess {
					return fmt.Sprint(limit)
				}
				return string(d.AccessDeniedReason)
			}
			all := []entcache.Key{
				{CustomerID: "acme"}, {CustomerID: "acme", ResourceID: "site"}, {CustomerID: "acme", ResourceID: "shop"},
				{CustomerID: "globex"}, {CustomerID: "newcomer"}, {CustomerID: "newcomer", ResourceID: "site"}, {CustomerID: "other"},
			}
			holds := func(after string, want ...string) {
				t.Helper()
				for i, k := range all {
					if got := seats(k.CustomerID, k.ResourceID); got != want[i] {
						t.Errorf("after %s, %+v has %s, want %s", after, k, got, want[i])
					}
				}
			}
			const none, unknown = string(entcache.NoActiveSubscription), string(entcache.CustomerNotFound)
			holds("the start", "2", "2", "2", "5", unknown, unknown, unknown)
			do := func(after string, err error, want ...string) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", after, err)
				}
				holds(after, want...)
				w.stigg.Faults().DropEvents(1000) // of the next; the write alone must do
			}
			w.stigg.Faults().DropEvents(1000)
			do("an import", discard(c.Customers.Import(ctx, entcache.ImportCustomerInput{CustomerId: new("newcomer"), Name: new("New")})),
				"2", "2", "2", "5", none, none, unknown)
			do("an import of several", discard(c.Customers.ImportBulk(ctx, entcache.ImportCustomerBulkInput{Customers: []entcache.ImportCustomerInput{{CustomerId: new("newcomer")}, {RefId: new("other")}}})),
				"2", "2", "2", "5", none, none, none)
			do("an import of subscriptions", discard(c.Subscriptions.ImportBulk(ctx, entcache.ImportSubscriptionsBulkInput{Subscriptions: []entcache.ImportSubscriptionInput{
				{CustomerId: "newcomer", ResourceId: new("site"), PlanId: "starter", SubscriptionId: new("s")}, {CustomerId: "other", PlanId: "free"},
			}})), "2", "2", "2", "5", none, "5", "2")
			do("a transfer to the customer", discard(c.Subscriptions.TransferToResource(ctx, entcache.TransferSubscriptionToResourceInput{SubscriptionId: "s"})),
				"2", "2", "2", "5", "5", "5", "2")
			do("a delegation", discard(c.Subscriptions.Delegate(ctx, entcache.DelegateSubscriptionToCustomerInput{SubscriptionId: "s", DestinationCustomerId: new("acme")})),
				"5", "5", "5", "5", none, none, "2")
			do("a delegation from there on", discard(c.Subscriptions.Delegate(ctx, entcache.DelegateSubscriptionToCustomerInput{SubscriptionId: "s", DestinationCustomerId: new("other")})),
				none, none, none, "5", none, none, "5")
			do("its end", discard(c.Subscriptions.Delegate(ctx, entcache.DelegateSubscriptionToCustomerInput{SubscriptionId: "s"})),
				none, none, none, "5", "5", "5", none)
			do("a subscription for a resource", discard(c.Subscriptions.Create(ctx, entcache.CreateSubscriptionInput{CustomerId: "acme", ResourceId: new("site"), PlanId: "starter", SubscriptionId: new("sold")})),
				none, "5", none, "5", "5", "5", none)
			do("a transfer", discard(c.Subscriptions.Transfer(ctx, entcache.TransferSubscriptionInput{CustomerId: "acme", SourceResourceId: "site", DestinationResourceId: "shop"})),
				none, none, "5", "5", "5", "5", none)
			seven := 7.0
			if err := w.stigg.PublishPlan(emulator.Plan{ID: "starter", Product: "app", Pricing: "paid", Entitlements: []emulator.Entitlement{{Feature: "seats", Limit: &seven}}}, emulator.NewCustomers); err != nil {
				t.Fatal(err)
			}
			do("a migration", discard(c.Subscriptions.MigrateToLatest(ctx, entcache.SubscriptionMigrationInput{SubscriptionId: "sold"})),
				none, none, "7", "5", "5", "5", none)
			do("a transfer back", discard(c.Subscriptions.TransferToResource(ctx, entcache.TransferSubscriptionToResourceInput{SubscriptionId: "sold", DestinationResourceId: new("site")})),
				none, "7", none, "5", "5", "5", none)
			if err := discard(c.Subscriptions.MigrateToLatest(ctx, entcache.SubscriptionMigrationInput{SubscriptionId: "sold"})); err == nil {
				t.Error("migrated twice")
			}
		})
	}
}

// A delegation whose outcome is unknown is found out by the next check of either side.
func TestADelegationThatMayHaveHappenedIsFoundOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithoutRealtime())
		active, err := w.client.Subscriptions.ActiveList(t.Context(), "globex")
		if err != nil || len(active) != 1 {
			t.Fatalf("%+v, %v", active, err)
		}
		has := func(customerID string, want bool) {
			t.Helper()
			if d := w.check(customerID, "exports", 0); d.HasAccess != want {
				t.Errorf("%s has exports: %v, want %v", customerID, d.HasAccess, want)
			}
		}
		has("globex", true)
		has("acme", false)
		w.stigg.Faults().ReplaceReply("DelegateSubscriptionToCustomer", badGateway) // it happens, and nobody hears of it
		_, err = w.client.Subscriptions.Delegate(t.Context(), entcache.DelegateSubscriptionToCustomerInput{
			SubscriptionId: active[0].SubscriptionId, DestinationCustomerId: new("acme"),
		})
		if e, ok := errors.AsType[*entcache.APIError](err); !ok || !e.OutcomeUnknown() {
			t.Fatalf("%v, want one whose outcome is unknown", err)
		}
		has("globex", false)
		has("acme", true)
	})
}

// Taking a payment method away and asking what the next invoice says change nothing that a check sees.
func TestDetachingAPaymentMethodLeavesMemoryAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		if err := w.stigg.SetPaymentMethod("globex", true); err != nil {
			t.Fatal(err)
		}
		w.check("globex", "seats", 0)
		if _, err := w.client.Customers.DetachPaymentMethod(t.Context(), "globex"); err != nil {
			t.Fatal(err)
		}
		if c, err := w.client.Customers.Get(t.Context(), "globex"); err != nil || c.HasPaymentMethod {
			t.Errorf("%+v, %v; want none", c, err)
		}
		w.want(w.check("globex", "seats", 0), true, entcache.Live)
	})
}

// What a feature group gives and takes is seen by the next check, of the customer's resources too.
func TestFeatureGroupsAreSeenByTheNextCheck(t *testing.T) {
	for _, opts := range [][]entcache.Option{nil, {entcache.WithoutRealtime()}} {
		bubble(t, func(t *testing.T) {
			w := started(t, opts...)
			c, ctx := w.client, t.Context()
			has := func(after string, want bool) {
				t.Helper()
				for _, feature := range []string{"sso", "audit-log"} {
					for _, resource := range []string{"", "site"} {
						d, err := c.GetEntitlement(ctx, entcache.Query{CustomerID: "acme", ResourceID: resource, FeatureID: feature})
						if err != nil || d.HasAccess != want {
							t.Errorf("after %s, %s at %q: %v, %v; want %v", after, feature, resource, d.HasAccess, err, want)
						}
					}
				}
				w.stigg.Faults().DropEvents(1000)
			}
			has("the start", false)
			granted, err := c.Promotions.GrantGroup(ctx, entcache.GrantPromotionalEntitlementsGroupInput{CustomerId: "acme", FeatureGroupId: "security",
				PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{
					{FeatureId: "sso", Period: entcache.PromotionOneWeek}, {FeatureId: "audit-log", Period: entcache.PromotionLifetime},
				}})
			if err != nil || len(granted) != 2 || granted[0].FeatureId != "sso" || granted[0].EndDate == nil || granted[1].EndDate != nil {
				t.Fatalf("%+v, %v", granted, err)
			}
			has("a grant", true)
			if err := c.Promotions.Revoke(ctx, "acme", "sso"); err == nil {
				t.Error("a feature of a group was revoked by itself")
			}
			revoked, err := c.Promotions.RevokeGroup(ctx, "acme", "security")
			if err != nil || len(revoked) != 2 {
				t.Fatalf("%+v, %v", revoked, err)
			}
			has("its end", false)
			if _, err := c.Promotions.UnlinkGroup(ctx, "acme", "security"); !errors.Is(err, entcache.ErrNotFound) {
				t.Errorf("unlinking what is not there: %v", err)
			}
			if _, err := c.Promotions.RevokeGroup(ctx, "acme", "unheard-of"); !errors.Is(err, entcache.ErrNotFound) {
				t.Errorf("revoking a group that is not there: %v", err)
			}
		})
	}
}

// The next invoice comes through with its lines, and asking for it changes nothing.
func TestTheNextInvoiceComesThrough(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("initech", "growth")
		if _, err := w.stigg.Report("initech", "", "exports", 1200); err != nil {
			t.Fatal(err)
		}
		active, err := w.client.Subscriptions.ActiveList(t.Context(), "initech")
		if err != nil || len(active) != 1 {
			t.Fatalf("%+v, %v", active, err)
		}
		w.check("initech", "exports", 0)
		x, err := w.client.Subscriptions.PreviewNextInvoice(t.Context(), active[0].SubscriptionId)
		if err != nil {
			t.Fatal(err)
		}
		// 50, one seat at 8, and of 1,200 exports those beyond a thousand at a cent.
		var lines []string
		for _, l := range x.Lines {
			lines = append(lines, fmt.Sprint(l.Type, " ", l.Amount.Amount, " ", len(l.Lines)))
		}
		if got, want := fmt.Sprint(lines), "[BaseCharge 50 0 InAdvanceCommitmentCharge 8 1 PayAsYouGoCharge 2 2]"; got != want || x.Total.Amount != 60 || x.Total.Currency != "USD" {
			t.Errorf("%v, total %+v; want %v, and 60 dollars", got, x.Total, want)
		}
		w.want(w.check("initech", "exports", 0), true, entcache.Live)
		if _, err := w.client.Subscriptions.PreviewNextInvoice(t.Context(), "none"); !errors.Is(err, entcache.ErrNotFound) {
			t.Errorf("of no subscription: %v", err)
		}
	})
}
