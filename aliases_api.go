package entcache

import "github.com/entcache/entcache/gql"

// The inputs and results of calls to Stigg are its own, generated from its schema; doc.go says how they are filled in.
type (
	// DateTime is a moment in an input or a result: DateTime{Time: t} for a time.Time t.
	DateTime = gql.DateTime
	// Money is an amount in units of a currency, such as dollars.
	Money = gql.Money
	// APIError is what Stigg, or the way to it, answered instead of a result: its code, trace id, and whether a retry is safe.
	// Fields and methods: [gql.Error].
	APIError = gql.Error
)

// Customers.
type (
	// Customer is a customer as the answers of writes describe one.
	Customer = gql.Customer
	// CustomerDetails is a customer with its subscriptions, promotions, trials and coupon.
	CustomerDetails = gql.CustomerDetails
	// CustomerBillingInfo is passed on to the billing integration, and not stored by Stigg.
	CustomerBillingInfo = gql.CustomerBillingInfo
	// ProvisionCustomerInput names the customer by CustomerId.
	ProvisionCustomerInput = gql.ProvisionCustomerInput
	// ProvisionCustomerSubscriptionInput is the first subscription of a customer.
	ProvisionCustomerSubscriptionInput = gql.ProvisionCustomerSubscriptionInput
	// ProvisionedCustomer is the answer to provisioning a customer.
	ProvisionedCustomer = gql.ProvisionedCustomer
	// UpdateCustomerInput names the customer by CustomerId, and what changes.
	UpdateCustomerInput = gql.UpdateCustomerInput
	// CustomerProfile is a customer with its payment method, trials, promotions and coupon, and without its subscriptions.
	CustomerProfile = gql.CustomerProfile
	// CustomerStatistics is how many subscriptions a customer has.
	CustomerStatistics = gql.CustomerStatistics
	// CustomerPortalInput names the customer.
	CustomerPortalInput = gql.CustomerPortalInput
	// CustomerPortal is all that a customer may see of itself.
	CustomerPortal = gql.CustomerPortal
	// ImportCustomerInput names the customer by CustomerId, and what is known of it elsewhere.
	ImportCustomerInput = gql.ImportCustomerInput
	// ImportCustomerBulkInput is customers that are imported together.
	ImportCustomerBulkInput = gql.ImportCustomerBulkInput
)

