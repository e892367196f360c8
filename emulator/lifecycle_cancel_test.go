package emulator

import (
	"testing"
	"testing/synctest"
	"time"
)

// A subscription is cancelled at the end of its billing period, at once, or at a date. The product's downgrade plan follows then,
// unless entitlements are revoked.
func TestLifecycleCancellation(t *testing.T) {
	const at = `,subscriptionCancellationTime:`
	for _, row := range []struct {
		name, buy, cancel string
		end               time.Duration // the cancellation itself is on day 5
		pushed, subs      string        // at the end
	}{
		{"unless told otherwise when the period ends", `planId:"basic"`, ``, lifeJanuary, "c1 seats=1", "basic CANCELED, free ACTIVE"},
		{"period", `planId:"basic"`, at + `END_OF_BILLING_PERIOD`, lifeJanuary, "c1 seats=1", "basic CANCELED, free ACTIVE"},
		{"period of a year", `planId:"basic",billingPeriod:ANNUALLY`, at + `END_OF_BILLING_PERIOD`, 366 * lifeDay, "c1 seats=1", "basic CANCELED, free ACTIVE"},
		{"at once", `planId:"basic"`, at + `IMMEDIATE`, 5 * lifeDay, "c1 seats=1", "basic CANCELED, free ACTIVE"},
		{"a date", `planId:"basic"`, at + `SPECIFIC_DATE,endDate:"2000-01-16"`, 15 * lifeDay, "c1 seats=1", "basic CANCELED, free ACTIVE"},
		{"a date after the period", `planId:"basic"`, at + `SPECIFIC_DATE,endDate:"2000-04-10"`, 100 * lifeDay, "c1 seats=1", "basic CANCELED, free ACTIVE"},
		{"the default action", `planId:"basic"`, `,subscriptionCancellationAction:DEFAULT`, lifeJanuary, "c1 seats=1", "basic CANCELED, free ACTIVE"},
		{"revoked", `planId:"basic"`, `,subscriptionCancellationAction:REVOKE_ENTITLEMENTS`, lifeJanuary, "c1 NoActiveSubscription", "basic CANCELED"},
		{"revoked at once", `planId:"basic"`, at + `IMMEDIATE,subscriptionCancellationAction:REVOKE_ENTITLEMENTS`, 5 * lifeDay, "c1 NoActiveSubscription", "basic CANCELED"},
		{"a trial at once", `planId:"pro"`, ``, 5 * lifeDay, "c1 seats=1", "pro CANCELED, free ACTIVE"},
		{"a trial revoked", `planId:"pro"`, `,subscriptionCancellationAction:REVOKE_ENTITLEMENTS`, 5 * lifeDay, "c1 NoActiveSubscription", "pro CANCELED"},
		{"of a product that nothing follows in", `planId:"beta",skipTrial:true`, ``, lifeJanuary, "c1 NoActiveSubscription", "beta CANCELED"},
		{"the plan that would follow", `planId:"free"`, ``, lifeJanuary, "c1 NoActiveSubscription", "free CANCELED"},
		{"ordered with the subscription", `planId:"basic",cancellationDate:"2000-01-16"`, "", 15 * lifeDay, "c1 seats=1", "basic CANCELED, free ACTIVE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.buy(`customerId:"c1",subscriptionId:"s",` + row.buy)
				before := l.has("c1")
				l.until(5 * lifeDay)
				ears := l.listen()
				if row.name != "ordered with the subscription" {
					l.cancel(`subscriptionRefId:"s"` + row.cancel)
				}
				l.wantSub("s", "cancellationDate:"+l.on(row.end)+" endDate:"+l.on(row.end), "cancellationDate", "endDate")
				if row.end > 5*lifeDay {
					if row.name != "ordered with the subscription" {
						ears.want("c1 " + before)
					}
					l.until(row.end - time.Millisecond)
					l.wantHas("c1", before)
					ears.want()
					l.until(row.end)
				}
				ears.want(row.pushed)
				l.wantSubs("c1", row.subs)
				l.until(row.end + 100*lifeDay)
				ears.want()
				l.wantSubs("c1", row.subs)
				l.wantCode("updateOneSubscription", `subscriptionId:"s",cancellationDate:null`, "SubscriptionAlreadyCanceledOrExpired")
			})
		})
	}
}

