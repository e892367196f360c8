package emulator

import (
	"encoding/json"
	"time"
)

// What follows is the written form of an emulator's state. It stands beside the live types so that those can change without making
// old files unreadable; TestNoFieldIsForgotten holds the two together. Times are UTC, to the nanosecond; usage is decimal digits in
// a string; whatever a catalog also has is written as a catalog has it. Lists that are maps in memory are sorted.

const (
	stateFormat  = "stigg-emulator-state"
	stateVersion = 1 // one more when a text of this version would be read wrongly, or not at all
)

// savedState is the document.
type savedState struct {
	Format     string             `json:"format"`
	Version    int                `json:"version"`
	Now        time.Time          `json:"now"`                  // the present of the account when it was dumped
	ClockAhead string             `json:"clockAhead,omitempty"` // of the real one then, as a duration; default none
	Began      time.Time          `json:"began"`                // when the emulator was made, and its coupons with it
	LastStamp  time.Time          `json:"lastStamp,omitzero"`
	LastID     uint64             `json:"lastId"`
	APIKeys    []string           `json:"apiKeys"`
	Catalogs   []*Catalog         `json:"catalogs"` // the one in force, then those that subscriptions were sold from
	Customers  []savedCustomer    `json:"customers"`
	Coupons    []savedCoupon      `json:"coupons,omitempty"` // those of no catalog, in the order they were made
	Checks     []EntitlementCheck `json:"checks,omitempty"`  // that were reported, oldest first
	Reports    savedReports       `json:"reports,omitzero"`
	Events     []savedEvent       `json:"events,omitempty"` // not counted yet, in the order they came
}

