package emulator

import (
	"testing"
	"testing/synctest"
	"time"
)

// A new subscription of the same product ends the old one when it starts. Until then the old one grants, and says what is to come.
func TestLifecycleNewPlanEndsTheOldOnItsStartDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",planId:"basic",subscriptionId:"old"`)
		l.report("c1", "", "calls", 7)
		l.until(lifeDay)
		l.buy(`customerId:"c1",planId:"pro",skipTrial:true,subscriptionId:"new",startDate:"2000-01-11"`)
		l.wantSub("old", "status:ACTIVE endDate:"+l.on(10*lifeDay)+" cancellationDate:"+l.on(10*lifeDay), "status", "endDate", "cancellationDate")
		l.wantSub("new", "status:NOT_STARTED startDate:"+l.on(10*lifeDay)+" endDate:<nil>", "status", "startDate", "endDate")
		l.wantFuture("old", "10 Plan pro UPGRADE/pro")
		l.wantFuture("new", "")
		l.wantHas("c1", "calls=100 seats=5")

		ears := l.listen()
		l.until(10*lifeDay - time.Millisecond)
		l.wantHas("c1", "calls=100 seats=5")
		ears.want()
		l.until(10 * lifeDay)
		ears.want("c1 calls=1000 seats=3 sso")
		l.wantSubs("c1", "basic CANCELED, pro ACTIVE")
		l.wantFuture("old", "")
		if calls, _ := l.Snapshot("c1", "").Find("calls"); calls.Usage != 7 || !calls.PeriodEnd.Equal(l.began.Add(lifeJanuary)) {
			t.Errorf("calls = %+v, want what was used and the period of the old plan", calls)
		}
		l.until(100 * lifeDay)
		l.wantSubs("c1", "basic CANCELED, pro ACTIVE")
	})
}

// What was to start later never does when something starts before it, in its place; and it ends when something starts after it.
func TestLifecycleOnePlanFollowsAnother(t *testing.T) {
	const on11 = `,startDate:"2000-01-11"`
	for _, row := range []struct {
		name   string
		second string
		subs   map[time.Duration]string
	}{
		{"at once", `planId:"team",skipTrial:true`, map[time.Duration]string{
			2 * lifeDay:  "basic CANCELED, pro CANCELED, team ACTIVE",
			50 * lifeDay: "basic CANCELED, pro CANCELED, team ACTIVE",
		}},
		{"before", `planId:"team",skipTrial:true,startDate:"2000-01-06"`, map[time.Duration]string{
			2 * lifeDay:  "basic ACTIVE, pro CANCELED, team NOT_STARTED",
			5 * lifeDay:  "basic CANCELED, pro CANCELED, team ACTIVE",
			50 * lifeDay: "basic CANCELED, pro CANCELED, team ACTIVE",
		}},
		{"together", `planId:"team",skipTrial:true` + on11, map[time.Duration]string{
			2 * lifeDay:  "basic ACTIVE, pro CANCELED, team NOT_STARTED",
			10 * lifeDay: "basic CANCELED, pro CANCELED, team ACTIVE",
		}},
		{"after", `planId:"team",skipTrial:true,startDate:"2000-01-21"`, map[time.Duration]string{
			2 * lifeDay:  "basic ACTIVE, pro NOT_STARTED, team NOT_STARTED",
			10 * lifeDay: "basic CANCELED, pro ACTIVE, team NOT_STARTED",
			20 * lifeDay: "basic CANCELED, pro CANCELED, team ACTIVE",
		}},
		{"a trial besides", `planId:"team",startDate:"2000-01-06"`, map[time.Duration]string{
			2 * lifeDay:  "basic ACTIVE, pro NOT_STARTED, team NOT_STARTED",
			5 * lifeDay:  "basic ACTIVE, pro NOT_STARTED, team IN_TRIAL",
			10 * lifeDay: "basic CANCELED, pro ACTIVE, team IN_TRIAL",
			12 * lifeDay: "basic CANCELED, pro CANCELED, team ACTIVE", // it converts
		}},
		{"another product", `planId:"beta",skipTrial:true`, map[time.Duration]string{
			2 * lifeDay:  "basic ACTIVE, pro NOT_STARTED, beta ACTIVE",
			10 * lifeDay: "basic CANCELED, pro ACTIVE, beta ACTIVE",
		}},
		{"another resource", `resourceId:"r",planId:"team",skipTrial:true`, map[time.Duration]string{
			2 * lifeDay:  "basic ACTIVE, pro NOT_STARTED, team ACTIVE",
			10 * lifeDay: "basic CANCELED, pro ACTIVE, team ACTIVE",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "basic")
				l.until(lifeDay)
				l.buy(`customerId:"c1",planId:"pro",skipTrial:true` + on11)
				l.until(2 * lifeDay)
				l.buy(`customerId:"c1",` + row.second)
				for _, d := range []time.Duration{2, 5, 10, 12, 20, 50} {
					l.until(d * lifeDay)
					if want, ok := row.subs[d*lifeDay]; ok {
						l.wantSubs("c1", want)
					}
				}
			})
		})
	}
}

