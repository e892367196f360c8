package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A customer tries a plan once, whichever resource tries it; another customer, and another plan, are another trial.
func TestLifecycleTrialIsOncePerCustomerAndPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		for _, c := range []string{"c1", "c2", "c3"} {
			l.provision(c, "", "")
		}
		l.buy(`customerId:"c1",resourceId:"r1",planId:"pro"`)
		l.buy(`customerId:"c1",resourceId:"r2",planId:"pro"`)
		l.buy(`customerId:"c1",resourceId:"r2",planId:"team"`)
		l.wantSubs("c1", "pro IN_TRIAL, pro ACTIVE, team IN_TRIAL")
		l.buy(`customerId:"c2",planId:"pro"`)
		l.wantSubs("c2", "pro IN_TRIAL")

		// One that was taken back before it began was none.
		l.buy(`customerId:"c3",planId:"pro",subscriptionId:"later",startDate:"2000-01-03"`)
		l.wantSub("later", "status:NOT_STARTED trialEndDate:"+l.on(16*lifeDay), "status", "trialEndDate")
		l.until(lifeDay)
		l.cancel(`subscriptionRefId:"later"`)
		l.buy(`customerId:"c3",planId:"pro"`)
		l.wantSubs("c3", "pro CANCELED, pro IN_TRIAL")

		for id, want := range map[string]string{"c1": "[map[planRefId:pro] map[planRefId:team]]", "c3": "[map[planRefId:pro]]"} {
			c := l.must(`{getCustomerByRefId(input:{customerId:"`+id+`"}){trialedPlans{planRefId}}}`, nil)["getCustomerByRefId"].(map[string]any)
			if got := fmt.Sprint(c["trialedPlans"]); got != want {
				t.Errorf("trialedPlans of %s = %s, want %s", id, got, want)
			}
		}
	})
}

// A trial is skipped, made, and made longer or shorter by whoever subscribes.
func TestLifecycleTrialIsDecidedByTheOrder(t *testing.T) {
	for _, row := range []struct{ field, input, status, end, behaviour string }{
		{"provisionSubscriptionV2", `planId:"pro"`, "IN_TRIAL", "2000-01-15", "CANCEL_SUBSCRIPTION"},
		{"provisionSubscriptionV2", `planId:"team"`, "IN_TRIAL", "2000-01-08", "CONVERT_TO_PAID"},
		{"provisionSubscriptionV2", `planId:"basic"`, "ACTIVE", "", ""},
		{"provisionSubscriptionV2", `planId:"pro",skipTrial:true`, "ACTIVE", "", ""},
		{"provisionSubscriptionV2", `planId:"pro",trialOverrideConfiguration:{isTrial:false}`, "ACTIVE", "", ""},
		{"provisionSubscriptionV2", `planId:"pro",trialOverrideConfiguration:{isTrial:true,trialEndDate:"2000-01-03",trialEndBehavior:CONVERT_TO_PAID}`, "IN_TRIAL", "2000-01-03", "CONVERT_TO_PAID"},
		{"provisionSubscriptionV2", `planId:"team",trialOverrideConfiguration:{isTrial:true,trialEndBehavior:CANCEL_SUBSCRIPTION}`, "IN_TRIAL", "2000-01-08", "CANCEL_SUBSCRIPTION"},
		{"provisionSubscriptionV2", `planId:"basic",trialOverrideConfiguration:{isTrial:true}`, "IN_TRIAL", "2000-01-15", "CANCEL_SUBSCRIPTION"},
		{"applySubscription", `planId:"pro"`, "IN_TRIAL", "2000-01-15", "CANCEL_SUBSCRIPTION"},
		{"applySubscription", `planId:"pro",skipTrial:true`, "ACTIVE", "", ""},
		{"applySubscription", `planId:"pro",trialEndDate:"2000-02-01"`, "IN_TRIAL", "2000-02-01", "CANCEL_SUBSCRIPTION"},
		{"createSubscription", `planId:"pro"`, "IN_TRIAL", "2000-01-15", "CANCEL_SUBSCRIPTION"},
		{"createSubscription", `planId:"pro",isTrial:false`, "ACTIVE", "", ""},
		{"createSubscription", `planId:"pro",trialEndBehavior:CONVERT_TO_PAID`, "IN_TRIAL", "2000-01-15", "CONVERT_TO_PAID"},
	} {
		t.Run(row.field+"/"+row.input, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.write(row.field, `customerId:"c1",`+row.input, `{__typename}`)
				list := l.must(`{getActiveSubscriptions(input:{customerId:"c1"}){status trialEndDate effectiveEndDate trialConfiguration{trialEndBehavior}}}`, nil)
				want := fmt.Sprintf("map[effectiveEndDate:%[1]v status:%v trialConfiguration:%v trialEndDate:%[1]v]", "<nil>", row.status, "<nil>")
				if row.end != "" {
					end := row.end + "T00:00:00.000Z"
					over := end
					if row.behaviour == "CONVERT_TO_PAID" {
						over = "<nil>"
					}
					want = fmt.Sprintf("map[effectiveEndDate:%s status:%s trialConfiguration:map[trialEndBehavior:%s] trialEndDate:%s]", over, row.status, row.behaviour, end)
				}
				if got := fmt.Sprint(list["getActiveSubscriptions"].([]any)[0]); got != want {
					t.Errorf("the subscription is\n%s, want\n%s", got, want)
				}
			})
		})
	}
}

