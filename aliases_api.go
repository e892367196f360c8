package entcache

import "github.com/entcache/entcache/gql"

// The inputs and results of calls to Stigg are its own, generated from its schema. The documentation of this package says how they are
// filled in, and in what units, under "Calls to Stigg"; what a call does with them stands with the method that takes or returns them.
type (
	// DateTime is a moment in an input or a result: DateTime{Time: t} for a time.Time t. It is sent in UTC, with milliseconds; the
	// zone of t does not matter. The zero time is [ErrBadInput]: nil is no moment.
	DateTime = gql.DateTime
	// Money is an amount in units of a currency, with decimals: 9.99 of USD is nine dollars and 99 cents.
	Money = gql.Money
	// APIError is what Stigg, or the way to it, answered instead of a result: its code, trace id, and whether a retry is safe.
	// Fields and methods: [gql.Error].
	APIError = gql.Error
)

// Customers.
type (
	// Customer is a customer as the answers of writes describe one.
	Customer = gql.Customer
	// CustomerDetails is a customer with its subscriptions, promotions, trials and coupon. EligibleForTrial says by product whether a
	// trial is still to be had; how Stigg decides that it does not document.
	CustomerDetails = gql.CustomerDetails
	// CustomerBillingInfo is passed on to the billing integration, and not stored by Stigg: what is left out of an update is cleared
	// there. Currency is the one the customer is billed in; Stigg's settings decide when it is nil. Timezone is a name such as
	// Europe/Berlin, Language a tag such as de.
	CustomerBillingInfo = gql.CustomerBillingInfo
	// ProvisionCustomerInput names the customer by CustomerId (RefId is its older name). Name and Email are for people and invoices.
	// CouponRefId is a coupon for all its subscriptions; BillingId, CrmId and SalesforceId are its ids elsewhere; CreatedAt is since
	// when it is a customer, by default now. What ExcludeFromExperiment and ShouldSyncFree are by default Stigg does not document.
	ProvisionCustomerInput = gql.ProvisionCustomerInput
	// ProvisionCustomerSubscriptionInput is the first subscription of a customer: PlanId is required, and the rest is as in
	// [ProvisionSubscriptionInput].
	ProvisionCustomerSubscriptionInput = gql.ProvisionCustomerSubscriptionInput
	// ProvisionedCustomer is the answer to provisioning a customer. SubscriptionDecisionStrategy says why it has the subscription it
	// has: what was asked for, the product's free plan or trial, or none.
	ProvisionedCustomer = gql.ProvisionedCustomer
	// UpdateCustomerInput names the customer by CustomerId (RefId is its older name), and what changes: nil stays as it is, [Null] is
	// cleared. BillingInformation is replaced as a whole.
	UpdateCustomerInput = gql.UpdateCustomerInput
	// CustomerProfile is a customer with its payment method, trials, promotions and coupon, and without its subscriptions.
	CustomerProfile = gql.CustomerProfile
	// CustomerStatistics is how many subscriptions a customer has that are active or in trial, by pricing type.
	CustomerStatistics = gql.CustomerStatistics
	// CustomerPortalInput names the customer, which is required. ResourceId: that resource in place of the customer itself.
	// ProductId: the subscriptions of that product alone; by default all.
	CustomerPortalInput = gql.CustomerPortalInput
	// CustomerPortal is all that a customer may see of itself.
	CustomerPortal = gql.CustomerPortal
	// ImportCustomerInput names the customer by CustomerId, and what is known of it elsewhere: PaymentMethodId and BillingId are ids
	// of the billing integration. UpdatedAt is when that was so; what Stigg does with it, it does not document.
	ImportCustomerInput = gql.ImportCustomerInput
	// ImportCustomerBulkInput is customers that are imported together. IntegrationId is which billing integration they are of, for
	// accounts that have several.
	ImportCustomerBulkInput = gql.ImportCustomerBulkInput
)

