package gql

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
)

// standFor says of every code of Stigg's what it stands for.
var standFor = []struct {
	kind  error
	codes string
}{
	{ErrUnauthenticated, `
		ApiKeyExpired Unauthenticated`},
	{ErrForbidden, `
		AccessDeniedError AuthCustomerMismatch AuthCustomerReadonly IdentityForbidden RequiredSsoAuthenticationError`},
	{ErrRateLimited, `
		RateLimitExceeded`},
	{ErrNotFound, `
		AccountNotFoundError AddonNotFound AddonsNotFound ApiKeyNotFound CouponNotFound CreditGrantNotFound
		CustomCurrencyNotFound CustomerNotFound CustomerResourceNotFound ExperimentNotFoundError FeatureGroupNotFoundError
		FeatureNotFound FutureUpdateNotFound IntegrationNotFound MemberNotFound NoActiveSubscriptionForCustomer
		NoDraftOfferFound NoFeatureEntitlementError NoFeatureEntitlementInSubscription OfferNotFound PackageGroupNotFound
		PaymentMethodNotFoundError PlanNotFound PriceNotFound ProductNotFoundError PromotionCodeNotFound
		PromotionalEntitlementNotFoundError SubscriptionNotFound WorkflowTriggerNotFound`},
	{ErrConflict, `
		BillingIntegrationAlreadyExistsError CreditGrantAlreadyVoided CustomerAlreadyHaveCustomerCoupon
		CustomerAlreadyUsesCoupon DraftAlreadyExists DuplicateIntegrationNotAllowed DuplicateProductValidationError
		DuplicatedEntityNotAllowed EntityIsArchivedError ExperimentAlreadyRunning ImportAlreadyInProgress
		ObjectAlreadyBeingUsedByAnotherRequestError OfferAlreadyExists PackageAlreadyPublished ResyncAlreadyInProgress
		ScheduledMigrationAlreadyExistsError SubscriptionAlreadyCanceledOrExpired SubscriptionAlreadyOnLatestPlanError`},
	{ErrBadInput, `
		AddonDependencyMissingError AddonQuantityExceedsLimitError AmountTooLarge AwsMarketplaceIntegrationValidationError
		BadUserInput BillingPeriodMissingError CannotReportUsageForEntitlementWithMeterError DuplicateAddonProvisionedError
		EntitlementUsageOutOfRangeError EntitlementsMustBelongToSamePackage EntityIdDifferentFromRefIdError EnvironmentMissing
		ExpireAtMustBeLaterThanEffectiveAtError GraphQLAliasesLimitExceeded GraphQLBatchedOperationsLimitExceeded
		GraphQLUnsupportedDirective IncompatibleSubscriptionAddon IntegrationValidationError InvalidAddressError
		InvalidArgumentError InvalidCancellationDate InvalidDoggoSignatureError InvalidEntitlementResetPeriod
		InvalidMemberDelete InvalidMetadataError InvalidQuantity InvalidReceivedSignatureError InvalidSubscriptionStatus
		InvalidTaxId InvalidUpdatePriceUnitAmountError MergeEnvironmentValidationError MeterMustBeAssociatedToMeteredFeature
		MeteringNotAvailableForFeatureType MissingEntityIdError PackageGroupMinItemsError SubscriptionMustHaveSinglePlanError
		TrialMustBeCancelledImmediately UnsupportedFeatureType UnsupportedParameter UnsupportedSubscriptionScheduleType
		UnsupportedVendorIdentifier UsageMeasurementDiffOutOfRangeError VendorIsNotSupported VersionExceedsMaxValueError`},
	{nil, `
		AddonHasToHavePriceError AddonIsCompatibleWithGroup AddonIsCompatibleWithPlan AddonWithDraftCannotBeDeletedError
		ApiKeyHasExpiry ArchivedCouponCantBeApplied AuthorizationServiceError AwsMarketplaceIntegrationError
		BillingIntegrationMissing BillingInvoiceStatusError CanNotUpdateEntitlementsFeatureGroup
		CannotAddOverrideEntitlementToPlan CannotArchiveFeatureError CannotArchiveFeatureGroupError CannotArchiveProductError
		CannotChangeBillingIntegration CannotDeleteCustomerError CannotDeleteDefaultIntegration CannotDeleteFeatureError
		CannotEditPackageInNonDraftMode CannotRemovePaymentMethodFromCustomerError CannotUnarchiveProductError
		CannotUpdateExpireAtForExpiredCreditGrantError CannotUpdateUnitTransformationError CannotUpsertToPackageThatHasDraft
		ChangingPayingCustomerIsNotSupportedError CheckoutIsNotSupported CreditGrantCannotBeVoided CustomerHasNoEmailAddress
		CustomerNoBillingId DataExportIntegrationError DeprecatedEstimateSubscriptionError
		DowngradeBillingPeriodNotSupportedError DraftAddonCantBeArchived DraftPlanCantBeArchived
		EditAllowedOnDraftPackageOnlyError EntitlementBelongsToFeatureGroupError EntitlementLimitExceededError
		ExperimentStatusError FailedToCreateCheckoutSessionError FailedToImportCustomer FailedToImportSubscriptions
		FailedToResolveBillingIntegration FeatureConfigurationExceededLimitError FeatureGroupMissingFeaturesError
		FeatureNotBelongToFeatureGroupError FetchAllCountriesPricesNotAllowed FreePlanCantHaveCompatiblePackageGroupError
		GovernanceNotEnabled HubspotIntegrationError ImportSubscriptionsBulkError InitStripePaymentMethodError
		IntegrityViolation InvoicePreviewNotAvailableForDraftContract MemberInvitationError MissingBillingInvoiceError
		MultiSubscriptionCantBeAutoCancellationSourceError NoProductsAvailable OperationNotAllowedDuringInProgressExperiment
		OperationTimeout PackagePricingTypeNotSet PlanCannotBePublishWhenBasePlanIsDraft
		PlanCannotBePublishWhenCompatibleAddonIsDraft PlanIsUsedAsDefaultStartPlan PlanIsUsedAsDowngradePlan
		PlanWithChildCantBeDeleted PlansCircularDependencyError PreparePaymentMethodFormError
		PricingModelNotSupportedByBillingIntegration ProductNotPublishedError PromotionCodeCustomerNotFirstPurchase
		PromotionCodeMaxRedemptionsReached PromotionCodeMinimumAmountNotReached PromotionCodeNotActive
		PromotionCodeNotForCustomer RecalculateEntitlementsError SchedulingAtEndOfBillingPeriod
		SelectedBillingModelDoesntMatchImportedItemError SingleSubscriptionCantBeAutoCancellationTargetError
		StripeCustomerIsDeleted StripeError SubscriptionDoesNotHaveBillingPeriod SubscriptionNoBillingId TooManyCustomCurrencies
		TooManySubscriptionsPerCustomer UnPublishedPackage UnexpectedError`},
}

