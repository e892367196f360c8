package raw

import (
	"fmt"
	"strings"
	"time"
)

// stampLayout makes stamps that are as long as Stigg's.
const stampLayout = "2006-01-02T15:04:05.000Z"

// Limit is the usage limit of every entitlement. A customer has used less at first.
const Limit = 1000

// variants is how many replies there are: no two customers have used the same, at the same moments, in the same month.
const variants = 64

// variantOf is a customer's.
func variantOf[T string | []byte](customer T) int {
	sum := 0
	for i := range len(customer) {
		sum = sum*31 + int(customer[i])
	}
	return int(uint(sum) % variants)
}

// figures are what one customer's entitlement does not have in common with another's.
type figures struct {
	usage            int
	granted, used    time.Time // when it was granted, and when it was used last
	anchor, from, to time.Time // the subscription's beginning, and its month around now
}

// began is when there was this server. Nothing happened in the hour before.
var began = time.Now()

// figuresOf are those of a customer's i-th entitlement at first.
func figuresOf(variant, i int) figures {
	from := began.Add(-time.Duration(variant%25+1)*24*time.Hour - time.Duration(variant)*time.Minute)
	return figures{
		usage:   (variant*7 + i*13) % (Limit - 100),
		granted: began.Add(-time.Duration(variant+1+i%3) * time.Hour), // by the plan, by an addon, and by hand
		used:    began.Add(-time.Hour - time.Duration(variant*97+i*61)*time.Second/10),
		anchor:  from.AddDate(0, -3, 0), from: from, to: from.AddDate(0, 0, 30),
	}
}

// element is one metered entitlement, with the texts that people read, and as long as they are: a set of twenty has 19 kB.
func element(feature string, f figures) string {
	return fmt.Sprintf(`{"__typename":"FeatureEntitlement","isGranted":true,"accessDeniedReason":null,"feature":{"refId":"%[1]s","featureType":"NUMBER",`+
		`"meterType":"Incremental","displayName":"Calls of the service %[1]s","description":"How often the service may be called in a month by all members `+
		`of the organisation together, retries included, whether or not the calls succeed; calls of the sandbox are free and are not counted here, `+
		`nor are those that the service answers from its own cache",`+
		`"featureUnits":"call","featureUnitsPlural":"calls"},"usageLimit":%[2]d,"hasUnlimitedUsage":false,"hasSoftLimit":false,"currentUsage":%[3]d,`+
		`"enumValues":null,"resetPeriod":"MONTH","usagePeriodAnchor":"%[4]s","usagePeriodStart":"%[5]s","usagePeriodEnd":"%[6]s",`+
		`"entitlementUpdatedAt":"%[7]s","usageUpdatedAt":"%[8]s","validUntil":null,"creditRate":null}`,
		feature, Limit, f.usage, stamp(f.anchor), stamp(f.from), stamp(f.to), stamp(f.granted), stamp(f.used))
}

func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

func elements(features []string, figures func(i int) figures) string {
	list := make([]string, len(features))
	for i, id := range features {
		list[i] = element(id, figures(i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// reply answers a fetch.
func reply(features []string, variant int) string {
	return `{"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":` +
		elements(features, func(i int) figures { return figuresOf(variant, i) }) + `}}}`
}

// setEvent is what the subscription entitlements brings, and usageEvent what the subscription usage does.
func setEvent(customer string, features []string, usage int, at time.Time) string {
	variant := variantOf(customer)
	changed := func(i int) figures {
		f := figuresOf(variant, i)
		f.usage, f.granted, f.used = usage, at, at
		return f
	}
	return `{"id":"entitlements","type":"next","payload":{"data":{"entitlementsUpdatedV2":{"customerId":"` + customer +
		`","resourceId":null,"accessDeniedReason":null,"entitlements":` + elements(features, changed) + `}}}}`
}

func usageEvent(customer, feature string, usage int, at time.Time) string {
	f := figuresOf(variantOf(customer), 0)
	return fmt.Sprintf(`{"id":"usage","type":"next","payload":{"data":{"usageUpdatedV2":{"customerId":"%s","resourceId":null,`+
		`"entitlementReference":{"id":"%s","type":"FEATURE"},"usage":{"currentUsage":%d,"usageUpdatedAt":"%s","usagePeriodStart":"%s","usagePeriodEnd":"%s"}}}}}`,
		customer, feature, usage, stamp(at), stamp(f.from), stamp(f.to))
}
