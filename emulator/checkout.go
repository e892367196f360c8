package emulator

import (
	"slices"
	"time"
)

// Checkout is a page on which a customer is to leave a payment method. [Emulator.CompleteCheckout] is the customer doing so.
type Checkout struct {
	ID         string    `json:"checkoutId"` // checkoutBillingId on the wire
	URL        string    `json:"url"`        // checkoutUrl on the wire; nothing is served there
	CustomerID string    `json:"customerId"`
	ResourceID string    `json:"resourceId,omitempty"`
	PlanID     string    `json:"planId"`
	CreatedAt  time.Time `json:"createdAt"`
}

// checkout is a subscription that waits for its payment method.
type checkout struct {
	Checkout
	productID string
	order     order
}

// openCheckout keeps what c ordered until it is paid for. A newer one for the same product and resource takes the place of the older,
// so that asking again and again leaves one.
func (e *Emulator) openCheckout(c *customer, s *subscription, o order) *checkout {
	id := e.state.newID("checkout")
	k := &checkout{
		Checkout: Checkout{
			ID: id, URL: "https://checkout.emulator.invalid/" + id, CustomerID: c.id, ResourceID: s.resourceID, PlanID: s.planID,
			CreatedAt: e.instant(),
		},
		productID: s.productID, order: o,
	}
	c.checkouts = slices.DeleteFunc(c.checkouts, func(old *checkout) bool {
		return old.productID == s.productID && old.ResourceID == s.resourceID
	})
	c.checkouts = append(c.checkouts, k)
	return k
}

// Checkouts returns the checkouts that are open, of one customer or, when customerID is empty, of all: by customer, the oldest
// first.
func (e *Emulator) Checkouts(customerID string) []Checkout {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := []Checkout{}
	for _, c := range e.state.each() {
		for _, k := range c.checkouts {
			if customerID == "" || customerID == c.id {
				list = append(list, k.Checkout)
			}
		}
	}
	return list
}

// CompleteCheckout leaves the payment method that the checkout asks for and makes the subscription, which begins now unless a
// later start was ordered. It returns the subscription's id. A checkout that is not open is an error, and so is one whose order
// can no longer be carried out; that one stays open.
func (e *Emulator) CompleteCheckout(id string) (subscriptionID string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.state.customers {
		for _, k := range c.checkouts {
			if k.ID == id {
				return e.completeCheckout(c, k)
			}
		}
	}
	return "", errorf(codeBadUserInput, "there is no open checkout %q", id)
}

// CompleteCheckouts completes every open checkout of a customer, the oldest first, and returns the ids of the subscriptions. None
// open is an error.
func (e *Emulator) CompleteCheckouts(customerID string) (subscriptionIDs []string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.state.present(customerID)
	if err != nil {
		return nil, err
	}
	if len(c.checkouts) == 0 {
		return nil, errorf(codeBadUserInput, "customer %q has no open checkout", customerID)
	}
	for _, k := range slices.Clone(c.checkouts) {
		id, err := e.completeCheckout(c, k)
		if err != nil {
			return subscriptionIDs, err
		}
		subscriptionIDs = append(subscriptionIDs, id)
	}
	return subscriptionIDs, nil
}

func (e *Emulator) completeCheckout(c *customer, k *checkout) (string, error) {
	if _, err := e.state.present(c.id); err != nil {
		return "", err
	}
	e.settle(c)
	o := k.order
	if o.startAt.Before(e.instant()) {
		o.startAt = time.Time{} // what nobody had paid for has granted nothing meanwhile
	}
	s, err := e.subscribe(c, o)
	if err != nil {
		return "", err
	}
	payer := e.payer(c, s)
	payer.paymentMethod = true
	e.paidFor(payer)
	c.checkouts = slices.DeleteFunc(c.checkouts, func(o *checkout) bool { return o == k })
	return s.id, nil
}

// SetPaymentMethod leaves a payment method for a customer, as a checkout would, or takes it away.
func (e *Emulator) SetPaymentMethod(customerID string, on bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.state.present(customerID)
	if err != nil {
		return err
	}
	c.paymentMethod = on
	c.updatedAt = e.state.stamp()
	e.settle(c)
	e.paidFor(c)
	return nil
}
