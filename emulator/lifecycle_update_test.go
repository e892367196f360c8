package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Add-ons, bought quantities and price overrides are replaced as a whole, custom entitlements one by one; what is absent stays.
// A bought quantity is the limit.
func TestLifecycleUpdateReplacesWhatIsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic",addons:[{addonId:"more-seats",quantity:2},{addonId:"more-calls"}],priceOverrides:[{price:{amount:15}}],additionalMetaData:{a:1}`)
		ears := l.listen()
		total, metadata := 26.0, "map[a:1]"
		l.wantHas("c1", "calls=110 seats=9")
		for _, step := range []struct {
			input, has string
			total      float64
		}{
			{`addons:[{addonId:"more-seats"}]`, "calls=100 seats=7", 20},
			{`billableFeatures:[{featureId:"seats",quantity:30}]`, "calls=100 seats=32", 20},
			{`billableFeatures:[{featureId:"calls",quantity:500}]`, "calls=500 seats=7", 20},
			{`addons:[]`, "calls=500 seats=5", 15},
			{`subscriptionEntitlements:[{featureId:"sso"}]`, "calls=500 seats=5 sso", 15},
			{`entitlements:[{feature:{featureId:"seats",usageLimit:8}}]`, "calls=500 seats=8 sso", 15},
			{`subscriptionEntitlements:[{featureId:"seats",usageLimit:4}]`, "calls=500 seats=4 sso", 15},
			{`addons:[{addonId:"more-calls",quantity:3}]`, "calls=530 seats=4 sso", 18},
			{`addons:null,billableFeatures:null`, "calls=100 seats=4 sso", 15},
			{`priceOverrides:[]`, "calls=100 seats=4 sso", 20},
			{`appliedCoupon:{couponId:"half"}`, "calls=100 seats=4 sso", 10},
			{`billingPeriod:ANNUALLY`, "calls=100 seats=4 sso", 100},
			{`appliedCoupon:null,additionalMetaData:{b:2}`, "calls=100 seats=4 sso", 200},
		} {
			if strings.Contains(step.input, "MetaData") {
				metadata = "map[b:2]"
			}
			l.update(`subscriptionId:"s",` + step.input)
			ears.want("c1 " + step.has)
			if got := l.has("c1"); got != step.has {
				t.Errorf("after %s the customer has %q, want %q", step.input, got, step.has)
			}
			total = step.total
			l.wantSub("s", fmt.Sprint("totalPrice:map[total:map[amount:", total, "]] additionalMetaData:", metadata), `totalPrice{total{amount}}`, "additionalMetaData")
		}
		l.wantSubs("c1", "basic ACTIVE")
	})
}

// An update that cannot be made as a whole is not made at all.
func TestLifecycleUpdateIsAllOrNothing(t *testing.T) {
	const good = `,billingPeriod:ANNUALLY,additionalMetaData:{a:1}`
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic"`)
		read := func() string {
			return fmt.Sprint(l.must(l.everyField("query", "getSubscription", `(input:{subscriptionId:"s"})`), nil), l.HistoryOf("c1", "", 0))
		}
		before := read()
		ears := l.listen()
		for input, code := range map[string]string{
			`addons:[{addonId:"gone"}]`:                                                    "AddonNotFound",
			`billableFeatures:[{featureId:"gone",quantity:1}]`:                             "FeatureNotFound",
			`subscriptionEntitlements:[{featureId:"gone"}]`:                                "BadUserInput",
			`addons:[{addonId:"more-seats"}],appliedCoupon:{couponId:"bygone"}`:            "ArchivedCouponCantBeApplied",
			`addons:[{addonId:"more-seats"}],cancellationDate:"1999-01-01"`:                codeInvalidCancellationDate,
			`addons:[{addonId:"gone"}],scheduleStrategy:END_OF_BILLING_PERIOD`:             "AddonNotFound",
			`addons:[{addonId:"more-seats"},{addonId:"more-seats"}],billingPeriod:MONTHLY`: "DuplicateAddonProvisionedError",
		} {
			if strings.Contains(input, "billingPeriod") {
				l.wantCode("updateOneSubscription", `subscriptionId:"s",`+input, code)
			} else {
				l.wantCode("updateOneSubscription", `subscriptionId:"s",`+input+good, code)
			}
			if got := read(); got != before {
				t.Fatalf("after %s the subscription is\n%s, want\n%s", input, got, before)
			}
		}
		ears.want()
	})
}

