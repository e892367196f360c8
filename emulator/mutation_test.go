package emulator

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestCancellationTakesEffectWhenItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			customer, how string
			after         time.Duration
		}{
			{"now", `subscriptionCancellationTime:IMMEDIATE`, 0},
			{"later", `subscriptionCancellationTime:SPECIFIC_DATE,endDate:"` + time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339) + `"`, 48 * time.Hour},
			{"period", ``, 31 * 24 * time.Hour}, // January has 31 days, and a bubble begins in it
		} {
			b := newBench(t, Config{})
			b.provision(row.customer, "", "free")
			const list = `query($id:String!){getActiveSubscriptions(input:{customerId:$id}){subscriptionId cancellationDate}}`
			active := func() []any {
				return b.must(list, map[string]any{"id": row.customer})["getActiveSubscriptions"].([]any)
			}
			id := active()[0].(map[string]any)["subscriptionId"].(string)
			start := time.Now()
			b.must(`mutation{cancelSubscription(input:{subscriptionRefId:"`+id+`",`+row.how+`}){cancellationDate}}`, nil)
			if row.after > 0 {
				time.Sleep(row.after - time.Millisecond)
				if len(active()) != 1 {
					t.Errorf("%s: ended before %v", row.customer, row.after)
				}
				time.Sleep(time.Until(start.Add(row.after)))
			}
			if n := len(active()); n != 0 || b.Snapshot(row.customer, "").AccessDeniedReason != "NoActiveSubscription" {
				t.Errorf("%s: %d subscriptions active after %v", row.customer, n, row.after)
			}
			a := b.ask(`mutation{cancelSubscription(input:{subscriptionRefId:"`+id+`"}){id}}`, nil)
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "SubscriptionAlreadyCanceledOrExpired" {
				t.Errorf("%s: cancelled twice: %+v", row.customer, a.Errors)
			}
		}
	})
}

func TestPromotionsAreGrantedAndRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		const grant = `mutation($input:GrantPromotionalEntitlementsInput!){grantPromotionalEntitlements(input:$input){featureId status endDate usageLimit feature{refId}}}`
		input := func(e map[string]any) map[string]any {
			return map[string]any{"input": map[string]any{"customerId": "c1", "promotionalEntitlements": []any{e}}}
		}
		got := b.must(grant, input(map[string]any{"featureId": "seats", "period": "ONE_WEEK", "usageLimit": 50}))["grantPromotionalEntitlements"].([]any)[0].(map[string]any)
		if end := time.Now().AddDate(0, 0, 7).UTC().Format("2006-01-02T15:04:05.000Z"); got["endDate"] != end || got["status"] != "Active" {
			t.Errorf("granted %v, want it to end at %s", got, end)
		}
		if limit := *must(b.Snapshot("c1", "").Find("seats")).Limit; limit != 50 {
			t.Errorf("seats = %v, want the promotion's 50", limit)
		}
		b.must(`mutation{revokePromotionalEntitlement(input:{customerId:"c1",featureId:"seats"}){status}}`, nil)
		if limit := *must(b.Snapshot("c1", "").Find("seats")).Limit; limit != 2 {
			t.Errorf("seats = %v, want the plan's 2", limit)
		}
		for _, row := range []struct {
			name  string
			grant map[string]any
			code  string
		}{
			{"no such feature", map[string]any{"featureId": "x", "period": "LIFETIME"}, "FeatureNotFound"},
			{"custom without an end", map[string]any{"featureId": "sso", "period": "CUSTOM"}, "BadUserInput"},
			{"no limit", map[string]any{"featureId": "seats", "period": "LIFETIME"}, "BadUserInput"},
		} {
			if a := b.ask(grant, input(row.grant)); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != row.code {
				t.Errorf("%s: %+v, want %s", row.name, a.Errors, row.code)
			}
		}
		a := b.ask(`mutation{revokePromotionalEntitlement(input:{customerId:"c1",featureId:"seats"}){status}}`, nil)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "PromotionalEntitlementNotFoundError" {
			t.Errorf("revoked twice: %+v", a.Errors)
		}
	})
}

