package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// The checks that were reported are kept, the latest of them.
func TestReportedChecksAreKeptToABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		if list := b.EntitlementChecks(); list == nil || len(list) != 0 {
			t.Errorf("none: %#v", list)
		}
		b.drive("reportEntitlementCheckRequested", props{"customerId": "first", "featureId": "sso", "entitlementCheckResult": props{"hasAccess": true}})
		for i := range 2 * maxChecks {
			b.state.checks = append(b.state.checks, EntitlementCheck{CustomerID: fmt.Sprint(i), FeatureID: "sso"})
		}
		b.drive("reportEntitlementCheckRequested", props{"customerId": "last", "featureId": "sso", "entitlementCheckResult": props{"hasAccess": true}})
		list := b.EntitlementChecks()
		if len(list) != maxChecks || list[maxChecks-1].CustomerID != "last" || list[0].CustomerID != fmt.Sprint(maxChecks+1) || len(b.state.checks) != maxChecks {
			t.Errorf("%d checks from %+v to %+v, %d remembered", len(list), list[0], list[len(list)-1], len(b.state.checks))
		}
		if status, got := b.command("GET", "/checks", ""); status != 200 || !strings.HasSuffix(got, `"customerId":"last","featureId":"sso","hasAccess":true}]`) {
			t.Errorf("over the control interface: %d …%s", status, got[max(0, len(got)-200):])
		}
		if a := b.ask(`mutation{reportEntitlementCheckRequested(entitlementCheckRequested:{customerId:"",featureId:"x",entitlementCheckResult:{hasAccess:true}})}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput {
			t.Errorf("of nobody: %+v", a.Errors)
		}
	})
}
