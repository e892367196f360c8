package entitlements

import (
	"math"
	"slices"
	"unsafe"
)

// definition is what an entitlement of one customer has in common with those of others: what the feature or the currency is, and what
// a plan says of it besides figures and moments. It is immutable, and shared.
type definition struct {
	ref  Ref
	typ  Type
	hash uint64

	featureType FeatureType
	meterType   MeterType
	resetPeriod ResetPeriod
	enumValues  []string
	reason      Reason // the server's, when this package does not know it: see reasonCode

	creditRate       float64
	creditCurrencyID string

	displayName, description, units, unitsPlural string
}

// definitions are those in use, of all snapshots.
var definitions pool[definition]

// define returns the definition of g's entitlement.
func define(g *Grant) *definition {
	h := hashRef(g.Ref())
	h ^= (math.Float64bits(g.CreditRate) + uint64(len(g.EnumValues))<<8 + uint64(g.ResetPeriod)) * k2
	if d := definitions.find(h, func(d *definition) bool { return d.describes(g) }); d != nil {
		return d
	}
	d := &definition{
		ref: g.Ref(), typ: g.Type(), hash: h,
		featureType: g.FeatureType, meterType: g.MeterType, resetPeriod: g.ResetPeriod, enumValues: g.EnumValues,
		creditRate: g.CreditRate, creditCurrencyID: g.CreditCurrencyID,
		displayName: g.DisplayName, description: g.Description, units: g.Units, unitsPlural: g.UnitsPlural,
	}
	if reasonCode(g.AccessDeniedReason) == reasonOther {
		d.reason = g.AccessDeniedReason
	}
	definitions.add(h, d)
	return d
}

// describes reports whether d is what define makes of g.
func (d *definition) describes(g *Grant) bool {
	return d.ref.ID == g.ID && d.ref.Kind == g.Kind &&
		d.featureType == g.FeatureType && d.meterType == g.MeterType && d.resetPeriod == g.ResetPeriod &&
		d.creditRate == g.CreditRate && d.creditCurrencyID == g.CreditCurrencyID &&
		d.displayName == g.DisplayName && d.description == g.Description && d.units == g.Units && d.unitsPlural == g.UnitsPlural &&
		slices.Equal(d.enumValues, g.EnumValues) &&
		(d.reason == g.AccessDeniedReason || d.reason == "" && reasonCode(g.AccessDeniedReason) != reasonOther)
}

// same reports whether d and o say the same.
func (d *definition) same(o *definition) bool {
	return d == o || d.ref == o.ref && d.typ == o.typ &&
		d.featureType == o.featureType && d.meterType == o.meterType && d.resetPeriod == o.resetPeriod && d.reason == o.reason &&
		d.creditRate == o.creditRate && d.creditCurrencyID == o.creditCurrencyID &&
		d.displayName == o.displayName && d.description == o.description && d.units == o.units && d.unitsPlural == o.unitsPlural &&
		slices.Equal(d.enumValues, o.enumValues)
}

// size estimates the bytes that d keeps alive.
func (d *definition) size() int {
	n := int(unsafe.Sizeof(*d))
	for _, s := range [...]string{d.ref.ID, d.displayName, d.description, d.units, d.unitsPlural, d.creditCurrencyID, string(d.reason)} {
		n += textSize(s)
	}
	for _, v := range d.enumValues {
		n += int(unsafe.Sizeof(v)) + textSize(v)
	}
	return n
}

// textSize estimates the bytes of a string's text: the allocator rounds up.
func textSize(s string) int { return (len(s) + 15) &^ 15 }

// reasonCode is a reason in a byte, as records hold it: 0 for none, reasonOther for one that this package does not know.
func reasonCode(r Reason) uint8 {
	if r == "" {
		return 0
	}
	if i := slices.Index(reasons[:], r); i >= 0 {
		return uint8(i + 1)
	}
	return reasonOther
}

const reasonOther = math.MaxUint8

var reasons = [...]Reason{
	BudgetExceeded, CustomerIsArchived, CustomerNotFound, CustomerResourceNotFound, EntitlementNotFound, FeatureNotFound,
	FeatureTypeMismatch, InsufficientCredits, NoActiveSubscription, NoFeatureEntitlementInSubscription, RequestedUsageExceedingLimit,
	RequestedValuesMismatch, Revoked, Unknown,
}
