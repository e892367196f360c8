package entitlements

import "fmt"

// Kind tells a feature's entitlement from a credit wallet.
type Kind uint8

// The two kinds of entitlement in Stigg's V2 API (EntitlementUnion).
const (
	KindFeature Kind = iota
	KindCredit
)

// Type is what an entitlement is to a program: which question can be asked of it. As an expectation in a [Query], the zero
// value expects nothing; as the answer of [Entitlement.Type] it says that the server used a type this package does not know.
type Type uint8

// The types of Stigg's typed getters. A number without a meter is Numeric (a configuration), with one it is Metered.
const (
	TypeUnspecified Type = iota
	TypeBoolean
	TypeNumeric
	TypeMetered
	TypeEnum
	TypeCredit
)

// String returns the type's name in lower case.
func (t Type) String() string {
	switch t {
	case TypeBoolean:
		return "boolean"
	case TypeNumeric:
		return "numeric"
	case TypeMetered:
		return "metered"
	case TypeEnum:
		return "enum"
	case TypeCredit:
		return "credit"
	}
	return "unspecified"
}

// FeatureType is Stigg's FeatureType. Values beyond the three known ones are kept as sent.
type FeatureType string

// The feature types of schema.graphql.
const (
	FeatureBoolean FeatureType = "BOOLEAN"
	FeatureNumber  FeatureType = "NUMBER"
	FeatureEnum    FeatureType = "ENUM"
)

// MeterType is Stigg's MeterType. Empty means that the server sent null.
type MeterType string

// The meter types of schema.graphql. Incremental usage starts again with each period; fluctuating usage (seats) does not.
const (
	MeterNone        MeterType = "None"
	MeterFluctuating MeterType = "Fluctuating"
	MeterIncremental MeterType = "Incremental"
)

// ResetPeriod is how often metered usage starts again (EntitlementResetPeriod in schema.graphql). Zero means never, or a
// period this package does not know.
type ResetPeriod uint8

// The reset periods of schema.graphql.
const (
	ResetNever ResetPeriod = iota
	ResetHour
	ResetDay
	ResetWeek
	ResetMonth
	ResetYear
)

// ParseResetPeriod reads Stigg's spelling (HOUR, DAY, WEEK, MONTH, YEAR); anything else is ResetNever.
func ParseResetPeriod(s string) ResetPeriod {
	switch s {
	case "HOUR":
		return ResetHour
	case "DAY":
		return ResetDay
	case "WEEK":
		return ResetWeek
	case "MONTH":
		return ResetMonth
	case "YEAR":
		return ResetYear
	}
	return ResetNever
}

// String returns Stigg's spelling, or the empty string for ResetNever.
func (p ResetPeriod) String() string {
	switch p {
	case ResetHour:
		return "HOUR"
	case ResetDay:
		return "DAY"
	case ResetWeek:
		return "WEEK"
	case ResetMonth:
		return "MONTH"
	case ResetYear:
		return "YEAR"
	}
	return ""
}

// Origin says where a decision came from, and so how far it can be trusted.
type Origin uint8

const (
	// Fallback: no usable data; the answer is what the program configured for that case. The zero Decision is a Fallback.
	Fallback Origin = iota
	// Stale: from memory, but not confirmed since the stream was lost, or under question. Decision.AsOf says how old.
	Stale
	// Fetched: this call waited for the server's answer.
	Fetched
	// Live: from memory, and followed: by the open stream, or by polling within the configured interval.
	Live
)

// String returns the origin's name in lower case.
func (o Origin) String() string {
	switch o {
	case Stale:
		return "stale"
	case Fetched:
		return "fetched"
	case Live:
		return "live"
	}
	return "fallback"
}

// MarshalText implements encoding.TextMarshaler: in JSON, a log for one, an origin is its name.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Origin) UnmarshalText(text []byte) error {
	for _, known := range []Origin{Fallback, Stale, Fetched, Live} {
		if known.String() == string(text) {
			*o = known
			return nil
		}
	}
	return fmt.Errorf("unknown origin %q: want fallback, stale, fetched or live", text)
}
