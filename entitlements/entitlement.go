package entitlements

import (
	"slices"
	"time"
)

// Entitlement is one entitlement as it read at the moment of a decision: a small handle into packed, immutable data. The zero
// value stands for "no such entitlement"; its accessors return zero values.
type Entitlement struct {
	snapshot *Snapshot
	now      Instant
	pending  float64 // at that moment
	index    int32
}

// Exists reports whether the set holds the entitlement that was asked for.
func (e Entitlement) Exists() bool { return e.snapshot != nil }

var (
	noDefinition definition
	noStamps     stamps
	noRecord     record
)

func (e Entitlement) definition() *definition {
	if e.snapshot == nil {
		return &noDefinition
	}
	return e.snapshot.shape.defs[e.index]
}

func (e Entitlement) stamps() *stamps {
	if e.snapshot == nil {
		return &noStamps
	}
	return e.snapshot.stampsAt(int(e.index))
}

func (e Entitlement) record() *record {
	if e.snapshot == nil {
		return &noRecord
	}
	return e.snapshot.at(int(e.index))
}

// usage returns the record with the usage of the period that holds e.now.
func (e Entitlement) usage() record {
	r := *e.record()
	if r.periodOver(e.now) {
		r.used.Current = 0
		r.used.PeriodStart, r.used.PeriodEnd, _ = PeriodAt(e.stamps().anchor, e.definition().resetPeriod, e.now)
	}
	return r
}

// periodOver reports whether the usage belongs to a period that ended before now (rule 9 of package syncer). A wallet's usage is
// what it has paid out in all, so it does not start again by itself: the end of its period asks the server instead (see
// NewSnapshot).
func (r *record) periodOver(now Instant) bool {
	return r.used.PeriodEnd != 0 && r.used.PeriodEnd < now && r.typ != TypeCredit
}

// Ref names the entitlement within its set.
func (e Entitlement) Ref() Ref { return e.definition().ref }

// FeatureID returns the feature's refId; empty for a wallet.
func (e Entitlement) FeatureID() string {
	if r := e.Ref(); r.Kind == KindFeature {
		return r.ID
	}
	return ""
}

// CurrencyID returns the wallet's currency; empty for a feature.
func (e Entitlement) CurrencyID() string {
	if r := e.Ref(); r.Kind == KindCredit {
		return r.ID
	}
	return ""
}

// Type says which question the entitlement answers; TypeUnspecified when the server used one this package does not know.
func (e Entitlement) Type() Type { return e.record().typ }

// FeatureType returns the server's word for the kind of feature.
func (e Entitlement) FeatureType() FeatureType { return e.definition().featureType }

// MeterType returns the server's word for how usage is counted; empty when it sent none.
func (e Entitlement) MeterType() MeterType { return e.definition().meterType }

// DisplayName is the name shown to people.
func (e Entitlement) DisplayName() string { return e.definition().displayName }

// Description is the text shown to people.
func (e Entitlement) Description() string { return e.definition().description }

// Units returns the names of one unit and of several ("seat", "seats").
func (e Entitlement) Units() (singular, plural string) {
	it := e.definition()
	return it.units, it.unitsPlural
}

// IsGranted is the server's own verdict, before usage is looked at.
func (e Entitlement) IsGranted() bool { return e.record().flags&flagGranted != 0 }

// AccessDeniedReason is the server's reason for denying the entitlement as a whole; empty when it has none.
func (e Entitlement) AccessDeniedReason() Reason {
	if e.snapshot == nil {
		return ""
	}
	return e.snapshot.reasonAt(int(e.index))
}

// UsageLimit returns the limit in the feature's units: the value of a numeric feature, the total granted of a wallet. It is
// false when the server set none; check [Entitlement.HasUnlimitedUsage] for what that means.
func (e Entitlement) UsageLimit() (limit float64, ok bool) {
	r := e.record()
	return r.limit, r.flags&flagHasLimit != 0
}

// HasUnlimitedUsage reports whether there is no limit at all.
func (e Entitlement) HasUnlimitedUsage() bool { return e.record().flags&flagUnlimited != 0 }

// HasSoftLimit reports whether access goes on beyond the limit.
func (e Entitlement) HasSoftLimit() bool { return e.record().flags&flagSoftLimit != 0 }

// CurrentUsage returns what has been used in the period that holds the moment of the decision, in the feature's units: what the
// server said last, and with it the [Entitlement.PendingUsage].
func (e Entitlement) CurrentUsage() float64 { return withPending(e.usage().used.Current, e.pending) }

// PendingUsage returns what this process has reported, or reserved, and the server's last word does not show yet; zero when there
// is nothing. Of a wallet it is what that will cost.
func (e Entitlement) PendingUsage() float64 { return e.pending }

// Remaining returns the limit less the usage, not below zero. It is false for an unlimited entitlement and for one without
// usage (boolean, enum, numeric).
func (e Entitlement) Remaining() (remaining float64, ok bool) {
	r := e.usage()
	if r.flags&flagUnlimited != 0 || (r.typ != TypeMetered && r.typ != TypeCredit) {
		return 0, false
	}
	return max(0, r.limit-withPending(r.used.Current, e.pending)), true
}

// ResetPeriod returns how often usage starts again.
func (e Entitlement) ResetPeriod() ResetPeriod { return e.definition().resetPeriod }

// UsagePeriodAnchor returns the moment that usage periods are counted from; zero when unknown.
func (e Entitlement) UsagePeriodAnchor() time.Time { return e.stamps().anchor.Time() }

// UsagePeriod returns the bounds of the period that holds the moment of the decision; zero times when unknown.
func (e Entitlement) UsagePeriod() (start, end time.Time) {
	u := e.usage().used
	return u.PeriodStart.Time(), u.PeriodEnd.Time()
}

// EnumValues returns the values an enum feature grants, in a slice of the caller's own.
func (e Entitlement) EnumValues() []string { return slices.Clone(e.definition().enumValues) }

// HasEnumValue reports whether an enum feature grants v. It does not allocate.
func (e Entitlement) HasEnumValue(v string) bool {
	return slices.Contains(e.definition().enumValues, v)
}

// CreditRate returns what one unit of the feature costs and in which currency; ok is false when no wallet pays for it.
func (e Entitlement) CreditRate() (amount float64, currencyID string, ok bool) {
	it := e.definition()
	return it.creditRate, it.creditCurrencyID, it.creditCurrencyID != ""
}

// EntitlementUpdatedAt returns the server's stamp of the grant; the zero time when it sent none.
func (e Entitlement) EntitlementUpdatedAt() time.Time { return e.stamps().updatedAt.Time() }

// UsageUpdatedAt returns the server's stamp of the usage; the zero time when it sent none.
func (e Entitlement) UsageUpdatedAt() time.Time { return e.usage().used.UpdatedAt.Time() }

// ValidUntil returns when the server wants this entitlement recalculated; the zero time when it named no moment.
func (e Entitlement) ValidUntil() time.Time { return e.stamps().validUntil.Time() }
