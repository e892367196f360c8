package entcache

import (
	"context"
	"fmt"

	"github.com/entcache/entcache/gql"
)

// Subscriptions provisions subscriptions. It is [Client].Subscriptions.
type Subscriptions struct{ c *Client }

// Provision gives a customer, or one of its resources, a plan: a first one, an upgrade or a downgrade. A subscription to another
// plan of the same product ends when the new one starts. When a payment has to be made first, Status is
// [ProvisionPaymentRequired], CheckoutUrl says where, and nothing has changed.
//
// CustomerId and PlanId are required; ResourceId as well for a product that allows several subscriptions. When Provision
// returns, a check by this client sees what it did. It is not retried; an error whose OutcomeUnknown (see [APIError]) is true
// leaves open whether it took effect.
func (s *Subscriptions) Provision(ctx context.Context, in ProvisionSubscriptionInput) (*ProvisionedSubscription, error) {
	switch {
	case in.CustomerId == "":
		return nil, fmt.Errorf("entcache: provision subscription: %w: CustomerId is empty: name the customer", gql.ErrBadInput)
	case in.PlanId == "":
		return nil, fmt.Errorf("entcache: provision subscription: %w: PlanId is empty: name the plan", gql.ErrBadInput)
	}
	ctx, done, err := s.c.writing(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	key := Key{CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId)}
	out, err := s.c.api.ProvisionSubscription(ctx, in)
	if err != nil {
		return nil, s.c.failed(err, key)
	}
	switch {
	case out.Status == ProvisionPaymentRequired:
	case out.EntitlementsV2 == nil:
		s.c.awaitRefresh(key)
	default:
		s.c.wrote(key, out.EntitlementsV2)
	}
	return out, nil
}