// Subscriptions.
type (
	// Subscription is a subscription as the answers of writes describe one. EffectiveEndDate is nil for one without an end.
	// Prices and TotalPrice are for one billing period, and CurrentBillingPeriodEnd is when the next one begins.
	Subscription = gql.Subscription
	// SubscriptionDetails is all there is to know of a subscription: its plan, prices, add-ons, what is scheduled, and TotalPrice,
	// which is for one billing period.
	SubscriptionDetails = gql.SubscriptionDetails
	// SlimSubscription is a subscription without the details of its plan.
	SlimSubscription = gql.SlimSubscription
	// ListedSubscription is a subscription as a search finds it.
	ListedSubscription = gql.ListedSubscription
	// SubscriptionFilter says which subscriptions a search finds: those that pass each field that is given, such as CustomerId (a
	// [StringFilter]), Status (a [SubscriptionStatusFilter]) or StartDate (a [DateFilter]); Or is a list of alternatives. Its zero value
	// lets all through, ended ones included.
	SubscriptionFilter = gql.SubscriptionQueryFilter
	// SubscriptionSort says by what Field a search is ordered ([SortByStartDate] and its like) and in which Direction, both required, and
	// by Nulls whether what has nothing there comes first or last ([NullsFirst], [NullsLast]).
	SubscriptionSort = gql.SubscriptionQuerySort
	// SubscriptionStatus says whether a subscription is in force.
	SubscriptionStatus = gql.SubscriptionStatus
	// PricingType says whether a plan, and so a subscription, is free, paid, or priced by agreement.
	PricingType = gql.PricingType
	// StringFilter compares a text, such as an id, in a filter: Eq, In, Like with % for anything, and so on; all that are given have to
	// hold.
	StringFilter = gql.StringFieldComparison
	// DateFilter compares a moment in a filter: Gte, Lt, Between and so on, each a text in RFC 3339, such as 2026-11-28T00:00:00Z.
	DateFilter = gql.DateFieldComparison
	// SubscriptionStatusFilter compares a status in a filter: Eq, In, Neq or NotIn.
	SubscriptionStatusFilter = gql.SubscriptionStatusFilterComparison
	// PricingTypeFilter compares a pricing type in a filter: Eq, In, Neq or NotIn.
	PricingTypeFilter = gql.PricingTypeFilterComparison
	// ProvisionSubscriptionInput names the customer and the plan, which are required. What is nil is as the plan has it, or as
	// follows.
	//
	//   - BillingPeriod: Stigg's choice where the plan has prices for several (in the emulator that of the first): name it then.
	//     BillingCountryCode (ISO 3166, such as DE) chooses among prices; by default those for any country.
	//   - Addons, BillableFeatures: none. UnitQuantity is the older way to say how many units a plan with one such price has.
	//   - StartDate: now; one in the past back-dates it. CancellationDate: no end.
	//   - ScheduleStrategy: as the product's settings have it, for what costs more and for what costs less.
	//   - SkipTrial: false, so that a plan with a trial begins as one; TrialOverrideConfiguration says more.
	//   - BillingCycleAnchor: UNCHANGED, so that periods go on from where the subscription before had them.
	//   - AwaitPaymentConfirmation: true returns when the payment is through, false before; which it is by default Stigg does not document.
	//   - PaymentCollectionMethod: CHARGE, as far as Stigg shows; INVOICE and NONE ask for no payment method.
	//   - CheckoutOptions: needed where a checkout may follow; see [ProvisionPaymentRequired].
	//   - AppliedCoupon: none. PromotionCode, SubscriptionEntitlements, PriceUnitAmount and RefId are older forms of AppliedCoupon,
	//     Entitlements, PriceOverrides and SubscriptionId.
	//   - PayingCustomerId: the customer itself.
	//   - SubscriptionId: Stigg makes one.
	//
	// MinimumSpend and what PriceOverrides have are amounts of a currency for one billing period.
	ProvisionSubscriptionInput = gql.ProvisionSubscriptionInput
	// ProvisionedSubscription is the answer to provisioning a subscription; look at Status before anything else.
	ProvisionedSubscription = gql.ProvisionedSubscription
	// CheckoutOptions is where a checkout leads to (SuccessUrl and CancelUrl, both required), and what it asks for: nothing of it
	// unless true. ReferenceId comes back with the billing integration's events.
	CheckoutOptions = gql.CheckoutOptions
	// ApplySubscriptionInput names the customer and the plan, which are required, and all that the subscription is to have: Addons
	// and BillableFeatures that are not given it has none of. PaymentMethodId is a method of the billing integration, by default the
	// one that Stigg knows. The rest is as in [ProvisionSubscriptionInput].
	ApplySubscriptionInput = gql.ApplySubscriptionInput
	// AppliedSubscription is the answer to applying a subscription.
	AppliedSubscription = gql.AppliedSubscription
	// UpdateSubscriptionInput names the subscription by SubscriptionId (RefId is its older name), and what changes; what is nil
	// stays. TrialEndDate moves the end of a trial. The rest is as in [ProvisionSubscriptionInput].
	UpdateSubscriptionInput = gql.UpdateSubscriptionInput
	// SubscriptionCancellationInput names the subscription by SubscriptionRefId, and when it ends: by default at the end of the
	// period that is paid for; EndDate is needed with [CancelOnDate] and nowhere else. Prorate says whether the rest of a period
	// that was paid for is given back; by default that is Stigg's to decide, and not documented.
	SubscriptionCancellationInput = gql.SubscriptionCancellationInput
	// SubscriptionAddonInput is an add-on and how many of it; by default one.
	SubscriptionAddonInput = gql.SubscriptionAddonInput
	// BillableFeatureInput is how many units of a feature are bought, in advance, for each billing period.
	BillableFeatureInput = gql.BillableFeatureInput
	// PriceOverrideInput is a price that was agreed with this customer: of the plan itself (BaseCharge), of a feature, or of an
	// add-on. Price is for one unit, or for BlockSize of them, and one billing period; Tiers in its place has several.
	PriceOverrideInput = gql.PriceOverrideInput
	// TrialOverrideConfigurationInput says whether a subscription is a trial, whatever its plan says. TrialEndDate is by default as
	// long from now as the plan's trial lasts, TrialEndBehavior as the plan has it.
	TrialOverrideConfigurationInput = gql.TrialOverrideConfigurationInput
	// SubscriptionCouponInput is one of: a coupon (CouponId), one that the billing integration knows (BillingCouponId,
	// PromotionCode), or a Discount made for this subscription: PercentOff (20 is 20 %), or AmountsOff for each billing period, for
	// DurationInMonths, by default for ever. Configuration says from when.
	SubscriptionCouponInput = gql.SubscriptionCouponInput
	// EstimateSubscriptionInput names the customer and the plan, which are required. The rest is as in [ProvisionSubscriptionInput].
	EstimateSubscriptionInput = gql.EstimateSubscriptionInput
	// EstimateSubscriptionUpdateInput names the subscription, and what would change: Addons and BillableFeatures replace the list
	// there was, and what is nil stays.
	EstimateSubscriptionUpdateInput = gql.EstimateSubscriptionUpdateInput
	// SubscriptionPreview is what a subscription, or a change of one, would cost now: SubTotal, less the discount TotalExcludingTax,
	// with Tax Total. Subscription is what it costs in each period after; Proration, of a change, what is credited and charged for
	// the rest of the period, with a negative NetAmount where more is credited.
	SubscriptionPreview = gql.SubscriptionPreview
	// PreviewSubscriptionInput names the customer and the plan, which are required. The rest is as in [ProvisionSubscriptionInput].
	PreviewSubscriptionInput = gql.PreviewSubscriptionInput
	// SubscriptionPreviewV2 is what a subscription would cost at once (ImmediateInvoice), and in each period after
	// (RecurringInvoice; nil: nothing).
	SubscriptionPreviewV2 = gql.SubscriptionPreviewV2
	// CreateSubscriptionInput names the customer and the plan, which are required. The rest is as in [ProvisionSubscriptionInput].
	CreateSubscriptionInput = gql.SubscriptionInput
	// ImportSubscriptionInput names the customer and the plan, which are required, and since when (StartDate, by default now) until
	// when (EndDate, by default without an end) it runs. BillingPeriod is by default that of the plan's first price.
	ImportSubscriptionInput = gql.ImportSubscriptionInput
	// ImportSubscriptionsBulkInput is subscriptions that are imported together.
	ImportSubscriptionsBulkInput = gql.ImportSubscriptionsBulkInput
	// SubscriptionMigrationInput names the subscription, and when it moves; by default [MigrateImmediately].
	SubscriptionMigrationInput = gql.SubscriptionMigrationInput
	// TransferSubscriptionInput names the customer and the two resources.
	TransferSubscriptionInput = gql.TransferSubscriptionInput
	// TransferSubscriptionToResourceInput names the subscription and the resource; nil is the customer itself.
	TransferSubscriptionToResourceInput = gql.TransferSubscriptionToResourceInput
	// DelegateSubscriptionToCustomerInput names the subscription and the customer; nil is whoever pays for it.
	DelegateSubscriptionToCustomerInput = gql.DelegateSubscriptionToCustomerInput
	// InvoicePreview is what the next invoice of a subscription will have on it. SubTotal is the sum of Lines; less Discount it is
	// TotalExcludingTax, with Tax Total, and less credits of money AmountDue. MinimumSpendAdjustment is what the lines were raised
	// by to the minimum spend: zero for none. LastUpdatedAt is as of when that is.
	InvoicePreview = gql.InvoicePreview
	// InvoiceLine is one charge on an invoice: Quantity is nil where the price is flat, or the quantity no whole number. UnitPrice
	// is for one unit; with tiers, Lines says how much fell into each. Period is what it is charged for, as text in RFC 3339.
	InvoiceLine = gql.InvoiceLine
)