// When a trial is over it expires, and the plan that its product names follows, unless something is paid for; or it becomes the plan.
func TestLifecycleTrialEnds(t *testing.T) {
	for _, row := range []struct {
		name   string
		before string // what the customer is on; empty: nothing
		input  string
		end    time.Duration
		trial  string // what the customer has until then
		pushed string // at the end
		subs   string
	}{
		{"unconverted", "", `planId:"pro"`, 14 * lifeDay, "calls=1000 seats=3 sso", "c1 seats=1", "pro EXPIRED, free ACTIVE"},
		{"unconverted, nothing follows", "", `planId:"beta"`, 10 * lifeDay, "reports", "c1 NoActiveSubscription", "beta EXPIRED"},
		{"unconverted, free besides", "free", `planId:"pro"`, 14 * lifeDay, "calls=1000 seats=3 sso", "c1 seats=1", "free ACTIVE, pro EXPIRED"},
		{"unconverted, paid besides", "basic", `planId:"pro"`, 14 * lifeDay, "calls=1000 seats=5 sso", "c1 calls=100 seats=5", "basic ACTIVE, pro EXPIRED"},
		{"converted", "", `planId:"team"`, 7 * lifeDay, "seats=50", "c1 seats=50", "team ACTIVE"},
		{"converted, paid besides", "basic", `planId:"team"`, 7 * lifeDay, "calls=100 seats=50", "c1 seats=50", "basic CANCELED, team ACTIVE"},
		{"of the order", "", `planId:"pro",trialOverrideConfiguration:{isTrial:true,trialEndDate:"2000-01-03",trialEndBehavior:CONVERT_TO_PAID}`, 2 * lifeDay,
			"calls=1000 seats=3 sso", "c1 calls=1000 seats=3 sso", "pro ACTIVE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", row.before)
				l.buy(`customerId:"c1",` + row.input)
				ears := l.listen()
				l.until(row.end - time.Millisecond)
				l.wantHas("c1", row.trial)
				ears.want()
				l.until(row.end)
				ears.want(row.pushed)
				l.wantHas("c1", strings.TrimPrefix(row.pushed, "c1 "))
				l.wantSubs("c1", row.subs)
				l.until(row.end + 100*lifeDay)
				l.wantSubs("c1", row.subs)
			})
		})
	}
}

// A trial and what is paid for, of different plans of one product, run beside each other: of each feature the more generous holds.
// There is one of each: another trial takes the place of the trial, another paid plan that of the paid one.
func TestLifecycleTrialRunsBesideWhatIsPaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		for _, c := range []string{"paid first", "trial first", "trials"} {
			l.provision(c, "", "")
		}
		l.buy(`customerId:"trials",planId:"pro"`)
		l.buy(`customerId:"trials",planId:"team"`)
		l.wantSubs("trials", "pro CANCELED, team IN_TRIAL") // and no downgrade plan: the trial did not end by itself
		l.buy(`customerId:"paid first",planId:"basic"`)
		l.buy(`customerId:"paid first",planId:"pro"`)
		l.wantSubs("paid first", "basic ACTIVE, pro IN_TRIAL")
		l.buy(`customerId:"trial first",planId:"pro"`)
		l.buy(`customerId:"trial first",planId:"basic"`)
		l.wantSubs("trial first", "pro IN_TRIAL, basic ACTIVE")
		for _, c := range []string{"paid first", "trial first"} {
			l.wantHas(c, "calls=1000 seats=5 sso")
		}
		l.until(lifeDay)
		l.buy(`customerId:"paid first",planId:"team"`)
		l.wantSubs("paid first", "basic ACTIVE, pro CANCELED, team IN_TRIAL")
		l.wantHas("paid first", "calls=100 seats=50")
		l.buy(`customerId:"trial first",planId:"free"`)
		l.wantSubs("trial first", "pro IN_TRIAL, basic CANCELED, free ACTIVE")
		l.wantHas("trial first", "calls=1000 seats=3 sso")
	})
}