// An update takes effect at once, at the end of the period that is paid for, or of its month; until then it shows, and nothing else.
func TestLifecycleUpdateIsScheduled(t *testing.T) {
	const months = `,billingPeriod:ANNUALLY`
	for _, row := range []struct {
		name, buy, strategy string
		at                  time.Duration
	}{
		{"unless told otherwise at once", `planId:"basic"`, ``, 5 * lifeDay},
		{"at once", `planId:"basic"`, `,scheduleStrategy:IMMEDIATE`, 5 * lifeDay},
		{"period of a month", `planId:"basic"`, `,scheduleStrategy:END_OF_BILLING_PERIOD`, lifeJanuary},
		{"period of a year", `planId:"basic"` + months, `,scheduleStrategy:END_OF_BILLING_PERIOD`, 366 * lifeDay},
		{"month of a year", `planId:"basic"` + months, `,scheduleStrategy:END_OF_BILLING_MONTH`, lifeJanuary},
		{"a trial", `planId:"team"`, `,scheduleStrategy:END_OF_BILLING_PERIOD`, 7 * lifeDay},
		{"of what has not started", `planId:"basic",startDate:"2000-01-21"`, `,scheduleStrategy:END_OF_BILLING_PERIOD`, (20 + 31) * lifeDay},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.buy(`customerId:"c1",subscriptionId:"s",` + row.buy)
				l.until(5 * lifeDay)
				ears := l.listen()
				l.update(`subscriptionId:"s",billableFeatures:[{featureId:"seats",quantity:30}]` + row.strategy)
				ears.hear()
				if row.at > 5*lifeDay {
					l.wantFuture("s", fmt.Sprint(row.at.Hours()/24, " UnitAmount ", l.subPlan("s"), " 30/seats"))
					l.until(row.at - time.Millisecond)
					if got := l.has("c1"); strings.Contains(got, "seats=30") {
						t.Errorf("before its time the customer has %s", got)
					}
					if row.name == "of what has not started" {
						ears.want("c1 calls=100 seats=5") // it started
					}
					ears.want()
					l.until(row.at)
					if got := ears.hear(); !strings.Contains(got, "seats=30") {
						t.Errorf("pushed %s, want the update", got)
					}
				}
				l.wantFuture("s", "")
				if got := l.has("c1"); !strings.Contains(got, "seats=30") {
					t.Errorf("in its time the customer has %s", got)
				}
			})
		})
	}
}

func (l *life) subPlan(id string) string {
	l.t.Helper()
	_, plan, _ := strings.Cut(l.sub(id, "plan{refId}"), "refId:")
	return strings.TrimSuffix(plan, "]")
}