// Usage.
type (
	// ReportUsageInput is what [Usage.Report] takes: the customer, the feature and the usage, Value, in units of the feature.
	// UpdateBehavior is by default [UsageDelta]; CreatedAt, when it was used, by default now; ResourceId by default none, the
	// customer itself; IdempotencyKey is made for the call unless given. Dimensions is a JSON object, to split history by.
	ReportUsageInput = gql.ReportUsageInput
	// UsageReport is what [Meter.Report] takes, and [Usage.ReportBulk] a list of: the fields of a ReportUsageInput, less
	// EnvironmentId.
	UsageReport = gql.ReportUsageBaseInput
	// ReportedUsage is the answer to a report: the usage that results, in units of the feature, in the period from UsagePeriodStart
	// to UsagePeriodEnd (nil: usage that never resets), and of the credit wallet that paid for it, if any, what that has used.
	ReportedUsage = gql.ReportedUsage
	// UsageUpdateBehavior says whether a report adds to the usage or replaces it.
	UsageUpdateBehavior = gql.UsageUpdateBehavior
	// UsageEvent is a raw event: what happened (EventName), to whom (CustomerId, and ResourceId where it is one's), when (Timestamp,
	// by default now), and its dimensions as a JSON object, which filters and aggregations of features read.
	UsageEvent = gql.UsageEventReportInput
	// UsageHistoryInput names the customer, the feature and the time, from StartDate to EndDate, by default now. GroupBy names
	// dimensions. IncludeInactiveSubscriptions, by default false, has what was used under subscriptions that are over too.
	UsageHistoryInput = gql.UsageHistoryV2Input
	// UsageHistory is usage over time: each point is the usage of its period up to its Timestamp, in units of the feature.
	// IsResetPoint marks where usage began again; Markers says why.
	UsageHistory = gql.UsageHistory
	// UsageSeries is the usage of one group over time: Tags name it, by the dimensions that GroupBy names, and are empty without one. A
	// point whose IsResetPoint is true is the beginning of a period.
	UsageSeries = gql.UsageSeries
	// UsageHistoryV1Input names the customer, the feature and the time, as Stigg first had it; EndDate is by default now.
	UsageHistoryV1Input = gql.UsageHistoryInput
	// UsageHistoryV1 is usage over time, as Stigg first had it.
	UsageHistoryV1 = gql.UsageHistoryV1
)

