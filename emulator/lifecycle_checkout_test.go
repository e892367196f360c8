package emulator

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

const lifeAsk = `{status checkoutUrl checkoutBillingId subscription{id} entitlements{__typename} entitlementsV2{__typename}}`

// open lists whose checkouts are open, each as "c1/r1 basic", the oldest first.
func (l *life) open(customerID string) []string {
	list := []string{}
	for _, k := range l.Checkouts(customerID) {
		list = append(list, k.CustomerID+"/"+k.ResourceID+" "+k.PlanID)
	}
	return list
}

// sendToCheckout asks for what has to be paid for and returns the checkout's id.
func (l *life) sendToCheckout(input string) string {
	l.t.Helper()
	got := l.write("provisionSubscriptionV2", input, lifeAsk)
	id, _ := got["checkoutBillingId"].(string)
	if got["status"] != "PAYMENT_REQUIRED" || id == "" || got["subscription"] != nil || got["entitlements"] != nil || got["entitlementsV2"] != nil {
		l.t.Errorf("provisionSubscriptionV2 of %s = %v, want PAYMENT_REQUIRED, a checkout and nothing else", input, got)
	}
	if !slices.ContainsFunc(l.Checkouts(""), func(k Checkout) bool { return k.ID == id && k.URL == got["checkoutUrl"] }) {
		l.t.Errorf("open are %v, want %v at %v", l.Checkouts(""), id, got["checkoutUrl"])
	}
	return id
}

func (l *life) complete(id string) {
	l.t.Helper()
	if _, err := l.CompleteCheckout(id); err != nil {
		l.t.Fatalf("CompleteCheckout(%s): %v", id, err)
	}
}

func (l *life) hasPaymentMethod(customerID string) any {
	l.t.Helper()
	return l.must(`{getCustomerByRefId(input:{customerId:"`+customerID+`"}){hasPaymentMethod}}`, nil)["getCustomerByRefId"].(map[string]any)["hasPaymentMethod"]
}

// Who has left no payment method is sent to a checkout before a paid plan. Until it is completed nothing happens; then everything does.
func TestLifecycleCheckoutComesBeforeAPaidPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		l.provision("c1", "", "free")
		before := fmt.Sprint(l.HistoryOf("c1", "", 0))
		ears := l.listen()
		first := l.sendToCheckout(`customerId:"c1",planId:"basic"`)
		last := l.sendToCheckout(`customerId:"c1",planId:"basic",subscriptionId:"paid",addons:[{addonId:"more-seats"}]`)
		if got := l.open("c1"); first == last || !slices.Equal(got, []string{"c1/ basic"}) {
			t.Errorf("after asking twice %v are open, want one", got)
		}
		ears.want()
		if got := fmt.Sprint(l.HistoryOf("c1", "", 0)); got != before {
			t.Errorf("before it is paid for the customer has had %s, want %s", got, before)
		}
		l.wantSubs("c1", "free ACTIVE")

		l.until(3 * lifeDay)
		if _, err := l.CompleteCheckout(first); codeOf(err) != codeBadUserInput {
			t.Errorf("the checkout that was replaced: %v, want %s", err, codeBadUserInput)
		}
		if id, err := l.CompleteCheckout(last); err != nil || id != "paid" {
			t.Errorf("CompleteCheckout = %q, %v, want the id that was ordered", id, err)
		}
		ears.want("c1 calls=100 seats=7")
		l.wantSubs("c1", "free CANCELED, basic ACTIVE")
		l.wantSub("paid", "startDate:"+l.on(3*lifeDay), "startDate")
		if _, err := l.CompleteCheckout(last); codeOf(err) != codeBadUserInput || len(l.open("c1")) != 0 {
			t.Errorf("completed twice: %v, %v open, want %s and none", err, l.open("c1"), codeBadUserInput)
		}
		if l.hasPaymentMethod("c1") != true {
			t.Error("no payment method after the checkout")
		}
		l.buy(`customerId:"c1",planId:"pro",skipTrial:true`)
	})
}

