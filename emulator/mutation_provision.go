package emulator

import (
	"context"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// ProvisionCustomer makes or updates a customer and, in the same step, its first subscriptions: the one asked for or, without
// subscriptionParams, those of the products' customer journeys; null skips them. An order for what the customer is on already makes
// nothing new, so that a call which is sent again does no more than the first. When the subscription cannot be had, nothing is made.
// Billing information is passed on to nobody and forgotten.
func (*mutation) ProvisionCustomer(ctx context.Context, args wire.MutationProvisionCustomerArgs) (*wire.ProvisionedCustomer, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.Input
	id, err := oneID(in.CustomerID, in.RefID)
	if err != nil {
		return nil, err
	}
	draft := customer{id: id} // what the customer is about to be, as far as orders depend on it
	if c := m.e.state.customers[id]; c != nil {
		m.e.settle(c)
		draft = *c
	}
	charged := in.BillingInformation.Or(wire.CustomerBillingInfo{}).PaymentMethodID.Or("") != ""
	draft.paymentMethod = draft.paymentMethod || charged
	coupon, err := m.e.couponOfCustomer(in.CouponRefID)
	if err != nil {
		return nil, err
	}
	orders, strategy := m.e.firstOrders(&draft, in.SubscriptionParams)
	var first *subscription
	if strategy == wire.SubscriptionDecisionStrategyRequestedPlan {
		first = draft.provisioned(&orders[0], m.e.instant())
	}
	if p := in.SubscriptionParams.Value; first != nil {
		orders = nil
	} else if p != nil {
		if orders[0].coupon, err = m.e.applied(p.AppliedCoupon, p.PromotionCode); err != nil {
			return nil, err
		}
	}
	for _, o := range orders {
		s, _, err := m.e.prepare(&draft, o)
		if err != nil {
			return nil, err
		}
		if strategy == wire.SubscriptionDecisionStrategyRequestedPlan && m.e.paymentMissing(&draft, s, o) {
			return nil, errPaymentMissing(&draft, o.planID) // nobody else can be asked to pay here
		}
	}

	c, created := m.e.upsert(id)
	if at := in.CreatedAt.Value; at != nil && created {
		c.createdAt = at.Time
	}
	returned := c.archived
	c.archived, c.paymentMethod = false, draft.paymentMethod
	if in.CouponRefID.Set {
		c.coupon, c.couponAt = coupon, m.e.instant()
	}
	setIf(&c.name, in.Name)
	setIf(&c.email, in.Email)
	setIf(&c.billingID, in.BillingID)
	setIf(&c.marketplaceID, in.AwsMarketplaceCustomerID)
	if in.AdditionalMetaData.Set {
		c.metadata = in.AdditionalMetaData.Or(wire.JSON{}).Value
	}
	c.updatedAt = m.e.state.stamp()

	answer := &wire.ProvisionedCustomer{SubscriptionDecisionStrategy: strategy}
	for _, o := range orders {
		s, err := m.e.subscribe(c, o)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = s
		}
	}
	if len(orders) == 0 && (created || returned) {
		m.e.recalculate(c)
	}
	m.e.paidFor(c)
	resourceID := in.SubscriptionParams.Or(wire.ProvisionCustomerSubscriptionInput{}).ResourceID.Or("")
	v1, v2 := m.e.sets(c, m.e.look(c, resourceID))
	answer.Customer, answer.Entitlements, answer.EntitlementsV2 = m.e.customerOf(c), &v1, &v2
	if first != nil {
		answer.Subscription = m.e.subscriptionOf(c, first, answer.Customer)
	}
	return answer, nil
}

// firstOrders decides which subscriptions a provisioned customer gets. The strategy is that of the first.
func (e *Emulator) firstOrders(c *customer, params wire.Opt[wire.ProvisionCustomerSubscriptionInput]) ([]order, wire.SubscriptionDecisionStrategy) {
	switch {
	case params.IsNull():
		return nil, wire.SubscriptionDecisionStrategySkippedSubscriptionCreation
	case params.Value != nil:
		return []order{orderOfCustomer(params.Value)}, wire.SubscriptionDecisionStrategyRequestedPlan
	}
	var orders []order
	strategy := wire.SubscriptionDecisionStrategySkippedSubscriptionCreation
	if len(c.live(e.now())) > 0 {
		return nil, strategy
	}
	for i := range e.state.index.catalog.Products {
		p := &e.state.index.catalog.Products[i]
		if p.Journey == nil {
			continue
		}
		o, chosen := order{planID: p.Journey.Plan, skipTrial: true}, wire.SubscriptionDecisionStrategyPredefinedFreePlan
		if p.Journey.Trial {
			o.skipTrial, chosen = false, wire.SubscriptionDecisionStrategyPredefinedTrialPlan
			if c.trialed(p.Journey.Plan) { // no second trial, and the plan is not given away
				if p.DowngradePlan == "" {
					continue
				}
				o, chosen = order{planID: p.DowngradePlan, skipTrial: true}, wire.SubscriptionDecisionStrategyPredefinedFreePlan
			}
		}
		if len(orders) == 0 {
			strategy = chosen
		}
		orders = append(orders, o)
	}
	return orders, strategy
}

