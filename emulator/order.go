package emulator

import (
	"strings"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// orderOfCustomer reads the subscription that provisionCustomer asks for.
func orderOfCustomer(in *wire.ProvisionCustomerSubscriptionInput) order {
	o := order{
		id: firstOf(in.SubscriptionID, in.RefID), planID: in.PlanID, resourceID: in.ResourceID.Or(""),
		addons: addonsOf(in.Addons), quantities: quantitiesOf(in.BillableFeatures),
		custom:         customOf(in.SubscriptionEntitlements, in.Entitlements),
		metadata:       in.AdditionalMetaData.Or(wire.JSON{}).Value,
		priceOverrides: in.PriceOverrides.Or(nil),
		minimumSpend:   minimumOf(in.MinimumSpend),
		collection:     in.PaymentCollectionMethod.Or(""),
		billingID:      in.BillingID.Or(""),
		startAt:        in.StartDate.Or(wire.DateTime{}).Time,
		period:         billingPeriodOf(in.BillingPeriod),
		country:        in.BillingCountryCode.Or(""),
		resetAnchor:    in.BillingCycleAnchor.Or("") == wire.SubscriptionBillingCycleAnchor("NOW"),
	}
	o.withTrial(in.TrialOverrideConfiguration)
	return o
}

// orderOfSubscription reads what provisionSubscriptionV2 asks for.
func orderOfSubscription(in *wire.ProvisionSubscriptionInput) order {
	o := order{
		id: firstOf(in.SubscriptionID, in.RefID), planID: in.PlanID, resourceID: in.ResourceID.Or(""),
		addons: addonsOf(in.Addons), quantities: quantitiesOf(in.BillableFeatures),
		custom:         customOf(in.SubscriptionEntitlements, in.Entitlements),
		metadata:       in.AdditionalMetaData.Or(wire.JSON{}).Value,
		priceOverrides: in.PriceOverrides.Or(nil),
		minimumSpend:   minimumOf(in.MinimumSpend),
		collection:     in.PaymentCollectionMethod.Or(""),
		payer:          in.PayingCustomerID.Or(""),
		billingID:      in.BillingID.Or(""),
		startAt:        in.StartDate.Or(wire.DateTime{}).Time,
		endAt:          in.CancellationDate.Or(wire.DateTime{}).Time,
		strategy:       in.ScheduleStrategy.Or(""),
		period:         billingPeriodOf(in.BillingPeriod),
		country:        in.BillingCountryCode.Or(""),
		resetAnchor:    in.BillingCycleAnchor.Or("") == wire.SubscriptionBillingCycleAnchor("NOW"),
		skipTrial:      in.SkipTrial.Or(false),
	}
	o.withTrial(in.TrialOverrideConfiguration)
	return o
}

// orderOfApply reads what applySubscription asks for.
func orderOfApply(in *wire.ApplySubscriptionInput) order {
	o := order{
		planID: in.PlanID, resourceID: in.ResourceID.Or(""),
		addons: addonsOf(in.Addons), quantities: quantitiesOf(in.BillableFeatures),
		custom:         customOf(in.SubscriptionEntitlements, in.Entitlements),
		metadata:       in.AdditionalMetaData.Or(wire.JSON{}).Value,
		priceOverrides: in.PriceOverrides.Or(nil),
		minimumSpend:   minimumOf(in.MinimumSpend),
		collection:     in.PaymentCollectionMethod.Or(""),
		payer:          in.PayingCustomerID.Or(""),
		billingID:      in.BillingID.Or(""),
		startAt:        in.StartDate.Or(wire.DateTime{}).Time,
		endAt:          in.CancellationDate.Or(wire.DateTime{}).Time,
		strategy:       in.ScheduleStrategy.Or(""),
		period:         billingPeriodOf(in.BillingPeriod),
		country:        in.BillingCountryCode.Or(""),
		resetAnchor:    in.BillingCycleAnchor.Or("") == wire.SubscriptionBillingCycleAnchor("NOW"),
		skipTrial:      in.SkipTrial.Or(false),
	}
	o.withTrial(in.TrialOverrideConfiguration)
	if end := in.TrialEndDate.Value; end != nil && o.trialEnd.IsZero() {
		o.trialEnd = end.Time
	}
	return o
}

// orderOfCreate reads what createSubscription asks for.
func orderOfCreate(in *wire.SubscriptionInput) order {
	o := order{
		id: firstOf(in.SubscriptionID, in.RefID), planID: in.PlanID, resourceID: in.ResourceID.Or(""),
		addons: addonsOf(in.Addons), quantities: quantitiesOf(in.BillableFeatures),
		custom:         customOf(in.SubscriptionEntitlements, in.Entitlements),
		metadata:       in.AdditionalMetaData.Or(wire.JSON{}).Value,
		priceOverrides: in.PriceOverrides.Or(nil),
		minimumSpend:   minimumOf(in.MinimumSpend),
		collection:     in.PaymentCollectionMethod.Or(""),
		payer:          in.PayingCustomerID.Or(""),
		billingID:      in.BillingID.Or(""),
		startAt:        in.StartDate.Or(wire.DateTime{}).Time,
		endAt:          in.EndDate.Or(in.CancellationDate.Or(wire.DateTime{})).Time,
		strategy:       in.ScheduleStrategy.Or(""),
		period:         billingPeriodOf(in.BillingPeriod),
		country:        in.BillingCountryCode.Or(""),
		resetAnchor:    in.BillingCycleAnchor.Or("") == wire.SubscriptionBillingCycleAnchor("NOW"),
		trial:          in.IsTrial.Value,
	}
	if b := in.TrialEndBehavior.Value; b != nil {
		o.trialConvert = new(*b == wire.TrialEndBehaviorConvertToPaid)
	}
	return o
}

// orderOfImport reads one subscription of importSubscriptionsBulk.
func orderOfImport(in *wire.ImportSubscriptionInput) order {
	return order{
		id: in.SubscriptionID.Or(""), planID: in.PlanID, resourceID: in.ResourceID.Or(""),
		addons: addonsOf(in.Addons), quantities: quantitiesOf(in.BillableFeatures),
		custom:    customOf(in.SubscriptionEntitlements, in.Entitlements),
		metadata:  in.AdditionalMetaData.Or(wire.JSON{}).Value,
		billingID: in.BillingID.Or(""),
		startAt:   in.StartDate.Or(wire.DateTime{}).Time,
		endAt:     in.EndDate.Or(wire.DateTime{}).Time,
		period:    billingPeriodOf(in.BillingPeriod),
		skipTrial: true,
	}
}

// charged reports whether a payment method is charged for the subscription.
func (o *order) charged() bool {
	return o.collection == "" || o.collection == wire.PaymentCollectionMethodCharge
}

func (o *order) withTrial(in wire.Opt[wire.TrialOverrideConfigurationInput]) {
	if in.Value == nil {
		return
	}
	o.trial = &in.Value.IsTrial
	o.trialEnd = in.Value.TrialEndDate.Or(wire.DateTime{}).Time
	if b := in.Value.TrialEndBehavior.Value; b != nil {
		o.trialConvert = new(*b == wire.TrialEndBehaviorConvertToPaid)
	}
}

func addonsOf(in wire.Opt[[]wire.SubscriptionAddonInput]) []addonCount {
	var list []addonCount
	for _, a := range in.Or(nil) {
		list = append(list, addonCount{a.AddonID, float64(a.Quantity.Or(1))})
	}
	return list
}

func quantitiesOf(in wire.Opt[[]wire.BillableFeatureInput]) map[string]float64 {
	byFeature := map[string]float64{}
	for _, b := range in.Or(nil) {
		byFeature[b.FeatureID] = b.Quantity
	}
	return byFeature
}

// customOf reads the entitlements a subscription has in place of its plan's, in either shape of the API.
func customOf(v1 wire.Opt[[]wire.SubscriptionEntitlementInput], v2 wire.Opt[[]wire.SubscriptionEntitlementInputV2]) []Entitlement {
	var list []Entitlement
	for _, in := range v1.Or(nil) {
		list = append(list, Entitlement{
			Feature: in.FeatureID, Limit: in.UsageLimit.Value, Unlimited: in.HasUnlimitedUsage.Or(false),
			SoftLimit: in.HasSoftLimit.Or(false), Reset: periodOf(in.ResetPeriod),
			ResetOn: resetOnOf(in.MonthlyResetPeriodConfiguration, in.WeeklyResetPeriodConfiguration),
		})
	}
	for _, in := range v2.Or(nil) {
		var ent Entitlement
		if f := in.Feature.Value; f != nil {
			ent = Entitlement{
				Feature: f.FeatureID, Limit: f.UsageLimit.Value, Unlimited: f.HasUnlimitedUsage.Or(false),
				SoftLimit: f.HasSoftLimit.Or(false), Values: f.EnumValues.Or(nil), Reset: periodOf(f.ResetPeriod),
				ResetOn: resetOnOf(f.MonthlyResetPeriodConfiguration, f.WeeklyResetPeriodConfiguration),
			}
		}
		if c := in.Credit.Value; c != nil { // beside a feature it is one too many, and is refused as in a catalog
			ent.Currency, ent.Limit, ent.SoftLimit = c.CustomCurrencyID, &c.Amount, c.HasSoftLimit.Or(false)
			if ent.Reset = Month; c.Cadence == wire.CreditCadenceYear {
				ent.Reset = Year
			}
		}
		list = append(list, ent)
	}
	return list
}

func periodOf(in wire.Opt[wire.EntitlementResetPeriod]) Period {
	return Period(strings.ToLower(string(in.Or(""))))
}

func resetOnOf(month wire.Opt[wire.MonthlyResetPeriodConfigInput], week wire.Opt[wire.WeeklyResetPeriodConfigInput]) ResetOn {
	if m := month.Value; m != nil && m.AccordingTo == wire.MonthlyAccordingToStartOfTheMonth {
		return Calendar
	}
	if w := week.Value; w != nil {
		if day, ok := strings.CutPrefix(string(w.AccordingTo), "Every"); ok {
			return ResetOn(strings.ToLower(day))
		}
	}
	return ""
}

func firstOf(ids ...wire.Opt[string]) string {
	for _, id := range ids {
		if s := id.Or(""); s != "" {
			return s
		}
	}
	return ""
}

// promotionEnd is when a promotion granted at start ends; zero: never.
func promotionEnd(start time.Time, period wire.PromotionalEntitlementPeriod, custom time.Time) time.Time {
	switch period {
	case wire.PromotionalEntitlementPeriodOneWeek:
		return start.AddDate(0, 0, 7)
	case wire.PromotionalEntitlementPeriodOneMonth:
		return addMonths(start, 1)
	case wire.PromotionalEntitlementPeriodSixMonth:
		return addMonths(start, 6)
	case wire.PromotionalEntitlementPeriodOneYear:
		return addMonths(start, 12)
	case wire.PromotionalEntitlementPeriodCustom:
		return custom
	}
	return time.Time{}
}

// billingPeriodOf reads a billing period; none is empty.
func billingPeriodOf(in wire.Opt[wire.BillingPeriod]) Period {
	switch in.Or("") {
	case wire.BillingPeriodAnnually:
		return Year
	case wire.BillingPeriodMonthly:
		return Month
	}
	return ""
}