// Subscriptions.
type (
	// Subscription is a subscription as the answers of writes describe one.
	Subscription = gql.Subscription
	// SubscriptionDetails is all there is to know of a subscription.
	SubscriptionDetails = gql.SubscriptionDetails
	// SlimSubscription is a subscription without the details of its plan.
	SlimSubscription = gql.SlimSubscription
	// ListedSubscription is a subscription as a search finds it.
	ListedSubscription = gql.ListedSubscription
	// SubscriptionFilter says which subscriptions a search finds. Its zero value lets all through.
	SubscriptionFilter = gql.SubscriptionQueryFilter
	// SubscriptionSort says by what a search is ordered.
	SubscriptionSort = gql.SubscriptionQuerySort
	// ProvisionSubscriptionInput names the customer and the plan.
	ProvisionSubscriptionInput = gql.ProvisionSubscriptionInput
	// ProvisionedSubscription is the answer to provisioning a subscription; look at Status before anything else.
	ProvisionedSubscription = gql.ProvisionedSubscription
	// CheckoutOptions is where a checkout leads to, and what it asks for.
	CheckoutOptions = gql.CheckoutOptions
	// ApplySubscriptionInput names the customer and the plan, and all that the subscription is to have.
	ApplySubscriptionInput = gql.ApplySubscriptionInput
	// AppliedSubscription is the answer to applying a subscription.
	AppliedSubscription = gql.AppliedSubscription
	// UpdateSubscriptionInput names the subscription by SubscriptionId, and what changes.
	UpdateSubscriptionInput = gql.UpdateSubscriptionInput
	// SubscriptionCancellationInput names the subscription by SubscriptionRefId, and when it ends.
	SubscriptionCancellationInput = gql.SubscriptionCancellationInput
	// SubscriptionAddonInput is an add-on and how many of it; by default one.
	SubscriptionAddonInput = gql.SubscriptionAddonInput
	// BillableFeatureInput is how many units of a feature are bought.
	BillableFeatureInput = gql.BillableFeatureInput
	// PriceOverrideInput is a price that was agreed with this customer.
	PriceOverrideInput = gql.PriceOverrideInput
	// TrialOverrideConfigurationInput says whether a subscription is a trial, whatever its plan says.
	TrialOverrideConfigurationInput = gql.TrialOverrideConfigurationInput
	// SubscriptionCouponInput is a coupon, or a discount made for this subscription.
	SubscriptionCouponInput = gql.SubscriptionCouponInput
	// EstimateSubscriptionInput names the customer and the plan.
	EstimateSubscriptionInput = gql.EstimateSubscriptionInput
	// EstimateSubscriptionUpdateInput names the subscription, and what would change.
	EstimateSubscriptionUpdateInput = gql.EstimateSubscriptionUpdateInput
	// SubscriptionPreview is what a subscription, or a change of one, would cost.
	SubscriptionPreview = gql.SubscriptionPreview
	// PreviewSubscriptionInput names the customer and the plan.
	PreviewSubscriptionInput = gql.PreviewSubscriptionInput
	// SubscriptionPreviewV2 is what a subscription would cost at once, and in each period after.
	SubscriptionPreviewV2 = gql.SubscriptionPreviewV2
	// CreateSubscriptionInput names the customer and the plan.
	CreateSubscriptionInput = gql.SubscriptionInput
	// ImportSubscriptionInput names the customer and the plan, and since when.
	ImportSubscriptionInput = gql.ImportSubscriptionInput
	// ImportSubscriptionsBulkInput is subscriptions that are imported together.
	ImportSubscriptionsBulkInput = gql.ImportSubscriptionsBulkInput
	// SubscriptionMigrationInput names the subscription, and when it moves; by default at once.
	SubscriptionMigrationInput = gql.SubscriptionMigrationInput
	// TransferSubscriptionInput names the customer and the two resources.
	TransferSubscriptionInput = gql.TransferSubscriptionInput
	// TransferSubscriptionToResourceInput names the subscription and the resource; nil is the customer itself.
	TransferSubscriptionToResourceInput = gql.TransferSubscriptionToResourceInput
	// DelegateSubscriptionToCustomerInput names the subscription and the customer; nil is whoever pays for it.
	DelegateSubscriptionToCustomerInput = gql.DelegateSubscriptionToCustomerInput
	// InvoicePreview is what the next invoice of a subscription will have on it.
	InvoicePreview = gql.InvoicePreview
	// InvoiceLine is one charge on an invoice.
	InvoiceLine = gql.InvoiceLine
)

// Usage.
type (
	// ReportUsageInput is what [Usage.Report] takes: the customer, the feature and the usage.
	ReportUsageInput = gql.ReportUsageInput
	// UsageReport is what [Meter.Report] takes, and [Usage.ReportBulk] a list of: the fields of a ReportUsageInput, less EnvironmentId.
	UsageReport = gql.ReportUsageBaseInput
	// ReportedUsage is the answer to a report.
	ReportedUsage = gql.ReportedUsage
	// UsageUpdateBehavior says whether a report adds to the usage or replaces it.
	UsageUpdateBehavior = gql.UsageUpdateBehavior
	// UsageEvent is a raw event: what happened, to whom, when, and its dimensions as a JSON object.
	UsageEvent = gql.UsageEventReportInput
	// UsageHistoryInput names the customer, the feature and the time.
	UsageHistoryInput = gql.UsageHistoryV2Input
	// UsageHistory is usage over time.
	UsageHistory = gql.UsageHistory
	// UsageHistoryV1Input names the customer, the feature and the time, as Stigg first had it.
	UsageHistoryV1Input = gql.UsageHistoryInput
	// UsageHistoryV1 is usage over time, as Stigg first had it.
	UsageHistoryV1 = gql.UsageHistoryV1
)

