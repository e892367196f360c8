package entcache_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/gql"
)

// TestWhatNobodyCanHaveMeantIsNotSent, wherever it is in an input: a time that was never set, an id or a word of an enum that is required
// and empty, a coupon that is none. The error names the field by the way to it.
func TestWhatNobodyCanHaveMeantIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		c, ctx := w.client, t.Context()
		never, now := &entcache.DateTime{}, entcache.DateTime{Time: time.Now()}
		plan := func(p entcache.ProvisionCustomerSubscriptionInput) error {
			return discard(c.Customers.Provision(ctx, entcache.ProvisionCustomerInput{CustomerId: new("acme"), SubscriptionParams: &p}))
		}
		provision := func(in entcache.ProvisionSubscriptionInput) error {
			in.CustomerId, in.PlanId = "acme", "starter"
			return discard(c.Subscriptions.Provision(ctx, in))
		}
		grant := func(in entcache.CreditGrantInput) error {
			in.CustomerId, in.CurrencyId, in.DisplayName, in.Amount, in.GrantType = "acme", "ai-credits", "x", 1, entcache.GrantPromotional
			return discard(c.Credits.Grant(ctx, in))
		}
		before := w.stigg.Requests()
		for _, row := range []struct {
			says string
			err  error
		}{
			{"ExpireAt: the time is zero", grant(entcache.CreditGrantInput{ExpireAt: never})},
			{"EffectiveAt: the time is zero", grant(entcache.CreditGrantInput{EffectiveAt: never})},
			{"CreatedAt: the time", discard(c.Credits.Consume(ctx, entcache.ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", CreatedAt: never}))},
			{"Consumptions[1].CreatedAt: the time", c.Credits.ConsumeAsync(ctx, []entcache.ConsumeCreditInput{
				{CustomerId: "acme", CurrencyId: "ai-credits"}, {CustomerId: "acme", CurrencyId: "ai-credits", CreatedAt: never}})},
			{"StartDate: the time", discard(c.Credits.Usage(ctx, entcache.CreditUsageInput{CustomerId: "acme", StartDate: never}))},
			{"StartDate: the time", provision(entcache.ProvisionSubscriptionInput{StartDate: never})},
			{"CancellationDate: the time", provision(entcache.ProvisionSubscriptionInput{CancellationDate: never})},
			{"TrialEndDate: the time", discard(c.Subscriptions.Update(ctx, entcache.UpdateSubscriptionInput{SubscriptionId: new("s"), TrialEndDate: never}))},
			{"EndDate: the time", discard(c.Subscriptions.Cancel(ctx, entcache.SubscriptionCancellationInput{SubscriptionRefId: "s", EndDate: never}))},
			{"CustomEndDate: the time", discard(c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{CustomerId: "acme",
				PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{{FeatureId: "sso", Period: entcache.PromotionCustom, CustomEndDate: never}}}))},
			{"CreatedAt: the time", discard(c.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", CreatedAt: never}))},
			{"UsageEvents[0].Timestamp: the time", c.Usage.ReportEvents(ctx, []entcache.UsageEvent{{CustomerId: "acme", EventName: "x", Timestamp: never}})},
			{"EndDate: the time", discard(c.Usage.History(ctx, entcache.UsageHistoryInput{CustomerId: "acme", FeatureId: "seats", StartDate: now, EndDate: never}))},

			{"SubscriptionParams.PlanId: empty", plan(entcache.ProvisionCustomerSubscriptionInput{})},
			{"SubscriptionParams.BillableFeatures[0].FeatureId: empty", plan(entcache.ProvisionCustomerSubscriptionInput{
				PlanId: "starter", BillableFeatures: []entcache.BillableFeatureInput{{}}})},
			{"BillableFeatures[1].FeatureId: empty", provision(entcache.ProvisionSubscriptionInput{BillableFeatures: []entcache.BillableFeatureInput{{FeatureId: "seats"}, {}}})},
			{"Addons[0].AddonId: empty", provision(entcache.ProvisionSubscriptionInput{Addons: []entcache.SubscriptionAddonInput{{}}})},
			{"AppliedCoupon: empty", provision(entcache.ProvisionSubscriptionInput{AppliedCoupon: &entcache.SubscriptionCouponInput{}})},
			{"CheckoutOptions.CancelUrl: empty", provision(entcache.ProvisionSubscriptionInput{CheckoutOptions: &entcache.CheckoutOptions{SuccessUrl: "https://acme.test"}})},
			{"Addons[0].AddonId: empty", discard(c.Subscriptions.Update(ctx, entcache.UpdateSubscriptionInput{
				SubscriptionId: new("s"), Addons: []entcache.SubscriptionAddonInput{{}}}))},
			{"AppliedCoupon: empty", discard(c.Subscriptions.Estimate(ctx, entcache.EstimateSubscriptionInput{
				CustomerId: "acme", PlanId: "starter", AppliedCoupon: &entcache.SubscriptionCouponInput{}}))},

			{"Sorting[0].Direction: empty", drain(c.Subscriptions.List(ctx, nil, entcache.SubscriptionSort{Field: "createdAt"}))},
			{"GrantType", discard(c.Credits.Grant(ctx, entcache.CreditGrantInput{CustomerId: "acme", CurrencyId: "ai-credits", DisplayName: "x", Amount: 1, GrantType: "FREE"}))},
		} {
			if !errors.Is(row.err, entcache.ErrBadInput) || !strings.Contains(row.err.Error(), row.says) || strings.Contains(row.err.Error(), "nput.") {
				t.Errorf("%v, want ErrBadInput that says %s", row.err, row.says)
			}
		}
		w.settle()
		if after := w.stigg.Requests(); !maps.Equal(after, before) {
			t.Errorf("requests went out: %v, before %v", after, before)
		}

		if err := plan(*entcache.Null[entcache.ProvisionCustomerSubscriptionInput]()); err == nil {
			t.Error("a copy of null was taken for null")
		}
		for name, err := range map[string]error{
			"no subscription": discard(c.Customers.Provision(ctx, entcache.ProvisionCustomerInput{
				CustomerId: new("initech"), SubscriptionParams: entcache.Null[entcache.ProvisionCustomerSubscriptionInput]()})),
			"no coupon, and an optional text that is empty": discard(c.Subscriptions.Estimate(ctx, entcache.EstimateSubscriptionInput{
				CustomerId: "acme", PlanId: "starter", AppliedCoupon: entcache.Null[entcache.SubscriptionCouponInput](), BillingCountryCode: new("")})),
		} {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestListsOfCreditsTakeNoPages: they are iterators, and a page that was asked for would be forgotten.
func TestListsOfCreditsTakeNoPages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		c, ctx, page := w.client, t.Context(), &gql.CursorPaging{First: new(5)}
		for name, err := range map[string]error{
			"Grants": drain(c.Credits.Grants(ctx, entcache.CreditGrantsInput{CustomerId: "acme", Paging: page})),
			"Ledger": drain(c.Credits.Ledger(ctx, entcache.CreditLedgerInput{CustomerId: "acme", Paging: page})),
			"Usage":  discard(c.Credits.Usage(ctx, entcache.CreditUsageInput{CustomerId: "acme", Paging: page})),
		} {
			if !errors.Is(err, entcache.ErrBadInput) || !strings.Contains(err.Error(), "Paging") || !strings.Contains(err.Error(), "all pages") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
