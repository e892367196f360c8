package emulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// newSearch has nine subscriptions, made a day apart from 1 January 2000; it is 15 January.
//
//	id  customer  resource  plan     state on the 15th
//	s1  acme                free     ended by s4, on the 4th
//	s2  acme      eu        starter  active
//	s3  acme      us        growth   in trial until the 17th
//	s4  acme                starter  cancelled as of 31 January
//	s5  globex              free     active
//	s6  globex    eu        growth   trial taken back: cancelled on the 7th
//	s7  initech             starter  begins on 1 March
//	s8  initech   lab       enterprise  active
//	s9  umbrella            starter  ended on the 10th with its customer, who is archived
func newSearch(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, Config{})
	for _, c := range []string{"acme", "globex", "initech", "umbrella"} {
		b.must(`mutation($c:String!){importOneCustomer(input:{customerId:$c,name:$c,email:"ops@example.test"}){id}}`, map[string]any{"c": c})
	}
	for i, input := range []string{
		`customerId:"acme",planId:"free"`,
		`customerId:"acme",planId:"starter",resourceId:"eu"`,
		`customerId:"acme",planId:"growth",resourceId:"us"`,
		`customerId:"acme",planId:"starter",cancellationDate:"2000-01-31"`,
		`customerId:"globex",planId:"free"`,
		`customerId:"globex",planId:"growth",resourceId:"eu"`,
		`customerId:"initech",planId:"starter",startDate:"2000-03-01"`,
		`customerId:"initech",planId:"enterprise",resourceId:"lab",skipTrial:true`,
		`customerId:"umbrella",planId:"starter"`,
	} {
		b.must(fmt.Sprintf(`mutation{provisionSubscriptionV2(input:{%s,subscriptionId:"s%d"}){status}}`, input, i+1), nil)
		if i == 5 {
			b.must(`mutation{cancelSubscription(input:{subscriptionRefId:"s6",subscriptionCancellationAction:REVOKE_ENTITLEMENTS}){id}}`, nil)
		}
		if err := b.AdvanceClock(24 * time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.ArchiveCustomer("umbrella"); err != nil {
		t.Fatal(err)
	}
	if err := b.SetClock(at("2000-01-15T00:00:00Z")); err != nil {
		t.Fatal(err)
	}
	return b
}

// found searches, and writes the ids that are found.
func (b *bench) found(args string) string {
	b.t.Helper()
	ids := []string{}
	for _, e := range b.must(`{subscriptions`+args+`{edges{node{subscriptionId}}}}`, nil)["subscriptions"].(map[string]any)["edges"].([]any) {
		ids = append(ids, e.(map[string]any)["node"].(map[string]any)["subscriptionId"].(string))
	}
	return fmt.Sprint(ids)
}

func TestSubscriptionsAreFiltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSearch(t)
		for filter, want := range map[string]string{
			``:                                   "[s1 s2 s3 s4 s5 s6 s7 s8 s9]", // ended ones too, the oldest first
			`status:{eq:ACTIVE}`:                 "[s2 s4 s5 s8]",
			`status:{neq:ACTIVE}`:                "[s1 s3 s6 s7 s9]",
			`status:{in:[IN_TRIAL,NOT_STARTED]}`: "[s3 s7]",
			`status:{notIn:[ACTIVE,CANCELED]}`:   "[s3 s7]",
			`pricingType:{eq:FREE}`:              "[s1 s5]",
			`pricingType:{neq:PAID}`:             "[s1 s5 s8]",
			`pricingType:{in:[CUSTOM]}`:          "[s8]",
			`paymentCollection:{eq:FAILED}`:      "[]",
			`paymentCollection:{eq:NOT_REQUIRED},status:{eq:IN_TRIAL}`: "[s3]",

			`customerId:{eq:"acme"}`:                       "[s1 s2 s3 s4]",
			`customerId:{neq:"acme"}`:                      "[s5 s6 s7 s8 s9]",
			`customerId:{in:["globex","umbrella","x"]}`:    "[s5 s6 s9]",
			`customerId:{notIn:["acme","globex"]}`:         "[s7 s8 s9]",
			`customerId:{like:"%o%e%"}`:                    "[s5 s6]",
			`customerId:{like:"%L%"}`:                      "[]",
			`customerId:{iLike:"%L%"}`:                     "[s5 s6 s9]",
			`customerId:{notLike:"%e%"}`:                   "[]",
			`customerId:{notILike:"%M%"}`:                  "[s5 s6 s7 s8]",
			`customerId:{gt:"globex"}`:                     "[s7 s8 s9]",
			`customerId:{gte:"globex",lt:"umbrella"}`:      "[s5 s6 s7 s8]",
			`customerId:{lte:"acme"}`:                      "[s1 s2 s3 s4]",
			`subscriptionId:{in:["s9","s3"]}`:              "[s3 s9]",
			`productId:{eq:"app"},resourceId:{eq:"eu"}`:    "[s2 s6]",
			`productId:{eq:"other"}`:                       "[]",
			`resourceId:{is:null}`:                         "[s1 s4 s5 s7 s9]",
			`resourceId:{isNot:null}`:                      "[s2 s3 s6 s8]",
			`resource:{resourceId:{like:"_s"}}`:            "[s3]",
			`billingId:{is:null},subscriptionId:{eq:"s1"}`: "[s1]",
			`salesforceId:{isNot:null}`:                    "[]",

			`customer:{customerId:{eq:"globex"}}`:                            "[s5 s6]",
			`customer:{name:{iLike:"INI%"},email:{eq:"ops@example.test"}}`:   "[s7 s8]",
			`customer:{or:[{refId:{eq:"umbrella"}},{name:{eq:"initech"}}]}`:  "[s7 s8 s9]",
			`customer:{and:[{refId:{eq:"umbrella"}},{name:{eq:"initech"}}]}`: "[]",
			`customer:{createdAt:{lt:"1999-12-31"}}`:                         "[]",
			`plan:{refId:{eq:"growth"}}`:                                     "[s3 s6]",
			`plan:{displayName:{eq:"Starter"}},customerId:{neq:"acme"}`:      "[s7 s9]",
			`plan:{pricingType:{eq:CUSTOM}}`:                                 "[s8]",
			`plan:{or:[{refId:{eq:"free"}},{refId:{eq:"enterprise"}}]}`:      "[s1 s5 s8]",
			`plan:{and:[{refId:{neq:"free"}},{refId:{neq:"starter"}}]}`:      "[s3 s6 s8]",

			`createdAt:{eq:"2000-01-02"}`:                                        "[s2]",
			`createdAt:{gt:"2000-01-08"}`:                                        "[s9]",
			`createdAt:{gte:"2000-01-08T00:00:00.000Z"}`:                         "[s8 s9]",
			`createdAt:{lt:"2000-01-02"}`:                                        "[s1]",
			`createdAt:{lte:"2000-01-02"}`:                                       "[s1 s2]",
			`createdAt:{neq:"2000-01-02"},customerId:{eq:"acme"}`:                "[s1 s3 s4]",
			`createdAt:{in:["2000-01-02","2000-01-03T01:00:00+01:00"]}`:          "[s2 s3]", // one moment, however it is written
			`createdAt:{notIn:["2000-01-02"]},customerId:{eq:"acme"}`:            "[s1 s3 s4]",
			`createdAt:{between:{lower:"2000-01-03",upper:"2000-01-05"}}`:        "[s3 s4 s5]",
			`createdAt:{notBetween:{lower:"2000-01-02",upper:"2000-01-08"}}`:     "[s1 s9]",
			`createdAt:{eq:"soon"}`:                                              "[]",
			`startDate:{gt:"2000-02-01"}`:                                        "[s7]",
			`endDate:{is:null}`:                                                  "[s2 s3 s5 s7 s8]",
			`endDate:{isNot:null}`:                                               "[s1 s4 s6 s9]",
			`endDate:{lt:"2000-01-05"}`:                                          "[s1]", // what has no end ends before no day
			`endDate:{lte:"2000-01-31"}`:                                         "[s1 s4 s6 s9]",
			`endDate:{gt:"2000-01-15"}`:                                          "[s4]",
			`cancellationDate:{between:{lower:"2000-01-05",upper:"2000-01-11"}}`: "[s6 s9]",

			`status:{eq:ACTIVE},customerId:{eq:"acme"}`:                                            "[s2 s4]",
			`and:[{status:{eq:ACTIVE}},{customerId:{eq:"acme"}}]`:                                  "[s2 s4]",
			`or:[{status:{eq:IN_TRIAL}},{customerId:{eq:"umbrella"}}]`:                             "[s3 s9]",
			`status:{eq:CANCELED},or:[{customerId:{eq:"acme"}},{customerId:{eq:"umbrella"}}]`:      "[s1 s9]",
			`or:[{and:[{plan:{refId:{eq:"free"}}},{status:{eq:ACTIVE}}]},{resourceId:{eq:"lab"}}]`: "[s5 s8]",
		} {
			if got := b.found(`(filter:{` + filter + `},paging:{first:100})`); got != want {
				t.Errorf("%s: %s, want %s", filter, got, want)
			}
		}
	})
}