// To subscribe to the plan that is on trial is to pay for it: at once, with usage and periods kept, and for good.
func TestLifecycleTrialTurnsPaid(t *testing.T) {
	for _, row := range []struct{ field, input string }{
		{"provisionSubscriptionV2", `planId:"pro"`},
		{"applySubscription", `planId:"pro",skipTrial:true`},
		{"applySubscription", `planId:"pro",trialOverrideConfiguration:{isTrial:false}`},
		{"createSubscription", `planId:"pro"`},
	} {
		t.Run(row.field, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.buy(`customerId:"c1",planId:"pro",subscriptionId:"a"`)
				l.report("c1", "", "calls", 7)
				l.until(5 * lifeDay)
				ears := l.listen()
				l.write(row.field, `customerId:"c1",`+row.input, `{__typename}`)
				ears.want("c1 calls=1000 seats=3 sso")
				l.wantSubs("c1", "pro CANCELED, pro ACTIVE")
				l.wantSub("a", "endDate:"+l.on(5*lifeDay), "endDate")
				calls, _ := l.Snapshot("c1", "").Find("calls")
				if calls.Usage != 7 || !calls.PeriodEnd.Equal(l.began.Add(lifeJanuary)) {
					t.Errorf("calls = %+v, want what was used and the period of the trial", calls)
				}
				l.until(20 * lifeDay)
				ears.want()
				l.wantSubs("c1", "pro CANCELED, pro ACTIVE")
			})
		})
	}
	t.Run("applySubscription updates a trial", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, "")
			l.provision("c1", "", "")
			l.buy(`customerId:"c1",planId:"pro"`)
			l.write("applySubscription", `customerId:"c1",planId:"pro",addons:[{addonId:"more-seats"}]`, `{__typename}`)
			l.wantSubs("c1", "pro IN_TRIAL")
			l.wantHas("c1", "calls=1000 seats=5 sso")
		})
	})
}

// The end of a trial is moved by an update: later, sooner, or to a moment that has passed, which ends it.
func TestLifecycleTrialEndIsMoved(t *testing.T) {
	for _, row := range []struct {
		name string
		end  time.Duration
	}{
		{"later", 30 * lifeDay},
		{"sooner", 6 * lifeDay},
		{"to now", 5 * lifeDay},
		{"to the past", 4 * lifeDay},
	} {
		for field, input := range map[string]string{"updateOneSubscription": `subscriptionId:"s"`, "applySubscription": `customerId:"c1",planId:"pro"`} {
			t.Run(row.name+"/"+field, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t, "")
					l.provision("c1", "", "")
					l.buy(`customerId:"c1",planId:"pro",subscriptionId:"s"`)
					l.until(5 * lifeDay)
					ears := l.listen()
					l.write(field, input+`,trialEndDate:"`+l.on(row.end)+`"`, `{__typename}`)
					l.wantSub("s", "trialEndDate:"+l.on(row.end)+" effectiveEndDate:"+l.on(row.end), "trialEndDate", "effectiveEndDate")
					if row.end > 5*lifeDay {
						ears.want("c1 calls=1000 seats=3 sso")
						l.until(row.end - time.Millisecond)
						l.wantSubs("c1", "pro IN_TRIAL")
						ears.want()
						l.until(row.end)
					}
					ears.want("c1 seats=1")
					l.wantSubs("c1", "pro EXPIRED, free ACTIVE")
					l.until(60 * lifeDay)
					ears.want()
				})
			})
		}
	}
	t.Run("of what is none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, "")
			l.provision("c1", "", "")
			l.buy(`customerId:"c1",planId:"basic",subscriptionId:"s"`)
			l.wantCode("updateOneSubscription", `subscriptionId:"s",trialEndDate:"2000-02-01",addons:[{addonId:"more-seats"}]`, "InvalidSubscriptionStatus")
			l.wantHas("c1", "calls=100 seats=5")
		})
	})
}