// Only what is paid for, by charging somebody, asks for a payment method.
func TestLifecyclePaymentIsRequired(t *testing.T) {
	for _, row := range []struct {
		name, catalog, input string
		required             bool
	}{
		{"a paid plan", lifeBilling, `planId:"basic"`, true},
		{"no billing in the catalog", "", `planId:"basic"`, false},
		{"a free plan", lifeBilling, `planId:"free"`, false},
		{"a price that is agreed elsewhere", lifeBilling, `planId:"deal"`, false},
		{"an invoice", lifeBilling, `planId:"basic",paymentCollectionMethod:INVOICE`, false},
		{"a charge", lifeBilling, `planId:"basic",paymentCollectionMethod:CHARGE`, true},
		{"a trial", lifeBilling, `planId:"pro"`, false},
		{"a trial that converts", lifeBilling, `planId:"team"`, false},
		{"a trial skipped", lifeBilling, `planId:"pro",skipTrial:true`, true},
		{"a trial denied", lifeBilling, `planId:"pro",trialOverrideConfiguration:{isTrial:false}`, true},
		{"a trial made", lifeBilling, `planId:"basic",trialOverrideConfiguration:{isTrial:true}`, false},
		{"a later start", lifeBilling, `planId:"basic",startDate:"2000-02-01"`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, row.catalog)
				l.provision("c1", "", "")
				want := "SUCCESS"
				if row.required {
					want = "PAYMENT_REQUIRED"
				}
				if got := l.write("provisionSubscriptionV2", `customerId:"c1",`+row.input, lifeAsk); got["status"] != want {
					t.Errorf("provisionSubscriptionV2 of %s = %v, want %s", row.input, got, want)
				}
			})
		})
	}
}

// The mutations that cannot answer with a checkout answer an error, and leave nothing behind.
func TestLifecyclePaymentIsRequiredAsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		l.provision("c1", "", "free")
		ears := l.listen()
		const code = "PaymentMethodNotFoundError"
		l.wantCode("applySubscription", `customerId:"c1",planId:"basic"`, code)
		l.wantCode("createSubscription", `customerId:"c1",planId:"basic"`, code)
		l.wantCode("provisionCustomer", `customerId:"c1",subscriptionParams:{planId:"basic"}`, code)
		l.wantCode("applySubscription", `customerId:"c1",planId:"basic",paymentMethodId:"card",addons:[{addonId:"gone"}]`, "AddonNotFound")
		if l.hasPaymentMethod("c1") != false || len(l.Checkouts("")) != 0 {
			t.Errorf("a refused call left a payment method, or one of the checkouts %v", l.Checkouts(""))
		}
		ears.want()
		l.wantSubs("c1", "free ACTIVE")

		l.write("applySubscription", `customerId:"c1",planId:"basic",paymentMethodId:"card"`, `{subscription{id}}`)
		ears.want("c1 calls=100 seats=5")
		l.write("createSubscription", `customerId:"c1",planId:"pro",isTrial:false`, `{id}`)
		ears.want("c1 calls=1000 seats=3 sso")
		l.provision("c2", "", "")
		l.write("createSubscription", `customerId:"c2",planId:"pro"`, `{id}`)
		l.wantSubs("c2", "pro IN_TRIAL")
	})
}

// A payment method is the customer's: whoever leaves it, it pays until it is taken away, and what it paid for goes on then.
func TestLifecyclePaymentMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		l.provision("c1", "", "")
		set := func(on bool) {
			t.Helper()
			if err := l.SetPaymentMethod("c1", on); err != nil || l.hasPaymentMethod("c1") != on {
				t.Errorf("SetPaymentMethod(%t): %v, the customer has one: %v", on, err, l.hasPaymentMethod("c1"))
			}
		}
		set(true)
		l.buy(`customerId:"c1",planId:"basic"`)
		set(false)
		l.sendToCheckout(`customerId:"c1",planId:"pro",skipTrial:true`)
		l.wantSubs("c1", "basic ACTIVE")
		set(true)
		l.write("detachCustomerPaymentMethod", `customerId:"c1"`, `{id}`)
		l.sendToCheckout(`customerId:"c1",planId:"pro",skipTrial:true`)
		l.until(2 * lifeJanuary)
		l.wantSubs("c1", "basic ACTIVE")
		if err := l.SetPaymentMethod("gone", true); codeOf(err) != codeCustomerNotFound {
			t.Errorf("SetPaymentMethod of nobody: %v, want %s", err, codeCustomerNotFound)
		}
	})
}