func TestSubscriptionsAreSorted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSearch(t)
		for sorting, want := range map[string]string{
			`{field:createdAt,direction:ASC}`:                                   "[s1 s2 s3 s4 s5 s6 s7 s8 s9]",
			`{field:createdAt,direction:DESC}`:                                  "[s9 s8 s7 s6 s5 s4 s3 s2 s1]",
			`{field:startDate,direction:ASC}`:                                   "[s1 s2 s3 s4 s5 s6 s8 s9 s7]",
			`{field:subscriptionId,direction:DESC}`:                             "[s9 s8 s7 s6 s5 s4 s3 s2 s1]",
			`{field:customerId,direction:DESC}`:                                 "[s9 s7 s8 s5 s6 s1 s2 s3 s4]", // alike: as they were made
			`{field:customerId,direction:ASC},{field:startDate,direction:DESC}`: "[s4 s3 s2 s1 s6 s5 s7 s8 s9]",
			`{field:resourceId,direction:ASC}`:                                  "[s1 s4 s5 s7 s9 s2 s6 s8 s3]",
			`{field:productId,direction:DESC}`:                                  "[s1 s2 s3 s4 s5 s6 s7 s8 s9]",
			`{field:status,direction:ASC}`:                                      "[s2 s4 s5 s8 s1 s6 s9 s3 s7]",
			`{field:pricingType,direction:ASC}`:                                 "[s8 s1 s5 s2 s3 s4 s6 s7 s9]",
			`{field:endDate,direction:ASC}`:                                     "[s1 s6 s9 s4 s2 s3 s5 s7 s8]", // what has none comes last
			`{field:endDate,direction:DESC}`:                                    "[s4 s9 s6 s1 s2 s3 s5 s7 s8]",
			`{field:endDate,direction:ASC,nulls:NULLS_FIRST}`:                   "[s2 s3 s5 s7 s8 s1 s6 s9 s4]",
			`{field:cancellationDate,direction:DESC,nulls:NULLS_LAST}`:          "[s4 s9 s6 s1 s2 s3 s5 s7 s8]",
			`{field:cancellationDate,direction:DESC,nulls:NULLS_FIRST}`:         "[s2 s3 s5 s7 s8 s4 s9 s6 s1]",
		} {
			if got := b.found(`(sorting:[` + sorting + `])`); got != want {
				t.Errorf("%s: %s, want %s", sorting, got, want)
			}
		}
		// A trial that runs out ends, and nobody has cancelled it.
		if err := b.SetClock(at("2000-01-18T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
		const acme = `filter:{customerId:{eq:"acme"},resourceId:{eq:"us"}}`
		for args, want := range map[string]string{
			// before the free plan that came after it
			`(` + acme + `,sorting:[{field:endDate,direction:ASC}])`:                                           "[s3 ",
			`(filter:{subscriptionId:{in:["s1","s3","s4"]}},sorting:[{field:endDate,direction:ASC}])`:          "[s1 s3 s4]",
			`(filter:{subscriptionId:{in:["s1","s3","s4"]}},sorting:[{field:cancellationDate,direction:ASC}])`: "[s1 s4 s3]",
			`(filter:{cancellationDate:{is:null},subscriptionId:{in:["s1","s3","s4"]}})`:                       "[s3]",
			`(filter:{status:{eq:EXPIRED}})`:                                                                   "[s3]",
		} {
			if got := b.found(args); len(got) < len(want) || got[:len(want)] != want {
				t.Errorf("%s: %s, want %s", args, got, want)
			}
		}
	})
}

