package emulator

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

const discounts = `
features: [{id: seats, type: number, meter: fluctuating}]
products: [{id: p}]
plans:
  - {id: none, product: p}
  - {id: pro, product: p, pricing: paid, prices: [{period: month, amount: 100}]}
  - {id: max, product: p, pricing: paid, prices: [{period: month, amount: 300}]}
coupons:
  - {id: tenth, percentOff: 10}
  - {id: half, percentOff: 50}
  - {id: seven, amountsOff: [{amount: 7}]}
  - {id: over, percentOff: 90, archived: true}
`

func newDiscounts(t *testing.T, extra string) *bench {
	t.Helper()
	c, err := ParseCatalog([]byte(discounts + extra))
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, Config{Catalog: c})
}

// costs is what a subscription is charged for a period, which is all that the API tells of the coupon of one.
func (b *bench) costs(id string) float64 {
	b.t.Helper()
	s := b.must(`query($id:String!){getSubscription(input:{subscriptionId:$id}){totalPrice{subTotal{amount} total{amount}}}}`, map[string]any{"id": id})
	total := s["getSubscription"].(map[string]any)["totalPrice"].(map[string]any)
	return amountOf(total, "total").(float64)
}

// couponOfAcme is the coupon that the customer shows; "" for none.
func (b *bench) couponOfAcme() string {
	b.t.Helper()
	c := b.must(`{getCustomerByRefId(input:{customerId:"acme"}){coupon{refId status}}}`, nil)["getCustomerByRefId"].(map[string]any)
	if w, ok := c["coupon"].(map[string]any); ok {
		return w["refId"].(string)
	}
	return ""
}

// TestEveryWayToSubscribeTakesACoupon: pro costs 100.
func TestEveryWayToSubscribeTakesACoupon(t *testing.T) {
	for way, document := range map[string]string{
		"provisionCustomer":       `mutation{provisionCustomer(input:{customerId:"acme",subscriptionParams:{planId:"pro",subscriptionId:"s",%s}}){subscription{totalPrice{total{amount}}}}}`,
		"provisionSubscriptionV2": `mutation{provisionSubscriptionV2(input:{customerId:"acme",planId:"pro",subscriptionId:"s",%s}){subscription{totalPrice{total{amount}}}}}`,
		"createSubscription":      `mutation{createSubscription(subscription:{customerId:"acme",planId:"pro",subscriptionId:"s",%s}){subscriptionId}}`,
		"applySubscription":       `mutation{applySubscription(input:{customerId:"acme",planId:"pro",%s}){subscription{totalPrice{total{amount}}}}}`,
		"applySubscription again": `mutation{applySubscription(input:{customerId:"acme",planId:"pro",%s}){subscription{totalPrice{total{amount}}}}}`,
		"updateOneSubscription":   `mutation{updateOneSubscription(input:{subscriptionId:"s",%s}){totalPrice{total{amount}}}}`,
	} {
		t.Run(way, func(t *testing.T) {
			for input, want := range map[string]float64{
				`appliedCoupon:{couponId:"half"}`:                                              50,
				`appliedCoupon:{billingCouponId:"tenth"}`:                                      90,
				`appliedCoupon:{promotionCode:"seven"}`:                                        93,
				`promotionCode:"half"`:                                                         50,
				`appliedCoupon:{couponId:"half"},promotionCode:"tenth"`:                        50, // the newer of the two ways to say it
				`appliedCoupon:{discount:{percentOff:12.5,name:"Ours"}}`:                       87.5,
				`appliedCoupon:{discount:{amountsOff:[{amount:0.5}]}}`:                         99.5,
				`appliedCoupon:{discount:{amountsOff:[{amount:9,currency:EUR}]}}`:              100, // of another currency
				`appliedCoupon:{discount:{amountsOff:[{amount:101},{amount:9,currency:EUR}]}}`: 0,
				`appliedCoupon:null`:                                                           100,
				`promotionCode:null`:                                                           100,
			} {
				synctest.Test(t, func(t *testing.T) {
					b := newDiscounts(t, "")
					b.provision("acme", "", "")
					if way == "updateOneSubscription" || way == "applySubscription again" {
						b.order(`planId:"pro",subscriptionId:"s",appliedCoupon:{couponId:"tenth"}`)
					}
					b.must(fmt.Sprintf(document, input), nil)
					s := b.must(`{getActiveSubscriptions(input:{customerId:"acme"}){totalPrice{subTotal{amount} total{amount}}}}`, nil)["getActiveSubscriptions"].([]any)
					if got, w := fmt.Sprint(s), fmt.Sprintf("[map[totalPrice:map[subTotal:map[amount:100] total:map[amount:%v]]]]", want); got != w {
						t.Errorf("%s: %s, want %s", input, got, w)
					}
				})
			}
			for input, code := range map[string]string{
				`appliedCoupon:{couponId:"over"}`:                     "ArchivedCouponCantBeApplied",
				`promotionCode:"over"`:                                "ArchivedCouponCantBeApplied",
				`appliedCoupon:{couponId:"x"}`:                        "CouponNotFound",
				`appliedCoupon:{billingCouponId:"x"}`:                 "CouponNotFound",
				`promotionCode:"x"`:                                   "CouponNotFound",
				`appliedCoupon:{discount:{}}`:                         codeBadUserInput,
				`appliedCoupon:{discount:{percentOff:0}}`:             codeBadUserInput,
				`appliedCoupon:{discount:{amountsOff:[{amount:-1}]}}`: codeBadUserInput,
			} {
				synctest.Test(t, func(t *testing.T) {
					b := newDiscounts(t, "")
					b.provision("acme", "", "")
					changes := way == "updateOneSubscription" || way == "applySubscription again"
					if changes {
						b.order(`planId:"pro",subscriptionId:"s",appliedCoupon:{couponId:"tenth"}`)
					}
					if a := b.ask(fmt.Sprintf(document, input), nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != code {
						t.Errorf("%s: %+v, want %s", input, a.Errors, code)
					}
					s := b.must(`{getActiveSubscriptions(input:{customerId:"acme"}){totalPrice{total{amount}}}}`, nil)["getActiveSubscriptions"].([]any)
					want := "[]"
					if changes {
						want = "[map[totalPrice:map[total:map[amount:90]]]]"
					}
					if got := fmt.Sprint(s); got != want {
						t.Errorf("%s: there is %s, want %s: nothing was made or changed", input, got, want)
					}
				})
			}
		})
	}
}

func TestAnUpdateThatSaysNothingKeepsTheCoupon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDiscounts(t, "")
		b.provision("acme", "", "")
		b.order(`planId:"pro",subscriptionId:"s",appliedCoupon:{couponId:"half"}`)
		b.must(`mutation{updateOneSubscription(input:{subscriptionId:"s",additionalMetaData:{a:1}}){id}}`, nil)
		b.must(`mutation{applySubscription(input:{customerId:"acme",planId:"pro"}){subscription{id}}}`, nil)
		if got := b.costs("s"); got != 50 {
			t.Errorf("it costs %v, want 50 still", got)
		}
	})
}

