package emulator

import (
	"fmt"
	"testing"
)

func TestCouponsAreListedByFilterAndPage(t *testing.T) {
	c, err := ParseCatalog([]byte(`coupons:
  - {id: a, name: First, percentOff: 10, description: for friends}
  - {id: b, amountsOff: [{amount: 5}, {amount: 4.5, currency: EUR}], once: true}
  - {id: c, percentOff: 12.5, archived: true}
  - {id: d, percentOff: 20, months: 3}
`))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Config{Catalog: c})
	for args, want := range map[string]string{
		``:                                   "[a b c d]",
		`(filter:{status:{eq:ACTIVE}})`:      "[a b d]",
		`(filter:{status:{neq:ACTIVE}})`:     "[c]",
		`(filter:{type:{eq:FIXED}})`:         "[b]",
		`(filter:{refId:{notIn:["a","b"]}})`: "[c d]",
		`(filter:{refId:{gt:"b"},type:{in:[PERCENTAGE]}})`:                                   "[c d]",
		`(filter:{and:[{status:{eq:ACTIVE}},{refId:{notIn:["a"]}}]})`:                        "[b d]",
		`(filter:{or:[{refId:{eq:"a"}},{name:{iLike:"D"}}]})`:                                "[a d]",
		`(filter:{name:{like:"Fi%"}})`:                                                       "[a]",
		`(filter:{name:{like:"fi%"}})`:                                                       "[]",
		`(filter:{name:{like:"F_rst"}})`:                                                     "[a]",
		`(filter:{description:{is:null}})`:                                                   "[b c d]",
		`(filter:{description:{isNot:null}})`:                                                "[a]",
		`(filter:{createdAt:{gt:"2100-01-01"}})`:                                             "[]",
		`(filter:{createdAt:{between:{lower:"2000-01-01",upper:"2100-01-01"}},id:{eq:"a"}})`: "[a]",
		`(paging:{first:2})`:                                                                 "[a b]",
		`(paging:{last:1})`:                                                                  "[d]",
		`(filter:{status:{eq:ACTIVE}},paging:{first:1})`:                                     "[a]",
		`(paging:{first:2,after:"` + cursorOf("b") + `"})`:                                   "[c d]",
		`(paging:{last:2,before:"` + cursorOf("d") + `"})`:                                   "[b c]",
	} {
		edges := b.must(`{coupons`+args+`{edges{node{refId}}}}`, nil)["coupons"].(map[string]any)["edges"].([]any)
		ids := []string{}
		for _, e := range edges {
			ids = append(ids, e.(map[string]any)["node"].(map[string]any)["refId"].(string))
		}
		if got := fmt.Sprint(ids); got != want {
			t.Errorf("coupons%s = %s, want %s", args, got, want)
		}
	}
	for _, paging := range []string{`first:101`, `first:-1`, `first:1,last:1`, `after:"x"`, `after:"` + cursorOf("z") + `"`} {
		if a := b.ask(`{coupons(paging:{`+paging+`}){edges{node{id}}}}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput {
			t.Errorf("paging %s: %+v, want %s", paging, a.Errors, codeBadUserInput)
		}
	}
	got := b.must(`{coupons(filter:{refId:{eq:"b"}}){edges{node{name type discountValue percentOff amountsOff{amount currency} status}}}}`, nil)
	if s := fmt.Sprint(got["coupons"]); s != "map[edges:[map[node:map[amountsOff:[map[amount:5 currency:USD] map[amount:4.5 currency:EUR]] discountValue:5 name:b percentOff:<nil> status:ACTIVE type:FIXED]]]]" {
		t.Errorf("coupon b = %s", s)
	}
}