// Promotions and coupons.
type (
	// GrantPromotionalEntitlementsInput names the customer and what it is given.
	GrantPromotionalEntitlementsInput = gql.GrantPromotionalEntitlementsInput
	// GrantPromotionalEntitlementInput is one feature that is given, how much of it, and for how long. FeatureId and Period are
	// required. For a metered or numeric feature UsageLimit is in its units, unless HasUnlimitedUsage; HasSoftLimit, by default
	// false, lets usage go beyond. ResetPeriod is how often usage starts again, by default never. EnumValues are those of an enum.
	// IsVisible has the portal show it; Stigg does not document its default, and the emulator's is true.
	GrantPromotionalEntitlementInput = gql.GrantPromotionalEntitlementInput
	// GrantPromotionalEntitlementsGroupInput names the customer and the feature group, and what it is given of each feature.
	GrantPromotionalEntitlementsGroupInput = gql.GrantPromotionalEntitlementsGroupInput
	// PromotionalEntitlement is an entitlement outside any subscription. EndDate is nil when it is for life.
	PromotionalEntitlement = gql.PromotionalEntitlement
	// Coupon is a discount that can be applied to subscriptions: PercentOff is in per cent (20 is 20 %), AmountsOff in units of each
	// currency, for each billing period. DiscountValue is the older of the two, whichever Type says.
	Coupon = gql.Coupon
	// CouponFilter says which coupons a list has: those that pass each field that is given, such as RefId (a [StringFilter]), Status (a
	// [CouponStatusFilter]) or Type (a [CouponTypeFilter]); Or is a list of alternatives. A nil filter has the active ones.
	CouponFilter = gql.CouponFilter
	// CouponStatusFilter compares a coupon's status in a filter: Eq, In, Neq or NotIn.
	CouponStatusFilter = gql.CouponStatusFilterComparison
	// CouponTypeFilter compares what a coupon takes off in a filter: Eq, In, Neq or NotIn.
	CouponTypeFilter = gql.CouponTypeFilterComparison
	// CreateCouponInput is a coupon that is to be made; RefId, by which it is applied, and Name are required. PercentOff is in per
	// cent (20 is 20 %); AmountsOff is taken off each billing period, one amount for each currency. DurationInMonths is by default
	// for ever. Type and DiscountValue are older ways to say the same.
	CreateCouponInput = gql.CreateCouponInput
	// MoneyInput is an amount in units of a currency, with decimals. Without a Currency it is Stigg's to decide, and not documented
	// (the emulator takes US dollars, or the currency of the price that is overridden): name it.
	MoneyInput = gql.MoneyInputDto
)

