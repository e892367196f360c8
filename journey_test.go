package entcache_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// journey are the methods that a customer's journey takes from registration to the end. Others take over customers and subscriptions from
// elsewhere, move them, or show what is for sale: TestMovesAreSeenByTheNextCheckOfEachSide and TestFromThePaywallToThePortal are theirs.
var journey = []string{
	"Customers.Provision", "Customers.Update", "Customers.Get", "Customers.Archive", "Customers.Unarchive",
	"Subscriptions.Provision", "Subscriptions.Apply", "Subscriptions.Update", "Subscriptions.Cancel", "Subscriptions.CancelScheduledUpdates",
	"Subscriptions.Get", "Subscriptions.List", "Subscriptions.ActiveList", "Subscriptions.Active", "Subscriptions.Estimate",
	"Subscriptions.EstimateUpdate", "Subscriptions.Preview", "Usage.Report", "Usage.ReportBulk", "Usage.ReportEvents", "Usage.History",
	"Promotions.Grant", "Promotions.Revoke", "Coupons.List",
}

// A customer's whole journey, by every method that is part of it, against an emulator that asks for payment.
func TestTheWholeJourney(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorldOf(t, emulator.Config{RequestLog: 1000})
		w.start(w.client)
		w.sellingFor()
		ctx, c := t.Context(), w.client
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}

		// A customer, and a plan that has to be paid for first.
		provisioned, err := c.Customers.Provision(ctx, entcache.ProvisionCustomerInput{CustomerId: new("newco"), Name: new("Newco")})
		must(err)
		if provisioned.Subscription == nil || provisioned.Customer.CustomerId != "newco" {
			t.Errorf("provisioned %+v", provisioned)
		}
		w.want(w.check("newco", "exports", 0), false, entcache.Fetched)
		order := entcache.ProvisionSubscriptionInput{CustomerId: "newco", PlanId: "starter", SubscriptionId: new("s")}
		out, err := c.Subscriptions.Provision(ctx, order)
		must(err)
		if out.Status != entcache.ProvisionPaymentRequired || out.CheckoutUrl == nil || out.Subscription != nil {
			t.Errorf("ordered: %+v, want a checkout", out)
		}
		w.want(w.check("newco", "exports", 0), false, entcache.Live) // nothing has changed, and nobody asked again
		if ids, err := w.stigg.CompleteCheckouts("newco"); err != nil || len(ids) != 1 || ids[0] != "s" {
			t.Fatalf("checkouts of %v: %v", ids, err)
		}
		w.settle()
		w.want(w.check("newco", "exports", 0), true, entcache.Live)

		// It moves, and asks for a coupon, of which there are two.
		_, err = c.Customers.Update(ctx, entcache.UpdateCustomerInput{CustomerId: new("newco"), Email: new("it@newco.test")})
		must(err)
		var coupons []string
		for c, err := range c.Coupons.List(ctx, nil) {
			must(err)
			coupons = append(coupons, c.RefId)
		}
		if slices.Sort(coupons); !slices.Equal(coupons, []string{"launch", "ten-off"}) {
			t.Errorf("coupons %q", coupons)
		}

		// What it has, seen in every way.
		one, err := c.Subscriptions.Get(ctx, "s")
		must(err)
		all, err := c.Subscriptions.Active(ctx, "newco")
		must(err)
		slim, err := c.Subscriptions.ActiveList(ctx, "newco")
		must(err)
		customer, err := c.Customers.Get(ctx, "newco")
		must(err)
		if one.Plan.RefId != "starter" || len(all) != 1 || all[0].SubscriptionId != "s" || len(slim) != 1 || slim[0].SubscriptionId != "s" ||
			len(customer.Subscriptions) != 1 || customer.Name == nil || *customer.Name != "Newco" ||
			customer.Email == nil || *customer.Email != "it@newco.test" {
			t.Errorf("one: %+v\nall: %+v\nslim: %+v\ncustomer: %+v", one, all, slim, customer)
		}
		listed := 0
		for s, err := range c.Subscriptions.List(ctx, nil) {
			must(err)
			if s.SubscriptionId == "s" {
				listed++
			}
		}
		if listed != 1 {
			t.Errorf("it is listed %d times", listed)
		}

		// What it costs: 20 a month, and 15 for five seats more, half of that for half of the month; growth costs at least 60.
		estimate, err := c.Subscriptions.Estimate(ctx, entcache.EstimateSubscriptionInput{CustomerId: "newco", PlanId: "starter",
			Addons: []entcache.SubscriptionAddonInput{{AddonId: "extra-seats"}}})
		must(err)
		must(w.stigg.AdvanceClock(31 * 24 * time.Hour / 2)) // half of January; the client's own clock stays
		change, err := c.Subscriptions.EstimateUpdate(ctx, entcache.EstimateSubscriptionUpdateInput{SubscriptionId: "s",
			Addons: []entcache.SubscriptionAddonInput{{AddonId: "extra-seats", Quantity: new(2)}}})
		must(err)
		preview, err := c.Subscriptions.Preview(ctx, entcache.PreviewSubscriptionInput{CustomerId: "newco", PlanId: "growth",
			TrialOverrideConfiguration: &entcache.TrialOverrideConfigurationInput{IsTrial: false}})
		must(err)
		if estimate.Total.Amount != 15 || estimate.Subscription.Total.Amount != 35 || change.Proration == nil || change.Proration.NetAmount.Amount != 15 ||
			change.Subscription.Total.Amount != 50 || preview.RecurringInvoice == nil || preview.RecurringInvoice.Total.Amount != 60 {
			t.Errorf("estimated %+v\nof a change %+v %+v\npreview %+v", estimate, change.Proration, change.Subscription, preview)
		}

		// A change for later, and back.
		_, err = c.Subscriptions.Update(ctx, entcache.UpdateSubscriptionInput{SubscriptionId: new("s"),
			ScheduleStrategy: new(entcache.ScheduleAtPeriodEnd), Addons: []entcache.SubscriptionAddonInput{{AddonId: "extra-seats"}}})
		must(err)
		scheduled := func() int {
			t.Helper()
			s, err := c.Subscriptions.Get(ctx, "s")
			must(err)
			return len(s.ScheduledUpdates)
		}
		if n := scheduled(); n != 1 {
			t.Errorf("%d changes scheduled, want 1", n)
		}
		must(c.Subscriptions.CancelScheduledUpdates(ctx, "s"))
		if n := scheduled(); n != 0 {
			t.Errorf("%d changes scheduled, want none", n)
		}

		// Usage, and its history.
		since := time.Now()
		for range 2 {
			reported, err := c.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "newco", FeatureId: "api-calls", Value: 2})
			must(err)
			if reported.CurrentUsage == nil {
				t.Errorf("reported %+v", reported)
			}
			w.after(time.Second)
		}
		history, err := c.Usage.History(ctx, entcache.UsageHistoryInput{CustomerId: "newco", FeatureId: "api-calls", StartDate: entcache.DateTime{Time: since}})
		must(err)
		if len(history.Series) != 1 || len(history.Series[0].Points) == 0 || history.Series[0].Points[len(history.Series[0].Points)-1].Value != 4 {
			t.Errorf("history %+v, want it to end with 4", history)
		}

		bulk, err := c.Usage.ReportBulk(ctx, []entcache.UsageReport{{CustomerId: "newco", FeatureId: "api-calls", Value: 3}, {CustomerId: "newco", FeatureId: "seats", Value: 2}})
		must(err)
		if len(bulk) != 2 || *bulk[0].CurrentUsage != 7 || *bulk[1].CurrentUsage != 2 {
			t.Errorf("reported in bulk %+v", bulk)
		}
		if d := w.check("newco", "api-calls", 0); d.Entitlement.CurrentUsage() != 7 {
			t.Errorf("%v calls, want 7", d.Entitlement.CurrentUsage())
		}

		// A feature of a higher plan to try, given and taken back.
		w.want(w.check("newco", "sso", 0), false, entcache.Live)
		_, err = c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{CustomerId: "newco",
			PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{{FeatureId: "sso", Period: entcache.PromotionOneWeek}}})
		must(err)
		w.shows("newco", "sso")
		must(c.Promotions.Revoke(ctx, "newco", "sso"))
		if d := w.check("newco", "sso", 0); d.HasAccess {
			t.Error("sso after it was revoked")
		}
		w.settle() // an event of before that came after the answer below would be a question

		// A plan above it by the payment method that is known now, with raw events.
		applied, err := c.Subscriptions.Apply(ctx, entcache.ApplySubscriptionInput{CustomerId: "newco", PlanId: "growth", SkipTrial: new(true)})
		must(err)
		if applied.Subscription.Plan.RefId != "growth" {
			t.Errorf("applied %+v", applied)
		}
		w.want(w.check("newco", "sso", 0), true, entcache.Live)
		w.check("newco", "active-users", 0)
		must(c.Usage.ReportEvents(ctx, []entcache.UsageEvent{{CustomerId: "newco", EventName: "signed-in", Timestamp: &entcache.DateTime{Time: w.stigg.Now()}, Dimensions: new(json.RawMessage(`{"user":"ann"}`))}}))
		w.after(time.Second)
		if d := w.check("newco", "active-users", 0); d.Entitlement.CurrentUsage() != 1 {
			t.Errorf("%v active users, want 1", d.Entitlement.CurrentUsage())
		}

		// It leaves, and comes back another day, to nothing.
		ended, err := c.Subscriptions.Cancel(ctx, entcache.SubscriptionCancellationInput{
			SubscriptionRefId: applied.Subscription.SubscriptionId, SubscriptionCancellationTime: new(entcache.CancelImmediately)})
		must(err)
		if ended.Status != entcache.SubscriptionCanceled {
			t.Errorf("cancelled %+v", ended)
		}
		if d := w.check("newco", "sso", 0); d.HasAccess {
			t.Error("sso after the subscription was cancelled")
		}
		must(c.Customers.Archive(ctx, "newco"))
		if d := w.check("newco", "seats", 0); d.AccessDeniedReason != entcache.CustomerIsArchived {
			t.Errorf("archived, and denied for %q", d.AccessDeniedReason)
		}
		_, err = c.Customers.Unarchive(ctx, "newco")
		must(err)
		if d := w.check("newco", "seats", 0); d.AccessDeniedReason != entcache.NoActiveSubscription {
			t.Errorf("back, and denied for %q", d.AccessDeniedReason)
		}

		sent := map[string]bool{}
		for _, r := range w.stigg.RequestLog(0) {
			sent[r.Name] = true
		}
		for _, method := range journey {
			if !sent[services[method].operation] {
				t.Errorf("the journey has no %s", method)
			}
		}
	})
}
