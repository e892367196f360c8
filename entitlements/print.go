package entitlements

import (
	"encoding/json"
	"log/slog"
	"time"
)

// MarshalJSON writes RFC 3339 in UTC, and null for the zero instant.
func (i Instant) MarshalJSON() ([]byte, error) {
	if i == 0 {
		return []byte("null"), nil
	}
	return i.Time().MarshalJSON()
}

// UnmarshalJSON reads what MarshalJSON writes.
func (i *Instant) UnmarshalJSON(text []byte) error {
	var t *time.Time
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	*i = 0
	if t != nil {
		*i = InstantOf(*t)
	}
	return nil
}

// LogValue implements slog.LogValuer: the answer, why, where it came from and how old it is, and of the entitlement what decided.
func (d Decision) LogValue() slog.Value {
	list := []slog.Attr{slog.Bool("has_access", d.HasAccess), slog.String("origin", d.Origin.String())}
	if d.AccessDeniedReason != "" {
		list = append(list, slog.String("reason", string(d.AccessDeniedReason)))
	}
	if d.AsOf != 0 {
		list = append(list, slog.Time("as_of", d.AsOf.Time()))
	}
	if e := d.Entitlement; e.Exists() {
		list = append(list, slog.Any("entitlement", e))
	}
	return slog.GroupValue(list...)
}

// LogValue implements slog.LogValuer: its name, and of what is counted the limit and the usage.
func (e Entitlement) LogValue() slog.Value {
	if !e.Exists() {
		return slog.Value{}
	}
	list := []slog.Attr{slog.String("id", e.Ref().ID), slog.String("type", e.Type().String())}
	if limit, ok := e.UsageLimit(); ok {
		list = append(list, slog.Float64("limit", limit))
	}
	if e.HasUnlimitedUsage() {
		list = append(list, slog.Bool("unlimited", true))
	}
	if t := e.Type(); t == TypeMetered || t == TypeCredit {
		list = append(list, slog.Float64("usage", e.CurrentUsage()))
	}
	if e.PendingUsage() != 0 {
		list = append(list, slog.Float64("pending", e.PendingUsage()))
	}
	return slog.GroupValue(list...)
}

// MarshalJSON writes what the accessors say, under Stigg's names for it; null for an entitlement that does not exist. It is for logs
// and for showing: there is no way back.
func (e Entitlement) MarshalJSON() ([]byte, error) {
	if !e.Exists() {
		return []byte("null"), nil
	}
	limit, hasLimit := e.UsageLimit()
	unit, units := e.Units()
	start, end := e.UsagePeriod()
	rate, currency, _ := e.CreditRate()
	out := struct {
		FeatureID            string      `json:"featureId,omitempty"`
		CurrencyID           string      `json:"currencyId,omitempty"`
		Type                 string      `json:"type"`
		FeatureType          FeatureType `json:"featureType,omitempty"`
		MeterType            MeterType   `json:"meterType,omitempty"`
		DisplayName          string      `json:"displayName,omitempty"`
		Description          string      `json:"description,omitempty"`
		Units                string      `json:"units,omitempty"`
		UnitsPlural          string      `json:"unitsPlural,omitempty"`
		IsGranted            bool        `json:"isGranted"`
		AccessDeniedReason   Reason      `json:"accessDeniedReason,omitempty"`
		UsageLimit           *float64    `json:"usageLimit,omitempty"`
		HasUnlimitedUsage    bool        `json:"hasUnlimitedUsage,omitempty"`
		HasSoftLimit         bool        `json:"hasSoftLimit,omitempty"`
		CurrentUsage         *float64    `json:"currentUsage,omitempty"`
		PendingUsage         float64     `json:"pendingUsage,omitempty"`
		EnumValues           []string    `json:"enumValues,omitempty"`
		ResetPeriod          string      `json:"resetPeriod,omitempty"`
		UsagePeriodAnchor    time.Time   `json:"usagePeriodAnchor,omitzero"`
		UsagePeriodStart     time.Time   `json:"usagePeriodStart,omitzero"`
		UsagePeriodEnd       time.Time   `json:"usagePeriodEnd,omitzero"`
		CreditRate           float64     `json:"creditRate,omitempty"`
		CreditCurrencyID     string      `json:"creditCurrencyId,omitempty"`
		EntitlementUpdatedAt time.Time   `json:"entitlementUpdatedAt,omitzero"`
		UsageUpdatedAt       time.Time   `json:"usageUpdatedAt,omitzero"`
		ValidUntil           time.Time   `json:"validUntil,omitzero"`
	}{
		FeatureID: e.FeatureID(), CurrencyID: e.CurrencyID(), Type: e.Type().String(), FeatureType: e.FeatureType(), MeterType: e.MeterType(),
		DisplayName: e.DisplayName(), Description: e.Description(), Units: unit, UnitsPlural: units,
		IsGranted: e.IsGranted(), AccessDeniedReason: e.AccessDeniedReason(), HasUnlimitedUsage: e.HasUnlimitedUsage(), HasSoftLimit: e.HasSoftLimit(),
		PendingUsage: e.PendingUsage(), EnumValues: e.EnumValues(), ResetPeriod: e.ResetPeriod().String(),
		UsagePeriodAnchor: e.UsagePeriodAnchor(), UsagePeriodStart: start, UsagePeriodEnd: end, CreditRate: rate, CreditCurrencyID: currency,
		EntitlementUpdatedAt: e.EntitlementUpdatedAt(), UsageUpdatedAt: e.UsageUpdatedAt(), ValidUntil: e.ValidUntil(),
	}
	if hasLimit {
		out.UsageLimit = &limit
	}
	if t := e.Type(); t == TypeMetered || t == TypeCredit {
		out.CurrentUsage = new(e.CurrentUsage())
	}
	return json.Marshal(out)
}