// Each kind of change shows as an entry of its own. Of what is scheduled twice the later order holds; the rest stays.
func TestLifecycleEveryScheduledChangeShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic",addons:[{addonId:"more-seats"},{addonId:"more-calls"}]`)
		const later = `subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,`
		l.update(later + `addons:[{addonId:"more-seats",quantity:3}],billableFeatures:[{featureId:"seats",quantity:30},{featureId:"calls",quantity:9}],billingPeriod:ANNUALLY`)
		l.update(later + `priceOverrides:[{price:{amount:15}},{addonId:"more-seats",price:{amount:2}}],appliedCoupon:{couponId:"half"},additionalMetaData:{a:1}`)
		l.wantFuture("s", "31 Addon more-calls 0/more-calls, 31 Addon more-seats 3/more-seats, 31 UnitAmount basic 9/calls, 31 UnitAmount basic 30/seats, "+
			"31 BillingPeriod basic ANNUALLY, 31 PriceOverride basic <nil>/basic, 31 PriceOverride more-seats <nil>/more-seats, 31 Coupon basic , 31 AdditionalMetaData basic ")
		l.update(later + `addons:[{addonId:"more-seats"},{addonId:"more-calls",quantity:2}],appliedCoupon:{couponId:"tenth"}`)
		l.update(later + `billableFeatures:[{featureId:"seats",quantity:40}]`)
		l.update(`subscriptionId:"s",scheduleStrategy:END_OF_BILLING_MONTH,billingPeriod:MONTHLY`)
		l.wantFuture("s", "31 PriceOverride basic <nil>/basic, 31 PriceOverride more-seats <nil>/more-seats, 31 AdditionalMetaData basic , "+
			"31 Addon more-calls 2/more-calls, 31 Addon more-seats 1/more-seats, 31 Coupon basic , 31 UnitAmount basic 40/seats, 31 BillingPeriod basic MONTHLY")
		l.wantHas("c1", "calls=110 seats=7")
		l.until(lifeJanuary)
		l.wantHas("c1", "calls=120 seats=42")
		// 15 for the plan, 2 for the add-on of seats and twice 1 for that of calls, a tenth off.
		l.wantSub("s", "totalPrice:map[total:map[amount:17.1]] additionalMetaData:map[a:1]", `totalPrice{total{amount}}`, "additionalMetaData")
	})
}

// cancelSchedule drops what is scheduled, and nothing else.
func TestLifecycleCancelSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic",addons:[{addonId:"more-seats"}]`)
		l.cancel(`subscriptionRefId:"s",subscriptionCancellationTime:SPECIFIC_DATE,endDate:"2000-03-01"`)
		l.update(`subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,addons:[]`)
		drop := func(input string) {
			t.Helper()
			if got := l.must(`mutation{cancelSchedule(input:{subscriptionId:"s"`+input+`})}`, nil)["cancelSchedule"]; got != "s" {
				t.Errorf("cancelSchedule = %v, want the subscription's id", got)
			}
		}
		drop(`,status:Done`)
		l.wantFuture("s", "31 Addon more-seats 0/more-seats")
		drop(``)
		l.wantFuture("s", "")
		ears := l.listen()
		drop(``)
		ears.want()
		l.until(lifeJanuary)
		ears.want()
		l.wantHas("c1", "calls=100 seats=7")
		l.until(60 * lifeDay)
		l.wantSubs("c1", "basic CANCELED, free ACTIVE")
		l.wantCode("cancelSchedule", `subscriptionId:"gone"`, codeSubscriptionNotFound)
		l.wantCode("cancelSchedule", `subscriptionId:"s"`, "SubscriptionAlreadyCanceledOrExpired")
	})
}

// A change that was scheduled for what has ended by then is not made: not of it, and not of what came instead.
func TestLifecycleScheduledChangeEndsWithItsSubscription(t *testing.T) {
	for name, end := range map[string]func(*life){
		"cancelled":        func(l *life) { l.cancel(`subscriptionRefId:"s",subscriptionCancellationTime:IMMEDIATE`) },
		"to be cancelled":  func(l *life) { l.cancel(`subscriptionRefId:"s"`) },
		"replaced":         func(l *life) { l.buy(`customerId:"c1",planId:"free"`) },
		"replaced at that": func(l *life) { l.buy(`customerId:"c1",planId:"free",scheduleStrategy:END_OF_BILLING_PERIOD`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic"`)
				l.update(`subscriptionId:"s",scheduleStrategy:END_OF_BILLING_PERIOD,addons:[{addonId:"more-seats"}]`)
				l.until(lifeDay)
				end(l)
				l.until(2 * lifeJanuary)
				l.wantHas("c1", "seats=1")
				l.wantSubs("c1", "basic CANCELED, free ACTIVE")
				l.wantSub("s", "addons:[]", "addons{quantity}")
			})
		})
	}
}

