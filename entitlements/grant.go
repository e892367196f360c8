package entitlements

// Grant is one entitlement spelled out as the server said it: the input of [NewSnapshot]. Fields follow FeatureEntitlement and
// CreditEntitlement in schema.graphql; a null or absent field is the zero value unless said otherwise.
type Grant struct {
	// Kind tells a feature from a credit wallet; ID is the feature's refId or the wallet's currencyId.
	Kind Kind
	ID   string

	// FeatureType and MeterType are of a feature; an unknown FeatureType is kept and decides as Unknown.
	FeatureType FeatureType
	MeterType   MeterType

	DisplayName string
	Description string
	Units       string // featureUnits, or the currency's unitSingular
	UnitsPlural string

	IsGranted          bool
	AccessDeniedReason Reason

	// UsageLimit is the limit in the feature's units (total granted, for a wallet); HasUsageLimit is false when the server sent
	// null, which decides as a limit of zero.
	UsageLimit        float64
	HasUsageLimit     bool
	HasUnlimitedUsage bool
	HasSoftLimit      bool
	EnumValues        []string

	ResetPeriod       ResetPeriod
	UsagePeriodAnchor Instant
	UsagePeriodStart  Instant
	UsagePeriodEnd    Instant
	// CurrentUsage is what has been used (total consumed, for a wallet); null on the wire decides as zero.
	CurrentUsage float64

	EntitlementUpdatedAt Instant
	UsageUpdatedAt       Instant
	ValidUntil           Instant

	// CreditRate is what one unit of the feature costs in credits of CreditCurrencyID; both zero when no wallet pays.
	CreditRate       float64
	CreditCurrencyID string
}

// Ref returns the name of the entitlement within its set.
func (g *Grant) Ref() Ref { return Ref{g.Kind, g.ID} }

// Usage is how much of one entitlement is used, and since when that is known: the content of a usageUpdatedV2 event, or the
// answer to a report.
type Usage struct {
	Ref     Ref
	Current float64
	// UpdatedAt is the server's own stamp. Zero when it gave none.
	UpdatedAt   Instant
	PeriodStart Instant
	PeriodEnd   Instant
	// Seq is the local order in which this client learned the value; package syncer sets and compares it.
	Seq uint64
}

// Figures is a [Usage] without the name of what is used: what two usages of one entitlement are compared by.
type Figures struct {
	Current     float64
	UpdatedAt   Instant
	PeriodStart Instant
	PeriodEnd   Instant
	Seq         uint64
}

// Figures returns all of the usage but the name.
func (u *Usage) Figures() Figures {
	return Figures{u.Current, u.UpdatedAt, u.PeriodStart, u.PeriodEnd, u.Seq}
}