// What is sold, and how it is bought.
type (
	// Product groups plans.
	Product = gql.Product
	// PaywallInput says whose paywall, and of what. Its zero value is that of nobody, of all products. BillingCountryCode is ISO
	// 3166, such as DE; Context is by default [WidgetPaywall]; the rest is false, or none.
	PaywallInput = gql.GetPaywallInput
	// Paywall is what a customer can choose from.
	Paywall = gql.Paywall
	// PaywallPricePoint is the price that a plan begins at, for one billing period, in units of its Currency.
	// AdditionalChargesMayApply says that usage, or more units, cost more.
	PaywallPricePoint = gql.PaywallPricePoint
	// Plan is a plan with what it grants and costs.
	Plan = gql.Plan
	// MockPaywall is a paywall of nobody in particular.
	MockPaywall = gql.MockPaywall
	// MockPlan is a plan as a mock paywall shows it.
	MockPlan = gql.MockPlan
	// CheckoutStateInput names the customer and the plan, which are required. BillingCountryCode is ISO 3166, such as DE; by default
	// prices are those for any country.
	CheckoutStateInput = gql.CheckoutStateInput
	// CheckoutState is what a checkout shows and needs. It holds secrets.
	CheckoutState = gql.CheckoutState
	// PaymentSessionInput names the customer and the plan, which are required. BillingCountryCode is as in [CheckoutStateInput].
	PaymentSessionInput = gql.PaymentSessionInput
	// PaymentSession is the token of a session in which a customer can pay.
	PaymentSession = gql.PaymentSession
	// SDKConfiguration is what Stigg tells clients about themselves.
	SDKConfiguration = gql.SDKConfiguration
)