// Another plan can be scheduled too. To go to a plan that this one inherits from, or to a free one, is a downgrade.
func TestLifecyclePlanChangeIsScheduled(t *testing.T) {
	for _, row := range []struct {
		name, buy, to string
		at            time.Duration
		future        string
	}{
		{"to a free plan", `planId:"team",skipTrial:true`, `planId:"free",scheduleStrategy:END_OF_BILLING_PERIOD`, lifeJanuary, "Downgrade free free"},
		{"to an inherited plan", `planId:"pro",skipTrial:true`, `planId:"basic",scheduleStrategy:END_OF_BILLING_PERIOD`, lifeJanuary, "Downgrade basic basic"},
		{"to one that inherits", `planId:"basic"`, `planId:"pro",skipTrial:true,scheduleStrategy:END_OF_BILLING_PERIOD`, lifeJanuary, "Plan pro UPGRADE/pro"},
		{"to itself", `planId:"basic"`, `planId:"basic",scheduleStrategy:END_OF_BILLING_PERIOD`, lifeJanuary, "Plan basic NONE/basic"},
		{"end of the year", `planId:"basic",billingPeriod:ANNUALLY`, `planId:"free",scheduleStrategy:END_OF_BILLING_PERIOD`, 366 * lifeDay, "Downgrade free free"},
		{"end of the month", `planId:"basic",billingPeriod:ANNUALLY`, `planId:"free",scheduleStrategy:END_OF_BILLING_MONTH`, lifeJanuary, "Downgrade free free"},
		{"by a date", `planId:"basic"`, `planId:"free",startDate:"2000-01-21"`, 20 * lifeDay, "Downgrade free free"},
		{"at once", `planId:"basic"`, `planId:"free",scheduleStrategy:IMMEDIATE`, 5 * lifeDay, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.buy(`customerId:"c1",subscriptionId:"old",` + row.buy)
				had := l.has("c1")
				l.until(5 * lifeDay)
				l.buy(`customerId:"c1",subscriptionId:"new",` + row.to)
				l.wantSub("new", "startDate:"+l.on(row.at), "startDate")
				if row.future != "" {
					l.wantFuture("old", fmt.Sprint(row.at.Hours()/24, " ", row.future))
					l.wantHas("c1", had)
					l.until(row.at - time.Millisecond)
					l.wantHas("c1", had)
					l.wantSub("new", "status:NOT_STARTED", "status")
					l.until(row.at)
				}
				l.wantSub("new", "status:ACTIVE", "status")
				l.wantSub("old", "status:CANCELED", "status")
			})
		})
	}
}

// A billing cycle that begins now begins the periods of what the subscription grants anew, of the customer and of each resource; what
// another subscription grants goes on.
func TestLifecycleBillingCycleBeginsNow(t *testing.T) {
	c, err := ParseCatalog([]byte(strings.NewReplacer(
		"features:\n", "features:\n  - {id: runs, type: number, meter: incremental}\n",
		"[{feature: reports}]", "[{feature: reports}, {feature: runs, limit: 10, reset: month}]",
	).Replace(lifeCatalog)))
	if err != nil {
		t.Fatal(err)
	}
	for name, begin := range map[string]func(*life){
		"update":    func(l *life) { l.update(`subscriptionId:"s",billingCycleAnchor:NOW`) },
		"provision": func(l *life) { l.buy(`customerId:"c1",planId:"pro",skipTrial:true,billingCycleAnchor:NOW`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{Catalog: c})
				l := &life{b, b.Now()}
				l.provision("c1", "", "beta")
				l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic"`)
				for _, r := range []string{"", "r"} {
					l.report("c1", r, "calls", 7)
					l.report("c1", r, "runs", 3)
				}
				l.until(5 * lifeDay)
				begin(l)
				for _, r := range []string{"", "r"} {
					calls, _ := l.Snapshot("c1", r).Find("calls")
					if calls.Usage != 0 || !calls.PeriodStart.Equal(l.began.Add(5*lifeDay)) {
						t.Errorf("calls of %q = %+v, want a period from day 5 on with nothing used", r, calls)
					}
					runs, _ := l.Snapshot("c1", r).Find("runs")
					if runs.Usage != 3 || !runs.PeriodStart.Equal(l.began) {
						t.Errorf("runs of %q = %+v, want what was used, and the period", r, runs)
					}
				}
			})
		})
	}
}
