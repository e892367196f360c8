package entcache

import (
	"context"
	"iter"

	"github.com/entcache/entcache/gql"
)

// Subscriptions provisions, imports, moves, changes, ends, finds and prices subscriptions. It is [Client].Subscriptions.
//
// What changes one by its id alone (Update, Cancel, MigrateToLatest, TransferToResource) learns from the answer whose it is. When the
// outcome is unknown there is no answer: a check then sees what happened when the stream, or the next poll, brings it.
type Subscriptions struct{ c *Client }

// Provision gives a customer, or one of its resources, a plan: a first one, an upgrade or a downgrade. A subscription to another
// plan of the same product ends when the new one starts. When a payment has to be made first, Status is
// [ProvisionPaymentRequired], CheckoutUrl says where, and nothing has changed.
//
// CustomerId and PlanId are required; ResourceId as well for a product that allows several subscriptions. When Provision
// returns, a check by this client sees what it did. It is not repeated when its outcome is unknown; with a SubscriptionId of
// its own a program can do so, since Stigg makes no second subscription of the same id: [ErrConflict] then says that the first
// had arrived.
func (s *Subscriptions) Provision(ctx context.Context, in ProvisionSubscriptionInput) (*ProvisionedSubscription, error) {
	const call = "provision subscription"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "PlanId", in.PlanId); err != nil {
		return nil, err
	}
	key := Key{CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId)}
	reply, err := write(ctx, s.c, ifRefused, []Key{key}, func(ctx context.Context) (*gql.ProvisionSubscriptionResponse, error) {
		return gql.ProvisionSubscription(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	out := &reply.ProvisionSubscriptionV2
	if out.Status != ProvisionPaymentRequired {
		s.c.wrote(key, out.EntitlementsV2)
	}
	return out, nil
}

// Apply brings a customer, or one of its resources, to a plan with exactly these add-ons and quantities, whether that takes a new
// subscription or a change of the one there is. It uses the payment method that Stigg knows, and never leads to a checkout.
//
// CustomerId and PlanId are required. When Apply returns, a check by this client sees what it did. It is not repeated when its
// outcome is unknown.
func (s *Subscriptions) Apply(ctx context.Context, in ApplySubscriptionInput) (*AppliedSubscription, error) {
	const call = "apply subscription"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "PlanId", in.PlanId); err != nil {
		return nil, err
	}
	key := Key{CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId)}
	reply, err := write(ctx, s.c, ifRefused, []Key{key}, func(ctx context.Context) (*gql.ApplySubscriptionResponse, error) {
		return gql.ApplySubscription(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.wrote(key, reply.ApplySubscription.EntitlementsV2)
	return &reply.ApplySubscription, nil
}

// Update changes what is given of a subscription, and nothing else: Addons and BillableFeatures replace the list there was, a
// CancellationDate that is Null[DateTime]() takes a cancellation back, and ScheduleStrategy says when it takes effect. Another
// plan is Provision's.
//
// SubscriptionId is required. When Update returns, the next check of that customer by this client waits for what it did. It is
// not repeated when its outcome is unknown.
func (s *Subscriptions) Update(ctx context.Context, in UpdateSubscriptionInput) (*Subscription, error) {
	id := deref(in.SubscriptionId)
	if id == "" {
		id = deref(in.RefId)
	}
	if err := required("update subscription", "SubscriptionId", id); err != nil {
		return nil, err
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.UpdateSubscriptionResponse, error) {
		return gql.UpdateSubscription(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keyOf(&reply.UpdateOneSubscription))
	return &reply.UpdateOneSubscription, nil
}

// Cancel ends a subscription: at the end of its billing period unless SubscriptionCancellationTime says otherwise, and as the
// product's settings have it unless SubscriptionCancellationAction does.
//
// SubscriptionRefId is required. When Cancel returns, the next check of that customer by this client waits for what it did. It
// is not repeated when its outcome is unknown.
func (s *Subscriptions) Cancel(ctx context.Context, in SubscriptionCancellationInput) (*Subscription, error) {
	const call = "cancel subscription"
	if err := required(call, "SubscriptionRefId", in.SubscriptionRefId); err != nil {
		return nil, err
	}
	if in.SubscriptionCancellationTime != nil && *in.SubscriptionCancellationTime == CancelOnDate && in.EndDate == nil {
		return nil, badInput(call, "EndDate is missing: a cancellation on a date needs it")
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.CancelSubscriptionResponse, error) {
		return gql.CancelSubscription(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keyOf(&reply.CancelSubscription))
	return &reply.CancelSubscription, nil
}

// keyOf is whose entitlements a subscription makes.
func keyOf(s *Subscription) Key {
	k := Key{CustomerID: s.Customer.RefId}
	if s.Resource != nil {
		k.ResourceID = s.Resource.ResourceId
	}
	return k
}

// CancelScheduledUpdates drops the changes of a subscription that were scheduled for later. What is in force stays in force. It
// is not repeated when its outcome is unknown.
func (s *Subscriptions) CancelScheduledUpdates(ctx context.Context, subscriptionID string) error {
	if err := required("cancel scheduled updates", "subscriptionID", subscriptionID); err != nil {
		return err
	}
	_, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.CancelSubscriptionUpdatesResponse, error) {
		return gql.CancelSubscriptionUpdates(ctx, s.c.api, gql.SubscriptionUpdateScheduleCancellationInput{SubscriptionId: subscriptionID})
	})
	return err
}

// Get returns all there is to know of a subscription: its plan with what it grants and costs, its add-ons, what is scheduled. It
// asks Stigg each time. There is no such subscription: [ErrNotFound].
func (s *Subscriptions) Get(ctx context.Context, subscriptionID string) (*SubscriptionDetails, error) {
	const call = "get subscription"
	if err := required(call, "subscriptionID", subscriptionID); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetSubscriptionResponse, error) {
		return gql.GetSubscription(ctx, s.c.api, gql.GetSubscriptionInput{SubscriptionId: subscriptionID})
	})
	if err != nil {
		return nil, err
	}
	return &reply.GetSubscription, nil
}

// maxResources is how many resources one question about active subscriptions may name.
const maxResources = 100

// ActiveList returns the active subscriptions of a customer, trials included, without the details of their plans: for those, use
// Active. With resource ids (up to 100) it returns those of these resources alone; a resource nobody knows has none.
func (s *Subscriptions) ActiveList(ctx context.Context, customerID string, resourceIDs ...string) ([]SlimSubscription, error) {
	in, err := activeInput("list active subscriptions", customerID, resourceIDs)
	if err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetActiveSubscriptionsListResponse, error) {
		return gql.GetActiveSubscriptionsList(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return reply.GetActiveSubscriptions, nil
}

// Active is ActiveList with all there is to know of each; see Get.
func (s *Subscriptions) Active(ctx context.Context, customerID string, resourceIDs ...string) ([]SubscriptionDetails, error) {
	in, err := activeInput("get active subscriptions", customerID, resourceIDs)
	if err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetActiveSubscriptionsResponse, error) {
		return gql.GetActiveSubscriptions(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return reply.GetActiveSubscriptions, nil
}

// activeInput names resources in a list even when there is one: Stigg answers an error for a resourceId it does not know, and an
// empty list for the same among resourceIds.
func activeInput(call, customerID string, resourceIDs []string) (in gql.GetActiveSubscriptionsInput, err error) {
	if err := required(call, "customerID", customerID); err != nil {
		return in, err
	}
	if len(resourceIDs) > maxResources {
		return in, badInput(call, "more than 100 resources: ask for them in parts")
	}
	for _, id := range resourceIDs {
		if err := required(call, "a resource id", id); err != nil {
			return in, err
		}
	}
	return gql.GetActiveSubscriptionsInput{CustomerId: customerID, ResourceIds: resourceIDs}, nil
}

// List yields the subscriptions that filter lets through, ended ones included, page after page, in the order of sorting. A nil
// filter lets all through; no sorting is Stigg's own order. It asks for a page when the loop comes to it. An error is yielded
// once, and is the last.
//
//	for subscription, err := range client.Subscriptions.List(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		…
//	}
func (s *Subscriptions) List(ctx context.Context, filter *SubscriptionFilter, sorting ...SubscriptionSort) iter.Seq2[ListedSubscription, error] {
	return pages("list subscriptions", func(paging *gql.CursorPaging) (list []ListedSubscription, info gql.PageInfo, err error) {
		reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetSubscriptionsResponse, error) {
			return gql.GetSubscriptions(ctx, s.c.api, filter, paging, sorting)
		})
		if err != nil {
			return nil, info, err
		}
		for _, e := range reply.Subscriptions.Edges {
			list = append(list, e.Node)
		}
		return list, reply.Subscriptions.PageInfo, nil
	})
}

// Estimate says what a subscription would cost, with coupon and tax, in the currency that Stigg has prices in for
// the customer (the emulator goes by BillingCountryCode alone). Nothing changes. Amounts are in units of the currency, such as dollars.
// Total is due now; Subscription.Total is that of each period after. For a customer who has a plan of the product it is the price of the
// change, and Proration says what is credited and charged.
//
// CustomerId and PlanId are required.
func (s *Subscriptions) Estimate(ctx context.Context, in EstimateSubscriptionInput) (*SubscriptionPreview, error) {
	const call = "estimate subscription"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "PlanId", in.PlanId); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.EstimateSubscriptionResponse, error) {
		return gql.EstimateSubscription(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.EstimateSubscription, nil
}

// EstimateUpdate says what a change of a subscription would cost: Proration is what is credited and charged for the rest of the
// period, Subscription what it costs from the next period on. Nothing changes.
//
// SubscriptionId is required.
func (s *Subscriptions) EstimateUpdate(ctx context.Context, in EstimateSubscriptionUpdateInput) (*SubscriptionPreview, error) {
	if err := required("estimate subscription update", "SubscriptionId", in.SubscriptionId); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.EstimateSubscriptionUpdateResponse, error) {
		return gql.EstimateSubscriptionUpdate(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.EstimateSubscriptionUpdate, nil
}

// Preview says what provisioning a subscription would cost at once and in each period after, whether the customer has one of that
// product already or not. Nothing changes.
//
// CustomerId and PlanId are required.
func (s *Subscriptions) Preview(ctx context.Context, in PreviewSubscriptionInput) (*SubscriptionPreviewV2, error) {
	const call = "preview subscription"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "PlanId", in.PlanId); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.PreviewSubscriptionResponse, error) {
		return gql.PreviewSubscription(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.PreviewSubscription, nil
}

// PreviewNextInvoice says what the next invoice of a subscription will have on it, as things stand: what recurs, what was used so far,
// discount and tax, in units of the currency, such as dollars. Nothing changes.
func (s *Subscriptions) PreviewNextInvoice(ctx context.Context, subscriptionID string) (*InvoicePreview, error) {
	if err := required("preview next invoice", "subscriptionID", subscriptionID); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.PreviewNextInvoiceResponse, error) {
		return gql.PreviewNextInvoice(ctx, s.c.api, gql.PreviewNextInvoiceInput{SubscriptionId: subscriptionID})
	})
	if err != nil {
		return nil, err
	}
	return &reply.PreviewNextInvoice, nil
}
