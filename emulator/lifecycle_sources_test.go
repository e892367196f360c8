package emulator

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// Plan, add-on, trial and promotion meet on one metered feature. Whatever gives most of it wins, for as long as it lasts; what gives less
// changes nothing, and no source moves the period, or clears what is used in it.
func TestLifecycleTheMostGenerousSourceWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		used := 0.0
		wins := func(who, want string) {
			t.Helper()
			e, ok := l.Snapshot("c1", "").Find("calls")
			got := ""
			if ok && e.Limit != nil {
				got = fmt.Sprint(*e.Limit)
			}
			if e.SoftLimit {
				got += " soft"
			}
			if e.Unlimited {
				got = "unlimited"
			}
			if got != want || e.Usage != used {
				t.Errorf("%v after the beginning %s is to win: calls are %q, %v used, want %s and %v", l.Now().Sub(l.began), who, got, e.Usage, want, used)
			}
			if !e.PeriodStart.Equal(l.began) || !e.PeriodEnd.Equal(l.began.Add(lifeJanuary)) {
				t.Errorf("%s has moved the period to %v, %v", who, e.PeriodStart, e.PeriodEnd)
			}
		}
		promote := func(what string) {
			t.Helper()
			l.write("grantPromotionalEntitlements", `customerId:"c1",promotionalEntitlements:[{featureId:"calls",resetPeriod:MONTH,`+what+`}]`, `{id}`)
		}
		l.buy(`customerId:"c1",planId:"basic",subscriptionId:"s"`)
		wins("the plan", "100")
		l.report("c1", "", "calls", 70)
		used = 70

		promote(`usageLimit:30,period:LIFETIME`)
		wins("the plan, over a promotion that gives less", "100")
		l.update(`subscriptionId:"s",addons:[{addonId:"more-calls",quantity:3}]`)
		wins("the add-on, on top of the plan", "130")
		promote(`usageLimit:500,period:ONE_WEEK`)
		wins("the promotion, which the add-on adds nothing to", "500")
		l.buy(`customerId:"c1",planId:"pro",subscriptionId:"t"`)
		l.wantSubs("c1", "basic ACTIVE, pro IN_TRIAL")
		wins("the trial", "1000")
		promote(`usageLimit:40,hasSoftLimit:true,period:CUSTOM,customEndDate:"` + l.on(3*lifeDay) + `"`)
		wins("the promotion: a soft limit gives more than any hard one", "40 soft")

		l.until(4 * lifeDay)
		wins("the trial, when that promotion is over", "1000")
		l.until(20 * lifeDay)
		l.wantSubs("c1", "basic ACTIVE, pro EXPIRED")
		wins("the add-on, when trial and promotions are over", "130")
		l.update(`subscriptionId:"s",addons:[]`)
		wins("the plan, without the add-on", "100")
		promote(`hasUnlimitedUsage:true,period:LIFETIME`)
		wins("the promotion without a limit", "unlimited")
		l.write("revokePromotionalEntitlement", `customerId:"c1",featureId:"calls"`, `{id}`)
		wins("the plan, alone", "100")
	})
}