type savedCoupon struct {
	Coupon
	Metadata  any       `json:"metadata,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
}

type savedCustomer struct {
	ID            string              `json:"id"`
	Name          string              `json:"name,omitempty"`
	Email         string              `json:"email,omitempty"`
	BillingID     string              `json:"billingId,omitempty"`
	MarketplaceID string              `json:"awsMarketplaceCustomerId,omitempty"`
	Coupon        *Coupon             `json:"coupon,omitempty"`
	CouponAt      time.Time           `json:"couponAt,omitzero"`
	PaymentMethod bool                `json:"paymentMethod,omitempty"`
	Metadata      any                 `json:"metadata,omitempty"`
	CreatedAt     time.Time           `json:"createdAt"`
	UpdatedAt     time.Time           `json:"updatedAt"`
	Archived      bool                `json:"archived,omitempty"`
	Subscriptions []savedSubscription `json:"subscriptions,omitempty"`
	Promotions    []savedPromotion    `json:"promotions,omitempty"`
	Checkouts     []savedCheckout     `json:"checkouts,omitempty"`
	Overrides     []savedOverride     `json:"overrides,omitempty"`
	Recharges     []savedRecharge     `json:"recharges,omitempty"`
	Scopes        []savedScope        `json:"scopes"`
}

type savedSubscription struct {
	ID             string             `json:"id"`
	PlanID         string             `json:"planId"`
	ProductID      string             `json:"productId"`
	ResourceID     string             `json:"resourceId,omitempty"`
	Catalog        int                `json:"catalog,omitempty"` // the place in catalogs of the one it was sold from
	Addons         []savedAddon       `json:"addons,omitempty"`
	Custom         []Entitlement      `json:"custom,omitempty"`
	Quantities     map[string]float64 `json:"quantities,omitempty"`
	Period         Period             `json:"period"`
	PriceOverrides []map[string]any   `json:"priceOverrides,omitempty"` // each as the API takes it
	MinimumSpend   *Amount            `json:"minimumSpend,omitempty"`
	Coupon         *Coupon            `json:"coupon,omitempty"`
	CouponAt       time.Time          `json:"couponAt,omitzero"`
	Country        string             `json:"country,omitempty"`
	BillingID      string             `json:"billingId,omitempty"`
	Collection     string             `json:"paymentCollectionMethod,omitempty"`
	Metadata       any                `json:"metadata,omitempty"`
	Payer          string             `json:"payingCustomerId,omitempty"`
	CreatedAt      time.Time          `json:"createdAt"`
	StartAt        time.Time          `json:"startAt"`
	Anchor         time.Time          `json:"anchor"`
	Billed         time.Time          `json:"billed,omitzero"` // what is paid for counts from here; else from anchor
	TrialEnd       time.Time          `json:"trialEnd,omitzero"`
	Convert        bool               `json:"convert,omitempty"`
	savedEnding
	Changes   []savedChange `json:"changes,omitempty"`
	Successor string        `json:"successor,omitempty"`
	Before    savedEnding   `json:"before,omitzero"`
}

type savedEnding struct {
	EndAt     time.Time `json:"endAt,omitzero"`
	Cancelled bool      `json:"cancelled,omitempty"`
	Follow    bool      `json:"follow,omitempty"`
}

type savedAddon struct {
	ID       string  `json:"id"`
	Quantity float64 `json:"quantity"`
}

// savedChange is a scheduled change. What is absent stays as it is; an empty list, and a metadata of null, are changes.
type savedChange struct {
	At             time.Time           `json:"at"`
	Addons         *[]savedAddon       `json:"addons,omitempty"`
	Quantities     *map[string]float64 `json:"quantities,omitempty"`
	Period         Period              `json:"period,omitempty"`
	Custom         []Entitlement       `json:"custom,omitempty"`
	PriceOverrides *[]map[string]any   `json:"priceOverrides,omitempty"`
	MinimumSpend   *Amount             `json:"minimumSpend,omitempty"`
	MinimumOff     bool                `json:"minimumOff,omitempty"`
	Coupon         *Coupon             `json:"coupon,omitempty"`
	CouponOff      bool                `json:"couponOff,omitempty"`
	Metadata       json.RawMessage     `json:"metadata,omitempty"`
	Latest         bool                `json:"latest,omitempty"`
}

type savedPromotion struct {
	ID          string      `json:"id"`
	Entitlement Entitlement `json:"entitlement"`
	StartedAt   time.Time   `json:"startedAt"`
	EndsAt      time.Time   `json:"endsAt,omitzero"`
	Revoked     bool        `json:"revoked,omitempty"`
	Hidden      bool        `json:"hidden,omitempty"`
	Group       string      `json:"featureGroupId,omitempty"`
}

type savedCheckout struct {
	Checkout
	ProductID string     `json:"productId"`
	Order     savedOrder `json:"order"`
}

type savedOrder struct {
	ID             string             `json:"id,omitempty"`
	PlanID         string             `json:"planId"`
	ResourceID     string             `json:"resourceId,omitempty"`
	Addons         []savedAddon       `json:"addons,omitempty"`
	Custom         []Entitlement      `json:"custom,omitempty"`
	Quantities     map[string]float64 `json:"quantities,omitempty"`
	Period         Period             `json:"period,omitempty"`
	PriceOverrides []map[string]any   `json:"priceOverrides,omitempty"`
	MinimumSpend   *Amount            `json:"minimumSpend,omitempty"`
	Payer          string             `json:"payingCustomerId,omitempty"`
	Coupon         *Coupon            `json:"coupon,omitempty"`
	Country        string             `json:"country,omitempty"`
	BillingID      string             `json:"billingId,omitempty"`
	Collection     string             `json:"paymentCollectionMethod,omitempty"`
	Metadata       any                `json:"metadata,omitempty"`
	StartAt        time.Time          `json:"startAt,omitzero"`
	EndAt          time.Time          `json:"endAt,omitzero"`
	Strategy       string             `json:"strategy,omitempty"`
	ResetAnchor    bool               `json:"resetAnchor,omitempty"`
	SkipTrial      bool               `json:"skipTrial,omitempty"`
	Trial          *bool              `json:"trial,omitempty"`
	TrialEnd       time.Time          `json:"trialEnd,omitzero"`
	TrialConvert   *bool              `json:"trialConvert,omitempty"`
}

type savedOverride struct {
	ResourceID  string      `json:"resourceId,omitempty"`
	Entitlement Entitlement `json:"entitlement"`
	Denied      string      `json:"denied,omitempty"`
	SetAt       time.Time   `json:"setAt"`
}

type savedScope struct {
	ResourceID string          `json:"resourceId,omitempty"` // none: the customer itself
	Set        []savedEntitled `json:"set,omitempty"`
	Denied     string          `json:"denied,omitempty"`
	UpdatedAt  time.Time       `json:"updatedAt,omitzero"`
	RecalcAt   time.Time       `json:"recalcAt,omitzero"`
	Meters     []savedMeter    `json:"meters,omitempty"`
	Wallets    []savedWallet   `json:"wallets,omitempty"`
	Past       []State         `json:"past,omitempty"`
}

// savedRef names a feature or a currency: one of the two.
type savedRef struct {
	Feature  string `json:"feature,omitempty"`
	Currency string `json:"currency,omitempty"`
}

type savedEntitled struct {
	savedRef
	// What the feature, or the currency, was when the set was calculated, if the catalog in force has another of that id, or none.
	FeatureWas  *Feature  `json:"featureWas,omitempty"`
	CurrencyWas *Currency `json:"currencyWas,omitempty"`

	Limit      *float64    `json:"limit,omitempty"`
	Unlimited  bool        `json:"unlimited,omitempty"`
	SoftLimit  bool        `json:"softLimit,omitempty"`
	Values     []string    `json:"values,omitempty"`
	Reset      Period      `json:"reset,omitempty"`
	ResetOn    ResetOn     `json:"resetOn,omitempty"`
	Since      time.Time   `json:"since,omitzero"`
	Anchor     time.Time   `json:"anchor,omitzero"`
	CreditRate *CreditRate `json:"creditRate,omitempty"`
	Denied     string      `json:"denied,omitempty"`
	UpdatedAt  time.Time   `json:"updatedAt,omitzero"`
}

type savedMeter struct {
	savedRef
	Used      string             `json:"used"`
	Reset     Period             `json:"reset,omitempty"`
	Anchor    time.Time          `json:"anchor,omitzero"`
	Start     time.Time          `json:"start,omitzero"`
	End       time.Time          `json:"end,omitzero"`
	UpdatedAt time.Time          `json:"updatedAt,omitzero"`
	Seen      []string           `json:"seen,omitempty"`
	Measured  []savedMeasurement `json:"measured,omitempty"`
}

type savedMeasurement struct {
	At         time.Time         `json:"at"`
	Value      string            `json:"value"`
	Set        bool              `json:"set,omitempty"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
}

