package emulator

import (
	"maps"
	"slices"
	"strings"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// customerOf returns the customer with its subscriptions and promotions; the two point at each other, as in the API.
func (e *Emulator) customerOf(c *customer) *wire.Customer {
	w := e.profileOf(c)
	for _, s := range c.live(e.now()) {
		*w.Subscriptions = append(*w.Subscriptions, e.subscriptionOf(c, s, w))
	}
	return w
}

// profileOf is customerOf without the subscriptions.
func (e *Emulator) profileOf(c *customer) *wire.Customer {
	now := e.now()
	w := &wire.Customer{
		ID: wire.ID(c.id), RefID: c.id, CustomerID: c.id,
		Name: optional(c.name), Email: optional(c.email), BillingID: optional(c.billingID),
		AwsMarketplaceCustomerID: optional(c.marketplaceID),
		AdditionalMetaData:       metadata(c.metadata),
		CreatedAt:                optionalTime(c.createdAt),
		UpdatedAt:                wire.NewDateTime(c.updatedAt),
		HasActiveSubscription:    len(c.live(now)) > 0,
		HasPaymentMethod:         c.paymentMethod,
	}
	w.Subscriptions = &[]*wire.CustomerSubscription{}
	promos := []*wire.PromotionalEntitlement{}
	for _, p := range c.promos {
		if p.active(now) {
			promos = append(promos, e.promotionOf(p))
		}
	}
	w.PromotionalEntitlements = &promos
	trialed := []*wire.TrialedPlan{}
	for _, s := range c.subs {
		if s.began() {
			trialed = append(trialed, &wire.TrialedPlan{
				PlanID: optional(s.planID), PlanRefID: optional(s.planID), ProductID: optional(s.productID), ProductRefID: optional(s.productID),
			})
		}
	}
	w.TrialedPlans = &trialed
	eligible := []*wire.EligibleForTrial{}
	for i := range e.state.index.catalog.Products {
		p := &e.state.index.catalog.Products[i]
		eligible = append(eligible, &wire.EligibleForTrial{ProductID: &p.ID, ProductRefID: &p.ID, Eligible: e.state.index.trialLeft(c, p.ID)})
	}
	w.EligibleForTrial = &eligible
	if c.coupon != nil {
		w.Coupon = e.couponOf(c.coupon)
	}
	w.Statistics = statisticsOf(c.live(now))
	if card := c.card(); card != nil {
		w.DefaultPaymentMethodType, w.DefaultPaymentMethodLast4Digits = &card.kind, &card.last4
		w.DefaultPaymentExpirationMonth, w.DefaultPaymentExpirationYear = &card.month, &card.year
	}
	return w
}

// statisticsOf counts subscriptions by pricing type, and says nothing of those that there are none of.
func statisticsOf(subs []*subscription) *wire.CustomerStatistics {
	byType := map[wire.PricingType]int{}
	for _, s := range subs {
		byType[s.pricingType()]++
	}
	counts := []*wire.SubscriptionPricingTypeStatistics{}
	for _, t := range slices.Sorted(maps.Keys(byType)) {
		counts = append(counts, &wire.SubscriptionPricingTypeStatistics{PricingType: t, TotalCount: float64(byType[t])})
	}
	return &wire.CustomerStatistics{ActiveSubscriptionsByPricingType: &counts}
}

// card is a means of payment.
type card struct {
	id          string
	kind        wire.PaymentMethodType
	last4       string
	month, year int32
}

// card is what a customer has left at a checkout: everybody has the same, as in the test mode of a payment provider. It is nil when
// there is none.
func (c *customer) card() *card {
	if !c.paymentMethod {
		return nil
	}
	return &card{"pm_" + c.id, wire.PaymentMethodTypeCard, "4242", 12, 2099}
}

// trialLeft reports whether a plan of the product has a trial that the customer did not begin yet.
func (ix *index) trialLeft(c *customer, productID string) bool {
	return slices.ContainsFunc(ix.catalog.Plans, func(p Plan) bool { return p.Product == productID && p.Trial != nil && !c.trialed(p.ID) })
}

// subscriptionOf returns one subscription of the customer w, which is made when it is nil.
func (e *Emulator) subscriptionOf(c *customer, s *subscription, w *wire.Customer) *wire.CustomerSubscription {
	if w == nil {
		w = e.customerOf(c)
	}
	now := e.now()
	start, end := s.billing(s.period, now)
	sub := &wire.CustomerSubscription{
		ID: wire.ID(s.id), RefID: s.id, SubscriptionID: s.id,
		Customer: w, PayingCustomer: e.payerOf(s, w),
		Plan:                      planOf(s.index, s.index.plans[s.planID]),
		Status:                    s.status(now),
		PaymentCollection:         wire.PaymentCollectionNotRequired,
		PricingType:               s.pricingType(),
		AdditionalMetaData:        metadata(s.metadata),
		StartDate:                 wire.NewDateTime(s.startAt),
		EndDate:                   optionalTime(s.endAt),
		EffectiveEndDate:          optionalTime(s.endAt),
		TrialEndDate:              optionalTime(s.trialEnd),
		BillingID:                 optional(s.billingID),
		CurrentBillingPeriodStart: optionalTime(start),
		CurrentBillingPeriodEnd:   optionalTime(end),
	}
	if s.index.plans[s.planID].Pricing != "free" {
		sub.BillingPeriod = billingPeriod(s.period)
	}
	if !s.trialEnd.IsZero() && !s.convert && (s.endAt.IsZero() || s.endAt.After(s.trialEnd)) {
		sub.EffectiveEndDate = optionalTime(s.trialEnd)
	}
	updates, future := []*wire.SubscriptionScheduledUpdate{}, []*wire.SubscriptionFutureUpdate{}
	for _, sc := range e.scheduledOf(c, s, now) {
		u := sc.update()
		updates, future = append(updates, u), append(future, new(wire.SubscriptionFutureUpdate(*u)))
	}
	sub.ScheduledUpdates, sub.FutureUpdates = &updates, &future
	sub.Prices, sub.TotalPrice = pricesOfSubscription(c, s, now)
	if s.collection != "" {
		sub.PaymentCollectionMethod = &s.collection
	}
	if s.cancelled {
		sub.CancellationDate = optionalTime(s.endAt)
	}
	if s.resourceID != "" {
		sub.Resource = &wire.CustomerResource{ResourceID: s.resourceID}
	}
	addons := []*wire.SubscriptionAddon{}
	for _, a := range s.addons {
		if addon := s.index.addons[a.id]; addon != nil {
			addons = append(addons, &wire.SubscriptionAddon{
				ID: wire.ID(s.id + "/" + a.id), Quantity: a.quantity, Addon: addonOf(s.index, addon),
			})
		}
	}
	sub.Addons = &addons
	if !s.trialEnd.IsZero() {
		behaviour := wire.TrialEndBehaviorCancelSubscription
		if s.convert {
			behaviour = wire.TrialEndBehaviorConvertToPaid
		}
		sub.TrialConfiguration = &wire.TrialConfiguration{TrialEndBehavior: behaviour}
	}
	return sub
}

// payerOf is who pays for a subscription of w. Another customer is shown without its own subscriptions: they may lead back to this one.
func (e *Emulator) payerOf(s *subscription, w *wire.Customer) *wire.Customer {
	if payer := e.state.customers[s.payer]; payer != nil {
		return e.profileOf(payer)
	}
	return w
}

func (s *subscription) pricingType() wire.PricingType { return *s.index.plans[s.planID].pricingType() }

func (p *Plan) pricingType() *wire.PricingType {
	return new(wire.PricingType(strings.ToUpper(p.Pricing)))
}

// pricingType is FREE for an add-on without prices.
func (a *Addon) pricingType() *wire.PricingType {
	if len(a.Prices) == 0 {
		return new(wire.PricingTypeFree)
	}
	return new(wire.PricingTypePaid)
}

func (e *Emulator) promotionOf(p *promotion) *wire.PromotionalEntitlement {
	status := wire.PromotionalEntitlementStatusActive
	if !p.active(e.now()) {
		status = wire.PromotionalEntitlementStatusExpired
	}
	w := &wire.PromotionalEntitlement{
		ID: wire.ID(p.id), FeatureID: p.entitlement.Feature, EndDate: optionalTime(p.endsAt),
		HasSoftLimit: &p.entitlement.SoftLimit, HasUnlimitedUsage: &p.entitlement.Unlimited,
		IsVisible: !p.hidden, Status: status, UsageLimit: p.entitlement.Limit,
	}
	if f := e.state.index.feature(p.entitlement.Feature); f != nil {
		w.Feature = fullFeatureOf(f)
	} else {
		w.Feature = fullFeatureOf(&Feature{ID: p.entitlement.Feature, Name: p.entitlement.Feature})
	}
	if p.entitlement.Reset != "" {
		w.ResetPeriod = new(wire.EntitlementResetPeriod(p.entitlement.Reset.wire()))
	}
	return w
}

func productOf(ix *index, p *Product) *wire.Product {
	w := &wire.Product{
		RefID: p.ID, DisplayName: optional(p.Name), Description: optional(p.Description),
		ProductSettings: &wire.ProductSettings{},
	}
	if d := ix.plans[p.DowngradePlan]; d != nil {
		// Without what it grants and costs: it would lead back to this product, and so on for ever.
		own := *w
		own.ProductSettings = &wire.ProductSettings{}
		w.DowngradePlan = &wire.Plan{
			ID: wire.ID(d.ID), RefID: d.ID, DisplayName: d.Name, Description: optional(d.Description),
			Product: &own, VersionNumber: int32(d.Version), PricingType: d.pricingType(),
		}
		w.ProductSettings.DowngradePlan = w.DowngradePlan
	}
	return w
}

func planOf(ix *index, p *Plan) *wire.Plan {
	w := &wire.Plan{
		ID: wire.ID(p.ID), RefID: p.ID, DisplayName: p.Name, Description: optional(p.Description),
		Product: productOf(ix, ix.products[p.Product]), VersionNumber: int32(p.Version),
		PricingType: p.pricingType(), HiddenFromWidgets: widgetsOf(p.HiddenFrom),
	}
	w.Entitlements, w.PackageEntitlements = packageEntitlements(ix, p.ID, p.Entitlements)
	w.Prices, w.OveragePrices = pricesOf(ix, p.Prices), &[]*wire.Price{}
	if p.Parent != "" {
		w.BasePlan = planOf(ix, ix.plans[p.Parent])
	}
	w.InheritedEntitlements, w.InheritedPackageEntitlements = packageEntitlements(ix, p.ID, ix.inherited(p))
	addons := []*wire.Addon{}
	for i := range ix.catalog.Addons {
		if a := &ix.catalog.Addons[i]; a.Product == p.Product {
			addons = append(addons, addonOf(ix, a))
		}
	}
	w.CompatibleAddons = &addons
	if p.Trial != nil {
		behaviour := wire.TrialEndBehaviorCancelSubscription
		if p.Trial.Convert {
			behaviour = wire.TrialEndBehaviorConvertToPaid
		}
		w.DefaultTrialConfig = &wire.DefaultTrialConfig{
			Duration: float64(p.Trial.Days), Units: wire.TrialPeriodUnits("DAY"), TrialEndBehavior: &behaviour,
		}
	}
	return w
}

func addonOf(ix *index, a *Addon) *wire.Addon {
	w := &wire.Addon{
		ID: wire.ID(a.ID), RefID: a.ID, DisplayName: a.Name, Description: optional(a.Description), PricingType: a.pricingType(),
		HiddenFromWidgets: widgetsOf(a.HiddenFrom),
	}
	w.Entitlements, w.PackageEntitlements = packageEntitlements(ix, a.ID, a.Entitlements)
	w.Prices, w.OveragePrices = pricesOf(ix, a.Prices), &[]*wire.Price{}
	return w
}

// packageEntitlements lists what a plan or add-on grants, in both shapes of the API.
func packageEntitlements(ix *index, owner string, list []Entitlement) (*[]*wire.PackageEntitlement, *[]*wire.PackageEntitlementUnion) {
	v1, v2 := []*wire.PackageEntitlement{}, []*wire.PackageEntitlementUnion{}
	for i := range list {
		e := &list[i]
		id := wire.ID(owner + "/" + e.ref().id)
		var reset *wire.EntitlementResetPeriod
		if e.Reset != "" {
			reset = new(wire.EntitlementResetPeriod(e.Reset.wire()))
		}
		if e.Currency != "" {
			cur := ix.currencies[e.Currency]
			cadence := wire.CreditCadence("MONTH")
			if e.Reset == Year {
				cadence = wire.CreditCadence("YEAR")
			}
			v2 = append(v2, &wire.PackageEntitlementUnion{Value: &wire.PackageCreditEntitlement{
				ID: id, Amount: e.Limit, Behavior: wire.EntitlementBehaviorOverride, Cadence: cadence,
				CustomCurrencyID: cur.ID, HasSoftLimit: &e.SoftLimit, IsGranted: true,
				CustomCurrency: &wire.CustomCurrency{
					CurrencyID: cur.ID, DisplayName: cur.Name, Symbol: optional(cur.Symbol),
					Units: &wire.Units{Singular: optional(cur.Unit), Plural: optional(cur.Units)},
				},
			}})
			continue
		}
		var values *[]string
		if len(e.Values) > 0 {
			values = &e.Values
		}
		feature := fullFeatureOf(ix.features[e.Feature])
		v1 = append(v1, &wire.PackageEntitlement{
			Feature: feature, FeatureID: e.Feature, EnumValues: values, HasSoftLimit: &e.SoftLimit,
			HasUnlimitedUsage: &e.Unlimited, IsGranted: true, ResetPeriod: reset, UsageLimit: e.Limit,
		})
		v2 = append(v2, &wire.PackageEntitlementUnion{Value: &wire.PackageFeatureEntitlement{
			ID: id, Behavior: wire.EntitlementBehaviorOverride, Feature: feature, FeatureID: e.Feature, EnumValues: values,
			HasSoftLimit: &e.SoftLimit, HasUnlimitedUsage: &e.Unlimited, IsGranted: true, ResetPeriod: reset, UsageLimit: e.Limit,
		}})
	}
	return &v1, &v2
}

func metadata(v any) *wire.JSON {
	if v == nil {
		return nil
	}
	return &wire.JSON{Value: v}
}