// Each resource has its own plan of a product; one's change is told of that one, or of all when it happens by itself.
func TestLifecyclePlanOfAResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "free")
		l.provision("c1", "r1", "basic")
		l.provision("c1", "r2", "basic")
		l.until(lifeDay)
		ears := l.listen()
		l.buy(`customerId:"c1",resourceId:"r1",planId:"team",skipTrial:true,startDate:"2000-01-11",subscriptionId:"new"`)
		ears.want("c1/r1 calls=100 seats=5")
		l.wantSub("new", "resource:map[resourceId:r1]", "resource{resourceId}")
		l.until(10 * lifeDay)
		ears.want("c1 seats=1", "c1/r1 seats=50", "c1/r2 calls=100 seats=5")
		l.wantSubs("c1", "free ACTIVE, basic CANCELED, basic ACTIVE, team ACTIVE")
		l.cancel(`subscriptionRefId:"new",subscriptionCancellationTime:IMMEDIATE`)
		ears.want("c1/r1 seats=1")
		l.wantSubs("c1", "free ACTIVE, basic CANCELED, basic ACTIVE, team CANCELED, free ACTIVE")
		l.buy(`customerId:"c1",resourceId:"r2",planId:"pro",skipTrial:true`)
		ears.want("c1/r2 calls=1000 seats=3 sso")
	})
}

// To take back what was to start restores how the old one would have ended: never, or when it was cancelled, and what follows then.
func TestLifecycleTakingBackWhatHasNotStarted(t *testing.T) {
	for _, undo := range []struct{ name, field, input string }{
		{"cancel it", "cancelSubscription", `subscriptionRefId:"new"`},
		{"cancel it at the end of its period", "cancelSubscription", `subscriptionRefId:"new",subscriptionCancellationTime:END_OF_BILLING_PERIOD`},
		{"cancel the schedule", "cancelSchedule", `subscriptionId:"old"`},
	} {
		for _, row := range []struct{ name, cancel, end, subs string }{
			{"open", "", "<nil>", "basic ACTIVE, pro CANCELED"},
			{"cancelled", `subscriptionRefId:"old",subscriptionCancellationTime:SPECIFIC_DATE,endDate:"2000-01-21"`, "2000-01-21T00:00:00.000Z",
				"basic CANCELED, pro CANCELED, free ACTIVE"},
			{"revoked", `subscriptionRefId:"old",subscriptionCancellationTime:SPECIFIC_DATE,endDate:"2000-01-21",subscriptionCancellationAction:REVOKE_ENTITLEMENTS`,
				"2000-01-21T00:00:00.000Z", "basic CANCELED, pro CANCELED"},
		} {
			t.Run(undo.name+"/"+row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t, "")
					l.provision("c1", "", "")
					l.buy(`customerId:"c1",planId:"basic",subscriptionId:"old"`)
					if row.cancel != "" {
						l.cancel(row.cancel)
					}
					l.until(lifeDay)
					l.buy(`customerId:"c1",planId:"pro",skipTrial:true,subscriptionId:"new",startDate:"2000-01-11"`)
					l.until(2 * lifeDay)
					if undo.field == "cancelSchedule" {
						if got := l.must(`mutation{cancelSchedule(input:{`+undo.input+`})}`, nil)["cancelSchedule"]; got != "old" {
							t.Errorf("cancelSchedule = %v, want the subscription's id", got)
						}
					} else {
						l.write(undo.field, undo.input, `{id}`)
					}
					l.wantSub("old", "status:ACTIVE endDate:"+row.end+" cancellationDate:"+row.end, "status", "endDate", "cancellationDate")
					l.wantSub("new", "status:CANCELED", "status")
					l.wantFuture("old", "")
					l.until(15 * lifeDay)
					l.wantHas("c1", "calls=100 seats=5")
					l.until(50 * lifeDay)
					l.wantSubs("c1", row.subs)
				})
			})
		}
	}
}

