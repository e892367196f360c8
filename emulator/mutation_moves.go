package emulator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// TransferSubscription moves the oldest subscription that is paid for from one resource of a customer to another. It is the older form
// of TransferSubscriptionToResource.
func (*mutation) TransferSubscription(ctx context.Context, args wire.MutationTransferSubscriptionArgs) (*wire.CustomerSubscription, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := args.Input
	c, err := m.e.state.present(in.CustomerID)
	if err != nil {
		return nil, err
	}
	m.e.settle(c)
	if in.SourceResourceID == "" || in.DestinationResourceID == "" {
		return nil, errorf(codeBadUserInput, "give sourceResourceId and destinationResourceId: transferSubscriptionToResource moves to the customer itself")
	}
	if c.scopes[in.SourceResourceID] == nil {
		return nil, errorf("CustomerResourceNotFound", "customer %q has no resource %q", c.id, in.SourceResourceID)
	}
	now := m.e.instant()
	live := c.live(now)
	i := slices.IndexFunc(live, func(s *subscription) bool {
		return s.resourceID == in.SourceResourceID && !s.free() && !s.trialAt(now)
	})
	if i < 0 {
		return nil, errorf("NoActiveSubscriptionForCustomer", "resource %q of customer %q has no subscription that is paid for", in.SourceResourceID, c.id)
	}
	if err := m.e.move(c, live[i], c, in.DestinationResourceID); err != nil {
		return nil, err
	}
	return m.e.subscriptionOf(c, live[i], nil), nil
}

// TransferSubscriptionToResource moves a subscription to another resource of its customer or, without one, to the customer itself.
func (*mutation) TransferSubscriptionToResource(ctx context.Context, args wire.MutationTransferSubscriptionToResourceArgs) (*wire.CustomerSubscription, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, s, err := m.e.running(args.Input.SubscriptionID)
	if err != nil {
		return nil, err
	}
	if err := m.e.move(c, s, c, args.Input.DestinationResourceID.Or("")); err != nil {
		return nil, err
	}
	return m.e.subscriptionOf(c, s, nil), nil
}

// DelegateSubscriptionToCustomer gives a subscription to another customer, while the one that had it first goes on paying. Without a
// customer the payer has it back.
func (*mutation) DelegateSubscriptionToCustomer(ctx context.Context, args wire.MutationDelegateSubscriptionToCustomerArgs) (*wire.CustomerSubscription, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	from, s, err := m.e.running(args.Input.SubscriptionID)
	if err != nil {
		return nil, err
	}
	payer := orDefault(s.payer, from.id)
	to, err := m.e.state.present(orDefault(args.Input.DestinationCustomerID.Or(""), payer))
	if err != nil {
		return nil, err
	}
	m.e.settle(to)
	if err := m.e.move(from, s, to, s.resourceID); err != nil {
		return nil, err
	}
	for _, part := range to.line(s) {
		part.payer = ""
		if payer != to.id {
			part.payer = payer
		}
	}
	return m.e.subscriptionOf(to, s, nil), nil
}

// line is s and what is scheduled to take its place.
func (c *customer) line(s *subscription) []*subscription {
	list := []*subscription{s}
	for next := c.subscription(s.successor); next != nil && !slices.Contains(list, next); next = c.subscription(next.successor) {
		list = append(list, next)
	}
	return list
}

