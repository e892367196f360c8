package entcache

import (
	"context"

	"github.com/entcache/entcache/gql"
)

// Checkout is for a program that shows its own checkout in place of the page that [Subscriptions.Provision] leads to. It is
// [Client].Checkout. What it returns holds secrets of the billing integration, made for one customer's browser: hand them to that
// customer alone, and log none.
type Checkout struct{ c *Client }

// State returns what a checkout shows and needs: the plan with its prices, the customer, the subscription it has of that product now
// (nil: none), and the credentials with which the browser talks to the billing integration. BillingCredentials is raw JSON of one of
// several shapes: its __typename says which.
//
// CustomerId and PlanId are required. BillingCountryCode (ISO 3166) chooses among prices, ResourceId says for which resource of the
// customer the plan is to be. Nothing is bought by it. What is named and does not exist: [ErrNotFound].
func (s *Checkout) State(ctx context.Context, in CheckoutStateInput) (*CheckoutState, error) {
	const call = "get checkout state"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "PlanId", in.PlanId); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCheckoutStateResponse, error) {
		return gql.GetCheckoutState(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.CheckoutState, nil
}

// PaymentSession begins a session in which the customer can pay for a plan, and returns its token, which the billing integration's
// code in the browser takes. The customer's entitlements do not change by it.
//
// CustomerId and PlanId are required. It is not repeated when its outcome is unknown: asked again, Stigg makes another session.
func (s *Checkout) PaymentSession(ctx context.Context, in PaymentSessionInput) (*PaymentSession, error) {
	const call = "create payment session"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "PlanId", in.PlanId); err != nil {
		return nil, err
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.CreatePaymentSessionResponse, error) {
		return gql.CreatePaymentSession(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.CreatePaymentSession, nil
}
