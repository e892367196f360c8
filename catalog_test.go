package entcache_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// sellingFor makes the emulator of a world ask for payment.
func (w *world) sellingFor() {
	w.Helper()
	catalog := emulator.DemoCatalog()
	catalog.Billing = &emulator.Billing{}
	if err := w.stigg.UpdateCatalog(catalog, emulator.AllCustomers); err != nil {
		w.Fatal(err)
	}
}

// The list of products has no cursors: longer ones are asked for until one is shorter than that.
func TestProductsAreListedBeyondTheFirstPage(t *testing.T) {
	for _, row := range []struct{ products, asked int }{{1, 1}, {19, 1}, {24, 1}, {26, 2}, {131, 4}} {
		bubble(t, func(t *testing.T) {
			w := started(t)
			catalog := emulator.DemoCatalog()
			want := []string{"app"}
			for i := len(want); i < row.products; i++ {
				want = append(want, fmt.Sprintf("product-%03d", i))
				catalog.Products = append(catalog.Products, emulator.Product{ID: want[i]})
			}
			if err := w.stigg.UpdateCatalog(catalog, emulator.NewCustomers); err != nil {
				t.Fatal(err)
			}
			var got []string
			for p, err := range w.client.Catalog.Products(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, p.RefId)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d products: %v, want %v", row.products, got, want)
			}
			if n := w.stigg.Requests()["products"]; n != row.asked {
				t.Errorf("%d products: asked %d times, want %d", row.products, n, row.asked)
			}
			for range w.client.Catalog.Products(t.Context()) {
				break
			}
			if n := w.stigg.Requests()["products"]; n != row.asked+1 {
				t.Errorf("who looks at the first asked %d times, want once", n-row.asked)
			}
		})
	}
}