// Credits.
type (
	// ConsumeCreditInput names the customer, the currency and the amount, in credits. CreatedAt is when it happened, by default now;
	// IdempotencyKey is made for the call unless given; ResourceId: its wallet in place of the customer's.
	ConsumeCreditInput = gql.ConsumeCreditInput
	// CreditConsumption is the answer to consuming credits: Amount is what was taken; Credit, which may be nil, the wallet after it:
	// UsageLimit is what it was granted and CurrentUsage what is consumed of that.
	CreditConsumption = gql.CreditConsumption
	// CreditGrantInput names the customer, the currency, the amount in credits, and what it is called and costs: Cost is the price
	// of one credit, in money, by default none. EffectiveAt is by default now, ExpireAt never, Priority 0, which is consumed first.
	// AwaitPaymentConfirmation holds a paid grant back until it is paid; Stigg does not document its default, and the emulator's is
	// false.
	CreditGrantInput = gql.CreditGrantInput
	// CreditGrant is an amount of credits, from when (EffectiveAt) to when (ExpireAt; nil: for ever), and how much of it is
	// consumed. Cost is the price of one credit, in money.
	CreditGrant = gql.CreditGrant
	// CreditBalanceInput names the customer, which is required. ResourceId: its wallets in place of the customer's; CurrencyId: that
	// one alone.
	CreditBalanceInput = gql.CreditBalanceSummaryInput
	// CreditBalance is what a wallet has, in credits: CurrentBalance is TotalGranted less TotalConsumed. ValidUntil is when Stigg
	// will count anew, in milliseconds since 1970; nil: never, unless something happens.
	CreditBalance = gql.CreditBalance
	// CreditGrantsInput names the customer, which is required. ResourceId and CurrencyId are as in [CreditBalanceInput].
	CreditGrantsInput = gql.GetCreditGrantsInput
	// CreditLedgerInput names the customer, which is required. ResourceId and CurrencyId are as in [CreditBalanceInput]; EventType:
	// those kinds alone, by default all.
	CreditLedgerInput = gql.CreditLedgerInput
	// CreditLedgerEvent is one thing that happened to a grant; Amount is in credits.
	CreditLedgerEvent = gql.CreditLedgerEvent
	// CreditLedgerEventType is what happened to a grant.
	CreditLedgerEventType = gql.CreditLedgerEventType
	// CreditUsageInput names the customer, which is required, and the time: TimeRange, or StartDate to EndDate, by default as Stigg
	// has it. ResourceId and CurrencyId are as in [CreditBalanceInput]; GroupBy names dimensions.
	CreditUsageInput = gql.CreditUsageInput
	// CreditUsage is what was consumed of a wallet over time, in credits. A series without a FeatureId is what was consumed as such,
	// by [Credits.Consume].
	CreditUsage = gql.CreditUsage
	// AutomaticRecharge is when and how far a wallet is recharged. ThresholdValue is in credits, or in US dollars, as ThresholdType
	// says; TargetBalance in credits; MaxSpendLimit (nil: none) and CurrentMonthlySpend in money, of a month.
	AutomaticRecharge = gql.AutomaticRecharge
	// SaveAutomaticRechargeInput names the customer and the currency, whether it IsEnabled, and what changes; its units are those of
	// [AutomaticRecharge].
	SaveAutomaticRechargeInput = gql.SaveAutoRechargeSettingsInput
	// EstimateUsageCostInput names the customer, the feature and the usage, in units of the feature; as in [ReportUsageInput].
	EstimateUsageCostInput = gql.EstimateUsageCostInput
	// EstimateEventCostInput names the customer and the event; as in [UsageEvent].
	EstimateEventCostInput = gql.EstimateEventCostInput
	// CreditCostEstimation is what usage would cost: for each wallet EstimatedCost, and its balance before and after, in credits.
	// WouldOverdraft says that it has not as much.
	CreditCostEstimation = gql.CreditCostEstimation
)

// How a report changes the usage.
const (
	UsageDelta = gql.UsageUpdateBehaviorDelta // adds Value, which may be negative
	UsageSet   = gql.UsageUpdateBehaviorSet   // replaces what there was
)

// Whether a subscription is in force.
const (
	SubscriptionActive         = gql.SubscriptionStatusActive
	SubscriptionInTrial        = gql.SubscriptionStatusInTrial
	SubscriptionNotStarted     = gql.SubscriptionStatusNotStarted     // StartDate is still to come
	SubscriptionPaymentPending = gql.SubscriptionStatusPaymentPending // a payment comes first
	SubscriptionCanceled       = gql.SubscriptionStatusCanceled       // ended because it was cancelled, or replaced
	SubscriptionExpired        = gql.SubscriptionStatusExpired        // ended of itself, as a trial does
)

// What a plan costs.
const (
	PricingFree   = gql.PricingTypeFree
	PricingPaid   = gql.PricingTypePaid
	PricingCustom = gql.PricingTypeCustom // by agreement: its prices are not in the catalog
)

// What a search for subscriptions is ordered by; all there are begin with gql.SubscriptionQuerySortFields.
const (
	SortByCreatedAt        = gql.SubscriptionQuerySortFieldsCreatedat
	SortByStartDate        = gql.SubscriptionQuerySortFieldsStartdate
	SortByEndDate          = gql.SubscriptionQuerySortFieldsEnddate
	SortByCancellationDate = gql.SubscriptionQuerySortFieldsCancellationdate
	SortByStatus           = gql.SubscriptionQuerySortFieldsStatus
	SortByPricingType      = gql.SubscriptionQuerySortFieldsPricingtype
	SortByCustomerID       = gql.SubscriptionQuerySortFieldsCustomerid
	SortByResourceID       = gql.SubscriptionQuerySortFieldsResourceid
	SortByProductID        = gql.SubscriptionQuerySortFieldsProductid
	SortBySubscriptionID   = gql.SubscriptionQuerySortFieldsSubscriptionid
)

