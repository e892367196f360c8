package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A coupon that is made is one like those of the catalog, and outlives it.
func TestACouponThatIsMadeIsOneLikeTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("acme", "", "free")
		time.Sleep(time.Hour)
		made := b.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		got := b.show(`mutation{createOneCoupon(input:{refId:"half",name:"Half",description:"d",percentOff:50,durationInMonths:2,additionalMetaData:{by:"sales"}}){` +
			`id refId name description type status discountValue percentOff amountsOff{amount} additionalMetaData createdAt updatedAt}}`)
		if want := `{additionalMetaData:{by:sales},amountsOff:null,createdAt:` + made + `,description:d,discountValue:50,id:half,name:Half,percentOff:50,refId:half,status:ACTIVE,type:PERCENTAGE,updatedAt:` + made + `}`; got != want {
			t.Errorf("made %s\nwant %s", got, want)
		}
		list := func(args string) string {
			return strings.NewReplacer("{edges:[", "", "{node:{refId:", "", "}}", "", "]}", "").Replace(b.show(`{coupons` + args + `{edges{node{refId}}}}`))
		}
		for args, want := range map[string]string{
			``:                              "launch,ten-off,expired,half",
			`(filter:{status:{eq:ACTIVE}})`: "launch,ten-off,half",
			`(filter:{name:{eq:"Half"}})`:   "half",
			`(filter:{createdAt:{gte:"` + made + `"}})`: "half",
			`(filter:{createdAt:{lt:"` + made + `"}})`:  "launch,ten-off,expired",
		} {
			if got := list(args); got != want {
				t.Errorf("coupons%s = %s, want %s", args, got, want)
			}
		}
		total := func(code string) string {
			return b.show(`mutation{estimateSubscription(input:{customerId:"acme",planId:"starter",appliedCoupon:{couponId:"` + code + `"}}){total{amount} discount{value durationInMonths}}}`)
		}
		if got := total("half"); got != `{discount:{durationInMonths:2,value:50},total:{amount:10}}` {
			t.Errorf("starter for half its price: %s", got)
		}
		b.drive("updateOneCustomer", props{"customerId": "acme", "couponRefId": "half"})

		// The catalog is replaced; what was made stays, unless the new one has a coupon of its name.
		b.check(b.UpdateCatalog(DemoCatalog(), AllCustomers))
		if got := list(``); got != "launch,ten-off,expired,half" {
			t.Errorf("after a new catalog: %s", got)
		}
		if got := b.show(`{getCustomerByRefId(input:{customerId:"acme"}){coupon{refId additionalMetaData}}}`); got != `{coupon:{additionalMetaData:{by:sales},refId:half}}` {
			t.Errorf("the customer's: %s", got)
		}
		c, ten := DemoCatalog(), mustDecimal(t, "10")
		c.Coupons = append(c.Coupons, Coupon{ID: "half", Name: "of the catalog", PercentOff: &ten})
		b.check(b.UpdateCatalog(c, AllCustomers))
		if got := b.show(`{coupons(filter:{refId:{eq:"half"}}){edges{node{name additionalMetaData}}}}`); got != `{edges:[{node:{additionalMetaData:null,name:of the catalog}}]}` {
			t.Errorf("of the same name: %s", got)
		}
		if got := total("half"); got != `{discount:{durationInMonths:null,value:10},total:{amount:18}}` {
			t.Errorf("with the catalog's: %s", got)
		}
		b.check(b.Reset())
		if got := list(``); got != "launch,ten-off,expired" {
			t.Errorf("after Reset: %s", got)
		}
	})
}

func TestWhatACouponTakesOffIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		n := 0
		create := func(input string) answer {
			n++
			return b.ask(fmt.Sprintf(`mutation{createOneCoupon(input:{refId:"c%d",name:"n",%s}){type discountValue percentOff amountsOff{amount currency}}}`, n, input), nil)
		}
		for input, want := range map[string]string{
			`percentOff:100`: "map[amountsOff:<nil> discountValue:100 percentOff:100 type:PERCENTAGE]",
			`type:PERCENTAGE,percentOff:5,discountValue:5`:       "map[amountsOff:<nil> discountValue:5 percentOff:5 type:PERCENTAGE]",
			`type:PERCENTAGE,discountValue:12.5`:                 "map[amountsOff:<nil> discountValue:12.5 percentOff:12.5 type:PERCENTAGE]",
			`type:FIXED,discountValue:7.25`:                      "map[amountsOff:[map[amount:7.25 currency:USD]] discountValue:7.25 percentOff:<nil> type:FIXED]",
			`amountsOff:[{amount:5},{amount:4,currency:EUR}]`:    "map[amountsOff:[map[amount:5 currency:USD] map[amount:4 currency:EUR]] discountValue:5 percentOff:<nil> type:FIXED]",
			`percentOff:1,amountsOff:null,durationInMonths:null`: "map[amountsOff:<nil> discountValue:1 percentOff:1 type:PERCENTAGE]",
		} {
			if a := create(input); len(a.Errors) > 0 || fmt.Sprint(a.Data["createOneCoupon"]) != want {
				t.Errorf("%s: %v %+v, want %s", input, a.Data, a.Errors, want)
			}
		}
		for input, says := range map[string]string{
			`description:"d"`:                       "nothing is taken off",
			`percentOff:5,amountsOff:[{amount:1}]`:  "give only one",
			`percentOff:0`:                          "percentOff must be more than 0",
			`percentOff:100.1`:                      "at most 100",
			`amountsOff:[]`:                         "exactly one",
			`amountsOff:[{amount:-1}]`:              "amountsOff[0].amount must be positive",
			`amountsOff:[{amount:1},{amount:2}]`:    "two amounts in USD",
			`discountValue:5`:                       "give type too",
			`type:FIXED,percentOff:5`:               "type is FIXED",
			`percentOff:5,discountValue:6`:          "discountValue is 6",
			`percentOff:5,durationInMonths:0`:       "durationInMonths is 0",
			`percentOff:5,durationInMonths:1.5`:     "durationInMonths is 1.5",
			`percentOff:5,durationInMonths:1000000`: "durationInMonths is 1e+06",
		} {
			if a := create(input); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput || !strings.Contains(a.Errors[0].Message, says) {
				t.Errorf("%s: %+v, want %s that says %q", input, a.Errors, codeBadUserInput, says)
			}
		}
		if a := b.ask(`mutation{createOneCoupon(input:{refId:"c",name:"",percentOff:5}){id}}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput {
			t.Errorf("without a name: %+v", a.Errors)
		}
	})
}
