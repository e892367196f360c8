package emulator

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/pricing"
	"github.com/entcache/entcache/emulator/internal/wire"
)

// CustomerPortal shows a customer, or one of its resources, what it has.
func (*query) CustomerPortal(ctx context.Context, args wire.QueryCustomerPortalArgs) (*wire.CustomerPortal, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in, ix := args.Input, q.e.state.index
	c := q.e.state.customers[in.CustomerID]
	if c == nil {
		return nil, errorf(codeCustomerNotFound, "there is no customer %q", in.CustomerID)
	}
	product, resource := in.ProductID.Or(""), in.ResourceID.Or("")
	if product != "" && ix.products[product] == nil {
		return nil, errorf(codeProductNotFound, "there is no product %q", product)
	}
	s := q.e.look(c, resource)
	v1, v2 := q.e.sets(c, s)
	w := &wire.CustomerPortal{
		Entitlements: &v1, EntitlementsV2: &v2, Configuration: portalLook(), Resource: c.resource(resource),
		BillingInformation: &wire.CustomerPortalBillingInformation{Name: optional(c.name), Email: optional(c.email)},
	}
	if card := c.card(); card != nil {
		b := w.BillingInformation
		b.DefaultPaymentMethodID, b.DefaultPaymentMethodType, b.DefaultPaymentMethodLast4Digits = &card.id, &card.kind, &card.last4
		b.DefaultPaymentExpirationMonth, b.DefaultPaymentExpirationYear = &card.month, &card.year
	}
	if ix.catalog.Billing != nil {
		w.BillingPortalURL = new("https://billing.emulator.invalid/" + c.id) // nothing is served there
	}
	now := q.e.now()
	held := c.liveOf(resource, product, now)
	subs, promos := []*wire.CustomerPortalSubscription{}, []*wire.CustomerPortalPromotionalEntitlement{}
	for _, sub := range held {
		subs = append(subs, q.e.portalSubscription(c, sub, s))
	}
	for _, p := range c.promos {
		if p.active(now) && !p.hidden {
			promos = append(promos, portalPromotion(ix, p))
		}
	}
	w.Subscriptions, w.PromotionalEntitlements = &subs, &promos
	w.CanUpgradeSubscription = ix.canUpgrade(held, product)
	return w, nil
}

// liveOf returns what is in force for the customer itself, or for one of its resources, of one product or of all, oldest first.
func (c *customer) liveOf(resourceID, productID string, now time.Time) []*subscription {
	return slices.DeleteFunc(c.live(now), func(s *subscription) bool {
		return s.resourceID != resourceID || productID != "" && s.productID != productID
	})
}

// portalSubscription is a subscription as the portal shows it, with the usage of its scope.
func (e *Emulator) portalSubscription(c *customer, s *subscription, usage *scope) *wire.CustomerPortalSubscription {
	sub, now := e.subscriptionOf(c, s, nil), e.now()
	w := &wire.CustomerPortalSubscription{
		SubscriptionID: s.id, PlanID: s.planID, PlanName: sub.Plan.DisplayName, Status: sub.Status, PricingType: sub.PricingType,
		ScheduledUpdates: sub.ScheduledUpdates, TotalPrice: sub.TotalPrice,
		BillingPeriodRange: &wire.DateRange{Start: textOf(sub.CurrentBillingPeriodStart), End: textOf(sub.CurrentBillingPeriodEnd)},
		Pricing:            &wire.CustomerPortalSubscriptionPricing{PricingType: sub.PricingType, BillingPeriod: sub.BillingPeriod},
	}
	if s.trialAt(now) {
		w.TrialRemainingDays = new(int32(math.Ceil(s.trialEnd.Sub(now).Hours() / 24)))
	}
	addons := []*wire.CustomerPortalAddon{}
	for _, a := range *sub.Addons {
		addons = append(addons, &wire.CustomerPortalAddon{
			AddonID: a.Addon.RefID, DisplayName: a.Addon.DisplayName, Description: a.Addon.Description, Quantity: int32(min(a.Quantity, math.MaxInt32)),
		})
	}
	prices := []*wire.CustomerPortalSubscriptionPrice{}
	for _, p := range *sub.Prices {
		prices = append(prices, &wire.CustomerPortalSubscriptionPrice{
			BillingModel: p.BillingModel, BillingPeriod: &p.Price.BillingPeriod, BlockSize: p.Price.BlockSize, CreditRate: p.Price.CreditRate,
			Feature: portalFeature(p.Price.Feature), Price: p.Price.Price,
		})
	}
	w.Addons, w.Prices = &addons, &prices
	if len(prices) > 0 { // the first is what the plan is known by
		p := prices[0]
		w.Pricing.BillingModel, w.Pricing.Price, w.Pricing.Feature, w.Pricing.CreditRate = p.BillingModel, p.Price, p.Feature, p.CreditRate
	}
	if q, err := s.quote(s.period); err == nil {
		for _, p := range q.plan {
			if units, bought := s.quantities[p.Feature]; bought && !p.Usage && w.Pricing.UnitQuantity == nil {
				w.Pricing.UnitQuantity = new(int32(min(units, math.MaxInt32)))
			}
		}
		if bill, any := q.usageBill(usage); any {
			w.Pricing.UsageBasedEstimatedBill = new(bill.InexactFloat64())
		}
	}
	if x, err := e.nextInvoice(c, s); err == nil && x.charges() { // an error: its price is nowhere to be found
		w.PreviewNextInvoice = x.preview()
	}
	return w
}