// listing is one page: its ids, and what it says of the pages around it.
func (b *bench) listing(args string) (ids []string, info map[string]any) {
	b.t.Helper()
	c := b.must(`{subscriptions`+args+`{edges{node{subscriptionId}} pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}`, nil)["subscriptions"].(map[string]any)
	for _, e := range c["edges"].([]any) {
		ids = append(ids, e.(map[string]any)["node"].(map[string]any)["subscriptionId"].(string))
	}
	return ids, c["pageInfo"].(map[string]any)
}

func TestPagesOfSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSearch(t)
		for _, row := range []struct {
			paging         string
			want           string
			next, previous bool
		}{
			{`first:3`, "[s1 s2 s3]", true, false},
			{`first:3,after:"` + cursorOf("s3") + `"`, "[s4 s5 s6]", true, true},
			{`first:3,after:"` + cursorOf("s6") + `"`, "[s7 s8 s9]", false, true},
			{`first:3,after:"` + cursorOf("s9") + `"`, "[]", false, true}, // beyond the end
			{`first:2,after:"` + cursorOf("s6") + `"`, "[s7 s8]", true, true},
			{`first:100`, "[s1 s2 s3 s4 s5 s6 s7 s8 s9]", false, false},
			{`first:0`, "[]", true, false},
			{`last:2`, "[s8 s9]", false, true},
			{`last:2,before:"` + cursorOf("s8") + `"`, "[s6 s7]", true, true},
			{`last:2,before:"` + cursorOf("s2") + `"`, "[s1]", true, false},
			{`last:2,before:"` + cursorOf("s1") + `"`, "[]", true, false},
			{`after:"` + cursorOf("s2") + `",before:"` + cursorOf("s5") + `"`, "[s3 s4]", true, true},
			{`after:"` + cursorOf("s5") + `",before:"` + cursorOf("s2") + `"`, "[]", true, true},
			{`last:1,after:"` + cursorOf("s2") + `",before:"` + cursorOf("s5") + `"`, "[s4]", true, true},
			{`last:9,after:"` + cursorOf("s2") + `",before:"` + cursorOf("s5") + `"`, "[s3 s4]", true, true},
			{`first:2,after:"` + cursorOf("s1") + `"`, "[s2 s3]", true, true},
		} {
			ids, info := b.listing(`(paging:{` + row.paging + `})`)
			if fmt.Sprint(ids) != row.want || info["hasNextPage"] != row.next || info["hasPreviousPage"] != row.previous {
				t.Errorf("%s: %v, %v, want %s, next %v, previous %v", row.paging, ids, info, row.want, row.next, row.previous)
			}
			if len(ids) > 0 && (info["startCursor"] != cursorOf(ids[0]) || info["endCursor"] != cursorOf(ids[len(ids)-1])) {
				t.Errorf("%s: cursors %v, want those of %v", row.paging, info, ids)
			}
		}
		for _, paging := range []string{`first:-1`, `last:-1`, `first:101`, `last:101`, `first:1,last:1`, `after:"x"`, `before:"x"`,
			`after:"` + cursorOf("s10") + `"`, `before:"` + cursorOf("") + `"`, `first:2,after:"czE"`} {
			if a := b.ask(`{subscriptions(paging:{`+paging+`}){edges{node{subscriptionId}}}}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput {
				t.Errorf("%s: %+v, want %s", paging, a.Errors, codeBadUserInput)
			}
		}
		// A cursor names a subscription, not a number: what is made, or ends, meanwhile leaves the rest where it is.
		_, info := b.listing(`(sorting:[{field:createdAt,direction:DESC}],paging:{first:3})`)
		b.provision("umbrella2", "", "free")
		if ids, _ := b.listing(fmt.Sprintf(`(sorting:[{field:createdAt,direction:DESC}],paging:{first:3,after:%q})`, info["endCursor"])); fmt.Sprint(ids) != "[s6 s5 s4]" {
			t.Errorf("the second page, when there is something new on the first: %v, want s6 s5 s4", ids)
		}
	})
}

func TestAPageHasTwentyFiveUnlessSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		for i := range 27 {
			b.provision(fmt.Sprint("c", i), "", "free")
		}
		ids, info := b.listing(``)
		if len(ids) != 25 || info["hasNextPage"] != true {
			t.Errorf("%d on a page, %v; want 25, and more to come", len(ids), info)
		}
		if ids, info := b.listing(fmt.Sprintf(`(paging:{after:%q})`, info["endCursor"])); len(ids) != 2 || info["hasNextPage"] != false {
			t.Errorf("%d on the next page, %v; want 2", len(ids), info)
		}
	})
}

// TestPagingFindsEachOnce walks through what there is with pages of any size, forward and backward, in orders that leave much alike.
func TestPagingFindsEachOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(7, 7))
		b := newBench(t, Config{})
		plans := []string{"free", "starter", "growth", "enterprise"}
		for i := range 31 { // many in one millisecond
			b.provision(fmt.Sprint("c", rnd.IntN(6)), fmt.Sprint("r", i), plans[rnd.IntN(len(plans))])
			if rnd.IntN(4) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		for _, args := range []string{
			``, `sorting:[{field:status,direction:DESC}],`, `sorting:[{field:customerId,direction:ASC},{field:pricingType,direction:DESC}],`,
			`sorting:[{field:endDate,direction:ASC}],`, `filter:{customerId:{in:["c1","c2","c3"]}},sorting:[{field:resourceId,direction:DESC}],`,
		} {
			all, _ := b.listing(`(` + args + `paging:{first:100})`)
			if len(all) < 5 {
				t.Fatalf("%s: only %d", args, len(all))
			}
			for _, size := range []int{1, 2, 3, 7, len(all) - 1, len(all), len(all) + 1} {
				var forward, backward []string
				paging := ""
				for {
					ids, info := b.listing(fmt.Sprintf(`(%spaging:{first:%d%s})`, args, size, paging))
					forward = append(forward, ids...)
					if info["hasNextPage"] != true {
						break
					}
					paging = fmt.Sprintf(`,after:%q`, info["endCursor"])
				}
				paging = ""
				for {
					ids, info := b.listing(fmt.Sprintf(`(%spaging:{last:%d%s})`, args, size, paging))
					backward = append(slices.Clone(ids), backward...)
					if info["hasPreviousPage"] != true {
						break
					}
					paging = fmt.Sprintf(`,before:%q`, info["startCursor"])
				}
				if !slices.Equal(forward, all) || !slices.Equal(backward, all) {
					t.Fatalf("%s by %d: %v and %v, want %v", args, size, forward, backward, all)
				}
			}
		}
	})
}

func TestActiveAgainstAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSearch(t)
		for input, want := range map[string]string{
			`customerId:"acme"`:                                    "[s2 s3 s4]",
			`customerId:"acme",resourceId:"us"`:                    "[s3]",
			`customerId:"acme",resourceIds:["us","eu"]`:            "[s2 s3]",
			`customerId:"acme",resourceIds:["eu"],resourceId:"us"`: "[s2 s3]",
			`customerId:"globex",resourceId:"eu"`:                  "[]", // the resource is known, and has nothing
			`customerId:"initech"`:                                 "[s8]",
			`customerId:"umbrella"`:                                "[]",
		} {
			ids := []string{}
			for _, s := range b.must(`{getActiveSubscriptions(input:{`+input+`}){subscriptionId}}`, nil)["getActiveSubscriptions"].([]any) {
				ids = append(ids, s.(map[string]any)["subscriptionId"].(string))
			}
			if got := fmt.Sprint(ids); got != want {
				t.Errorf("active, %s: %s, want %s", input, got, want)
			}
		}
		c := b.must(`{getCustomerByRefId(input:{customerId:"acme"}){subscriptions{subscriptionId}}}`, nil)["getCustomerByRefId"]
		if got := fmt.Sprint(c); got != "map[subscriptions:[map[subscriptionId:s2] map[subscriptionId:s3] map[subscriptionId:s4]]]" {
			t.Errorf("the customer's own list: %s, want what is active", got)
		}
		all, _ := b.listing(`(filter:{customerId:{eq:"acme"}})`)
		for _, id := range all { // one that has ended is still there to be asked for
			if s := b.must(`query($id:String!){getSubscription(input:{subscriptionId:$id}){subscriptionId}}`, map[string]any{"id": id})["getSubscription"]; fmt.Sprint(s) != "map[subscriptionId:"+id+"]" {
				t.Errorf("getSubscription of %s: %v", id, s)
			}
		}
	})
}
