package emulator

import (
	"strconv"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// sets returns the set of one key in both shapes of the API. The older one knows no credits.
func (e *Emulator) sets(c *customer, s *scope) ([]*wire.Entitlement, []*wire.EntitlementUnion) {
	v1 := make([]*wire.Entitlement, 0, len(s.set))
	v2 := make([]*wire.EntitlementUnion, 0, len(s.set))
	for _, ent := range s.set {
		if !ent.ref.credit {
			v1 = append(v1, e.entitlementV1(c, s, ent))
		}
		v2 = append(v2, e.entitlementV2(s, ent))
	}
	return v1, v2
}

func (e *Emulator) entitlementV1(c *customer, s *scope, ent *entitled) *wire.Entitlement {
	f := e.featureEntitlement(s, ent)
	return &wire.Entitlement{
		AccessDeniedReason:       f.AccessDeniedReason,
		CreditRate:               f.CreditRate,
		CurrentUsage:             f.CurrentUsage,
		CustomerID:               &c.id,
		EntitlementUpdatedAt:     f.EntitlementUpdatedAt,
		EnumValues:               f.EnumValues,
		Feature:                  f.Feature,
		HasSoftLimit:             f.HasSoftLimit,
		HasUnlimitedUsage:        f.HasUnlimitedUsage,
		IsGranted:                f.IsGranted,
		NextResetDate:            f.UsagePeriodEnd,
		ResetPeriod:              f.ResetPeriod,
		ResetPeriodConfiguration: f.ResetPeriodConfiguration,
		ResourceID:               optional(s.resourceID),
		UsageLimit:               f.UsageLimit,
		UsagePeriodAnchor:        f.UsagePeriodAnchor,
		UsagePeriodStart:         f.UsagePeriodStart,
		UsagePeriodEnd:           f.UsagePeriodEnd,
		UsageUpdatedAt:           f.UsageUpdatedAt,
		ValidUntil:               epochMillis(s.recalcAt),
	}
}

func (e *Emulator) entitlementV2(s *scope, ent *entitled) *wire.EntitlementUnion {
	if !ent.ref.credit {
		return &wire.EntitlementUnion{Value: e.featureEntitlement(s, ent)}
	}
	m := s.meters[ent.ref]
	return &wire.EntitlementUnion{Value: &wire.CreditEntitlement{
		AccessDeniedReason:   deniedReason(ent.denied),
		Currency:             currencyOf(ent.currency),
		CurrentUsage:         new(m.used.InexactFloat64()),
		EntitlementUpdatedAt: optionalTime(ent.updatedAt),
		HasSoftLimit:         &ent.soft,
		IsGranted:            ent.denied == "",
		UsageLimit:           ent.limit,
		UsagePeriodEnd:       optionalTime(m.end),
		UsageUpdatedAt:       optionalTime(m.updatedAt),
		ValidUntil:           e.validUntil(s),
	}}
}

func (e *Emulator) featureEntitlement(s *scope, ent *entitled) *wire.FeatureEntitlement {
	f := &wire.FeatureEntitlement{
		AccessDeniedReason:   deniedReason(ent.denied),
		EntitlementUpdatedAt: optionalTime(ent.updatedAt),
		Feature:              featureOf(ent.feature),
		HasUnlimitedUsage:    ent.unlimited,
		IsGranted:            ent.denied == "",
		UsageUpdatedAt:       optionalTime(s.updatedAt),
		ValidUntil:           e.validUntil(s),
	}
	if ent.rate != nil {
		f.CreditRate = &wire.CreditRate{Amount: ent.rate.Amount, CurrencyID: ent.rate.Currency}
	}
	switch ent.feature.Type {
	case Enum:
		values := append([]string{}, ent.values...)
		f.EnumValues = &values
	case Number:
		f.HasSoftLimit = &ent.soft
		if !ent.unlimited {
			f.UsageLimit = ent.limit
		}
	}
	if m := s.meters[ent.ref]; m != nil {
		f.CurrentUsage = new(m.used.InexactFloat64())
		f.UsageUpdatedAt = optionalTime(m.updatedAt)
		if m.reset != "" {
			f.ResetPeriod = new(wire.EntitlementResetPeriod(m.reset.wire()))
			f.ResetPeriodConfiguration = resetConfiguration(m.reset, ent.resetOn)
			f.UsagePeriodAnchor = optionalTime(m.anchor)
			f.UsagePeriodStart = optionalTime(m.start)
			f.UsagePeriodEnd = optionalTime(m.end)
		}
	}
	return f
}

// validUntil is when the set stops being true by itself, in the format the configuration asks for.
func (e *Emulator) validUntil(s *scope) *string {
	if s.recalcAt.IsZero() {
		return nil
	}
	if e.config.ValidUntilMillis {
		return new(strconv.FormatInt(s.recalcAt.UnixMilli(), 10))
	}
	return new(wire.NewDateTime(s.recalcAt).String())
}

func resetConfiguration(p Period, on ResetOn) *wire.ResetPeriodConfiguration {
	switch p {
	case Month:
		according := wire.MonthlyAccordingToSubscriptionStart
		if on == Calendar {
			according = wire.MonthlyAccordingToStartOfTheMonth
		}
		return &wire.ResetPeriodConfiguration{Value: &wire.MonthlyResetPeriodConfig{MonthlyAccordingTo: &according}}
	case Week:
		according := wire.WeeklyAccordingToSubscriptionStart
		for i, day := range weekdays {
			if day == on {
				according = wire.WeeklyAccordingTo("Every" + time.Weekday(i).String())
			}
		}
		return &wire.ResetPeriodConfiguration{Value: &wire.WeeklyResetPeriodConfig{WeeklyAccordingTo: &according}}
	case Year:
		according := wire.YearlyAccordingToSubscriptionStart
		return &wire.ResetPeriodConfiguration{Value: &wire.YearlyResetPeriodConfig{YearlyAccordingTo: &according}}
	}
	return nil
}

func featureOf(f *Feature) *wire.EntitlementFeature {
	w := fullFeatureOf(f)
	return &wire.EntitlementFeature{
		RefID: w.RefID, DisplayName: w.DisplayName, Description: w.Description, FeatureType: w.FeatureType,
		MeterType: w.MeterType, FeatureUnits: w.FeatureUnits, FeatureUnitsPlural: w.FeatureUnitsPlural,
	}
}

func fullFeatureOf(f *Feature) *wire.Feature {
	w := &wire.Feature{
		RefID: f.ID, DisplayName: f.Name, Description: optional(f.Description), FeatureType: wire.FeatureTypeBoolean,
		FeatureUnits: optional(f.Unit), FeatureUnitsPlural: optional(f.Units),
	}
	meter := wire.MeterTypeNone
	switch f.Meter {
	case Incremental:
		meter = wire.MeterTypeIncremental
	case Fluctuating:
		meter = wire.MeterTypeFluctuating
	}
	w.MeterType = &meter
	switch f.Type {
	case Enum:
		w.FeatureType = wire.FeatureTypeEnum
	case Number:
		w.FeatureType = wire.FeatureTypeNumber
	}
	return w
}

func currencyOf(c *Currency) *wire.EntitlementCurrency {
	return &wire.EntitlementCurrency{
		CurrencyID: c.ID, DisplayName: c.Name, Description: optional(c.Description),
		UnitSingular: optional(c.Unit), UnitPlural: optional(c.Units),
	}
}

func slimCurrencyOf(c *Currency) *wire.SlimCustomCurrency {
	return &wire.SlimCustomCurrency{
		CurrencyID: c.ID, DisplayName: c.Name, Symbol: optional(c.Symbol),
		Units: &wire.Units{Singular: optional(c.Unit), Plural: optional(c.Units)},
	}
}

func deniedReason(reason string) *wire.AccessDeniedReason {
	if reason == "" || reason == Unexplained {
		return nil
	}
	return new(wire.AccessDeniedReason(reason))
}

// optional is nil for the empty string: the API says null where we have nothing.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func optionalTime(t time.Time) *wire.DateTime {
	if t.IsZero() {
		return nil
	}
	return new(wire.NewDateTime(t))
}

func epochMillis(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	return new(float64(t.UnixMilli()))
}
