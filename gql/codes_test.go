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
		AddonWithDraftCannotBeDeletedError ArchivedCouponCantBeApplied BillingIntegrationAlreadyExistsError
		CanNotUpdateEntitlementsFeatureGroup CannotArchiveFeatureError CannotArchiveFeatureGroupError
		CannotArchiveProductError CannotChangeBillingIntegration CannotDeleteCustomerError
		CannotDeleteDefaultIntegration CannotDeleteFeatureError CannotEditPackageInNonDraftMode
		CannotRemovePaymentMethodFromCustomerError CannotUnarchiveProductError
		CannotUpdateExpireAtForExpiredCreditGrantError CannotUpdateUnitTransformationError
		CannotUpsertToPackageThatHasDraft CreditGrantAlreadyVoided CreditGrantCannotBeVoided
		CustomerAlreadyHaveCustomerCoupon CustomerAlreadyUsesCoupon DraftAddonCantBeArchived DraftAlreadyExists
		DraftPlanCantBeArchived DuplicateIntegrationNotAllowed DuplicateProductValidationError
		DuplicatedEntityNotAllowed EditAllowedOnDraftPackageOnlyError EntityIsArchivedError ExperimentAlreadyRunning
		ImportAlreadyInProgress MultiSubscriptionCantBeAutoCancellationSourceError
		ObjectAlreadyBeingUsedByAnotherRequestError OfferAlreadyExists OperationNotAllowedDuringInProgressExperiment
		PackageAlreadyPublished PlanCannotBePublishWhenBasePlanIsDraft PlanCannotBePublishWhenCompatibleAddonIsDraft
		PlanWithChildCantBeDeleted PromotionCodeCustomerNotFirstPurchase PromotionCodeMaxRedemptionsReached
		PromotionCodeMinimumAmountNotReached PromotionCodeNotActive PromotionCodeNotForCustomer ResyncAlreadyInProgress
		ScheduledMigrationAlreadyExistsError SingleSubscriptionCantBeAutoCancellationTargetError
		SubscriptionAlreadyCanceledOrExpired SubscriptionAlreadyOnLatestPlanError`},
	{ErrBadInput, `
		AddonDependencyMissingError AddonQuantityExceedsLimitError AmountTooLarge
		AwsMarketplaceIntegrationValidationError BadUserInput BillingPeriodMissingError
		CannotAddOverrideEntitlementToPlan CannotReportUsageForEntitlementWithMeterError
		ChangingPayingCustomerIsNotSupportedError CheckoutIsNotSupported DowngradeBillingPeriodNotSupportedError
		DuplicateAddonProvisionedError EntitlementUsageOutOfRangeError EntitlementsMustBelongToSamePackage
		EntityIdDifferentFromRefIdError EnvironmentMissing ExpireAtMustBeLaterThanEffectiveAtError
		FetchAllCountriesPricesNotAllowed FreePlanCantHaveCompatiblePackageGroupError GraphQLAliasesLimitExceeded
		GraphQLBatchedOperationsLimitExceeded GraphQLUnsupportedDirective IncompatibleSubscriptionAddon
		IntegrationValidationError InvalidAddressError InvalidArgumentError InvalidCancellationDate
		InvalidDoggoSignatureError InvalidEntitlementResetPeriod InvalidMemberDelete InvalidMetadataError
		InvalidQuantity InvalidReceivedSignatureError InvalidSubscriptionStatus InvalidTaxId
		InvalidUpdatePriceUnitAmountError MergeEnvironmentValidationError MeterMustBeAssociatedToMeteredFeature
		MeteringNotAvailableForFeatureType MissingEntityIdError PackageGroupMinItemsError
		PricingModelNotSupportedByBillingIntegration SubscriptionMustHaveSinglePlanError TrialMustBeCancelledImmediately
		UnsupportedFeatureType UnsupportedParameter UnsupportedSubscriptionScheduleType UnsupportedVendorIdentifier
		UsageMeasurementDiffOutOfRangeError VendorIsNotSupported VersionExceedsMaxValueError`},
	{nil, `
		AddonHasToHavePriceError AddonIsCompatibleWithGroup AddonIsCompatibleWithPlan ApiKeyHasExpiry
		AuthorizationServiceError AwsMarketplaceIntegrationError BillingIntegrationMissing BillingInvoiceStatusError
		CustomerHasNoEmailAddress CustomerNoBillingId DataExportIntegrationError DeprecatedEstimateSubscriptionError
		EntitlementBelongsToFeatureGroupError EntitlementLimitExceededError ExperimentStatusError
		FailedToCreateCheckoutSessionError FailedToImportCustomer FailedToImportSubscriptions
		FailedToResolveBillingIntegration FeatureConfigurationExceededLimitError FeatureGroupMissingFeaturesError
		FeatureNotBelongToFeatureGroupError GovernanceNotEnabled HubspotIntegrationError ImportSubscriptionsBulkError
		InitStripePaymentMethodError IntegrityViolation InvoicePreviewNotAvailableForDraftContract MemberInvitationError
		MissingBillingInvoiceError NoProductsAvailable OperationTimeout PackagePricingTypeNotSet
		PlanIsUsedAsDefaultStartPlan PlanIsUsedAsDowngradePlan PlansCircularDependencyError
		PreparePaymentMethodFormError ProductNotPublishedError RecalculateEntitlementsError
		SchedulingAtEndOfBillingPeriod SelectedBillingModelDoesntMatchImportedItemError StripeCustomerIsDeleted
		StripeError SubscriptionDoesNotHaveBillingPeriod SubscriptionNoBillingId TooManyCustomCurrencies
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
		"ArchivedSeatCantBeTaken": ErrConflict, "SeatCannotBeFreed": ErrConflict, "SeatsNotSupported": ErrBadInput,
		"SeatNotFoundError": ErrNotFound, "SeatAlreadyTaken": ErrConflict, "InvalidSeat": ErrBadInput, "UnsupportedSeat": ErrBadInput, "SeatIsWet": nil,
	} {
		wantKind(t, code, kind)
	}
}
