package entcache_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// A customer's whole journey, by every service method, against an emulator that asks for payment.
func TestTheWholeJourney(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		catalog := emulator.DemoCatalog()
		catalog.Billing = &emulator.Billing{}
		if err := w.stigg.UpdateCatalog(catalog, emulator.AllCustomers); err != nil {
			t.Fatal(err)
		}
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
			len(customer.Subscriptions) != 1 || customer.Name == nil || *customer.Name != "Newco" {
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
	})
}
