package entcache_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// Every part of an estimate reaches the caller: the bill with what a coupon takes off and what tax adds, the period it is for, and what
// a change in the middle of one is credited and charged. Initech is on starter, 20 dollars a month, since the first of a month of thirty
// days, half of which are over; tax is 20 %.
func TestEstimatesComeThroughWhole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		twenty, err := emulator.ParseDecimal("20")
		if err != nil {
			t.Fatal(err)
		}
		catalog := emulator.DemoCatalog()
		catalog.Billing = &emulator.Billing{Tax: &emulator.Tax{Name: "VAT", Percent: &twenty}}
		w := newWorldOf(t, emulator.Config{Catalog: catalog})
		if err := w.stigg.SetClock(time.Date(2000, time.April, 1, 0, 0, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
		w.provision("initech", "starter")
		if err := w.stigg.AdvanceClock(15 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		ctx, subs := t.Context(), w.client.Subscriptions
		active, err := subs.ActiveList(ctx, "initech")
		if err != nil || len(active) != 1 {
			t.Fatalf("%+v, %v", active, err)
		}
		id := active[0].SubscriptionId
		monthly, seats := new(entcache.BillingMonthly), []entcache.SubscriptionAddonInput{{AddonId: "extra-seats", Quantity: new(1)}}
		launch := &entcache.SubscriptionCouponInput{CouponId: new("launch")}
		estimate := func(in entcache.EstimateSubscriptionInput) string { return told(subs.Estimate(ctx, in)) }
		update := func(in entcache.EstimateSubscriptionUpdateInput) string { return told(subs.EstimateUpdate(ctx, in)) }
		want := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s:\n%s, want\n%s", what, got, want)
			}
		}

		want("a new plan with a coupon", estimate(entcache.EstimateSubscriptionInput{
			CustomerId: "acme", PlanId: "starter", BillingPeriod: monthly, Addons: seats, AppliedCoupon: launch,
		}), "35 - 7 (Launch offer) = 28 + 5.6 (VAT) = 33.6 USD, each 33.6; 2000-04-16T00:00:00.000Z to 2000-05-16T00:00:00.000Z; scheduled: false")
		want("an upgrade", estimate(entcache.EstimateSubscriptionInput{
			CustomerId: "initech", PlanId: "growth", BillingPeriod: monthly, SkipTrial: new(true),
		}), "20 - 0 = 20 + 4 (VAT) = 24 USD, each 72; 2000-04-01T00:00:00.000Z to 2000-05-01T00:00:00.000Z; 30 - 10 = 20 on 2000-04-16T00:00:00Z; scheduled: false")
		more := entcache.EstimateSubscriptionUpdateInput{SubscriptionId: id, Addons: seats}
		want("more seats", update(more),
			"7.5 - 0 = 7.5 + 1.5 (VAT) = 9 USD, each 42; 2000-04-01T00:00:00.000Z to 2000-05-01T00:00:00.000Z; 17.5 - 10 = 7.5 on 2000-04-16T00:00:00Z; scheduled: false")
		if _, err := subs.Update(ctx, entcache.UpdateSubscriptionInput{SubscriptionId: &id, ScheduleStrategy: new(entcache.ScheduleAtPeriodEnd), Addons: seats}); err != nil {
			t.Fatal(err)
		}
		want("more seats at once, which are to come anyway", update(more),
			"7.5 - 0 = 7.5 + 1.5 (VAT) = 9 USD, each 42; 2000-04-01T00:00:00.000Z to 2000-05-01T00:00:00.000Z; 17.5 - 10 = 7.5 on 2000-04-16T00:00:00Z; scheduled: true")

		// The newer shape says the same.
		p, err := subs.Preview(ctx, entcache.PreviewSubscriptionInput{
			CustomerId: "acme", PlanId: "starter", BillingPeriod: monthly, Addons: seats, AppliedCoupon: launch,
		})
		if err != nil {
			t.Fatal(err)
		}
		now := p.ImmediateInvoice
		want("a preview", fmt.Sprint(now.SubTotal.Amount, now.Discount, now.TotalExcludingTax.Amount, now.Tax, now.Total.Amount), "35 &{7 USD} 28 &{5.6 USD} 33.6")
	})
}

// told writes out an estimate: sub-total, discount, what remains, tax and total; the period; what is charged and credited, and when.
func told(p *entcache.SubscriptionPreview, err error) string {
	if err != nil {
		return err.Error()
	}
	name := func(s *string) string { // or the moment
		if s == nil {
			return ""
		}
		return *s
	}
	off, tax := "", ""
	if p.Discount != nil {
		off = fmt.Sprintf(" (%s)", name(p.Discount.Name))
	}
	if p.TaxDetails != nil {
		tax = fmt.Sprintf(" (%v)", p.TaxDetails.DisplayName)
	}
	text := fmt.Sprintf("%v - %v%s = %v + %v%s = %v %v, each %v; %s to %s", p.SubTotal.Amount, p.DiscountAmount.Amount, off, p.TotalExcludingTax.Amount,
		p.Tax.Amount, tax, p.Total.Amount, p.Total.Currency, p.Subscription.Total.Amount, name(p.BillingPeriodRange.Start), name(p.BillingPeriodRange.End))
	if x := p.Proration; x != nil {
		text += fmt.Sprintf("; %v - %v = %v on %s", x.Debit.Amount, x.Credit.Amount, x.NetAmount.Amount, x.ProrationDate.UTC().Format(time.RFC3339Nano))
	}
	return text + fmt.Sprintf("; scheduled: %v", *p.HasScheduledUpdates)
}