// In which order; a search says where what has nothing to compare comes, such as a subscription without an end, by new(NullsLast).
const (
	SortAscending  = gql.SortDirectionAsc
	SortDescending = gql.SortDirectionDesc
	NullsFirst     = gql.SortNullsNullsFirst
	NullsLast      = gql.SortNullsNullsLast
)

// Whether provisioning a subscription needs a payment first.
const (
	ProvisionSuccess         = gql.ProvisionSubscriptionStatusSuccess
	ProvisionPaymentRequired = gql.ProvisionSubscriptionStatusPaymentRequired
)

// How often a subscription is billed.
const (
	BillingMonthly  = gql.BillingPeriodMonthly
	BillingAnnually = gql.BillingPeriodAnnually
)

// When a change of a subscription takes effect.
const (
	ScheduleImmediately = gql.ScheduleStrategyImmediate
	ScheduleAtPeriodEnd = gql.ScheduleStrategyEndOfBillingPeriod // of what is paid for
	ScheduleAtMonthEnd  = gql.ScheduleStrategyEndOfBillingMonth  // within a period that is longer, such as a year
)

// When a migration to the latest version of a plan takes effect.
const (
	MigrateImmediately = gql.SubscriptionMigrationTimeImmediate // the default
	MigrateAtPeriodEnd = gql.SubscriptionMigrationTimeEndOfBillingPeriod
)

// When a cancellation takes effect.
const (
	CancelAtPeriodEnd = gql.SubscriptionCancellationTimeEndOfBillingPeriod // the default
	CancelImmediately = gql.SubscriptionCancellationTimeImmediate
	CancelOnDate      = gql.SubscriptionCancellationTimeSpecificDate // EndDate says which
)

// What becomes of the entitlements of a subscription that is cancelled.
const (
	CancelByDefault = gql.SubscriptionCancellationActionDefault            // as the settings of the product have it
	CancelRevoking  = gql.SubscriptionCancellationActionRevokeEntitlements // nothing follows it
)

// How long a promotion lasts.
const (
	PromotionLifetime  = gql.PromotionalEntitlementPeriodLifetime
	PromotionOneWeek   = gql.PromotionalEntitlementPeriodOneWeek
	PromotionOneMonth  = gql.PromotionalEntitlementPeriodOneMonth
	PromotionSixMonths = gql.PromotionalEntitlementPeriodSixMonth
	PromotionOneYear   = gql.PromotionalEntitlementPeriodOneYear
	PromotionCustom    = gql.PromotionalEntitlementPeriodCustom // until CustomEndDate
)

// Whether a coupon can be applied.
const (
	CouponActive   = gql.CouponStatusActive
	CouponArchived = gql.CouponStatusArchived
)

// What a coupon takes off.
const (
	CouponPercentage = gql.CouponTypePercentage
	CouponFixed      = gql.CouponTypeFixed // an amount
)

// What a grant of credits is.
const (
	GrantPaid        = gql.CreditGrantTypeInputPaid
	GrantPromotional = gql.CreditGrantTypeInputPromotional
)

// What happened to a grant of credits.
const (
	LedgerGranted  = gql.CreditLedgerEventTypeCreditsGranted
	LedgerConsumed = gql.CreditLedgerEventTypeCreditsConsumed
	LedgerExpired  = gql.CreditLedgerEventTypeCreditsExpired
	LedgerUpdated  = gql.CreditLedgerEventTypeCreditsUpdated
	LedgerVoided   = gql.CreditLedgerEventTypeCreditsVoided
)

// The widgets of Stigg's, for [PaywallInput].Context.
const (
	WidgetPaywall        = gql.WidgetTypePaywall // the default
	WidgetCustomerPortal = gql.WidgetTypeCustomerPortal
	WidgetCheckout       = gql.WidgetTypeCheckout
)

// Null returns a pointer that is sent as an explicit null: "clear this", where nil means "leave it as it is". It must not be
// written through.
//
//	entcache.ProvisionCustomerInput{SubscriptionParams: entcache.Null[entcache.ProvisionCustomerSubscriptionInput]()}
func Null[T any]() *T { return gql.Null[T]() }

// NullList returns a list that is sent as an explicit null; nil is left out, and an empty list is sent as one.
func NullList[T any]() []T { return gql.NullList[T]() }
