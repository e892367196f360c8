package entcache

import (
	"context"
	"fmt"

	"github.com/entcache/entcache/gql"
)

// Customers provisions customers. It is [Client].Customers.
type Customers struct{ c *Client }

// Provision creates a customer, or returns the one there is: it is safe to repeat. With SubscriptionParams the customer gets
// its first subscription in the same step; without them, the product's customer journey decides, and
// SubscriptionDecisionStrategy of the result says how. Billing information is passed on and not stored by Stigg.
//
// CustomerId is required. When Provision returns, a check by this client sees what it did. It is not retried; an error whose
// OutcomeUnknown (see [APIError]) is true leaves open whether it took effect.
func (s *Customers) Provision(ctx context.Context, in ProvisionCustomerInput) (*ProvisionedCustomer, error) {
	if deref(in.CustomerId) == "" && deref(in.RefId) == "" {
		return nil, fmt.Errorf("entcache: provision customer: %w: CustomerId is empty: name the customer", gql.ErrBadInput)
	}
	ctx, done, err := s.c.writing(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	key := Key{CustomerID: deref(in.CustomerId)}
	if key.CustomerID == "" {
		key.CustomerID = deref(in.RefId)
	}
	if in.SubscriptionParams != nil {
		key.ResourceID = deref(in.SubscriptionParams.ResourceId)
	}
	out, err := s.c.api.ProvisionCustomer(ctx, in)
	if err != nil {
		return nil, s.c.failed(err, key, key.Customer())
	}
	if key.ResourceID != "" {
		s.c.awaitRefresh(key.Customer()) // it may not have existed, and with it the rest of its resources
	}
	if out.EntitlementsV2 == nil {
		s.c.awaitRefresh(key)
	} else {
		s.c.wrote(key, out.EntitlementsV2)
	}
	return out, nil
}