// usageBill is what the usage so far costs, when the period is over; false when nothing is charged by usage.
func (q *quote) usageBill(s *scope) (bill decimal.Decimal, any bool) {
	for _, p := range append(slices.Clone(q.plan), q.addons...) {
		if !p.Usage {
			continue
		}
		used := decimal.Zero
		if m := s.meters[ref{id: p.Feature}]; m != nil {
			used = m.used
		}
		bill, any = bill.Add(pricing.Round(q.currency, p.pricing().For(used))), true
	}
	return bill, any
}

func portalFeature(f *wire.Feature) *wire.CustomerPortalPricingFeature {
	if f == nil {
		return nil
	}
	return &wire.CustomerPortalPricingFeature{
		ID: wire.ID(f.RefID), RefID: f.RefID, DisplayName: f.DisplayName, FeatureUnits: f.FeatureUnits, FeatureUnitsPlural: f.FeatureUnitsPlural,
	}
}

func portalPromotion(ix *index, p *promotion) *wire.CustomerPortalPromotionalEntitlement {
	w := &wire.CustomerPortalPromotionalEntitlement{
		DisplayName: p.entitlement.ref().id, HasSoftLimit: &p.entitlement.SoftLimit, HasUnlimitedUsage: &p.entitlement.Unlimited,
		UsageLimit: p.entitlement.Limit, Period: p.period(), StartDate: wire.NewDateTime(p.startedAt), EndDate: optionalTime(p.endsAt),
	}
	if f := ix.feature(p.entitlement.Feature); f != nil {
		w.DisplayName = f.Name
	}
	return w
}

// period is the one that a promotion was granted for, as far as its end tells.
func (p *promotion) period() wire.PromotionalEntitlementPeriod {
	if p.endsAt.IsZero() {
		return wire.PromotionalEntitlementPeriodLifetime
	}
	for _, period := range []wire.PromotionalEntitlementPeriod{
		wire.PromotionalEntitlementPeriodOneWeek, wire.PromotionalEntitlementPeriodOneMonth, wire.PromotionalEntitlementPeriodSixMonth,
		wire.PromotionalEntitlementPeriodOneYear,
	} {
		if promotionEnd(p.startedAt, period, time.Time{}).Equal(p.endsAt) {
			return period
		}
	}
	return wire.PromotionalEntitlementPeriodCustom
}

// canUpgrade reports whether some plan that the portal offers is above what is held of its product: it costs more by the month, or
// its price is to be talked about.
func (ix *index) canUpgrade(held []*subscription, productID string) bool {
	return slices.ContainsFunc(ix.catalog.Plans, func(p Plan) bool {
		if productID != "" && p.Product != productID || hides(p.HiddenFrom, wire.WidgetTypeCustomerPortal) {
			return false
		}
		return !slices.ContainsFunc(held, func(s *subscription) bool {
			return s.productID == p.Product && !p.above(s.index.plans[s.planID])
		})
	})
}

func (p *Plan) above(o *Plan) bool {
	if p.Pricing == "custom" || o.Pricing == "custom" {
		return p.Pricing == "custom" && o.Pricing != "custom"
	}
	return p.monthly().GreaterThan(o.monthly())
}

// monthly is what a plan costs by the month, as it is billed when nobody says otherwise.
func (p *Plan) monthly() decimal.Decimal {
	s := &subscription{index: &index{catalog: &Catalog{}, plans: map[string]*Plan{p.ID: p}}, planID: p.ID}
	q, err := s.quote(p.defaultPeriod())
	if err != nil {
		return decimal.Zero
	}
	return monthly(q.bill(nil, nil).SubTotal, p.defaultPeriod())
}

func textOf(d *wire.DateTime) *string {
	if d == nil {
		return nil
	}
	return new(d.String())
}
