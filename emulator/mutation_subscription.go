package emulator

import (
	"slices"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// UpdateOneSubscription changes what is given of a subscription: add-ons and bought quantities are replaced as a whole,
// custom entitlements one by one, and a null cancellationDate takes a cancellation back.
func (m *mutation) UpdateOneSubscription(args wire.MutationUpdateOneSubscriptionArgs) (*wire.CustomerSubscription, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := args.Input
	c, s, err := m.e.running(firstOf(in.SubscriptionID, in.RefID))
	if err != nil {
		return nil, err
	}
	addons := addonsOf(in.Addons)
	if err := s.index.checkAddons(addons, s.productID); err != nil {
		return nil, err
	}
	custom := customOf(updatedEntitlements(in.SubscriptionEntitlements), in.Entitlements)
	for _, ent := range custom {
		if err := s.index.check(ent); err != nil {
			return nil, err
		}
	}
	if in.Addons.Set {
		s.addons = addons
	}
	if in.BillableFeatures.Set {
		s.quantities = quantitiesOf(in.BillableFeatures)
	}
	for _, ent := range custom {
		s.custom = slices.DeleteFunc(s.custom, func(old Entitlement) bool { return old.ref() == ent.ref() })
		s.custom = append(s.custom, ent)
	}
	if end := in.TrialEndDate.Value; end != nil && !s.trialEnd.IsZero() {
		s.trialEnd = end.Time
	}
	if in.CancellationDate.Set {
		s.endAt = in.CancellationDate.Or(wire.DateTime{}).Time
		s.cancelled = !s.endAt.IsZero()
	}
	if in.AdditionalMetaData.Set {
		s.metadata = in.AdditionalMetaData.Or(wire.JSON{}).Value
	}
	c.updatedAt = m.e.state.stamp()
	m.e.recalculateFor(c, s.resourceID)
	return m.e.subscriptionOf(c, s, nil), nil
}

// MigrateSubscriptionToLatest moves a subscription to the plan as it is published now, at once.
func (m *mutation) MigrateSubscriptionToLatest(args wire.MutationMigrateSubscriptionToLatestArgs) (*wire.CustomerSubscription, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, s, err := m.e.running(args.Input.SubscriptionID)
	if err != nil {
		return nil, err
	}
	if m.e.state.index.plans[s.planID] == nil {
		return nil, errorf(codePlanNotFound, "plan %q is no longer in the catalog", s.planID)
	}
	if s.index == m.e.state.index {
		return nil, errorf("SubscriptionAlreadyOnLatestPlanError", "subscription %q is on the latest version", s.id)
	}
	s.index = m.e.state.index
	c.updatedAt = m.e.state.stamp()
	m.e.recalculateFor(c, s.resourceID)
	return m.e.subscriptionOf(c, s, nil), nil
}

// CancelSubscription ends a subscription: at the end of its billing period unless told otherwise. A trial ends at once.
func (m *mutation) CancelSubscription(args wire.MutationCancelSubscriptionArgs) (*wire.CustomerSubscription, error) {
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := args.Input
	c, s, err := m.e.running(in.SubscriptionRefID)
	if err != nil {
		return nil, err
	}
	now := m.e.instant()
	end := now
	switch in.SubscriptionCancellationTime.Or(wire.SubscriptionCancellationTimeEndOfBillingPeriod) {
	case wire.SubscriptionCancellationTimeEndOfBillingPeriod:
		if s.status(now) == wire.SubscriptionStatusActive {
			_, end = s.period.around(s.anchor, now)
		}
	case wire.SubscriptionCancellationTimeSpecificDate:
		if in.EndDate.Value == nil || in.EndDate.Value.Before(s.startAt) {
			return nil, errorf("InvalidCancellationDate", "give an endDate after the start of the subscription")
		}
		end = in.EndDate.Value.Time
	}
	s.endAt, s.cancelled = end, true
	c.updatedAt = m.e.state.stamp()
	m.e.recalculateFor(c, s.resourceID)
	return m.e.subscriptionOf(c, s, nil), nil
}

// running returns a subscription that has not ended, of a customer brought to the present.
func (e *Emulator) running(id string) (*customer, *subscription, error) {
	c, s := e.state.subscription(id)
	if s == nil {
		return nil, nil, errorf(codeSubscriptionNotFound, "there is no subscription %q", id)
	}
	e.settle(c)
	switch s.status(e.now()) {
	case wire.SubscriptionStatusCanceled, wire.SubscriptionStatusExpired:
		return nil, nil, errorf("SubscriptionAlreadyCanceledOrExpired", "subscription %q has ended", id)
	}
	return c, s, nil
}

// updatedEntitlements reads the custom entitlements of an update as those of a new subscription. One named by its id alone
// is not known here: the emulator hands out no such ids.
func updatedEntitlements(in wire.Opt[[]wire.UpdateSubscriptionEntitlementInput]) wire.Opt[[]wire.SubscriptionEntitlementInput] {
	var list []wire.SubscriptionEntitlementInput
	for _, u := range in.Or(nil) {
		list = append(list, wire.SubscriptionEntitlementInput{
			FeatureID: u.FeatureID.Or(""), UsageLimit: u.UsageLimit, HasUnlimitedUsage: u.HasUnlimitedUsage,
			HasSoftLimit: u.HasSoftLimit, ResetPeriod: u.ResetPeriod,
			MonthlyResetPeriodConfiguration: u.MonthlyResetPeriodConfiguration,
			WeeklyResetPeriodConfiguration:  u.WeeklyResetPeriodConfiguration,
		})
	}
	return wire.Opt[[]wire.SubscriptionEntitlementInput]{Value: &list, Set: in.Set}
}
