package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatIsNoStateIsSaid: each text that cannot be loaded is an error that names what is wrong, and changes nothing.
func TestWhatIsNoStateIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newBench(t, Config{Catalog: soldCatalog(t), EventDelay: time.Minute})
		a.live()
		text := a.dump()
		after := func(anchor, old, now string) string {
			t.Helper()
			before, rest, found := strings.Cut(text, anchor)
			if !found || !strings.Contains(rest, old) {
				t.Fatalf("the dump has no %s after %s", old, anchor)
			}
			return before + anchor + strings.Replace(rest, old, now, 1)
		}
		put := func(old, now string) string { t.Helper(); return after("", old, now) }
		b := newBench(t, Config{})
		b.provision("mine", "", "starter")
		before := b.dump()
		ws := b.connect()
		for _, row := range []struct{ name, text, field, says string }{
			{"nothing", " \n", "", "there is nothing in it"},
			{"torn", text[:len(text)/2], "", "cut short"},
			{"torn at the end", strings.TrimSpace(text)[:len(strings.TrimSpace(text))-1], "", "cut short"},
			{"not JSON", "features: []\n", "", "line 1 is not JSON"},
			{"broken JSON", put(`"name": "Acme",`, `"name": Acme,`), "", "is not JSON"},
			{"another's JSON", `{"plans":[]}`, "format", "missing"},
			{"no object", `[]`, "", "array"},
			{"another format", put(stateFormat, "stigg-sidecar-state"), "format", "stigg-sidecar-state"},
			{"newer", put(`"version": 1`, `"version": 2, "fresh": true`), "version", "newer"},
			{"no version", put(`"version": 1,`, ``), "version", "missing"},
			{"version 0", put(`"version": 1,`, `"version": 0,`), "version", "count from 1"},
			{"unknown field", put(`"name": "Acme",`, `"name": "Acme", "colour": "red",`), "colour", "no such field"},
			{"unknown field of a catalog", put(`"type": "boolean"`, `"type": "boolean", "colour": "red"`), "colour", "no such field"},
			{"two of them", text + text, "", "something follows"},
			{"trailing rubbish", text + "x", "", "something follows"},
			{"wrong type", put(`"name": "Acme",`, `"name": 7,`), "customers.name", "string"},
			{"no moment", put(`"now": "2000`, `"now": "soon`), "", "soon"},
			{"no now", put(`"now"`, `"began": "2000-01-01T00:00:00Z", "lastId": 1, "lastStamp"`), "now", "missing"},
			{"clock backwards", put(`"clockAhead": "36`, `"clockAhead": "-36`), "clockAhead", "duration"},
			{"no catalog", before[:strings.Index(before, `"catalogs"`)] + `"catalogs": [], "customers": []}`, "catalogs", "none"},
			{"a catalog of null", before[:strings.Index(before, `"catalogs"`)] + `"catalogs": [null], "customers": []}`, "catalogs[0]", "null"},
			{"a catalog that cannot be", after(`"plans"`, `"product": "app"`, `"product": "nowhere"`), "catalogs[0]", "nowhere"},
			{"a price beyond reach", put(`"amount": 20`, `"amount": 1e999999999`), "", "exponent"},
			{"unknown catalog", put(`"catalog": 1`, `"catalog": 7`), "customers[0].subscriptions[0].catalog", "catalogs[7]"},
			{"unknown plan", put(`"planId": "starter"`, `"planId": "platinum"`), "customers[0].subscriptions[0].planId", `"platinum"`},
			{"unknown feature", after(`"set":`, `"feature": "exports"`, `"feature": "desks"`), "customers[0].scopes[0].set[1].feature", `"desks"`},
			{"no customer id", put(`"id": "acme",`, ``), "customers[0].id", "missing"},
			{"a customer twice", put(`"id": "globex"`, `"id": "acme"`), "customers[1].id", "acme"},
			{"a subscription twice", put(`"id": "trial"`, `"id": "paid"`), "customers[1].subscriptions[0].id", "acme"},
			{"another's checkout", after(`"checkouts":`, `"customerId": "hooli"`, `"customerId": "acme"`), "customers[3].checkouts[0].customerId", "hooli"},
			{"a number that is none", put(`"used": "0.3"`, `"used": "much"`), "customers[0].scopes[0].meters[1].used", "digits"},
			{"a number beyond reach", put(`"used": "0.3"`, `"used": "1e999999999"`), "customers[0].scopes[0].meters[1].used", "digits"},
			{"a number with an exponent", put(`"used": "0.3"`, `"used": "3e-1"`), "customers[0].scopes[0].meters[1].used", "digits"},
			{"a metered feature without a meter", after(`"meters": [`, `"feature": "exports"`, `"feature": "desks"`), "customers[0].scopes[0].set[1]", "has no meter"},
			{"no scope of the customer's own", after(`"scopes": [`, `"set"`, `"resourceId": "r", "set"`), "customers[0].scopes", "missing"},
			{"a report of usage without its answer", after(`"young"`, `"usage": {`, `"credit": null, "usage": null}, {"customerId": "x", "feature": "x", "key": "x", "usage": {`), "reports.young[", "missing"},
			{"a period that is none", put(`"period": "month"`, `"period": "moon"`), "catalogs[0].plans[1].prices[0].period", "moon"},
			{"a coupon that takes nothing off", put(`"description": "of the house",`, `"percentOff": 5,`), "customers[0].subscriptions[0].coupon", "exactly one"},
			{"a price override that is none", put(`"featureId": "seats",`, `"featureId": 7,`), "customers[0].subscriptions[0].priceOverrides[0]", "string"},
			{"a report without an answer", put(`"key": "k1",`, `"key": "k1", "credit": {"amount": 1, "currentUsage": 1, "usageLimit": 1, "timestamp": "2000-01-01T00:00:00Z"},`), "reports.young[0].credit", "answer"},
			{"a coupon without a name of its own", put(`"id": "made-too"`, `"id": "made"`), "coupons[1].id", "before it"},
			{"a coupon that adds to the price", put(`"amount": 7.25`, `"amount": -7.25`), "coupons[1].amountsOff[0].amount", "positive"},
			{"a check of nobody", after(`"checks": [`, `"customerId": "acme",`, ``), "checks[0]", "customerId"},
			{"an event of nobody", after(`"events": [`, `"name": "signed-in",`, ``), "events[0]", "name"},
		} {
			err := b.Load(strings.NewReader(row.text))
			e, ok := err.(*StateError)
			if !ok || !strings.Contains(e.Field, row.field) || row.field == "" != (e.Field == "") || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%s: %v, want field %q, saying %q", row.name, err, row.field, row.says)
			}
		}
		if err := b.Load(iotestErr{}); err == nil || !strings.Contains(err.Error(), "unplugged") {
			t.Errorf("a reader that fails: %v", err)
		}
		if after := b.dump(); after != before {
			t.Errorf("texts that could not be loaded changed the state: %s", firstDifference(before, after))
		}
		ws.barrier() // and cut no socket
	})
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, fmt.Errorf("unplugged") }