// move gives s to a customer, or a resource of one, with all that is scheduled for it. What that had of the product ends now, and
// nothing follows it there, or where s was; its periods, price, coupon and end come along, and usage stays where it was reported. Who
// has it already keeps it as it is, so that a transfer that is repeated is done once.
func (e *Emulator) move(from *customer, s *subscription, to *customer, resourceID string) error {
	if from == to && s.resourceID == resourceID {
		return nil
	}
	now := e.instant()
	if s.status(now) == wire.SubscriptionStatusNotStarted {
		return errorf("InvalidSubscriptionStatus", "subscription %q has not begun: only what is in force is moved", s.id)
	}
	if s.coupon == nil && from != to && s.payer == "" { // the payer's own coupon goes on to take something off
		s.coupon, s.couponAt = from.couponFor(s, now), from.couponAt
	}
	source := s.resourceID
	line := from.line(s)
	from.subs = slices.DeleteFunc(from.subs, func(o *subscription) bool { return slices.Contains(line, o) })
	for _, part := range line {
		part.resourceID = resourceID
	}
	for _, o := range slices.Clone(to.subs) {
		if s.movesOut(o, now) {
			if o.status(now) == wire.SubscriptionStatusNotStarted {
				to.undo(o, now)
			} else {
				to.dropSchedule(o, now)
				o.endAt, o.cancelled, o.follow = now, true, false
			}
		}
	}
	to.subs = append(to.subs, line...)
	for _, c := range []*customer{from, to} {
		c.updatedAt = e.state.stamp()
		e.pass(c, now)
		c.forgetEnded(now)
	}
	to.scope(resourceID)
	e.recalculateFor(from, source)
	e.recalculateFor(to, resourceID)
	return nil
}

// movesOut reports whether o cannot stand beside s, which comes to where o is: of one product there is one trial and one that is none.
func (s *subscription) movesOut(o *subscription, now time.Time) bool {
	return o.sibling(s) && !o.endedBy(now) && (o.trialAt(now) == s.trialAt(now) || o.planID == s.planID)
}

// ImportSubscriptionsBulk makes subscriptions that began elsewhere: no trial begins, and nobody is asked to pay. One whose id is known
// is brought up to what is given. When one cannot be imported, none is.
func (*mutation) ImportSubscriptionsBulk(ctx context.Context, args wire.MutationImportSubscriptionsBulkArgs) (*string, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	list := args.Input.Subscriptions
	if len(list) > maxImported {
		return nil, errorf(codeBadUserInput, "%d subscriptions are more than %d", len(list), maxImported)
	}
	seen := map[string]bool{}
	for i := range list {
		id := list[i].SubscriptionID.Or("")
		if id != "" && seen[id] {
			return nil, errorf("DuplicatedEntityNotAllowed", "subscriptions[%d]: %q is in the import twice", i, id)
		}
		seen[id] = true
		if _, err := m.e.importable(&list[i]); err != nil {
			return nil, fmt.Errorf("subscriptions[%d]: %w", i, err)
		}
	}
	for i := range list {
		if err := m.e.importSubscription(&list[i]); err != nil {
			return nil, fmt.Errorf("subscriptions[%d]: %w", i, err)
		}
	}
	return nil, nil
}

// maxImported is how many things are imported at once.
const maxImported = 1_000

// importable finds whose subscription is imported, and refuses what cannot be.
func (e *Emulator) importable(in *wire.ImportSubscriptionInput) (*customer, error) {
	c, err := e.state.present(in.CustomerID)
	if err != nil {
		return nil, err
	}
	e.settle(c)
	o := orderOfImport(in)
	owner, s := e.state.subscription(o.id)
	if o.id == "" || s == nil {
		_, _, err := e.prepare(c, o)
		return c, err
	}
	switch {
	case owner != c || s.planID != o.planID || s.resourceID != o.resourceID:
		return nil, errorf("DuplicatedEntityNotAllowed", "subscription %q exists already, of another customer, resource or plan", s.id)
	case s.endedBy(e.now()):
		return nil, errorf("SubscriptionAlreadyCanceledOrExpired", "subscription %q has ended", s.id)
	}
	return c, s.index.checkParts(s.productID, o.addons, o.custom, o.quantities)
}

func (e *Emulator) importSubscription(in *wire.ImportSubscriptionInput) error {
	c, err := e.importable(in)
	if err != nil {
		return err
	}
	o := orderOfImport(in)
	if o.id == "" || c.subscription(o.id) == nil {
		_, err := e.subscribe(c, o)
		return err
	}
	u := update{change: change{period: o.period, custom: o.custom}}
	if in.Addons.Set {
		u.addons = &o.addons
	}
	if in.BillableFeatures.Set {
		u.quantities = &o.quantities
	}
	if in.AdditionalMetaData.Set {
		u.metadata = &o.metadata
	}
	u.cancelAt = timeOf(in.EndDate)
	return e.update(c, c.subscription(o.id), u)
}
