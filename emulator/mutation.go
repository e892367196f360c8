package emulator

import (
	"github.com/entcache/entcache/emulator/internal/wire"
)

// ProvisionCustomer makes or updates a customer. Without subscriptionParams the catalog's customer journey decides where a
// new one starts; null skips that.
func (m *mutation) ProvisionCustomer(args wire.MutationProvisionCustomerArgs) (*wire.ProvisionedCustomer, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := args.Input
	id, err := oneID(in.CustomerID, in.RefID)
	if err != nil {
		return nil, err
	}
	o, strategy, err := m.e.firstOrder(id, in.SubscriptionParams)
	if err != nil {
		return nil, err
	}

	c, created := m.e.upsert(id)
	returned := c.archived
	c.archived = false
	setIf(&c.name, in.Name)
	setIf(&c.email, in.Email)
	setIf(&c.billingID, in.BillingID)
	if in.AdditionalMetaData.Set {
		c.metadata = in.AdditionalMetaData.Or(wire.JSON{}).Value
	}
	c.updatedAt = m.e.state.stamp()
	m.e.settle(c)

	answer := &wire.ProvisionedCustomer{SubscriptionDecisionStrategy: strategy}
	var s *subscription
	if o != nil {
		if s, err = m.e.subscribe(c, *o); err != nil {
			return nil, err
		}
	} else if created || returned {
		m.e.recalculate(c)
	}
	resourceID := in.SubscriptionParams.Or(wire.ProvisionCustomerSubscriptionInput{}).ResourceID.Or("")
	v1, v2 := m.e.sets(c, m.e.look(c, resourceID))
	answer.Customer, answer.Entitlements, answer.EntitlementsV2 = m.e.customerOf(c), &v1, &v2
	if s != nil {
		answer.Subscription = m.e.subscriptionOf(c, s, answer.Customer)
	}
	return answer, nil
}

// firstOrder decides which subscription a provisioned customer gets, if any, and checks that it can be had, so that
// nothing is made when it cannot.
func (e *Emulator) firstOrder(customerID string, params wire.Opt[wire.ProvisionCustomerSubscriptionInput]) (*order, wire.SubscriptionDecisionStrategy, error) {
	switch {
	case params.IsNull():
		return nil, wire.SubscriptionDecisionStrategySkippedSubscriptionCreation, nil
	case params.Value != nil:
		o := orderOfCustomer(params.Value)
		if e.state.index.plans[o.planID] == nil {
			return nil, "", errorf(codePlanNotFound, "there is no plan %q", o.planID)
		}
		return &o, wire.SubscriptionDecisionStrategyRequestedPlan, nil
	}
	journey := e.state.index.journey()
	if c := e.state.customers[customerID]; journey == nil || c != nil && len(c.live(e.now())) > 0 {
		return nil, wire.SubscriptionDecisionStrategySkippedSubscriptionCreation, nil
	}
	if journey.Journey.Trial {
		return &order{planID: journey.Journey.Plan}, wire.SubscriptionDecisionStrategyPredefinedTrialPlan, nil
	}
	return &order{planID: journey.Journey.Plan, skipTrial: true}, wire.SubscriptionDecisionStrategyPredefinedFreePlan, nil
}

