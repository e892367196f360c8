package emulator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// held is a subscription and whose it is.
type held struct {
	c *customer
	s *subscription
}

// Subscriptions searches all subscriptions, ended ones included. Without sorting, the oldest come first.
func (*query) Subscriptions(ctx context.Context, args wire.QuerySubscriptionsArgs) (*wire.SubscriptionQueryConnection, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	now := q.e.now()
	var found []held
	for _, c := range q.e.state.each() {
		q.e.settle(c)
		for _, s := range c.subs {
			if h := (held{c, s}); h.passes(args.Filter.Or(wire.SubscriptionQueryFilter{}), now) {
				found = append(found, h)
			}
		}
	}
	sorting := append(slices.Clone(args.Sorting.Or(nil)), wire.SubscriptionQuerySort{Field: wire.SubscriptionQuerySortFieldsCreatedAt})
	slices.SortStableFunc(found, func(a, b held) int {
		for _, by := range sorting {
			if order := compareBy(by, a, b, now); order != 0 {
				return order
			}
		}
		return cmp.Compare(a.s.id, b.s.id)
	})
	found, info, err := page(found, func(h held) string { return h.s.id }, args.Paging.Or(wire.CursorPaging{}))
	if err != nil {
		return nil, err
	}
	edges := []*wire.SubscriptionQueryEdge{}
	for _, h := range found {
		sub := q.e.subscriptionOf(h.c, h.s, nil)
		edges = append(edges, &wire.SubscriptionQueryEdge{Node: &wire.SubscriptionQuery{
			SubscriptionID: sub.SubscriptionID, Status: sub.Status, PricingType: sub.PricingType, StartDate: sub.StartDate,
			TrialEndDate: sub.TrialEndDate, TrialConfiguration: sub.TrialConfiguration, CurrentBillingPeriodEnd: sub.CurrentBillingPeriodEnd,
			Customer: sub.Customer, PayingCustomer: sub.PayingCustomer, Resource: sub.Resource, Plan: sub.Plan, Addons: sub.Addons,
		}})
	}
	return &wire.SubscriptionQueryConnection{Edges: &edges, PageInfo: info}, nil
}

// passes reports whether a filter lets a subscription through. What the emulator does not know of one (how a billing integration or
// a CRM calls it) is text that is empty.
func (h held) passes(f wire.SubscriptionQueryFilter, now time.Time) bool {
	passes := func(f wire.SubscriptionQueryFilter) bool { return h.passes(f, now) }
	status, pricing := f.Status.Or(wire.SubscriptionStatusFilterComparison{}), f.PricingType.Or(wire.PricingTypeFilterComparison{})
	collection := f.PaymentCollection.Or(wire.PaymentCollectionFilterComparison{})
	return matchesText(f.SubscriptionID, h.s.id) && matchesText(f.CustomerID, h.c.id) && matchesText(f.ResourceID, h.s.resourceID) &&
		matchesText(f.ProductID, h.s.productID) && matchesText(f.BillingID, h.s.billingID) && matchesText(f.SalesforceID, "") &&
		matchesEnum(status.Eq, status.Neq, status.In, status.NotIn, h.s.status(now)) &&
		matchesEnum(pricing.Eq, pricing.Neq, pricing.In, pricing.NotIn, h.s.pricingType()) &&
		matchesEnum(collection.Eq, collection.Neq, collection.In, collection.NotIn, wire.PaymentCollectionNotRequired) &&
		matchesTime(f.CreatedAt, h.s.createdAt) && matchesTime(f.StartDate, h.s.startAt) && matchesTime(f.EndDate, h.s.endAt) &&
		matchesTime(f.CancellationDate, h.s.cancelledAt()) &&
		holds(f.Customer, h.c.passes) && holds(f.Plan, h.s.planPasses) &&
		holds(f.Resource, func(r wire.SubscriptionQueryFilterCustomerResourceFilter) bool {
			return matchesText(r.ResourceID, h.s.resourceID)
		}) &&
		!slices.ContainsFunc(f.And.Or(nil), func(f wire.SubscriptionQueryFilter) bool { return !passes(f) }) &&
		holds(f.Or, func(list []wire.SubscriptionQueryFilter) bool { return slices.ContainsFunc(list, passes) })
}

