package raw

import (
	"fmt"
	"strings"
	"time"
)

// stampLayout makes stamps that are as long as Stigg's.
const stampLayout = "2006-01-02T15:04:05.000Z"

// Limit is the usage limit of every entitlement, and Used what every customer has used of it at first.
const (
	Limit = 1000
	Used  = 17
)

// element is one metered entitlement, with the texts that people read, and as long as they are: a set of twenty has 19 kB.
func element(feature string, usage int, stamp string) string {
	return fmt.Sprintf(`{"__typename":"FeatureEntitlement","isGranted":true,"accessDeniedReason":null,"feature":{"refId":"%[1]s","featureType":"NUMBER",`+
		`"meterType":"Incremental","displayName":"Calls of the service %[1]s","description":"How often the service may be called in a month by all members `+
		`of the organisation together, retries included, whether or not the calls succeed; calls of the sandbox are free and are not counted here, nor are those that the service answers from its own cache",`+
		`"featureUnits":"call","featureUnitsPlural":"calls"},"usageLimit":%[2]d,"hasUnlimitedUsage":false,"hasSoftLimit":false,"currentUsage":%[3]d,`+
		`"enumValues":null,"resetPeriod":"MONTH","usagePeriodAnchor":"2026-01-15T08:00:00.000Z","usagePeriodStart":%[4]s,"usagePeriodEnd":%[5]s,`+
		`"entitlementUpdatedAt":"%[6]s","usageUpdatedAt":"%[6]s","validUntil":null,"creditRate":null}`,
		feature, Limit, usage, periodStart, periodEnd, stamp)
}

// The period is the month around now, so that no usage is out of date.
var (
	periodStart = time.Now().UTC().AddDate(0, 0, -7).Format(`"` + stampLayout + `"`)
	periodEnd   = time.Now().UTC().AddDate(0, 0, 23).Format(`"` + stampLayout + `"`)
)

func elements(features []string, usage int, stamp string) string {
	list := make([]string, len(features))
	for i, id := range features {
		list[i] = element(id, usage, stamp)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// reply answers a fetch.
func reply(features []string) string {
	stamp := time.Now().UTC().Add(-time.Hour).Format(stampLayout) // nothing has happened lately
	return `{"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":` + elements(features, Used, stamp) + `}}}`
}

// setEvent is what the subscription entitlements brings, usageEvent what the subscription usage does.
func setEvent(customer string, features []string, usage int, at time.Time) string {
	return `{"id":"entitlements","type":"next","payload":{"data":{"entitlementsUpdatedV2":{"customerId":"` + customer +
		`","resourceId":null,"accessDeniedReason":null,"entitlements":` + elements(features, usage, at.UTC().Format(stampLayout)) + `}}}}`
}

func usageEvent(customer, feature string, usage int, at time.Time) string {
	return fmt.Sprintf(`{"id":"usage","type":"next","payload":{"data":{"usageUpdatedV2":{"customerId":"%s","resourceId":null,`+
		`"entitlementReference":{"id":"%s","type":"FEATURE"},"usage":{"currentUsage":%d,"usageUpdatedAt":"%s","usagePeriodStart":%s,"usagePeriodEnd":%s}}}}}`,
		customer, feature, usage, at.UTC().Format(stampLayout), periodStart, periodEnd)
}