// A Stigg that gives so many at once and no more does not say so. Where that is possible, the list is an error after what could be had.
func TestProductsThatMayNotBeAllAreAnError(t *testing.T) {
	for n, whole := range map[int]bool{0: true, 10: true, 19: true, 20: false, 23: true, 25: false, 32: false, 33: true, 50: false, 100: false, 101: true, 250: false} {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"node":{"refId":"p%d","productSettings":{}}}`, i))
		}
		bubble(t, func(t *testing.T) {
			w := started(t)
			w.stigg.Faults().ReplaceReply("GetProducts", emulator.Reply{Body: `{"data":{"products":{"edges":[` + strings.Join(list, ",") + `]}}}`})
			had, err := lengthOf(w.client.Catalog.Products(t.Context()))
			if had != n || (err == nil) != whole || err != nil && !errors.Is(err, entcache.ErrMalformed) {
				t.Errorf("%d products, %v; want %d, and that they may be all: %v", had, err, n, whole)
			}
		})
	}
	bubble(t, func(t *testing.T) { // what is too much to ask for is answered with fewer than before
		w := started(t)
		catalog := emulator.DemoCatalog()
		for i := range 60 {
			catalog.Products = append(catalog.Products, emulator.Product{ID: fmt.Sprint("product-", i)})
		}
		if err := w.stigg.UpdateCatalog(catalog, emulator.NewCustomers); err != nil {
			t.Fatal(err)
		}
		had, failed := 0, 0
		for _, err := range w.client.Catalog.Products(t.Context()) {
			if err != nil {
				failed++
				continue
			}
			if had++; had == 25 {
				w.stigg.Faults().ReplaceReply("GetProducts", emulator.Reply{Body: `{"data":{"products":{"edges":[{"node":{"refId":"app","productSettings":{}}}]}}}`})
			}
		}
		if had != 25 || failed != 1 {
			t.Errorf("%d products and %d errors, want 25 and one", had, failed)
		}
	})
}

// A list that Stigg refuses to make so long is an error after what could be had.
func TestMoreProductsThanStiggGivesAreAnError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		catalog := emulator.DemoCatalog()
		for i := range 50 {
			catalog.Products = append(catalog.Products, emulator.Product{ID: fmt.Sprint("product-", i)})
		}
		if err := w.stigg.UpdateCatalog(catalog, emulator.NewCustomers); err != nil {
			t.Fatal(err)
		}
		had, failed := 0, 0
		for _, err := range w.client.Catalog.Products(t.Context()) {
			if err != nil {
				failed++
				continue
			}
			if had++; had == 25 {
				w.stigg.Faults().FailOperation("GetProducts", "BadUserInput")
			}
		}
		if had != 25 || failed != 1 {
			t.Errorf("%d products and %d errors, want 25 and one", had, failed)
		}
	})
}

// What a customer sees before it buys, while it does, and afterwards.
func TestFromThePaywallToThePortal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.sellingFor()
		ctx, c := t.Context(), w.client
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}

		paywall, err := c.Catalog.Paywall(ctx, entcache.PaywallInput{ProductId: new("app"), CustomerId: new("acme"), BillingCountryCode: new("DE")})
		must(err)
		var plans []string
		for _, p := range paywall.Plans {
			plans = append(plans, p.RefId)
		}
		if fmt.Sprint(plans) != "[free starter growth enterprise]" || paywall.Customer == nil || paywall.Customer.CustomerId != "acme" ||
			len(paywall.ActiveSubscriptions) != 1 || paywall.ActiveSubscriptions[0].Plan.RefId != "free" {
			t.Errorf("paywall of %v: %+v, %+v", plans, paywall.Customer, paywall.ActiveSubscriptions)
		}
		if paywall.Currency.Code != "EUR" || paywall.Currency.Symbol != "€" || len(paywall.Plans[1].InheritedEntitlements) != 0 || len(paywall.Plans[2].InheritedEntitlements) != 2 {
			t.Errorf("in Germany: %+v, inherited %+v and %+v", paywall.Currency, paywall.Plans[1].InheritedEntitlements, paywall.Plans[2].InheritedEntitlements)
		}
		begins := map[string]float64{}
		for _, p := range paywall.PaywallCalculatedPricePoints {
			begins[fmt.Sprint(p.PlanId, " ", p.BillingPeriod, " ", p.Currency)] = p.Amount
		}
		// Growth is 50 and 8 for the first seat, and costs 60 a month at least.
		if fmt.Sprint(begins) != "map[growth ANNUALLY USD:580 growth MONTHLY USD:60 starter ANNUALLY USD:200 starter MONTHLY EUR:18]" {
			t.Errorf("prices begin at %v", begins)
		}
		mock, err := c.Catalog.MockPaywall(ctx, entcache.PaywallInput{})
		must(err)
		if len(mock.Plans) != 4 || mock.Plans[1].Entitlements[0].Feature == nil || mock.Configuration == nil {
			t.Errorf("mock paywall %+v", mock)
		}

		state, err := c.Checkout.State(ctx, entcache.CheckoutStateInput{CustomerId: "acme", PlanId: "starter"})
		must(err)
		var credentials struct {
			Typename    string `json:"__typename"`
			SetupSecret string
		}
		must(json.Unmarshal(*state.BillingIntegration.BillingCredentials, &credentials))
		if state.Plan.RefId != "starter" || state.ActiveSubscription == nil || state.ActiveSubscription.Plan.RefId != "free" ||
			credentials.Typename != "StripeCheckoutCredentials" || credentials.SetupSecret == "" || credentials.SetupSecret != state.SetupSecret {
			t.Errorf("checkout of %s after %+v with %+v, secret %s", state.Plan.RefId, state.ActiveSubscription, credentials, state.SetupSecret)
		}
		session, err := c.Checkout.PaymentSession(ctx, entcache.PaymentSessionInput{CustomerId: "acme", PlanId: "starter"})
		must(err)
		if session.Token == "" {
			t.Error("a session without a token")
		}
		// With a coupon that is made for the occasion.
		coupon, err := c.Coupons.Create(ctx, entcache.CreateCouponInput{
			RefId: "half", Name: "Half", PercentOff: new(50.0), DurationInMonths: new(2.0), AdditionalMetaData: new(json.RawMessage(`{"by":"sales"}`)),
		})
		must(err)
		if coupon.RefId != "half" || coupon.Status != entcache.CouponActive || coupon.AdditionalMetaData == nil || string(*coupon.AdditionalMetaData) != `{"by":"sales"}` {
			t.Errorf("made %+v", coupon)
		}
		if _, err := c.Coupons.Create(ctx, entcache.CreateCouponInput{RefId: "half", Name: "Again", PercentOff: new(5.0)}); !errors.Is(err, entcache.ErrConflict) {
			t.Errorf("a second of the same id: %v, want ErrConflict", err)
		}
		ordered, err := c.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{
			CustomerId: "acme", PlanId: "starter", AppliedCoupon: &entcache.SubscriptionCouponInput{CouponId: new("half")},
		})
		must(err)
		if ordered.Status != entcache.ProvisionPaymentRequired {
			t.Fatalf("ordered: %+v", ordered)
		}
		pending, err := c.Checkout.State(ctx, entcache.CheckoutStateInput{CustomerId: "acme", PlanId: "starter"})
		must(err)
		if !strings.Contains(pending.SetupSecret, *ordered.CheckoutBillingId) {
			t.Errorf("the secret is %s, want that of the checkout that is open, %s", pending.SetupSecret, *ordered.CheckoutBillingId)
		}
		if _, err := w.stigg.CompleteCheckouts("acme"); err != nil {
			t.Fatal(err)
		}

		if _, err := c.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{CustomerId: "acme",
			PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{{FeatureId: "sso", Period: entcache.PromotionOneWeek}}}); err != nil {
			t.Fatal(err)
		}
		portal, err := c.Customers.Portal(ctx, entcache.CustomerPortalInput{CustomerId: "acme"})
		must(err)
		if len(portal.Subscriptions) != 1 {
			t.Fatalf("portal: %+v", portal.Subscriptions)
		}
		s := portal.Subscriptions[0]
		if s.PlanName != "Starter" || s.TotalPrice == nil || s.TotalPrice.SubTotal.Amount != 20 || s.TotalPrice.Total.Amount != 10 ||
			s.Pricing.Price == nil || s.Pricing.Price.Amount != 20 || s.BillingPeriodRange == nil || !portal.CanUpgradeSubscription {
			t.Errorf("subscription %+v, %+v for %+v; can upgrade: %v", s, s.Pricing, s.TotalPrice, portal.CanUpgradeSubscription)
		}
		if len(portal.PromotionalEntitlements) != 1 || portal.PromotionalEntitlements[0].Period != entcache.PromotionOneWeek ||
			len(portal.Entitlements) == 0 || len(portal.EntitlementsV2) < len(portal.Entitlements) || portal.BillingPortalUrl == nil ||
			portal.BillingInformation.DefaultPaymentMethodLast4Digits == nil {
			t.Errorf("portal %+v", portal)
		}
		statistics, err := c.Customers.Statistics(ctx, "acme")
		must(err)
		if n := statistics.ActiveSubscriptionsByPricingType; len(n) != 1 || n[0].PricingType != "PAID" || n[0].TotalCount != 1 {
			t.Errorf("statistics %+v", n)
		}
	})
}

// What is named and does not exist.
func TestNothingToShow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.sellingFor()
		c, ctx := w.client, t.Context()
		for name, err := range map[string]error{
			"paywall of a product":     discard(c.Catalog.Paywall(ctx, entcache.PaywallInput{ProductId: new("x")})),
			"paywall of an offer":      discard(c.Catalog.Paywall(ctx, entcache.PaywallInput{OfferId: new("x")})),
			"paywall for a customer":   discard(c.Catalog.Paywall(ctx, entcache.PaywallInput{CustomerId: new("x")})),
			"mock paywall":             discard(c.Catalog.MockPaywall(ctx, entcache.PaywallInput{ProductId: new("x")})),
			"portal":                   discard(c.Customers.Portal(ctx, entcache.CustomerPortalInput{CustomerId: "x"})),
			"checkout by a customer":   discard(c.Checkout.State(ctx, entcache.CheckoutStateInput{CustomerId: "x", PlanId: "starter"})),
			"checkout of a plan":       discard(c.Checkout.State(ctx, entcache.CheckoutStateInput{CustomerId: "acme", PlanId: "x"})),
			"payment by a customer":    discard(c.Checkout.PaymentSession(ctx, entcache.PaymentSessionInput{CustomerId: "x", PlanId: "starter"})),
			"payment session for plan": discard(c.Checkout.PaymentSession(ctx, entcache.PaymentSessionInput{CustomerId: "acme", PlanId: "x"})),
		} {
			if !errors.Is(err, entcache.ErrNotFound) {
				t.Errorf("%s: %v, want ErrNotFound", name, err)
			}
		}
	})
}

// A check is reported by the program, and by nobody else.
func TestChecksAreReportedWhenTheProgramDoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.after(time.Second)
		for range 10 {
			w.check("globex", "seats", 1)
		}
		if list := w.stigg.EntitlementChecks(); len(list) != 0 {
			t.Fatalf("reported %+v, want nothing", list)
		}
		for _, q := range []entcache.Query{
			{CustomerID: "globex", FeatureID: "seats", RequestedUsage: 9},
			{CustomerID: "globex", FeatureID: "themes", RequestedValues: []string{"dark"}},
			{CustomerID: "nobody", ResourceID: "site", FeatureID: "sso"},
		} {
			d, err := w.client.GetEntitlement(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.client.ReportEntitlementCheck(t.Context(), q, d); err != nil {
				t.Errorf("%+v: %v", q, err)
			}
		}
		got, err := json.Marshal(w.stigg.EntitlementChecks())
		if err != nil {
			t.Fatal(err)
		}
		at := w.stigg.Now().UTC().Format(time.RFC3339Nano)
		want := strings.ReplaceAll(`[{"at":"AT","customerId":"globex","featureId":"seats","requestedUsage":9,"hasAccess":false,"accessDeniedReason":"RequestedUsageExceedingLimit","currentUsage":0,"usageLimit":5},`+
			`{"at":"AT","customerId":"globex","featureId":"themes","requestedValues":["dark"],"hasAccess":true},`+
			`{"at":"AT","customerId":"nobody","resourceId":"site","featureId":"sso","hasAccess":false,"accessDeniedReason":"CustomerNotFound"}]`, "AT", at)
		if string(got) != want {
			t.Errorf("reported %s\nwant     %s", got, want)
		}
	})
}

func TestSDKConfigurationTellsWhetherTheKeyIsAccepted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		if out, err := w.client.SDKConfiguration(t.Context()); err != nil || out == nil || out.ShowWatermark == nil {
			t.Errorf("%+v, %v", out, err)
		}
		w.stigg.RevokeAPIKey(emulator.DefaultAPIKey)
		if _, err := w.client.SDKConfiguration(t.Context()); !errors.Is(err, entcache.ErrUnauthenticated) {
			t.Errorf("with a key that was revoked: %v, want ErrUnauthenticated", err)
		}
	})
}
