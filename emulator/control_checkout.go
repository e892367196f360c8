package emulator

// checkouts has a route for each method of [Emulator] about payment.
func (c *control) checkouts() []controlRoute {
	return []controlRoute{
		get("/checkouts", "which checkouts are open, of one customer or of all", []string{"customerId"}, func(value func(string) string) (any, error) {
			return c.e.Checkouts(value("customerId")), nil
		}),
		post("/checkout/complete", "leaves the payment method and makes the subscription of a checkout, or of all that a customer has open", func(in struct {
			CheckoutID string `json:"checkoutId"`
			CustomerID string `json:"customerId"`
		}) (any, error) {
			if (in.CheckoutID == "") == (in.CustomerID == "") {
				return nil, &inputError{"checkoutId", "give it or customerId, and only one"}
			}
			var ids []string
			var err error
			if in.CheckoutID != "" {
				var id string
				id, err = c.e.CompleteCheckout(in.CheckoutID)
				ids = []string{id}
			} else {
				ids, err = c.e.CompleteCheckouts(in.CustomerID)
			}
			return map[string][]string{"subscriptionIds": ids}, err
		}),
		post("/payment-method", "leaves a payment method for a customer, or takes it away", func(in struct {
			CustomerID string `json:"customerId"`
			On         bool   `json:"on"`
		}) (any, error) {
			if err := need("customerId", in.CustomerID); err != nil {
				return nil, err
			}
			return nil, c.e.SetPaymentMethod(in.CustomerID, in.On)
		}),
	}
}