// Promotions and coupons.
type (
	// GrantPromotionalEntitlementsInput names the customer and what it is given.
	GrantPromotionalEntitlementsInput = gql.GrantPromotionalEntitlementsInput
	// GrantPromotionalEntitlementInput is one feature that is given, how much of it, and for how long.
	GrantPromotionalEntitlementInput = gql.GrantPromotionalEntitlementInput
	// GrantPromotionalEntitlementsGroupInput names the customer and the feature group, and what it is given of each feature.
	GrantPromotionalEntitlementsGroupInput = gql.GrantPromotionalEntitlementsGroupInput
	// PromotionalEntitlement is an entitlement outside any subscription.
	PromotionalEntitlement = gql.PromotionalEntitlement
	// Coupon is a discount that can be applied to subscriptions.
	Coupon = gql.Coupon
	// CouponFilter says which coupons a list has.
	CouponFilter = gql.CouponFilter
	// CreateCouponInput is a coupon that is to be made.
	CreateCouponInput = gql.CreateCouponInput
	// MoneyInput is an amount in units of a currency, such as dollars.
	MoneyInput = gql.MoneyInputDto
)

// What is sold, and how it is bought.
type (
	// Product groups plans.
	Product = gql.Product
	// PaywallInput says whose paywall, and of what. Its zero value is that of nobody, of all products.
	PaywallInput = gql.GetPaywallInput
	// Paywall is what a customer can choose from.
	Paywall = gql.Paywall
	// PaywallPricePoint is the price that a plan begins at, for one billing period.
	PaywallPricePoint = gql.PaywallPricePoint
	// Plan is a plan with what it grants and costs.
	Plan = gql.Plan
	// MockPaywall is a paywall of nobody in particular.
	MockPaywall = gql.MockPaywall
	// MockPlan is a plan as a mock paywall shows it.
	MockPlan = gql.MockPlan
	// CheckoutStateInput names the customer and the plan.
	CheckoutStateInput = gql.CheckoutStateInput
	// CheckoutState is what a checkout shows and needs. It holds secrets.
	CheckoutState = gql.CheckoutState
	// PaymentSessionInput names the customer and the plan.
	PaymentSessionInput = gql.PaymentSessionInput
	// PaymentSession is the token of a session in which a customer can pay.
	PaymentSession = gql.PaymentSession
	// SDKConfiguration is what Stigg tells clients about themselves.
	SDKConfiguration = gql.SDKConfiguration
)

// Credits.
type (
	// ConsumeCreditInput names the customer, the currency and the amount.
	ConsumeCreditInput = gql.ConsumeCreditInput
	// CreditConsumption is the answer to consuming credits.
	CreditConsumption = gql.CreditConsumption
	// CreditGrantInput names the customer, the currency, the amount, and what it is called and costs.
	CreditGrantInput = gql.CreditGrantInput
	// CreditGrant is an amount of credits, from when to when, and how much of it is consumed.
	CreditGrant = gql.CreditGrant
	// CreditBalanceInput names the customer.
	CreditBalanceInput = gql.CreditBalanceSummaryInput
	// CreditBalance is what a wallet has.
	CreditBalance = gql.CreditBalance
	// CreditGrantsInput names the customer.
	CreditGrantsInput = gql.GetCreditGrantsInput
	// CreditLedgerInput names the customer.
	CreditLedgerInput = gql.CreditLedgerInput
	// CreditLedgerEvent is one thing that happened to a grant.
	CreditLedgerEvent = gql.CreditLedgerEvent
	// CreditLedgerEventType is what happened to a grant.
	CreditLedgerEventType = gql.CreditLedgerEventType
	// CreditUsageInput names the customer and the time.
	CreditUsageInput = gql.CreditUsageInput
	// CreditUsage is what was consumed of a wallet over time.
	CreditUsage = gql.CreditUsage
	// AutomaticRecharge is when and how far a wallet is recharged.
	AutomaticRecharge = gql.AutomaticRecharge
	// SaveAutomaticRechargeInput names the customer and the currency, and what changes.
	SaveAutomaticRechargeInput = gql.SaveAutoRechargeSettingsInput
	// EstimateUsageCostInput names the customer, the feature and the usage.
	EstimateUsageCostInput = gql.EstimateUsageCostInput
	// EstimateEventCostInput names the customer and the event.
	EstimateEventCostInput = gql.EstimateEventCostInput
	// CreditCostEstimation is what usage would cost in credits.
	CreditCostEstimation = gql.CreditCostEstimation
)

// How a report changes the usage.
const (
	UsageDelta = gql.UsageUpdateBehaviorDelta // adds Value, which may be negative
	UsageSet   = gql.UsageUpdateBehaviorSet   // replaces what there was
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