var sentinels = []error{ErrUnauthenticated, ErrForbidden, ErrRateLimited, ErrNotFound, ErrConflict, ErrBadInput}

// snake is a code as Stigg's documentation spells some of them.
func snake(code string) string {
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(code, "${1}_$2"))
}

func wantKind(t *testing.T, code string, kind error) {
	t.Helper()
	for _, spelled := range []string{code, snake(code), strings.ToLower(code)} {
		e := &Error{Code: spelled, Status: 200}
		for _, s := range sentinels {
			if errors.Is(e, s) != (s == kind) {
				t.Errorf("errors.Is(code %s, %v) = %v, want %v", spelled, s, s != kind, kind)
			}
		}
	}
}

func TestEveryCodeStandsForWhatItSays(t *testing.T) {
	doc, err := os.ReadFile("../docs/stigg-behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(doc), "## Appendix C.")
	list, _, _ = strings.Cut(list, "## Appendix D.")
	_, list, _ = strings.Cut(list, "\n")
	left := map[string]bool{}
	for _, code := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
		left[code] = true
	}
	if len(left) != 186 {
		t.Fatalf("%d codes in the reference, want 186", len(left))
	}
	for _, row := range standFor {
		for _, code := range strings.Fields(row.codes) {
			if !left[code] {
				t.Errorf("%s is listed twice, or not Stigg's", code)
			}
			delete(left, code)
			wantKind(t, code, row.kind)
		}
	}
	for code := range left {
		t.Errorf("nothing says what %s stands for", code)
	}
}

// Codes that the schema does not have: of Stigg's documentation, of Apollo's server, of a gateway, of a version to come.
func TestCodesFromElsewhere(t *testing.T) {
	for code, kind := range map[string]error{
		"VALIDATION_ERROR": ErrBadInput, "ENTITLEMENT_LIMIT_EXCEEDED": nil, "UNAUTHORIZED": ErrUnauthenticated, "FORBIDDEN": ErrForbidden,
		"BAD_USER_INPUT": ErrBadInput, "BAD_REQUEST": ErrBadInput, "GRAPHQL_VALIDATION_FAILED": ErrBadInput, "GRAPHQL_PARSE_FAILED": ErrBadInput,
		"TOO_MANY_REQUESTS": ErrRateLimited, "NOT_FOUND": ErrNotFound, "CONFLICT": ErrConflict, "INTERNAL_SERVER_ERROR": nil, "": nil,
		"SeatNotFoundError": ErrNotFound, "SeatAlreadyTaken": ErrConflict, "InvalidSeat": ErrBadInput, "UnsupportedSeat": ErrBadInput, "SeatIsWet": nil,
	} {
		wantKind(t, code, kind)
	}
}