// TestTheCustomersCouponIsForWhatHasNone: of 100, a tenth is off for the customer, a half for the one subscription.
func TestTheCustomersCouponIsForWhatHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDiscounts(t, "")
		const provision = `mutation($in:ProvisionCustomerInput!){provisionCustomer(input:$in){customer{coupon{refId percentOff type}} subscription{totalPrice{total{amount}}}}}`
		got := b.must(provision, map[string]any{"in": map[string]any{
			"customerId": "acme", "couponRefId": "tenth", "subscriptionParams": map[string]any{"planId": "pro", "subscriptionId": "s"},
		}})["provisionCustomer"]
		if s := fmt.Sprint(got); s != "map[customer:map[coupon:map[percentOff:10 refId:tenth type:PERCENTAGE]] subscription:map[totalPrice:map[total:map[amount:90]]]]" {
			t.Errorf("provisioned = %s", s)
		}
		estimated := func(input string) any { return amountOf(b.estimate(input), "total") }
		for _, step := range []struct {
			what, document string
			coupon         string
			costs, max     float64 // the subscription, and an estimate of something for a site of the customer's
		}{
			{"at first", ``, "tenth", 90, 270},
			{"its own", `mutation{updateOneSubscription(input:{subscriptionId:"s",appliedCoupon:{couponId:"half"}}){id}}`, "tenth", 50, 270},
			{"its own is taken off", `mutation{updateOneSubscription(input:{subscriptionId:"s",appliedCoupon:null}){id}}`, "tenth", 90, 270},
			{"another for the customer", `mutation{updateOneCustomer(input:{customerId:"acme",couponRefId:"seven"}){id}}`, "seven", 93, 293},
			{"nothing is said", `mutation{updateOneCustomer(input:{customerId:"acme",name:"Acme"}){id}}`, "seven", 93, 293},
			{"nor in provisioning", `mutation{provisionCustomer(input:{customerId:"acme"}){customer{id}}}`, "seven", 93, 293},
			{"null", `mutation{updateOneCustomer(input:{customerId:"acme",couponRefId:null}){id}}`, "", 100, 300},
			{"again", `mutation{provisionCustomer(input:{customerId:"acme",couponRefId:"half"}){customer{id}}}`, "half", 50, 150},
			{"null in provisioning", `mutation{provisionCustomer(input:{customerId:"acme",couponRefId:null}){customer{id}}}`, "", 100, 300},
		} {
			if step.document != "" {
				b.must(step.document, nil)
			}
			if got := b.couponOfAcme(); got != step.coupon {
				t.Errorf("%s: the customer has %q, want %q", step.what, got, step.coupon)
			}
			if got := b.costs("s"); got != step.costs {
				t.Errorf("%s: it costs %v, want %v", step.what, got, step.costs)
			}
			if got := estimated(`planId:"max",resourceId:"site"`); got != step.max {
				t.Errorf("%s: max is estimated at %v, want %v", step.what, got, step.max)
			}
			if got := estimated(`planId:"max",resourceId:"site",appliedCoupon:{couponId:"half"}`); got != 150.0 {
				t.Errorf("%s: max with a coupon is estimated at %v, want 150", step.what, got)
			}
		}
		for coupon, code := range map[string]string{"over": "ArchivedCouponCantBeApplied", "x": "CouponNotFound"} {
			for _, document := range []string{
				`mutation{updateOneCustomer(input:{customerId:"acme",couponRefId:"` + coupon + `",name:"X"}){id}}`,
				`mutation{provisionCustomer(input:{customerId:"acme",couponRefId:"` + coupon + `",name:"X"}){customer{id}}}`,
				`mutation{provisionCustomer(input:{customerId:"new",couponRefId:"` + coupon + `"}){customer{id}}}`,
			} {
				if a := b.ask(document, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != code {
					t.Errorf("%s: %+v, want %s", document, a.Errors, code)
				}
			}
		}
		c := b.must(`{a:getCustomerByRefId(input:{customerId:"acme"}){name coupon{refId}} b:getCustomerByRefId(input:{customerId:"new"}){id}}`, nil)
		if s := fmt.Sprint(c); s != "map[a:map[coupon:<nil> name:Acme] b:<nil>]" {
			t.Errorf("after what was refused: %s", s)
		}
	})
}

func TestACouponIsScheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDiscounts(t, "")
		b.provision("acme", "", "")
		b.order(`planId:"pro",subscriptionId:"s"`)
		for _, step := range []struct {
			coupon     string
			now, later float64
		}{{`{couponId:"half"}`, 100, 50}, {`null`, 50, 100}} {
			s := b.must(`mutation{updateOneSubscription(input:{subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,appliedCoupon:`+step.coupon+`}){scheduledUpdates{subscriptionScheduleType}}}`, nil)
			if got := fmt.Sprint(s["updateOneSubscription"]); got != "map[scheduledUpdates:[map[subscriptionScheduleType:Coupon]]]" {
				t.Errorf("%s: scheduled %s", step.coupon, got)
			}
			if got := b.costs("s"); got != step.now {
				t.Errorf("%s: it costs %v at first, want %v", step.coupon, got, step.now)
			}
			if err := b.AdvanceClock(31 * 24 * time.Hour); err != nil {
				t.Fatal(err)
			}
			if got := b.costs("s"); got != step.later {
				t.Errorf("%s: it costs %v in the next period, want %v", step.coupon, got, step.later)
			}
		}
	})
}

func TestACheckoutKeepsTheCoupon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDiscounts(t, "billing: {}\n")
		b.provision("acme", "", "")
		r := b.must(`mutation{provisionSubscriptionV2(input:{customerId:"acme",planId:"pro",subscriptionId:"s",appliedCoupon:{couponId:"half"}}){status}}`, nil)
		if s := fmt.Sprint(r); s != "map[provisionSubscriptionV2:map[status:PAYMENT_REQUIRED]]" {
			t.Fatalf("answer %s, want a checkout", s)
		}
		if _, err := b.CompleteCheckouts("acme"); err != nil {
			t.Fatal(err)
		}
		if got := b.costs("s"); got != 50 {
			t.Errorf("it costs %v, want 50", got)
		}
	})
}

// TestACouponOutlivesItsCatalog: what was applied stays applied when the coupon is archived, or gone; nobody else gets it.
func TestACouponOutlivesItsCatalog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDiscounts(t, "")
		b.provision("acme", "", "")
		b.order(`planId:"pro",subscriptionId:"s",appliedCoupon:{couponId:"half"}`)
		c, err := ParseCatalog([]byte(discounts))
		if err != nil {
			t.Fatal(err)
		}
		c.Coupons[1].Archived = true
		if err := b.UpdateCatalog(c, AllCustomers); err != nil {
			t.Fatal(err)
		}
		if got := b.costs("s"); got != 50 {
			t.Errorf("it costs %v, want 50 still", got)
		}
		if a := b.ask(`mutation{provisionSubscriptionV2(input:{customerId:"acme",planId:"max",appliedCoupon:{couponId:"half"}}){status}}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "ArchivedCouponCantBeApplied" {
			t.Errorf("once archived: %+v", a.Errors)
		}
	})
}