// savedReports are the idempotency keys that are remembered. The older ones are forgotten together, some time.
type savedReports struct {
	Young []savedReport `json:"young,omitempty"`
	Old   []savedReport `json:"old,omitempty"`
}

type savedReport struct {
	CustomerID string               `json:"customerId"`
	ResourceID string               `json:"resourceId,omitempty"`
	savedRef                        // of a raw event its name, as a feature
	Key        string               `json:"key"`
	Event      bool                 `json:"event,omitempty"`
	At         int64                `json:"at,omitempty"` // of an event, in milliseconds since 1970
	Usage      *savedUsageAnswer    `json:"usage,omitempty"`
	Credit     *savedConsumedAnswer `json:"credit,omitempty"`
}

// savedUsageAnswer is the answer to a report of usage, as far as the key does not say it already.
type savedUsageAnswer struct {
	ID               string            `json:"id"`
	CurrentUsage     float64           `json:"currentUsage"`
	UsagePeriodStart time.Time         `json:"usagePeriodStart,omitzero"`
	UsagePeriodEnd   time.Time         `json:"usagePeriodEnd,omitzero"`
	Timestamp        time.Time         `json:"timestamp"`
	Credit           *savedDrawnAnswer `json:"credit,omitempty"`
}

type savedDrawnAnswer struct {
	CurrencyID     string    `json:"currencyId"`
	Consumed       float64   `json:"consumed"`
	CurrentUsage   float64   `json:"currentUsage"`
	Timestamp      time.Time `json:"timestamp"`
	UsagePeriodEnd time.Time `json:"usagePeriodEnd,omitzero"`
}

type savedConsumedAnswer struct {
	Amount         float64   `json:"amount"`
	CurrentUsage   float64   `json:"currentUsage"`
	UsageLimit     float64   `json:"usageLimit"`
	Timestamp      time.Time `json:"timestamp"`
	UsagePeriodEnd time.Time `json:"usagePeriodEnd,omitzero"`
}

// savedEvent is a raw event, which has a name, or a consumption of credits, which has a currency.
type savedEvent struct {
	CustomerID string         `json:"customerId"`
	ResourceID string         `json:"resourceId,omitempty"`
	Name       string         `json:"name,omitempty"`
	CurrencyID string         `json:"currencyId,omitempty"`
	Key        string         `json:"key,omitempty"`
	Amount     float64        `json:"amount,omitempty"`
	Dimensions map[string]any `json:"dimensions,omitempty"`
	At         time.Time      `json:"at"`
	Due        time.Time      `json:"due"`
}
