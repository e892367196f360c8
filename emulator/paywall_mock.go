package emulator

import (
	"slices"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// mockPlanOf is a plan in the shape of a mock paywall, w being the same as it is shown elsewhere.
func (e *Emulator) mockPlanOf(ix *index, p *Plan, w *wire.Plan) *wire.PaywallPlan {
	m := &wire.PaywallPlan{
		RefID: w.RefID, DisplayName: w.DisplayName, Description: w.Description, BillingID: w.BillingID, AdditionalMetaData: w.AdditionalMetaData,
		PricingType: w.PricingType, DefaultTrialConfig: w.DefaultTrialConfig,
		PackageEntitlements: w.PackageEntitlements, InheritedPackageEntitlements: w.InheritedPackageEntitlements,
		Prices: mockPrices(w.Prices), CompatiblePackageGroups: &[]*wire.PaywallPlanCompatiblePackageGroup{},
		Product: &wire.PaywallProduct{
			RefID: w.Product.RefID, DisplayName: w.Product.DisplayName, Description: w.Product.Description, AdditionalMetaData: w.Product.AdditionalMetaData,
		},
		Entitlements: e.unused(ix, p.Entitlements), InheritedEntitlements: e.unused(ix, ix.inherited(p)),
	}
	if w.BasePlan != nil {
		m.BasePlan = &wire.PaywallBasePlan{RefID: w.BasePlan.RefID, DisplayName: w.BasePlan.DisplayName}
	}
	addons := []*wire.PaywallAddon{}
	for _, a := range *w.CompatibleAddons {
		addons = append(addons, &wire.PaywallAddon{
			RefID: a.RefID, DisplayName: a.DisplayName, Description: a.Description, BillingID: a.BillingID, AdditionalMetaData: a.AdditionalMetaData,
			HiddenFromWidgets: a.HiddenFromWidgets, MaxQuantity: a.MaxQuantity, PricingType: a.PricingType,
			PackageEntitlements: a.PackageEntitlements, Prices: mockPrices(a.Prices), Dependencies: &[]*wire.PaywallAddon{},
			Entitlements: e.unused(ix, ix.addons[a.RefID].Entitlements),
		})
	}
	m.CompatibleAddons = &addons
	return m
}

// inherited is what a plan grants because an ancestor does, in order of ref.
func (ix *index) inherited(p *Plan) []Entitlement {
	if p.Parent == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(ix.granted[p.Parent]), func(e Entitlement) bool {
		return slices.ContainsFunc(p.Entitlements, func(own Entitlement) bool { return own.ref() == e.ref() })
	})
}

// unused lists what is granted as somebody has it who has used nothing. The shape knows no credits.
func (e *Emulator) unused(ix *index, list []Entitlement) *[]*wire.Entitlement {
	now := e.now()
	out := []*wire.Entitlement{}
	for _, granted := range list {
		if granted.Currency != "" {
			continue
		}
		ent := ix.combine(granted.ref(), []grant{{granted, now}})
		s := &scope{meters: map[ref]*meter{}}
		if ent.metered() {
			m := &meter{}
			m.follow(ent, now, now)
			s.meters[ent.ref] = m
		}
		w := e.entitlementV1(&customer{}, s, ent)
		w.CustomerID = nil
		out = append(out, w)
	}
	return &out
}

func mockPrices(list *[]*wire.Price) *[]*wire.PaywallPrice {
	out := []*wire.PaywallPrice{}
	for _, p := range *list {
		m := &wire.PaywallPrice{
			BillingModel: p.BillingModel, BillingPeriod: p.BillingPeriod, BillingCadence: &p.BillingCadence, BillingCountryCode: p.BillingCountryCode,
			BillingID: p.BillingID, BlockSize: p.BlockSize, CreditRate: p.CreditRate, CustomCurrency: p.CustomCurrency,
			MaxUnitQuantity: p.MaxUnitQuantity, MinUnitQuantity: p.MinUnitQuantity, Price: p.Price, Tiers: p.Tiers, TiersMode: p.TiersMode,
			TopUpCustomCurrencyID: p.TopUpCustomCurrencyID,
		}
		if f := p.Feature; f != nil {
			m.Feature = &wire.EntitlementFeature{
				RefID: f.RefID, DisplayName: f.DisplayName, Description: f.Description, FeatureType: f.FeatureType, MeterType: f.MeterType,
				FeatureUnits: f.FeatureUnits, FeatureUnitsPlural: f.FeatureUnitsPlural,
			}
		}
		out = append(out, m)
	}
	return &out
}