// There is one open checkout for each product of each resource. A customer's are completed the oldest first.
func TestLifecycleCheckoutsArePerProductAndResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		l.provision("c1", "", "")
		l.provision("c2", "", "")
		l.sendToCheckout(`customerId:"c1",planId:"basic"`)
		l.sendToCheckout(`customerId:"c2",planId:"basic"`)
		l.sendToCheckout(`customerId:"c1",resourceId:"r",planId:"basic",subscriptionId:"r"`)
		l.sendToCheckout(`customerId:"c1",planId:"beta",skipTrial:true,subscriptionId:"b"`)
		l.sendToCheckout(`customerId:"c1",planId:"team",skipTrial:true,subscriptionId:"a"`)
		if got, want := l.open("c1"), []string{"c1/r basic", "c1/ beta", "c1/ team"}; !slices.Equal(got, want) {
			t.Errorf("open are %v, want %v", got, want)
		}
		if n := len(l.Checkouts("")); n != 4 {
			t.Errorf("%d checkouts are open in all, want 4", n)
		}
		ears := l.listen()
		ids, err := l.CompleteCheckouts("c1")
		if err != nil || !slices.Equal(ids, []string{"r", "b", "a"}) {
			t.Errorf("CompleteCheckouts = %v, %v, want the oldest first", ids, err)
		}
		ears.want("c1/r calls=100 seats=5", "c1 reports", "c1/r calls=100 reports seats=5", "c1 reports seats=50", "c1/r calls=100 reports seats=50")
		for id, code := range map[string]string{"c1": codeBadUserInput, "gone": codeCustomerNotFound} {
			if _, err := l.CompleteCheckouts(id); codeOf(err) != code {
				t.Errorf("CompleteCheckouts(%s): %v, want %s", id, err, code)
			}
		}
		if got := l.open(""); !slices.Equal(got, []string{"c2/ basic"}) {
			t.Errorf("open are %v, want that of c2 alone", got)
		}
	})
}

// An order that can no longer be carried out leaves its checkout open and the customer as it was.
func TestLifecycleCheckoutThatCannotBeCompleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		l.provision("c1", "", "free")
		id := l.sendToCheckout(`customerId:"c1",planId:"basic",cancellationDate:"` + l.on(2*lifeDay) + `"`)
		l.until(3 * lifeDay)
		ears := l.listen()
		refused := func(code string) {
			t.Helper()
			if _, err := l.CompleteCheckout(id); codeOf(err) != code {
				t.Errorf("CompleteCheckout: %v, want %s", err, code)
			}
			if len(l.open("c1")) != 1 {
				t.Errorf("open are %v, want it still", l.open("c1"))
			}
		}
		refused(codeInvalidCancellationDate)
		if l.hasPaymentMethod("c1") != false {
			t.Error("it left a payment method")
		}
		ears.want()
		l.wantSubs("c1", "free ACTIVE")
		if err := l.ArchiveCustomer("c1"); err != nil {
			t.Fatal(err)
		}
		refused("EntityIsArchivedError")
		l.wantSubs("c1", "free CANCELED")
	})
}

// The subscription of a checkout begins when that is completed, or at the later start that was ordered. Schedule strategies and
// trials are decided then too.
func TestLifecycleCheckoutDecidesTheStart(t *testing.T) {
	for _, row := range []struct {
		name, input string
		start       time.Duration
	}{
		{"now", ``, 10 * lifeDay},
		{"later", `,startDate:"2000-01-21"`, 20 * lifeDay},
		{"a start that has passed", `,startDate:"2000-01-05"`, 10 * lifeDay},
		{"end of the period", `,scheduleStrategy:END_OF_BILLING_PERIOD`, lifeJanuary},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, lifeBilling)
				l.provision("c1", "", "free")
				id := l.sendToCheckout(`customerId:"c1",planId:"basic",subscriptionId:"s"` + row.input)
				l.until(10 * lifeDay)
				l.wantHas("c1", "seats=1")
				l.complete(id)
				l.wantSub("s", "startDate:"+l.on(row.start), "startDate")
				if row.start > 10*lifeDay {
					l.until(row.start - time.Millisecond)
					l.wantHas("c1", "seats=1")
					l.until(row.start)
				}
				l.wantHas("c1", "calls=100 seats=5")
			})
		})
	}
}

// To pay for the plan that is on trial goes through a checkout too. The trial goes on until then, and to its end if nobody pays.
func TestLifecycleCheckoutWhileOnTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, lifeBilling)
		for _, c := range []string{"pays", "waits"} {
			l.provision(c, "", "")
			l.buy(`customerId:"` + c + `",planId:"pro"`)
		}
		l.until(5 * lifeDay)
		id := l.sendToCheckout(`customerId:"pays",planId:"pro"`)
		l.sendToCheckout(`customerId:"waits",planId:"pro"`)
		l.until(10 * lifeDay)
		l.wantSubs("pays", "pro IN_TRIAL")
		l.complete(id)
		l.wantSubs("pays", "pro CANCELED, pro ACTIVE")
		l.until(20 * lifeDay)
		l.wantSubs("pays", "pro CANCELED, pro ACTIVE")
		l.wantSubs("waits", "pro EXPIRED, free ACTIVE")
		if got := l.open("waits"); len(got) != 1 {
			t.Errorf("open are %v, want the one that nobody completed", got)
		}
	})
}