// ProvisionSubscriptionV2 subscribes a customer to a plan. For a product that the customer, or the resource, already has
// a plan of, this is the upgrade or downgrade. Payment is never required.
func (m *mutation) ProvisionSubscriptionV2(args wire.MutationProvisionSubscriptionV2Args) (*wire.ProvisionSubscriptionResult, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, s, err := m.e.provision(args.Input.CustomerID, orderOfSubscription(&args.Input))
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

// ApplySubscription is ProvisionSubscriptionV2 with another answer.
func (m *mutation) ApplySubscription(args wire.MutationApplySubscriptionArgs) (*wire.ApplySubscription, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, s, err := m.e.provision(args.Input.CustomerID, orderOfApply(&args.Input))
	if err != nil {
		return nil, err
	}
	v1, v2 := m.e.sets(c, m.e.look(c, s.resourceID))
	return &wire.ApplySubscription{Subscription: m.e.subscriptionOf(c, s, nil), Entitlements: &v1, EntitlementsV2: &v2}, nil
}

// CreateSubscription is the older form of ProvisionSubscriptionV2; it answers no entitlements.
func (m *mutation) CreateSubscription(args wire.MutationCreateSubscriptionArgs) (*wire.CustomerSubscription, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, s, err := m.e.provision(args.Subscription.CustomerID, orderOfCreate(&args.Subscription))
	if err != nil {
		return nil, err
	}
	return m.e.subscriptionOf(c, s, nil), nil
}

// provision subscribes a customer that exists.
func (e *Emulator) provision(customerID string, o order) (*customer, *subscription, error) {
	c, err := e.state.present(customerID)
	if err != nil {
		return nil, nil, err
	}
	e.settle(c)
	s, err := e.subscribe(c, o)
	return c, s, err
}

// ReportUsage counts usage of a metered feature.
func (m *mutation) ReportUsage(args wire.MutationReportUsageArgs) (*wire.UsageMeasurementWithCurrentUsage, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	return m.e.reportUsage(reportOf(wire.ReportUsageBaseInput{
		CustomerID: args.Input.CustomerID, ResourceID: args.Input.ResourceID, FeatureID: args.Input.FeatureID,
		Value: args.Input.Value, UpdateBehavior: args.Input.UpdateBehavior,
		IdempotencyKey: args.Input.IdempotencyKey, CreatedAt: args.Input.CreatedAt, Dimensions: args.Input.Dimensions,
	}))
}

// maxBulk is how many reports the API takes at once.
const maxBulk = 100

// ReportUsageBulk counts several reports in order. The first that fails ends the call; those before it are counted.
func (m *mutation) ReportUsageBulk(args wire.MutationReportUsageBulkArgs) ([]*wire.UsageMeasurementWithCurrentUsage, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	if n := len(args.Input.Usages); n > maxBulk {
		return nil, errorf(codeBadUserInput, "%d reports are more than %d", n, maxBulk)
	}
	answers := []*wire.UsageMeasurementWithCurrentUsage{}
	for _, in := range args.Input.Usages {
		answer, err := m.e.reportUsage(reportOf(in))
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func reportOf(in wire.ReportUsageBaseInput) usageReport {
	return usageReport{
		customerID: in.CustomerID, resourceID: in.ResourceID.Or(""), featureID: in.FeatureID, value: in.Value,
		set: in.UpdateBehavior.Or(wire.UsageUpdateBehavior("DELTA")) == wire.UsageUpdateBehavior("SET"),
		key: in.IdempotencyKey.Or(""), at: in.CreatedAt.Or(wire.DateTime{}).Time, dimensions: dimensionsOf(in.Dimensions),
	}
}

func dimensionsOf(in wire.Opt[wire.JSON]) map[string]string {
	object, _ := in.Or(wire.JSON{}).Value.(map[string]any)
	return words(object)
}

// ArchiveCustomer hides a customer and ends its subscriptions.
func (m *mutation) ArchiveCustomer(args wire.MutationArchiveCustomerArgs) (*wire.Customer, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, err := m.e.state.present(args.Input.CustomerID)
	if err != nil {
		return nil, err
	}
	m.e.archive(c)
	return m.e.customerOf(c), nil
}

// UnarchiveCustomer brings a customer back, without its former subscriptions.
func (m *mutation) UnarchiveCustomer(args wire.MutationUnarchiveCustomerArgs) (*wire.Customer, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c := m.e.state.customers[args.Input.CustomerID]
	if c == nil {
		return nil, errorf(codeCustomerNotFound, "there is no customer %q", args.Input.CustomerID)
	}
	m.e.unarchive(c)
	return m.e.customerOf(c), nil
}

func (e *Emulator) archive(c *customer) {
	now := e.instant()
	for _, s := range c.subs {
		if s.endAt.IsZero() || s.endAt.After(now) {
			s.endAt, s.cancelled = now, true
		}
	}
	c.archived = true
	c.updatedAt = e.state.stamp()
	e.recalculate(c)
}

func (e *Emulator) unarchive(c *customer) {
	if c.archived {
		c.archived = false
		c.updatedAt = e.state.stamp()
		e.recalculate(c)
	}
}

// oneID takes an id from either of its two names.
func oneID(customerID, refID wire.Opt[string]) (string, error) {
	a, b := customerID.Or(""), refID.Or("")
	switch {
	case a == "" && b == "":
		return "", errorf("MissingEntityIdError", "give customerId")
	case a != "" && b != "" && a != b:
		return "", errorf("EntityIdDifferentFromRefIdError", "customerId %q and refId %q differ", a, b)
	case a != "":
		return a, nil
	}
	return b, nil
}

// setIf changes dst when the input was given; null clears it.
func setIf[T any](dst *T, in wire.Opt[T]) {
	if in.Set {
		var zero T
		*dst = in.Or(zero)
	}
}
