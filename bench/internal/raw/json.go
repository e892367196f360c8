package raw

import (
	"strconv"
	"time"
)

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

// element appends one metered entitlement, with the texts that people read, and as long as they are: a set of twenty has 19 kB. Like all
// that makes events it leaves no garbage: its collection would be taken for the client's time.
func element(b []byte, feature string, f figures) []byte {
	b = append(append(b, `{"__typename":"FeatureEntitlement","isGranted":true,"accessDeniedReason":null,"feature":{"refId":"`...), feature...)
	b = append(append(b, `","featureType":"NUMBER","meterType":"Incremental","displayName":"Calls of the service `...), feature...)
	b = append(b, `","description":"How often the service may be called in a month by all members `+
		`of the organisation together, retries included, whether or not the calls succeed; calls of the sandbox are free and are not counted here, `+
		`nor are those that the service answers from its own cache",`+
		`"featureUnits":"call","featureUnitsPlural":"calls"},"usageLimit":`...)
	b = strconv.AppendInt(b, Limit, 10)
	b = strconv.AppendInt(append(b, `,"hasUnlimitedUsage":false,"hasSoftLimit":false,"currentUsage":`...), int64(f.usage), 10)
	b = stamp(append(b, `,"enumValues":null,"resetPeriod":"MONTH","usagePeriodAnchor":`...), f.anchor)
	b = stamp(append(b, `,"usagePeriodStart":`...), f.from)
	b = stamp(append(b, `,"usagePeriodEnd":`...), f.to)
	b = stamp(append(b, `,"entitlementUpdatedAt":`...), f.granted)
	b = stamp(append(b, `,"usageUpdatedAt":`...), f.used)
	return append(b, `,"validUntil":null,"creditRate":null}`...)
}

// stamp appends a moment as Stigg writes it.
func stamp(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`)
}

// elements appends a list of them.
func elements(b []byte, features []string, figures func(i int) figures) []byte {
	b = append(b, '[')
	for i, id := range features {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, id, figures(i))
	}
	return append(b, ']')
}

// reply answers a fetch.
func reply(features []string, variant int) []byte {
	b := []byte(`{"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":`)
	return append(elements(b, features, func(i int) figures { return figuresOf(variant, i) }), "}}}"...)
}

// setEvent appends what the subscription entitlements brings.
func setEvent(b []byte, customer string, features []string, usage int, at time.Time) []byte {
	variant := variantOf(customer)
	b = append(append(b, `{"id":"entitlements","type":"next","payload":{"data":{"entitlementsUpdatedV2":{"customerId":"`...), customer...)
	b = append(b, `","resourceId":null,"accessDeniedReason":null,"entitlements":`...)
	b = elements(b, features, func(i int) figures {
		f := figuresOf(variant, i)
		f.usage, f.granted, f.used = usage, at, at
		return f
	})
	return append(b, "}}}}"...)
}

// usageEvent appends what the subscription usage brings.
func usageEvent(b []byte, customer, feature string, usage int, at time.Time) []byte {
	f := figuresOf(variantOf(customer), 0)
	b = append(append(b, `{"id":"usage","type":"next","payload":{"data":{"usageUpdatedV2":{"customerId":"`...), customer...)
	b = append(append(b, `","resourceId":null,"entitlementReference":{"id":"`...), feature...)
	b = strconv.AppendInt(append(b, `","type":"FEATURE"},"usage":{"currentUsage":`...), int64(usage), 10)
	b = stamp(append(b, `,"usageUpdatedAt":`...), at)
	b = stamp(append(b, `,"usagePeriodStart":`...), f.from)
	b = stamp(append(b, `,"usagePeriodEnd":`...), f.to)
	return append(b, "}}}}}"...)
}