// cancelledAt is when the subscription ends, or ended, because somebody said so; zero: nobody did.
func (s *subscription) cancelledAt() time.Time {
	if s.cancelled {
		return s.endAt
	}
	return time.Time{}
}

func (c *customer) passes(f wire.SubscriptionQueryFilterCustomerFilter) bool {
	return matchesText(f.CustomerID, c.id) && matchesText(f.RefID, c.id) && matchesText(f.Name, c.name) && matchesText(f.Email, c.email) &&
		matchesText(f.BillingID, c.billingID) && matchesText(f.AwsMarketplaceCustomerID, c.marketplaceID) &&
		matchesTime(f.CreatedAt, c.createdAt) && matchesTime(f.UpdatedAt, c.updatedAt) &&
		!slices.ContainsFunc(f.And.Or(nil), func(f wire.SubscriptionQueryFilterCustomerFilter) bool { return !c.passes(f) }) &&
		holds(f.Or, func(list []wire.SubscriptionQueryFilterCustomerFilter) bool {
			return slices.ContainsFunc(list, c.passes)
		})
}

func (s *subscription) planPasses(f wire.SubscriptionQueryFilterPlanFilter) bool {
	plan, pricing := s.index.plans[s.planID], f.PricingType.Or(wire.PricingTypeFilterComparison{})
	return matchesText(f.RefID, plan.ID) && matchesText(f.DisplayName, plan.Name) && matchesText(f.Description, plan.Description) &&
		matchesText(f.ProductID, plan.Product) && matchesEnum(pricing.Eq, pricing.Neq, pricing.In, pricing.NotIn, s.pricingType()) &&
		!slices.ContainsFunc(f.And.Or(nil), func(f wire.SubscriptionQueryFilterPlanFilter) bool { return !s.planPasses(f) }) &&
		holds(f.Or, func(list []wire.SubscriptionQueryFilterPlanFilter) bool {
			return slices.ContainsFunc(list, s.planPasses)
		})
}

// compareBy orders two subscriptions by one field. Where one has nothing there, it comes last unless NULLS_FIRST is asked for.
func compareBy(by wire.SubscriptionQuerySort, a, b held, now time.Time) int {
	order := 0
	switch by.Field {
	case wire.SubscriptionQuerySortFieldsCreatedAt:
		order = a.s.createdAt.Compare(b.s.createdAt)
	case wire.SubscriptionQuerySortFieldsStartDate:
		order = a.s.startAt.Compare(b.s.startAt)
	case wire.SubscriptionQuerySortFieldsEndDate, wire.SubscriptionQuerySortFieldsCancellationDate:
		endA, endB := a.s.endAt, b.s.endAt
		if by.Field == wire.SubscriptionQuerySortFieldsCancellationDate {
			endA, endB = a.s.cancelledAt(), b.s.cancelledAt()
		}
		if none := compareBool(endA.IsZero(), endB.IsZero()); none != 0 {
			if by.Nulls.Or(wire.SortNullsNullsLast) == wire.SortNullsNullsFirst {
				return -none
			}
			return none
		}
		order = endA.Compare(endB)
	case wire.SubscriptionQuerySortFieldsCustomerID:
		order = cmp.Compare(a.c.id, b.c.id)
	case wire.SubscriptionQuerySortFieldsProductID:
		order = cmp.Compare(a.s.productID, b.s.productID)
	case wire.SubscriptionQuerySortFieldsResourceID:
		order = cmp.Compare(a.s.resourceID, b.s.resourceID)
	case wire.SubscriptionQuerySortFieldsStatus:
		order = cmp.Compare(a.s.status(now), b.s.status(now))
	case wire.SubscriptionQuerySortFieldsPricingType:
		order = cmp.Compare(a.s.pricingType(), b.s.pricingType())
	case wire.SubscriptionQuerySortFieldsSubscriptionID:
		order = cmp.Compare(a.s.id, b.s.id)
	}
	if by.Direction == wire.SortDirectionDesc {
		return -order
	}
	return order
}
