package entcache

import (
	"context"
	"fmt"

	"github.com/entcache/entcache/gql"
)

// What brings a subscription to Stigg from elsewhere, and what gives one to somebody else. No answer here carries entitlements, so
// the next check of everybody who gained or lost something waits for one refresh.

// Create gives a customer, or one of its resources, a plan, as Provision does, but never leads to a checkout, and answers no
// entitlements.
//
// CustomerId and PlanId are required. When Create returns, the next check of the customer by this client waits for what it did. It is
// not repeated when its outcome is unknown.
//
// Deprecated: Stigg has Provision in its place.
func (s *Subscriptions) Create(ctx context.Context, in CreateSubscriptionInput) (*Subscription, error) {
	const call = "create subscription"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "PlanId", in.PlanId); err != nil {
		return nil, err
	}
	keys := []Key{{CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId)}}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.CreateSubscriptionResponse, error) {
		return gql.CreateSubscription(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return &reply.CreateSubscription, nil
}

// ImportBulk takes over subscriptions from elsewhere, many in one request: nobody is asked to pay, and none begins as a trial. Each
// begins at its StartDate, which may be long past, by default now. It returns what Stigg says of the import, which may be nothing:
// Stigg may go on working through it after it has answered, and what it does then the stream brings, or the next poll. An error is
// that of the request as a whole: some may be imported.
//
// Each needs a CustomerId, of a customer that exists, and a PlanId; with a SubscriptionId of its own an import can be done again. The
// next check of each customer, or resource, waits for one refresh. No subscriptions: nothing is sent. It is not repeated when its
// outcome is unknown.
func (s *Subscriptions) ImportBulk(ctx context.Context, in ImportSubscriptionsBulkInput) (string, error) {
	if len(in.Subscriptions) == 0 {
		return "", nil
	}
	var keys []Key
	for i := range in.Subscriptions {
		sub, call := &in.Subscriptions[i], fmt.Sprintf("import subscriptions in bulk: subscription %d", i)
		if err := required(call, "CustomerId", sub.CustomerId); err != nil {
			return "", err
		}
		if err := required(call, "PlanId", sub.PlanId); err != nil {
			return "", err
		}
		keys = append(keys, Key{CustomerID: sub.CustomerId, ResourceID: deref(sub.ResourceId)})
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.ImportSubscriptionsBulkResponse, error) {
		return gql.ImportSubscriptionsBulk(ctx, s.c.api, in)
	})
	s.c.awaitRefresh(keys...) // also after a refusal: what came before the one that was refused may be imported
	if err != nil {
		return "", err
	}
	return deref(reply.ImportSubscriptionsBulk), nil
}

// MigrateToLatest moves a subscription to its plan and add-ons as they are published now: at once, or with [MigrateAtPeriodEnd] when
// what is paid for ends. One that is there already is an error.
//
// SubscriptionId is required. When MigrateToLatest returns, the next check of that customer by this client waits for what it did. It
// is not repeated when its outcome is unknown.
func (s *Subscriptions) MigrateToLatest(ctx context.Context, in SubscriptionMigrationInput) (*Subscription, error) {
	if err := required("migrate subscription", "SubscriptionId", in.SubscriptionId); err != nil {
		return nil, err
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.MigrateSubscriptionToLatestResponse, error) {
		return gql.MigrateSubscriptionToLatest(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keyOf(&reply.MigrateSubscriptionToLatest))
	return &reply.MigrateSubscriptionToLatest, nil
}

// Transfer gives the subscription that is paid for from one resource of a customer to another.
//
// CustomerId, SourceResourceId and DestinationResourceId are required. When Transfer returns, the next check of either resource by
// this client waits for what it did. It is not repeated when its outcome is unknown.
//
// Deprecated: Stigg has TransferToResource in its place, which says which subscription.
func (s *Subscriptions) Transfer(ctx context.Context, in TransferSubscriptionInput) (*Subscription, error) {
	const call = "transfer subscription"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "SourceResourceId", in.SourceResourceId); err != nil {
		return nil, err
	}
	if err := required(call, "DestinationResourceId", in.DestinationResourceId); err != nil {
		return nil, err
	}
	keys := []Key{{CustomerID: in.CustomerId, ResourceID: in.SourceResourceId}, {CustomerID: in.CustomerId, ResourceID: in.DestinationResourceId}}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.TransferSubscriptionResponse, error) {
		return gql.TransferSubscription(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return &reply.TransferSubscription, nil
}

// TransferToResource gives a subscription to another resource of its customer, or to the customer itself when DestinationResourceId is
// nil.
//
// SubscriptionId is required. When TransferToResource returns, the next check of the customer, or of any of its resources, by this
// client waits for what it did: the answer does not say which resource lost it. It is not repeated when its outcome is unknown.
func (s *Subscriptions) TransferToResource(ctx context.Context, in TransferSubscriptionToResourceInput) (*Subscription, error) {
	if err := required("transfer subscription to resource", "SubscriptionId", in.SubscriptionId); err != nil {
		return nil, err
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.TransferSubscriptionToResourceResponse, error) {
		return gql.TransferSubscriptionToResource(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keyOf(&reply.TransferSubscriptionToResource).Customer())
	return &reply.TransferSubscriptionToResource, nil
}

// Delegate gives a subscription to another customer, who has its entitlements from then on, while whoever paid for it goes on paying;
// with a nil DestinationCustomerId the payer has it back.
//
// SubscriptionId is required. Delegate first asks Stigg whose the subscription is, since the answer does not say whose it was. When it
// returns, the next check of either customer, or of a resource of theirs, by this client waits for what it did. It is not repeated
// when its outcome is unknown.
func (s *Subscriptions) Delegate(ctx context.Context, in DelegateSubscriptionToCustomerInput) (*Subscription, error) {
	if err := required("delegate subscription", "SubscriptionId", in.SubscriptionId); err != nil {
		return nil, err
	}
	was, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetSubscriptionOwnerResponse, error) {
		return gql.GetSubscriptionOwner(ctx, s.c.api, gql.GetSubscriptionInput{SubscriptionId: in.SubscriptionId})
	})
	if err != nil {
		return nil, err
	}
	keys := []Key{{CustomerID: was.GetSubscription.Customer.RefId}}
	if to := deref(in.DestinationCustomerId); to != "" {
		keys = append(keys, Key{CustomerID: to})
	}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.DelegateSubscriptionToCustomerResponse, error) {
		return gql.DelegateSubscriptionToCustomer(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	out := &reply.DelegateSubscriptionToCustomer
	s.c.awaitRefresh(append(keys, keyOf(out).Customer())...)
	return out, nil
}