// Of two that are to follow, the first is taken back: what is in force goes on until the second starts, and says so.
func TestLifecycleTakingBackTheFirstOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",planId:"basic",subscriptionId:"now"`)
		l.until(lifeDay)
		l.buy(`customerId:"c1",planId:"pro",skipTrial:true,subscriptionId:"next",startDate:"2000-01-11"`)
		l.until(2 * lifeDay)
		l.buy(`customerId:"c1",planId:"team",skipTrial:true,subscriptionId:"last",startDate:"2000-01-21"`)
		l.cancel(`subscriptionRefId:"next"`)
		l.wantSub("now", "endDate:"+l.on(20*lifeDay), "endDate")
		l.wantFuture("now", "20 Plan team UPGRADE/team")
		l.until(10 * lifeDay)
		l.wantSubs("c1", "basic ACTIVE, pro CANCELED, team NOT_STARTED")
		l.cancel(`subscriptionRefId:"last"`)
		l.wantSub("now", "endDate:<nil>", "endDate")
		l.until(30 * lifeDay)
		l.wantSubs("c1", "basic ACTIVE, pro CANCELED, team CANCELED")
	})
}

// What was to follow and gave way to something sooner does not come back when that is taken back: what is in force goes on.
func TestLifecycleTakingBackWhatCameSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",planId:"basic",subscriptionId:"now"`)
		l.until(lifeDay)
		l.buy(`customerId:"c1",planId:"pro",skipTrial:true,startDate:"2000-01-11"`)
		l.until(2 * lifeDay)
		l.buy(`customerId:"c1",planId:"team",skipTrial:true,subscriptionId:"sooner",startDate:"2000-01-06"`)
		l.wantFuture("now", "5 Plan team UPGRADE/team")
		l.cancel(`subscriptionRefId:"sooner"`)
		l.wantSub("now", "endDate:<nil>", "endDate")
		l.until(30 * lifeDay)
		l.wantSubs("c1", "basic ACTIVE, pro CANCELED, team CANCELED")
	})
}

// Whoever cancels what is in force gives up what was to follow it. A null cancellationDate is about cancelling alone.
func TestLifecycleCancellingWhatIsToBeReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		for _, c := range []string{"a", "b"} {
			l.provision(c, "", "")
			l.buy(`customerId:"` + c + `",planId:"basic",cancellationDate:"2000-01-21",subscriptionId:"` + c + `"`)
			l.until(l.Now().Sub(l.began) + time.Hour)
			l.buy(`customerId:"` + c + `",planId:"team",skipTrial:true,startDate:"2000-01-11",subscriptionId:"new ` + c + `"`)
		}
		l.cancel(`subscriptionRefId:"a",subscriptionCancellationTime:SPECIFIC_DATE,endDate:"2000-01-16"`)
		l.wantFuture("a", "")
		l.update(`subscriptionId:"b",cancellationDate:null`)
		l.wantFuture("b", "10 Plan team UPGRADE/team")
		l.cancel(`subscriptionRefId:"new b"`)
		l.wantSub("b", "endDate:<nil>", "endDate")
		l.until(16 * lifeDay)
		l.wantSubs("a", "basic CANCELED, team CANCELED, free ACTIVE")
		l.until(50 * lifeDay)
		l.wantSubs("b", "basic ACTIVE, team CANCELED")
	})
}

// A start that has passed is possible: the old plan ended then.
func TestLifecycleStartInThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",planId:"basic",subscriptionId:"old"`)
		l.until(10 * lifeDay)
		ears := l.listen()
		l.buy(`customerId:"c1",planId:"team",skipTrial:true,startDate:"2000-01-06",subscriptionId:"new"`)
		ears.want("c1 seats=50")
		l.wantSub("old", "status:CANCELED endDate:"+l.on(5*lifeDay), "status", "endDate")
		l.wantSub("new", "status:ACTIVE startDate:"+l.on(5*lifeDay), "status", "startDate")
		l.wantCode("provisionSubscriptionV2", `customerId:"c1",planId:"basic",startDate:"2000-02-01",cancellationDate:"2000-02-01"`, codeInvalidCancellationDate)
	})
}
