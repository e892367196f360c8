package emulator

import (
	"context"
	"strings"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// The billing integration of a catalog that has one. It is nobody's: what is called by these names does not exist.
const (
	billingAccount = "acct_emulator"
	billingKey     = "pk_test_emulator"
)

// buying finds who buys what, and refuses what cannot be bought.
func (e *Emulator) buying(customerID, planID string) (*customer, *Plan, error) {
	c, err := e.state.present(customerID)
	if err != nil {
		return nil, nil, err
	}
	ix := e.state.index
	p := ix.plans[planID]
	if p == nil {
		return nil, nil, errorf(codePlanNotFound, "there is no plan %q", planID)
	}
	if ix.catalog.Billing == nil {
		return nil, nil, errorf("BillingIntegrationMissing", "the catalog has no billing, and so no checkout: give it one")
	}
	e.settle(c)
	return c, p, nil
}

// CheckoutState is what a checkout of a program's own shows. It opens none: that is provisionSubscriptionV2's. Where one is open for
// the same plan and resource, the secret is that checkout's.
func (*query) CheckoutState(ctx context.Context, args wire.QueryCheckoutStateArgs) (*wire.CheckoutState, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in, ix := args.Input, q.e.state.index
	c, p, err := q.e.buying(in.CustomerID, in.PlanID)
	if err != nil {
		return nil, err
	}
	if id := in.ProductID.Or(p.Product); ix.products[id] == nil {
		return nil, errorf(codeProductNotFound, "there is no product %q", id)
	} else if id != p.Product {
		return nil, errorf(codeBadUserInput, "plan %q is of product %q, not %q", p.ID, p.Product, id)
	}
	resource := in.ResourceID.Or("")
	secret := strings.Join([]string{"seti", c.id, p.ID, resource}, "_")
	for _, k := range c.checkouts {
		if k.PlanID == p.ID && k.ResourceID == resource {
			secret = "seti_" + k.ID
		}
	}
	secret += "_secret"
	show := &showing{ix: ix, widget: wire.WidgetTypeCheckout, country: in.BillingCountryCode.Or("")}
	w := &wire.CheckoutState{
		Configuration: checkoutLook(), Customer: q.e.customerOf(c), Plan: show.plan(p), Resource: c.resource(resource), SetupSecret: secret,
		BillingIntegration: &wire.CheckoutBillingIntegration{
			BillingIdentifier: wire.BillingVendorIdentifierStripe,
			Credentials:       &wire.CheckoutCredentials{AccountID: new(billingAccount), PublicKey: new(billingKey)},
			BillingCredentials: &wire.BillingCredentials{Value: &wire.StripeCheckoutCredentials{
				AccountID: new(billingAccount), PublicKey: new(billingKey), SetupSecret: secret,
			}},
		},
	}
	if s := c.running(&subscription{productID: p.Product, resourceID: resource}, q.e.now()); s != nil {
		w.ActiveSubscription = q.e.subscriptionOf(c, s, w.Customer)
	}
	return w, nil
}

// CreatePaymentSession makes a token. Nothing is paid with it: to leave a payment method, or to complete a checkout, is the control
// interface's.
func (*mutation) CreatePaymentSession(ctx context.Context, args wire.MutationCreatePaymentSessionArgs) (*wire.PaymentSession, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	_, p, err := m.e.buying(args.Input.CustomerID, args.Input.PlanID)
	if err != nil {
		return nil, err
	}
	if p.Pricing != "paid" {
		return nil, errorf("CheckoutIsNotSupported", "plan %q is %s: there is nothing to pay", p.ID, p.Pricing)
	}
	return &wire.PaymentSession{Token: m.e.state.newID("payment-session")}, nil
}
