package entcache

import (
	"context"
	"fmt"

	"github.com/entcache/entcache/gql"
)

// Customers provisions, imports, changes, archives and shows customers. It is [Client].Customers.
type Customers struct{ c *Client }

// Provision creates a customer, or brings the one there is up to what is given. With SubscriptionParams the customer gets its first
// subscription in the same step; without them the product's customer journey decides, and with
// Null[ProvisionCustomerSubscriptionInput]() there is none. SubscriptionDecisionStrategy of the result says which it was; Subscription is
// nil where none was made. Billing information is passed on and not stored by Stigg.
//
// Stigg documents the call as idempotent by the customer's id, and not whether an order in it is: a second one might end a trial. So with
// SubscriptionParams it is not repeated when its outcome is unknown: look at [Subscriptions.ActiveList], and call it again if the plan is
// not there. Without them, and with null, it is safe to repeat and is repeated; what is answered is then what the
// last request did, which may be that nothing was left to do: Subscription is nil although the first one made it.
//
// CustomerId is required. One that is archived is brought back by it. When Provision returns, a check by this client sees what it did.
func (s *Customers) Provision(ctx context.Context, in ProvisionCustomerInput) (*ProvisionedCustomer, error) {
	key := Key{CustomerID: deref(in.CustomerId)}
	if key.CustomerID == "" {
		key.CustomerID = deref(in.RefId)
	}
	if err := required("provision customer", "CustomerId", key.CustomerID); err != nil {
		return nil, err
	}
	again := harmless
	if p := in.SubscriptionParams; p != nil && p != Null[ProvisionCustomerSubscriptionInput]() {
		key.ResourceID, again = deref(p.ResourceId), ifRefused
	}
	reply, err := write(ctx, s.c, again, []Key{key.Customer()}, func(ctx context.Context) (*gql.ProvisionCustomerResponse, error) {
		return gql.ProvisionCustomer(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	out := &reply.ProvisionCustomer
	if key.ResourceID != "" {
		s.c.awaitRefresh(key.Customer()) // it may not have existed, and with it the rest of its resources
	}
	s.c.wrote(key, out.EntitlementsV2)
	return out, nil
}

// Update changes what is given of a customer, and nothing else: a field that is nil stays as it is, one that is [Null] is
// cleared. Billing information is not stored by Stigg: to change a part of it, give all of it. No entitlement changes.
//
// CustomerId is required. Update is not repeated when its outcome is unknown.
func (s *Customers) Update(ctx context.Context, in UpdateCustomerInput) (*Customer, error) {
	id := deref(in.CustomerId)
	if id == "" {
		id = deref(in.RefId)
	}
	if err := required("update customer", "CustomerId", id); err != nil {
		return nil, err
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.UpdateCustomerResponse, error) {
		return gql.UpdateCustomer(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.UpdateOneCustomer, nil
}

// Get returns a customer with its subscriptions, promotions and coupon, as Stigg has them now: it asks Stigg each time. There
// is no customer: [ErrNotFound]. Of one that is archived the answer does not say so: a check does, with [CustomerIsArchived]. For a
// check, use [Client.GetEntitlement].
func (s *Customers) Get(ctx context.Context, customerID string) (*CustomerDetails, error) {
	const call = "get customer"
	if err := required(call, "customerID", customerID); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCustomerByIdResponse, error) {
		return gql.GetCustomerById(ctx, s.c.api, gql.GetCustomerByRefIdInput{CustomerId: customerID})
	})
	if err != nil {
		return nil, err
	}
	if reply.GetCustomerByRefId == nil {
		return nil, notFound(call, "customer", customerID)
	}
	return reply.GetCustomerByRefId, nil
}

// Archive archives a customer, and ends its subscriptions with it. The next check of the customer, or of one of its resources,
// waits for what Stigg says then. Archive is not repeated when its outcome is unknown.
func (s *Customers) Archive(ctx context.Context, customerID string) error {
	if err := required("archive customer", "customerID", customerID); err != nil {
		return err
	}
	keys := []Key{{CustomerID: customerID}}
	_, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.ArchiveCustomerResponse, error) {
		return gql.ArchiveCustomer(ctx, s.c.api, gql.ArchiveCustomerInput{CustomerId: customerID})
	})
	if err != nil {
		return err
	}
	s.c.awaitRefresh(keys...)
	return nil
}

// Unarchive brings an archived customer back. The next check of the customer, or of one of its resources, waits for what Stigg
// says then. Of one that is not archived it changes nothing, and is no error. Unarchive is not repeated when its outcome is unknown.
func (s *Customers) Unarchive(ctx context.Context, customerID string) (*Customer, error) {
	if err := required("unarchive customer", "customerID", customerID); err != nil {
		return nil, err
	}
	keys := []Key{{CustomerID: customerID}}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.UnarchiveCustomerResponse, error) {
		return gql.UnarchiveCustomer(ctx, s.c.api, gql.UnarchiveCustomerInput{CustomerId: customerID})
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return &reply.UnarchiveCustomer, nil
}

// Import takes over a customer from elsewhere, without a subscription: it makes one, or brings the one there is up to what is given.
// PaymentMethodId and BillingId name what the billing integration already has of it.
//
// CustomerId is required. When Import returns, the next check of the customer by this client waits for what it did. It is not
// repeated when its outcome is unknown; to do so is safe.
func (s *Customers) Import(ctx context.Context, in ImportCustomerInput) (*Customer, error) {
	key, err := importedKey("import customer", &in)
	if err != nil {
		return nil, err
	}
	reply, err := write(ctx, s.c, ifRefused, []Key{key}, func(ctx context.Context) (*gql.ImportCustomerResponse, error) {
		return gql.ImportCustomer(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(key)
	return &reply.ImportOneCustomer, nil
}

// ImportBulk is Import for many customers in one request. It returns what Stigg says of the import, which may be nothing: Stigg may
// go on working through it after it has answered, and what it does then the stream brings, or the next poll. An error is that of the
// request as a whole: some may be imported.
//
// Each customer needs a CustomerId. The next check of each waits for one refresh. No customers: nothing is sent.
func (s *Customers) ImportBulk(ctx context.Context, in ImportCustomerBulkInput) (string, error) {
	if len(in.Customers) == 0 {
		return "", nil
	}
	var keys []Key
	for i := range in.Customers {
		key, err := importedKey(fmt.Sprintf("import customers in bulk: customer %d", i), &in.Customers[i])
		if err != nil {
			return "", err
		}
		keys = append(keys, key)
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.ImportCustomerBulkResponse, error) {
		return gql.ImportCustomerBulk(ctx, s.c.api, in)
	})
	s.c.awaitRefresh(keys...) // also after a refusal: what came before the one that was refused may be imported
	if err != nil {
		return "", err
	}
	return deref(reply.ImportCustomersBulk), nil
}

// importedKey is whose entitlements an import is about.
func importedKey(call string, in *ImportCustomerInput) (Key, error) {
	id := deref(in.CustomerId)
	if id == "" {
		id = deref(in.RefId)
	}
	return Key{CustomerID: id}, required(call, "CustomerId", id)
}

// DetachPaymentMethod takes a customer's payment method away. Its subscriptions go on, and so do its entitlements: memory stays as it
// is. It is not repeated when its outcome is unknown.
func (s *Customers) DetachPaymentMethod(ctx context.Context, customerID string) (*Customer, error) {
	if err := required("detach payment method", "customerID", customerID); err != nil {
		return nil, err
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.DetachCustomerPaymentMethodResponse, error) {
		return gql.DetachCustomerPaymentMethod(ctx, s.c.api, gql.DetachCustomerPaymentMethodInput{CustomerId: customerID})
	})
	if err != nil {
		return nil, err
	}
	return &reply.DetachCustomerPaymentMethod, nil
}

// Statistics counts the subscriptions of a customer that are active or in trial, by pricing type (free, paid, custom), those of its
// resources among them. It asks Stigg each time. There is no customer: [ErrNotFound]. What Stigg does not say is left out.
func (s *Customers) Statistics(ctx context.Context, customerID string) (*CustomerStatistics, error) {
	const call = "get customer statistics"
	if err := required(call, "customerID", customerID); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCustomerStatisticsResponse, error) {
		return gql.GetCustomerStatistics(ctx, s.c.api, gql.GetCustomerByRefIdInput{CustomerId: customerID})
	})
	if err != nil {
		return nil, err
	}
	switch c := reply.GetCustomerByRefId; {
	case c == nil:
		return nil, notFound(call, "customer", customerID)
	case c.Statistics == nil:
		return &CustomerStatistics{}, nil
	default:
		return c.Statistics, nil
	}
}

// Portal returns all that a customer may see of itself: its subscriptions with what they cost, its entitlements with their usage, its
// promotions, its payment method, and how the portal is to look. It asks Stigg each time, and memory does not learn from it: for a
// check, use [Client.GetEntitlement]. EntitlementsV2 is raw JSON, and has the credit wallets too.
//
// CustomerId is required; there is no such customer: [ErrNotFound]. Without ResourceId the portal is that of the customer itself, not
// of its resources; ProductId narrows it to the subscriptions of a product. Amounts are in units of their currency, such as dollars.
// PreviewNextInvoice of a subscription is what [Subscriptions].PreviewNextInvoice answers; it is nil where nothing is to be charged.
func (s *Customers) Portal(ctx context.Context, in CustomerPortalInput) (*CustomerPortal, error) {
	if err := required("get customer portal", "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCustomerPortalByRefIdResponse, error) {
		return gql.GetCustomerPortalByRefId(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.CustomerPortal, nil
}
