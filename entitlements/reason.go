package entitlements

import "strconv"

// Reason says why access was denied, in Stigg's own words (AccessDeniedReason in schema.graphql). The empty reason means
// that access was not denied. Values that this package does not know are kept as the server sent them.
type Reason string

// The fourteen reasons of Stigg's API. The comment says who produces each: the server, this package's [Decide], or both.
const (
	BudgetExceeded                     Reason = "BudgetExceeded"                     // server: the subscription's budget is spent
	CustomerIsArchived                 Reason = "CustomerIsArchived"                 // server, for the whole set
	CustomerNotFound                   Reason = "CustomerNotFound"                   // server, for the whole set
	CustomerResourceNotFound           Reason = "CustomerResourceNotFound"           // server
	EntitlementNotFound                Reason = "EntitlementNotFound"                // server; Decide, for a currency the customer lacks
	FeatureNotFound                    Reason = "FeatureNotFound"                    // server
	FeatureTypeMismatch                Reason = "FeatureTypeMismatch"                // Decide, when the query names another type
	InsufficientCredits                Reason = "InsufficientCredits"                // server; Decide, when the wallet cannot pay
	NoActiveSubscription               Reason = "NoActiveSubscription"               // server, for the whole set
	NoFeatureEntitlementInSubscription Reason = "NoFeatureEntitlementInSubscription" // server; Decide, for a feature the customer lacks
	RequestedUsageExceedingLimit       Reason = "RequestedUsageExceedingLimit"       // server; Decide
	RequestedValuesMismatch            Reason = "RequestedValuesMismatch"            // server; Decide
	Revoked                            Reason = "Revoked"                            // server
	Unknown                            Reason = "Unknown"                            // anything else, and the default of a fallback
)

func quote(s string) string { return strconv.Quote(s) }
