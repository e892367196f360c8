package emulator

import (
	"context"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// UpdateOneSubscription changes what is given of a subscription, now or when its schedule strategy says: add-ons, bought
// quantities and price overrides are replaced as a whole, custom entitlements one by one. The end of the trial and the
// cancellation are never scheduled; a null cancellationDate takes a cancellation back.
func (*mutation) UpdateOneSubscription(ctx context.Context, args wire.MutationUpdateOneSubscriptionArgs) (*wire.CustomerSubscription, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.Input
	c, s, err := m.e.running(firstOf(in.SubscriptionID, in.RefID))
	if err != nil {
		return nil, err
	}
	u := updateOf(in)
	if err := m.e.discount(&u, in.AppliedCoupon, in.PromotionCode); err != nil {
		return nil, err
	}
	if err := m.e.update(c, s, u); err != nil {
		return nil, err
	}
	return m.e.subscriptionOf(c, s, nil), nil
}

// update is a request to change a subscription, from whichever mutation.
type update struct {
	change
	strategy    wire.ScheduleStrategy
	resetAnchor bool
	trialEnd    time.Time           // zero: as it is
	cancelAt    wire.Opt[time.Time] // null: take the cancellation back
}

// update makes u true of s, or schedules it.
func (e *Emulator) update(c *customer, s *subscription, u update) error {
	now := e.instant()
	quantities := map[string]float64(nil)
	if u.quantities != nil {
		quantities = *u.quantities
	}
	addons := []addonCount(nil)
	if u.addons != nil {
		addons = *u.addons
	}
	if err := s.index.checkParts(s.productID, addons, u.custom, quantities); err != nil {
		return err
	}
	if u.minimumSpend != nil {
		if err := checkMinimum(*u.minimumSpend); err != nil {
			return err
		}
	}
	if !u.trialEnd.IsZero() && !s.trialAt(now) {
		return errorf("InvalidSubscriptionStatus", "subscription %q is not in trial", s.id)
	}
	if end := u.cancelAt.Value; end != nil {
		if err := s.cancellable(*end, now); err != nil {
			return err
		}
	}
	if u.at = s.scheduleFor(u.strategy, now); u.at.After(now) {
		if !u.empty() {
			s.schedule(u.change)
		}
	} else {
		e.change(s, u.change)
	}
	if !u.trialEnd.IsZero() {
		s.trialEnd = u.trialEnd
	}
	switch {
	case u.cancelAt.Value != nil:
		e.finish(c, s, *u.cancelAt.Value, true, now)
	case u.cancelAt.IsNull() && s.successor != "": // a plan change to come is no cancellation; what it came before is
		s.before = ending{}
	case u.cancelAt.IsNull():
		s.endAt, s.cancelled, s.follow = time.Time{}, false, false
	}
	c.updatedAt = e.state.stamp()
	if u.resetAnchor {
		s.anchor, s.billed = now, now
		e.restartPeriods(c, s, now)
	}
	e.pass(c, now)
	e.recalculateFor(c, s.resourceID)
	return nil
}

// updateOf reads what updateOneSubscription asks for.
func updateOf(in *wire.UpdateSubscriptionInput) update {
	u := update{
		strategy: in.ScheduleStrategy.Or(wire.ScheduleStrategyImmediate),
		change: change{
			period: billingPeriodOf(in.BillingPeriod),
			custom: customOf(updatedEntitlements(in.SubscriptionEntitlements), in.Entitlements),
		},
		resetAnchor: in.BillingCycleAnchor.Or("") == wire.SubscriptionBillingCycleAnchor("NOW"),
		trialEnd:    in.TrialEndDate.Or(wire.DateTime{}).Time,
		cancelAt:    timeOf(in.CancellationDate),
	}
	if in.Addons.Set {
		u.addons = new(addonsOf(in.Addons))
	}
	if in.BillableFeatures.Set {
		u.quantities = new(quantitiesOf(in.BillableFeatures))
	}
	if in.PriceOverrides.Set {
		u.priceOverrides = new(in.PriceOverrides.Or(nil))
	}
	if in.MinimumSpend.Set {
		u.minimumSpend = new(minimumOf(in.MinimumSpend))
	}
	if in.AdditionalMetaData.Set {
		u.metadata = new(in.AdditionalMetaData.Or(wire.JSON{}).Value)
	}
	return u
}

// updateOfApply reads what applySubscription asks of a subscription that is already to its plan.
func updateOfApply(in *wire.ApplySubscriptionInput, inTrial bool) update {
	u := updateOf(&wire.UpdateSubscriptionInput{
		AdditionalMetaData: in.AdditionalMetaData, Addons: in.Addons, BillableFeatures: in.BillableFeatures,
		BillingCycleAnchor: in.BillingCycleAnchor, BillingPeriod: in.BillingPeriod, CancellationDate: in.CancellationDate,
		Entitlements: in.Entitlements, MinimumSpend: in.MinimumSpend, PriceOverrides: in.PriceOverrides, ScheduleStrategy: in.ScheduleStrategy,
	})
	u.custom = customOf(in.SubscriptionEntitlements, in.Entitlements)
	if t := in.TrialOverrideConfiguration.Value; t != nil {
		in.TrialEndDate = t.TrialEndDate
	}
	if inTrial { // of what is paid for, a trial's end says nothing
		u.trialEnd = in.TrialEndDate.Or(wire.DateTime{}).Time
	}
	return u
}

func timeOf(in wire.Opt[wire.DateTime]) wire.Opt[time.Time] {
	out := wire.Opt[time.Time]{Set: in.Set}
	if in.Value != nil {
		out.Value = &in.Value.Time
	}
	return out
}

// MigrateSubscriptionToLatest moves a subscription to its plan and add-ons as they are published now: at once, or when its
// billing period ends, as they are then.
func (*mutation) MigrateSubscriptionToLatest(ctx context.Context, args wire.MutationMigrateSubscriptionToLatestArgs) (*wire.CustomerSubscription, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, s, err := m.e.running(args.Input.SubscriptionID)
	if err != nil {
		return nil, err
	}
	latest := m.e.state.index
	if latest.plans[s.planID] == nil {
		return nil, errorf(codePlanNotFound, "plan %q is no longer in the catalog", s.planID)
	}
	if s.upToDate(latest) {
		return nil, errorf("SubscriptionAlreadyOnLatestPlanError", "subscription %q is on the latest version", s.id)
	}
	ch := change{latest: true, at: m.e.instant()}
	if args.Input.SubscriptionMigrationTime.Or("") == wire.SubscriptionMigrationTimeEndOfBillingPeriod {
		if slices.ContainsFunc(s.changes, func(ch change) bool { return ch.latest }) {
			return nil, errorf("ScheduledMigrationAlreadyExistsError", "the migration of subscription %q is scheduled already", s.id)
		}
		ch.at = s.scheduleFor(wire.ScheduleStrategyEndOfBillingPeriod, ch.at)
		s.schedule(ch)
	} else {
		m.e.change(s, ch)
	}
	c.updatedAt = m.e.state.stamp()
	m.e.recalculateFor(c, s.resourceID)
	return m.e.subscriptionOf(c, s, nil), nil
}

// upToDate reports whether the plan and add-ons of s are those of ix.
func (s *subscription) upToDate(ix *index) bool {
	if s.index == ix {
		return true
	}
	if s.index.plans[s.planID].Version != ix.plans[s.planID].Version {
		return false
	}
	for _, a := range s.addons {
		old, now := s.index.addons[a.id], ix.addons[a.id]
		if old == nil || now == nil || !slices.EqualFunc(old.Entitlements, now.Entitlements, equalEntitlements) {
			return false
		}
	}
	return true
}

// CancelSubscription ends a subscription: at the end of its billing period unless told otherwise, a trial at once. Its
// product's downgrade plan follows, unless entitlements are to be revoked. What has not begun is taken back.
func (*mutation) CancelSubscription(ctx context.Context, args wire.MutationCancelSubscriptionArgs) (*wire.CustomerSubscription, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.Input
	c, s, err := m.e.running(in.SubscriptionRefID)
	if err != nil {
		return nil, err
	}
	now := m.e.instant()
	end := now
	when := in.SubscriptionCancellationTime.Value
	waiting := s.status(now) == wire.SubscriptionStatusNotStarted
	switch {
	case when == nil && !waiting && !s.trialAt(now), when != nil && *when == wire.SubscriptionCancellationTimeEndOfBillingPeriod && !waiting:
		_, end = s.billing(s.period, now)
	case when != nil && *when == wire.SubscriptionCancellationTimeSpecificDate:
		if in.EndDate.Value == nil {
			return nil, errorf(codeInvalidCancellationDate, "give an endDate")
		}
		end = in.EndDate.Value.Time
	}
	if end.After(now) || when != nil && *when == wire.SubscriptionCancellationTimeSpecificDate {
		if err := s.cancellable(end, now); err != nil {
			return nil, err
		}
	}
	action := in.SubscriptionCancellationAction.Or(wire.SubscriptionCancellationActionDefault)
	m.e.finish(c, s, end, action == wire.SubscriptionCancellationActionDefault, now)
	c.updatedAt = m.e.state.stamp()
	m.e.pass(c, now)
	m.e.recalculateFor(c, s.resourceID)
	return m.e.subscriptionOf(c, s, nil), nil
}

// cancellable refuses an end that s cannot have.
func (s *subscription) cancellable(end, now time.Time) error {
	switch {
	case s.status(now) == wire.SubscriptionStatusInTrial:
		return errorf("TrialMustBeCancelledImmediately", "subscription %q is in trial: cancel it at once", s.id)
	case end.Before(now) || !end.After(s.startAt):
		return errorf(codeInvalidCancellationDate, "%s is past, or before subscription %q starts", end.Format(time.RFC3339), s.id)
	}
	return nil
}

// finish ends s at an instant, and with it what was scheduled. The caller recalculates.
func (e *Emulator) finish(c *customer, s *subscription, end time.Time, follow bool, now time.Time) {
	if s.status(now) == wire.SubscriptionStatusNotStarted && !end.After(s.startAt) {
		c.undo(s, now)
		return
	}
	c.dropSchedule(s, now)
	s.endAt, s.cancelled, s.follow = end, true, follow
}

// CancelSchedule drops what is scheduled for a subscription, another plan included, and answers the subscription's id.
func (*mutation) CancelSchedule(ctx context.Context, args wire.MutationCancelScheduleArgs) (string, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, s, err := m.e.running(args.Input.SubscriptionID)
	if err != nil {
		return "", err
	}
	if args.Input.Status.Or(wire.SubscriptionScheduleStatusScheduled) != wire.SubscriptionScheduleStatusScheduled {
		return s.id, nil // nothing is ever in another state and can still be dropped
	}
	if len(s.changes) > 0 || s.successor != "" {
		c.dropSchedule(s, m.e.instant())
		c.updatedAt = m.e.state.stamp()
		m.e.recalculateFor(c, s.resourceID)
	}
	return s.id, nil
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