// A cancellation that cannot be is an error, and none.
func TestLifecycleCancellationThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",subscriptionId:"paid",planId:"basic"`)
		l.buy(`customerId:"c1",subscriptionId:"trial",planId:"pro"`)
		l.buy(`customerId:"c1",subscriptionId:"later",planId:"beta",skipTrial:true,startDate:"2000-02-01"`)
		l.until(10 * lifeDay)
		ears := l.listen()
		const at = `,subscriptionCancellationTime:`
		for _, row := range []struct{ field, input, code string }{
			{"cancelSubscription", `subscriptionRefId:"gone"`, codeSubscriptionNotFound},
			{"cancelSubscription", `subscriptionRefId:"paid"` + at + `SPECIFIC_DATE`, codeInvalidCancellationDate},
			{"cancelSubscription", `subscriptionRefId:"paid"` + at + `SPECIFIC_DATE,endDate:"2000-01-06"`, codeInvalidCancellationDate},
			{"cancelSubscription", `subscriptionRefId:"later"` + at + `SPECIFIC_DATE,endDate:"2000-01-21"`, codeInvalidCancellationDate},
			{"cancelSubscription", `subscriptionRefId:"trial"` + at + `END_OF_BILLING_PERIOD`, "TrialMustBeCancelledImmediately"},
			{"cancelSubscription", `subscriptionRefId:"trial"` + at + `SPECIFIC_DATE,endDate:"2000-01-12"`, "TrialMustBeCancelledImmediately"},
			{"updateOneSubscription", `subscriptionId:"trial",addons:[{addonId:"more-seats"}],cancellationDate:"2000-01-12"`, "TrialMustBeCancelledImmediately"},
			{"updateOneSubscription", `subscriptionId:"paid",addons:[{addonId:"more-seats"}],cancellationDate:"2000-01-06"`, codeInvalidCancellationDate},
		} {
			l.wantCode(row.field, row.input, row.code)
		}
		ears.want()
		l.wantHas("c1", "calls=1000 seats=5 sso")
		for _, id := range []string{"paid", "trial", "later"} {
			l.wantSub(id, "cancellationDate:<nil> endDate:<nil>", "cancellationDate", "endDate")
		}
	})
}

// A null cancellationDate takes a cancellation back; one that is absent says nothing of it.
func TestLifecycleCancellationIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic"`)
		l.cancel(`subscriptionRefId:"s"`)
		l.update(`subscriptionId:"s",addons:[{addonId:"more-seats"}]`)
		l.wantSub("s", "cancellationDate:"+l.on(lifeJanuary), "cancellationDate")
		l.update(`subscriptionId:"s",cancellationDate:"2000-03-01"`)
		l.wantSub("s", "cancellationDate:"+l.on(60*lifeDay), "cancellationDate")
		ears := l.listen()
		l.update(`subscriptionId:"s",cancellationDate:null`)
		l.wantSub("s", "status:ACTIVE cancellationDate:<nil> endDate:<nil> effectiveEndDate:<nil>", "status", "cancellationDate", "endDate", "effectiveEndDate")
		ears.want("c1 calls=100 seats=7")
		l.until(100 * lifeDay)
		ears.want()
		l.wantSubs("c1", "basic ACTIVE")
	})
}