// provisioned returns the subscription that an order of provisionCustomer has made already: the one to its plan, of its resource, in
// force or still to begin. It is nil when o needs a new one, as it does to leave a trial.
func (c *customer) provisioned(o *order, now time.Time) *subscription {
	for _, s := range c.subs {
		leavesTrial := s.trialAt(now) && o.trial != nil && !*o.trial
		over := !s.active(now) && s.status(now) != wire.SubscriptionStatusNotStarted
		if s.planID == o.planID && s.resourceID == o.resourceID && !over && !leavesTrial {
			return s
		}
	}
	return nil
}

// ProvisionSubscriptionV2 subscribes a customer to a plan. For a product that the customer, or the resource, already has
// a plan of, this is the upgrade or downgrade. When a payment method is needed and missing, the answer is a checkout, and
// nothing changes until that is completed.
func (*mutation) ProvisionSubscriptionV2(ctx context.Context, args wire.MutationProvisionSubscriptionV2Args) (*wire.ProvisionSubscriptionResult, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, err := m.e.state.present(args.Input.CustomerID)
	if err != nil {
		return nil, err
	}
	m.e.settle(c)
	o := orderOfSubscription(&args.Input)
	if o.coupon, err = m.e.applied(args.Input.AppliedCoupon, args.Input.PromotionCode); err != nil {
		return nil, err
	}
	draft, _, err := m.e.prepare(c, o)
	if err != nil {
		return nil, err
	}
	if m.e.paymentMissing(c, draft, o) {
		k := m.e.openCheckout(c, draft, o)
		return &wire.ProvisionSubscriptionResult{
			Status: wire.ProvisionSubscriptionStatusPaymentRequired, CheckoutURL: &k.URL, CheckoutBillingID: &k.ID,
		}, nil
	}
	s, err := m.e.subscribe(c, o)
	if err != nil {
		return nil, err
	}
	v1, v2 := m.e.sets(c, m.e.look(c, s.resourceID))
	return &wire.ProvisionSubscriptionResult{
		Status:       wire.ProvisionSubscriptionStatusSuccess,
		Subscription: m.e.subscriptionOf(c, s, nil),
		Entitlements: &v1, EntitlementsV2: &v2,
	}, nil
}

// ApplySubscription takes a customer to a state: it updates the subscription in force to the plan, or makes one. It never opens a
// checkout, so a payment method that is needed and missing is an error.
func (*mutation) ApplySubscription(ctx context.Context, args wire.MutationApplySubscriptionArgs) (*wire.ApplySubscription, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.Input
	c, err := m.e.state.present(in.CustomerID)
	if err != nil {
		return nil, err
	}
	m.e.settle(c)
	o := orderOfApply(in)
	if o.coupon, err = m.e.applied(in.AppliedCoupon, in.PromotionCode); err != nil {
		return nil, err
	}
	payer := c
	s := c.applied(&o, m.e.instant())
	switch {
	case s == nil && o.payer != "":
		if payer, err = m.e.state.present(o.payer); err != nil {
			return nil, err
		}
	case s != nil:
		payer = m.e.payer(c, s)
		if o.payer != "" && o.payer != payer.id {
			return nil, errorf("ChangingPayingCustomerIsNotSupportedError", "subscription %q is paid for by customer %q", s.id, payer.id)
		}
	}
	had := payer.paymentMethod
	payer.paymentMethod = had || in.PaymentMethodID.Or("") != ""
	if s != nil {
		u := updateOfApply(in, s.trialAt(m.e.instant()))
		if in.AppliedCoupon.Set || in.PromotionCode.Set {
			u.coupon = &o.coupon
		}
		err = m.e.update(c, s, u)
	} else {
		s, err = m.e.provision(c, o)
	}
	if err != nil {
		payer.paymentMethod = had
		return nil, err
	}
	m.e.paidFor(payer)
	v1, v2 := m.e.sets(c, m.e.look(c, s.resourceID))
	return &wire.ApplySubscription{Subscription: m.e.subscriptionOf(c, s, nil), Entitlements: &v1, EntitlementsV2: &v2}, nil
}

// applied returns the subscription that already is to the plan of o, and has only to be updated; nil when o needs a new one.
func (c *customer) applied(o *order, now time.Time) *subscription {
	for _, s := range c.live(now) {
		leavesTrial := s.trialAt(now) && (o.skipTrial || o.trial != nil && !*o.trial)
		if s.planID == o.planID && s.resourceID == o.resourceID && !leavesTrial && !o.startAt.After(now) {
			return s
		}
	}
	return nil
}

// CreateSubscription is the older form of ProvisionSubscriptionV2; it answers no entitlements and opens no checkout.
func (*mutation) CreateSubscription(ctx context.Context, args wire.MutationCreateSubscriptionArgs) (*wire.CustomerSubscription, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, err := m.e.state.present(args.Subscription.CustomerID)
	if err != nil {
		return nil, err
	}
	m.e.settle(c)
	o := orderOfCreate(&args.Subscription)
	if o.coupon, err = m.e.applied(args.Subscription.AppliedCoupon, args.Subscription.PromotionCode); err != nil {
		return nil, err
	}
	s, err := m.e.provision(c, o)
	if err != nil {
		return nil, err
	}
	return m.e.subscriptionOf(c, s, nil), nil
}

// provision subscribes a customer by a call that cannot answer with a checkout.
func (e *Emulator) provision(c *customer, o order) (*subscription, error) {
	draft, _, err := e.prepare(c, o)
	if err != nil {
		return nil, err
	}
	if e.paymentMissing(c, draft, o) {
		return nil, errPaymentMissing(e.payer(c, draft), o.planID)
	}
	return e.subscribe(c, o)
}
