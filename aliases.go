package entcache

import (
	"github.com/entcache/entcache/entitlements"
	syncer "github.com/entcache/entcache/sync"
	"github.com/entcache/entcache/usage"
)

// The types that programs name, so that most import one package. Their documentation is where they are defined.
type (
	// Key names a customer's set of entitlements, or that of one of its resources. Fields and methods: [entitlements.Key].
	Key = entitlements.Key
	// Ref names one entitlement within a set. Fields and methods: [entitlements.Ref].
	Ref = entitlements.Ref
	// Query is a question: may this customer use this feature? Fields and methods: [entitlements.Query].
	Query = entitlements.Query
	// Decision is the answer to a Query. Fields and methods: [entitlements.Decision].
	Decision = entitlements.Decision
	// Entitlement is the details behind an answer. Fields and methods: [entitlements.Entitlement].
	Entitlement = entitlements.Entitlement
	// Reason says why access was denied.
	Reason = entitlements.Reason
	// Origin says where an answer came from.
	Origin = entitlements.Origin
	// Type is what kind of question an entitlement answers.
	Type = entitlements.Type
	// FallbackValue is what to answer when nothing is known. Fields and methods: [entitlements.FallbackValue].
	FallbackValue = entitlements.FallbackValue
	// Grant spells out an entitlement, for the details of a fallback. Fields and methods: [entitlements.Grant].
	Grant = entitlements.Grant
	// FeatureType is Stigg's word for a kind of feature, for the details of a fallback.
	FeatureType = entitlements.FeatureType
	// MeterType is Stigg's word for how the usage of a feature is counted, for the details of a fallback.
	MeterType = entitlements.MeterType
	// State is how the client stands to Stigg.
	State = syncer.State
	// Source is where entitlements are fetched from and followed; see [WithSource]. Fields and methods: [syncer.Source].
	Source = syncer.Source
	// KeyChecker is an optional power of a Source. Methods: [syncer.KeyChecker].
	KeyChecker = syncer.KeyChecker
	// Failure is what a Source's errors may answer, so that a refused key or a rate limit is known for one. Methods:
	// [syncer.Failure].
	Failure = syncer.Failure
	// Stream is what a Source follows. Fields and methods: [syncer.Stream].
	Stream = syncer.Stream
	// Snapshot is what a Source answers: everything about one Key. Make one with [entitlements.NewSnapshot]. Fields and methods:
	// [entitlements.Snapshot].
	Snapshot = entitlements.Snapshot
	// MeterStats is what [Client].Meter has done. Fields: [usage.Stats].
	MeterStats = usage.Stats
	// SetAside is usage that Stigg refuses. Fields: [usage.SetAside].
	SetAside = usage.SetAside
	// UndeliveredError says what usage was not delivered. Fields: [usage.UndeliveredError].
	UndeliveredError = usage.UndeliveredError
	// Event is what a Stream brings. Fields and methods: [entitlements.Event].
	Event = entitlements.Event
)

// Where a decision came from.
const (
	Fallback = entitlements.Fallback
	Stale    = entitlements.Stale
	Fetched  = entitlements.Fetched
	Live     = entitlements.Live
)

// The states of a client.
const (
	StateInitializing = syncer.Initializing
	StateLive         = syncer.Live
	StateInterrupted  = syncer.Interrupted
	StateOff          = syncer.Off
)

// What a query may expect; see [Query].Type.
const (
	TypeBoolean = entitlements.TypeBoolean
	TypeNumeric = entitlements.TypeNumeric
	TypeMetered = entitlements.TypeMetered
	TypeEnum    = entitlements.TypeEnum
	TypeCredit  = entitlements.TypeCredit
)

// Stigg's kinds of features and meters.
const (
	FeatureBoolean   = entitlements.FeatureBoolean
	FeatureNumber    = entitlements.FeatureNumber
	FeatureEnum      = entitlements.FeatureEnum
	MeterNone        = entitlements.MeterNone
	MeterFluctuating = entitlements.MeterFluctuating
	MeterIncremental = entitlements.MeterIncremental
)

// Why access was denied.
const (
	BudgetExceeded                     = entitlements.BudgetExceeded
	CustomerIsArchived                 = entitlements.CustomerIsArchived
	CustomerNotFound                   = entitlements.CustomerNotFound
	CustomerResourceNotFound           = entitlements.CustomerResourceNotFound
	EntitlementNotFound                = entitlements.EntitlementNotFound
	FeatureNotFound                    = entitlements.FeatureNotFound
	FeatureTypeMismatch                = entitlements.FeatureTypeMismatch
	InsufficientCredits                = entitlements.InsufficientCredits
	NoActiveSubscription               = entitlements.NoActiveSubscription
	NoFeatureEntitlementInSubscription = entitlements.NoFeatureEntitlementInSubscription
	RequestedUsageExceedingLimit       = entitlements.RequestedUsageExceedingLimit
	RequestedValuesMismatch            = entitlements.RequestedValuesMismatch
	Revoked                            = entitlements.Revoked
	UnknownReason                      = entitlements.Unknown
)

// Feature names the entitlement to a feature within a set.
func Feature(id string) Ref { return entitlements.Feature(id) }

// Currency names the entitlement to a credit currency, a wallet, within a set.
func Currency(id string) Ref { return entitlements.Currency(id) }