// What follows a cancelled subscription comes only when the customer, or the resource, has nothing else of the product.
func TestLifecycleWhatFollowsACancellation(t *testing.T) {
	for _, row := range []struct {
		name, buy     string
		then          time.Duration // the subscription is cancelled for the end of January
		subs, finally string
	}{
		{"nothing else", ``, lifeJanuary, "basic CANCELED, free ACTIVE", "basic CANCELED, free ACTIVE"},
		{"another plan from then on", `,planId:"team",skipTrial:true,startDate:"2000-02-01"`, lifeJanuary, "basic CANCELED, team ACTIVE", "basic CANCELED, team ACTIVE"},
		{"another plan from later on", `,planId:"team",skipTrial:true,startDate:"2000-03-01"`, lifeJanuary,
			"basic CANCELED, team NOT_STARTED, free ACTIVE", "basic CANCELED, team ACTIVE, free CANCELED"},
		{"another plan from sooner on", `,planId:"team",skipTrial:true,startDate:"2000-01-20"`, lifeJanuary, "basic CANCELED, team ACTIVE", "basic CANCELED, team ACTIVE"},
		{"a trial", `,planId:"pro",startDate:"2000-01-25"`, lifeJanuary, "basic CANCELED, pro IN_TRIAL, free ACTIVE", "basic CANCELED, pro EXPIRED, free ACTIVE"},
		{"another resource", `,resourceId:"r",planId:"team",skipTrial:true`, lifeJanuary, "basic CANCELED, team ACTIVE, free ACTIVE", "basic CANCELED, team ACTIVE, free ACTIVE"},
		{"another product", `,planId:"beta",skipTrial:true`, lifeJanuary, "basic CANCELED, beta ACTIVE, free ACTIVE", "basic CANCELED, beta ACTIVE, free ACTIVE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic"`)
				l.until(lifeDay)
				l.cancel(`subscriptionRefId:"s"`)
				if row.buy != "" {
					l.buy(`customerId:"c1"` + row.buy)
				}
				l.until(row.then)
				l.wantSubs("c1", row.subs)
				l.until(100 * lifeDay)
				l.wantSubs("c1", row.finally)
			})
		})
	}
}

// An archived customer has nothing left, and what would have followed its subscriptions never does, archived or brought back.
func TestLifecycleNothingFollowsAnArchivedCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, "")
		l.provision("c1", "", "")
		l.provision("c2", "", "")
		l.buy(`customerId:"c1",subscriptionId:"s",planId:"basic"`)
		l.buy(`customerId:"c1",resourceId:"r",planId:"pro"`)
		l.buy(`customerId:"c1",planId:"beta",skipTrial:true,startDate:"2000-01-10"`)
		l.buy(`customerId:"c2",planId:"pro"`)
		l.cancel(`subscriptionRefId:"s"`)
		l.until(lifeDay)
		if err := l.ArchiveCustomer("c1"); err != nil {
			t.Fatal(err)
		}
		l.wantSubs("c1", "basic CANCELED, pro CANCELED, beta CANCELED")
		l.until(2 * lifeDay)
		if err := l.UnarchiveCustomer("c1"); err != nil {
			t.Fatal(err)
		}
		l.until(40 * lifeDay)
		l.buy(`customerId:"c1",resourceId:"q",planId:"team",skipTrial:true`)
		l.wantHas("c1", "NoActiveSubscription")
		l.wantSubs("c1", "basic CANCELED, pro CANCELED, beta CANCELED, team ACTIVE")
		l.wantSubs("c2", "pro EXPIRED, free ACTIVE")
	})
}

// A customer who is archived long after the trial ended, unseen, had ended it and was on what followed.
func TestLifecycleArchivingComesAfterWhatWasDue(t *testing.T) {
	for _, how := range []string{"method", "mutation"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "")
				l.buy(`customerId:"c1",planId:"pro"`)
				time.Sleep(30 * lifeDay) // nobody looks
				if how == "method" {
					if err := l.ArchiveCustomer("c1"); err != nil {
						t.Fatal(err)
					}
				} else {
					l.write("archiveCustomer", `customerId:"c1"`, `{id}`)
				}
				l.wantSubs("c1", "pro EXPIRED, free CANCELED")
			})
		})
	}
}