func TestCustomersAreImportedUpdatedAndBroughtBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.must(`mutation{importOneCustomer(input:{refId:"c1",name:"Old",email:"a@example.com"}){id}}`, nil)
		b.must(`mutation{updateOneCustomer(input:{customerId:"c1",name:"New",email:null,additionalMetaData:{tier:["gold",1]}}){id}}`, nil)
		const read = `{getCustomerByRefId(input:{customerId:"c1"}){name email additionalMetaData hasActiveSubscription}}`
		c := b.must(read, nil)["getCustomerByRefId"].(map[string]any)
		if c["name"] != "New" || c["email"] != nil || c["hasActiveSubscription"] != false || c["additionalMetaData"].(map[string]any)["tier"] == nil {
			t.Errorf("customer = %v", c)
		}
		b.must(`mutation{archiveCustomer(input:{customerId:"c1"}){id}}`, nil)
		if a := b.ask(`mutation{updateOneCustomer(input:{customerId:"c1"}){id}}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "EntityIsArchivedError" {
			t.Errorf("update of an archived customer: %+v", a.Errors)
		}
		b.must(`mutation{unarchiveCustomer(input:{customerId:"c1"}){id}}`, nil)
		if r := b.Snapshot("c1", "").AccessDeniedReason; r != "NoActiveSubscription" {
			t.Errorf("brought back: %q", r)
		}
		if c := b.must(`{getCustomerByRefId(input:{customerId:"nobody"}){id}}`, nil); c["getCustomerByRefId"] != nil {
			t.Errorf("nobody = %v, want null", c)
		}
	})
}

func TestActiveSubscriptionsByResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.provision("c1", "r1", "starter")
		for _, row := range []struct {
			input string
			want  int
		}{{``, 2}, {`,resourceId:"r1"`, 1}, {`,resourceIds:["r1","unknown"]`, 1}, {`,resourceIds:["unknown"]`, 0}} {
			list := b.must(`{getActiveSubscriptions(input:{customerId:"c1"`+row.input+`}){resource{resourceId} customer{subscriptions{plan{basePlan{refId} product{refId} packageEntitlements{__typename}}}}}}`, nil)
			if n := len(list["getActiveSubscriptions"].([]any)); n != row.want {
				t.Errorf("%q: %d subscriptions, want %d", row.input, n, row.want)
			}
		}
		a := b.ask(`{getActiveSubscriptions(input:{customerId:"c1",resourceId:"unknown"}){id}}`, nil)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "CustomerResourceNotFound" {
			t.Errorf("unknown resource: %+v", a.Errors)
		}
	})
}

func TestScheduledDowngradeWaitsForThePeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "starter")
		b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "free", "scheduleStrategy": "END_OF_BILLING_PERIOD"}})
		if limit := *must(b.Snapshot("c1", "").Find("seats")).Limit; limit != 5 {
			t.Errorf("seats before the period ends = %v, want starter's 5", limit)
		}
		time.Sleep(31 * 24 * time.Hour)
		if limit := *must(b.Snapshot("c1", "").Find("seats")).Limit; limit != 2 {
			t.Errorf("seats after the period = %v, want free's 2", limit)
		}
	})
}

func TestBulkReportsAreCountedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		list := b.must(`mutation{reportUsageBulk(input:{usages:[{customerId:"c1",featureId:"seats",value:2},{customerId:"c1",featureId:"seats",value:3},{customerId:"c1",featureId:"seats",value:1,updateBehavior:SET}]}){currentUsage}}`, nil)["reportUsageBulk"].([]any)
		for i, want := range []float64{2, 5, 1} {
			if got := list[i].(map[string]any)["currentUsage"]; got != want {
				t.Errorf("report %d = %v, want %v", i, got, want)
			}
		}
	})
}

func TestEveryWayToSubscribeLeadsToTheSameSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		for _, c := range []string{"v2", "apply", "create"} {
			b.provision(c, "", "")
		}
		b.must(`mutation{provisionSubscriptionV2(input:{customerId:"v2",planId:"growth",skipTrial:true}){status}}`, nil)
		got := b.must(`mutation{applySubscription(input:{customerId:"apply",planId:"growth",skipTrial:true}){subscription{status} entitlementsV2{__typename}}}`, nil)["applySubscription"].(map[string]any)
		if n := len(got["entitlementsV2"].([]any)); n != 9 {
			t.Errorf("applySubscription answers %d entitlements, want 9", n)
		}
		b.must(`mutation{createSubscription(subscription:{customerId:"create",planId:"growth",isTrial:false,subscriptionId:"mine"}){subscriptionId}}`, nil)
		for _, c := range []string{"v2", "apply", "create"} {
			if n := len(b.Snapshot(c, "").Entitlements); n != 9 {
				t.Errorf("%s has %d entitlements, want 9", c, n)
			}
		}
		if s := b.must(`{getSubscription(input:{subscriptionId:"mine"}){status plan{refId}}}`, nil)["getSubscription"].(map[string]any); s["status"] != "ACTIVE" {
			t.Errorf("subscription = %v, want it active: no trial was asked for", s)
		}
		for _, row := range []struct{ input, code string }{
			{`customerId:"create",planId:"free",subscriptionId:"mine"`, "DuplicatedEntityNotAllowed"},
			{`customerId:"create",planId:"gone"`, "PlanNotFound"},
			{`customerId:"create",planId:"free",addons:[{addonId:"gone"}]`, "AddonNotFound"},
			{`customerId:"create",planId:"free",subscriptionEntitlements:[{featureId:"gone",usageLimit:1}]`, "BadUserInput"},
			{`customerId:"nobody",planId:"free"`, "CustomerNotFound"},
		} {
			a := b.ask(`mutation{provisionSubscriptionV2(input:{`+row.input+`}){status}}`, nil)
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != row.code {
				t.Errorf("%s: %+v, want %s", row.input, a.Errors, row.code)
			}
		}
	})
}

func TestSubscriptionIsUpdatedInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "")
		b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "starter", "subscriptionId": "s"}})
		ws := b.connect()
		ws.subscribe("e", `subscription{entitlementsUpdated{customerId entitlements{customerId feature{refId} usageLimit}}}`)
		const update = `mutation($input:UpdateSubscriptionInput!){updateOneSubscription(input:$input){cancellationDate addons{quantity}}}`
		b.must(update, map[string]any{"input": map[string]any{
			"subscriptionId": "s", "addons": []any{map[string]any{"addonId": "extra-seats"}},
			"subscriptionEntitlements": []any{map[string]any{"featureId": "api-calls", "usageLimit": 7, "resetPeriod": "MONTH"}},
			"cancellationDate":         time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		}})
		if ev := ws.wantNext("e", "entitlementsUpdated"); limits(ev["entitlements"])["seats"] != 10.0 || limits(ev["entitlements"])["api-calls"] != 7.0 {
			t.Errorf("older event = %v, want ten seats and seven calls", ev)
		}
		got := b.must(update, map[string]any{"input": map[string]any{"subscriptionId": "s", "cancellationDate": nil}})["updateOneSubscription"].(map[string]any)
		if got["cancellationDate"] != nil || len(got["addons"].([]any)) != 1 {
			t.Errorf("updated = %v, want the cancellation taken back and the add-on kept", got)
		}
		time.Sleep(2 * time.Hour)
		if limit := *must(b.Snapshot("c1", "").Find("api-calls")).Limit; limit != 7 {
			t.Errorf("api-calls = %v, want the custom 7", limit)
		}
		if a := b.ask(update, map[string]any{"input": map[string]any{"subscriptionId": "gone"}}); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "SubscriptionNotFound" {
			t.Errorf("unknown subscription: %+v", a.Errors)
		}
	})
}

func TestMigrationToTheLatestPlanIsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "")
		b.must(subscribeTo, map[string]any{"input": map[string]any{"customerId": "c1", "planId": "free", "subscriptionId": "s"}})
		if err := b.PublishPlan(Plan{ID: "free", Product: "app", Entitlements: []Entitlement{{Feature: "sso"}}}, NewCustomers); err != nil {
			t.Fatal(err)
		}
		const migrate = `mutation{migrateSubscriptionToLatest(input:{subscriptionId:"s"}){plan{versionNumber}}}`
		got := b.must(migrate, nil)["migrateSubscriptionToLatest"].(map[string]any)["plan"].(map[string]any)
		if _, ok := b.Snapshot("c1", "").Find("sso"); !ok || got["versionNumber"] != 2.0 {
			t.Errorf("migrated to %v, want version 2 with sso", got)
		}
		if a := b.ask(migrate, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "SubscriptionAlreadyOnLatestPlanError" {
			t.Errorf("migrated twice: %+v", a.Errors)
		}
	})
}
