package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
)

// A checkout is completed over the control interface as by the methods: by its own id, or all that a customer has open. The customer
// then has the plan, and a payment method, which the interface takes away and leaves again.
func TestControlCompletesCheckouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		listed := func(query string) (list []Checkout) {
			t.Helper()
			status, body := l.command("GET", "/checkouts"+query, "")
			if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK {
				t.Fatalf("GET /checkouts%s = %d %s: %v", query, status, body, err)
			}
			return list
		}
		for _, customer := range []string{"c1", "c2"} {
			l.provision(customer, "", "")
		}
		id := l.sendToCheckout(`customerId:"c1",planId:"basic",subscriptionId:"one"`)
		l.sendToCheckout(`customerId:"c2",planId:"basic",subscriptionId:"two"`)
		l.sendToCheckout(`customerId:"c2",resourceId:"r",planId:"pro",skipTrial:true,subscriptionId:"three"`)
		if all, own := listed(""), listed("?customerId=c1"); len(all) != 3 || len(own) != 1 || own[0].ID != id || own[0].PlanID != "basic" || own[0].CustomerID != "c1" {
			t.Errorf("open are %+v, of c1 %+v", all, own)
		}

		ears := l.listen()
		if got := l.do("/checkout/complete", `{"checkoutId":"`+id+`"}`); got != `{"subscriptionIds":["one"]}` {
			t.Errorf("completed by its id: %s", got)
		}
		ears.want("c1 calls=100 seats=5")
		if got := l.do("/checkout/complete", `{"customerId":"c2"}`); got != `{"subscriptionIds":["two","three"]}` {
			t.Errorf("completed by the customer: %s", got)
		}
		if list := listed(""); len(list) != 0 {
			t.Errorf("still open are %+v", list)
		}
		l.wantSubs("c1", "basic ACTIVE")
		l.wantSubs("c2", "pro ACTIVE, basic ACTIVE")
		l.wantHas("c2/r", "calls=1000 seats=5 sso")
		for _, again := range []string{`{"checkoutId":"` + id + `"}`, `{"customerId":"c2"}`} {
			if status, body := l.command("POST", "/checkout/complete", again); status != http.StatusUnprocessableEntity {
				t.Errorf("%s again: %d %s, want 422", again, status, body)
			}
		}

		for _, on := range []bool{false, true} {
			l.do("/payment-method", fmt.Sprintf(`{"customerId":"c1","on":%t}`, on))
			if l.hasPaymentMethod("c1") != on {
				t.Errorf("/payment-method on %t: the customer has one: %v", on, l.hasPaymentMethod("c1"))
			}
			if on {
				l.buy(`customerId:"c1",planId:"pro",skipTrial:true`)
			} else {
				l.sendToCheckout(`customerId:"c1",planId:"pro",skipTrial:true`)
			}
		}
	})
}
