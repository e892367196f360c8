package emulator

import (
	"testing"
	"testing/synctest"
	"time"
)

// Features of a group are given together, each on its own terms, and taken back together, until they are unlinked.
func TestAFeatureGroupIsPromotedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, `featureGroups: [{id: g, features: [sso, calls]}, {id: h, features: [sso]}]`)
		l.provision("c1", "", "free")
		const customer = `customerId:"c1"`
		const all = customer + `,featureGroupId:"g",promotionalEntitlements:[{featureId:"sso",period:ONE_WEEK},{featureId:"calls",usageLimit:7,period:LIFETIME}]`
		ears := l.listen()
		l.write("grantPromotionalEntitlementsGroup", all, `{id}`)
		ears.want("c1 calls=7 seats=1 sso")

		const grant, revoke = "grantPromotionalEntitlementsGroup", "revokePromotionalEntitlement"
		for _, row := range []struct{ field, input, code string }{
			{grant, customer + `,featureGroupId:"g",promotionalEntitlements:[{featureId:"sso",period:LIFETIME}]`, "FeatureGroupMissingFeaturesError"},
			{grant, customer + `,featureGroupId:"h",promotionalEntitlements:[{featureId:"seats",usageLimit:1,period:LIFETIME}]`, "FeatureNotBelongToFeatureGroupError"},
			{grant, customer + `,featureGroupId:"h",promotionalEntitlements:[{featureId:"sso",period:LIFETIME},{featureId:"sso",period:LIFETIME}]`, codeBadUserInput},
			{grant, customer + `,featureGroupId:"h",promotionalEntitlements:[{featureId:"sso",period:LIFETIME}]`, "CanNotUpdateEntitlementsFeatureGroup"},
			{grant, customer + `,featureGroupId:"g",promotionalEntitlements:[{featureId:"sso",period:CUSTOM},{featureId:"calls",usageLimit:9,period:LIFETIME}]`, codeBadUserInput},
			{"grantPromotionalEntitlements", customer + `,promotionalEntitlements:[{featureId:"sso",period:LIFETIME}]`, "CanNotUpdateEntitlementsFeatureGroup"},
			{revoke, customer + `,featureId:"sso"`, "EntitlementBelongsToFeatureGroupError"},
			{"revokePromotionalEntitlementsGroup", customer + `,featureGroupId:"h"`, "PromotionalEntitlementNotFoundError"},
		} {
			l.wantCode(row.field, row.input, row.code)
		}
		l.wantHas("c1", "calls=7 seats=1 sso") // what was refused changed nothing

		// The group changes in the catalog: what was given stays, and granted again it is what the group is now.
		l.check(l.UpdateCatalog(mustParse(t, lifeCatalog+`featureGroups: [{id: g, features: [sso]}]`), NewCustomers))
		l.wantHas("c1", "calls=7 seats=1 sso")
		l.write(grant, customer+`,featureGroupId:"g",promotionalEntitlements:[{featureId:"sso",period:ONE_MONTH}]`, `{id}`)
		l.wantHas("c1", "seats=1 sso")

		other := newBench(t, Config{})
		other.load(l.dump())
		other.must(`mutation{unlinkPromotionalEntitlementsGroup(input:{customerId:"c1",featureGroupId:"g"}){id status}}`, nil)
		other.must(`mutation{revokePromotionalEntitlement(input:{customerId:"c1",featureId:"sso"}){id}}`, nil) // by itself, from now on

		l.write("revokePromotionalEntitlementsGroup", customer+`,featureGroupId:"g"`, `{id status}`)
		l.wantHas("c1", "seats=1")
		l.wantCode("unlinkPromotionalEntitlementsGroup", customer+`,featureGroupId:"g"`, "PromotionalEntitlementNotFoundError")

		// Each ends by itself; what is left of the group is taken back.
		l.check(l.UpdateCatalog(mustParse(t, lifeCatalog+`featureGroups: [{id: g, features: [sso, calls]}]`), NewCustomers))
		l.write(grant, all, `{id}`)
		l.until(8 * 24 * time.Hour)
		l.wantHas("c1", "calls=7 seats=1")
		l.write("revokePromotionalEntitlementsGroup", customer+`,featureGroupId:"g"`, `{id}`)
		l.wantHas("c1", "seats=1")
	})
}

func mustParse(t *testing.T, text string) *Catalog {
	t.Helper()
	c, err := ParseCatalog([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
