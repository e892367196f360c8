package emulator

import (
	"cmp"
	"fmt"
)

// Catalog is what the emulated account sells: features, the currencies of credit wallets, and the products whose plans
// and add-ons grant them. It is read once and never changed; publish a new one with [Emulator.UpdateCatalog].
type Catalog struct {
	Features      []Feature      `yaml:"features" json:"features"`
	FeatureGroups []FeatureGroup `yaml:"featureGroups,omitempty" json:"featureGroups,omitempty"` // features that are promoted together
	Currencies    []Currency     `yaml:"currencies,omitempty" json:"currencies,omitempty"`
	Products      []Product      `yaml:"products" json:"products"`
	Plans         []Plan         `yaml:"plans" json:"plans"`
	Addons        []Addon        `yaml:"addons,omitempty" json:"addons,omitempty"`
	Coupons       []Coupon       `yaml:"coupons,omitempty" json:"coupons,omitempty"`
	Billing       *Billing       `yaml:"billing,omitempty" json:"billing,omitempty"` // default: no payment is ever asked for
}

// Billing is the payment integration of the account. With one, who has left no payment method is sent to a checkout before a
// paid plan.
type Billing struct {
	Tax *Tax `yaml:"tax,omitempty" json:"tax,omitempty"` // default: none
}

// FeatureType says what an entitlement to a feature can express.
type FeatureType string

// The feature types.
const (
	Boolean FeatureType = "boolean" // has it or not
	Enum    FeatureType = "enum"    // a set of values
	Number  FeatureType = "number"  // a limit, metered or not
)

// MeterType says how usage of a number feature adds up.
type MeterType string

// The meter types. The empty one means the number is configuration, not usage.
const (
	Incremental MeterType = "incremental" // counts events, may reset each period
	Fluctuating MeterType = "fluctuating" // a level, such as seats; never resets
)

// Feature is one thing a customer can be entitled to.
type Feature struct {
	ID          string      `yaml:"id" json:"id"`
	Name        string      `yaml:"name,omitempty" json:"name,omitempty"` // default: the id
	Description string      `yaml:"description,omitempty" json:"description,omitempty"`
	Type        FeatureType `yaml:"type" json:"type"`
	Meter       MeterType   `yaml:"meter,omitempty" json:"meter,omitempty"` // number features only
	Unit        string      `yaml:"unit,omitempty" json:"unit,omitempty"`
	Units       string      `yaml:"units,omitempty" json:"units,omitempty"`
	Values      []string    `yaml:"values,omitempty" json:"values,omitempty"` // enum features only: all values there are
	Events      *EventMeter `yaml:"events,omitempty" json:"events,omitempty"` // metered features only; default: usage is reported
}

// Metered reports whether usage of the feature is counted.
func (f *Feature) Metered() bool { return f.Type == Number && f.Meter != "" }

// FeatureGroup is features that are promoted, and taken back, together.
type FeatureGroup struct {
	ID          string   `yaml:"id" json:"id"`
	Name        string   `yaml:"name,omitempty" json:"name,omitempty"` // default: the id
	Description string   `yaml:"description,omitempty" json:"description,omitempty"`
	Features    []string `yaml:"features" json:"features"` // their ids, at least one; a feature may be in several groups
}

// Currency is the unit of a credit wallet.
type Currency struct {
	ID          string `yaml:"id" json:"id"`
	Name        string `yaml:"name,omitempty" json:"name,omitempty"` // default: the id
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	Symbol      string `yaml:"symbol,omitempty" json:"symbol,omitempty"`
	Unit        string `yaml:"unit,omitempty" json:"unit,omitempty"`
	Units       string `yaml:"units,omitempty" json:"units,omitempty"`

	Price *Decimal `yaml:"price,omitempty" json:"price,omitempty"` // US dollars, of one credit that is bought automatically; default: 0
}

// Product groups plans. Per customer and resource at most one plan of a product is in force.
type Product struct {
	ID            string   `yaml:"id" json:"id"`
	Name          string   `yaml:"name,omitempty" json:"name,omitempty"` // default: the id
	Description   string   `yaml:"description,omitempty" json:"description,omitempty"`
	Journey       *Journey `yaml:"journey,omitempty" json:"journey,omitempty"`             // default: new customers start with nothing
	DowngradePlan string   `yaml:"downgradePlan,omitempty" json:"downgradePlan,omitempty"` // provisioned when a trial ends unconverted
}

// Journey is where a customer starts who is provisioned without a plan.
type Journey struct {
	Plan  string `yaml:"plan" json:"plan"`
	Trial bool   `yaml:"trial,omitempty" json:"trial,omitempty"` // start with the plan's trial, which it must have
}

// Plan grants entitlements while a subscription to it is active.
type Plan struct {
	ID           string        `yaml:"id" json:"id"`
	Product      string        `yaml:"product" json:"product"`
	Name         string        `yaml:"name,omitempty" json:"name,omitempty"` // default: the id
	Description  string        `yaml:"description,omitempty" json:"description,omitempty"`
	Parent       string        `yaml:"parent,omitempty" json:"parent,omitempty"`             // inherits entitlements; own ones replace them
	Pricing      string        `yaml:"pricing,omitempty" json:"pricing,omitempty"`           // free (default), paid or custom
	Trial        *Trial        `yaml:"trial,omitempty" json:"trial,omitempty"`               // default: no trial
	Version      int           `yaml:"version,omitempty" json:"version,omitempty"`           // default 1
	HiddenFrom   []Widget      `yaml:"hiddenFrom,omitempty" json:"hiddenFrom,omitempty"`     // widgets that do not offer it; default: none
	Prices       []Price       `yaml:"prices,omitempty" json:"prices,omitempty"`             // paid plans only
	MinimumSpend []Spend       `yaml:"minimumSpend,omitempty" json:"minimumSpend,omitempty"` // default: none
	Entitlements []Entitlement `yaml:"entitlements,omitempty" json:"entitlements,omitempty"`
}

// Widget is a part of a page that Stigg renders from the catalog.
type Widget string

// The widgets.
const (
	PaywallWidget        Widget = "paywall"
	CustomerPortalWidget Widget = "customerPortal"
	CheckoutWidget       Widget = "checkout"
)

// Trial is the trial a plan starts with, once per customer.
type Trial struct {
	Days    int  `yaml:"days" json:"days"`
	Convert bool `yaml:"convert,omitempty" json:"convert,omitempty"` // stay on the plan afterwards; default: the subscription expires
}

// Addon grants entitlements on top of a plan: limits add up, times the quantity.
type Addon struct {
	ID           string        `yaml:"id" json:"id"`
	Product      string        `yaml:"product" json:"product"`
	Name         string        `yaml:"name,omitempty" json:"name,omitempty"` // default: the id
	Description  string        `yaml:"description,omitempty" json:"description,omitempty"`
	HiddenFrom   []Widget      `yaml:"hiddenFrom,omitempty" json:"hiddenFrom,omitempty"` // widgets that do not offer it; default: none
	Prices       []Price       `yaml:"prices,omitempty" json:"prices,omitempty"`         // of one; the quantity multiplies them
	Entitlements []Entitlement `yaml:"entitlements,omitempty" json:"entitlements,omitempty"`
}

// Entitlement grants a feature, or credits of a currency: exactly one of Feature and Currency is set.
type Entitlement struct {
	Feature  string `yaml:"feature,omitempty" json:"feature,omitempty"`
	Currency string `yaml:"currency,omitempty" json:"currency,omitempty"`

	Limit      *float64    `yaml:"limit,omitempty" json:"limit,omitempty"`           // of a number feature; of a currency, credits a period
	Unlimited  bool        `yaml:"unlimited,omitempty" json:"unlimited,omitempty"`   // number features only
	SoftLimit  bool        `yaml:"softLimit,omitempty" json:"softLimit,omitempty"`   // going over is allowed
	Values     []string    `yaml:"values,omitempty" json:"values,omitempty"`         // enum features only: the granted ones
	Reset      Period      `yaml:"reset,omitempty" json:"reset,omitempty"`           // incremental meters and currencies; default: never
	ResetOn    ResetOn     `yaml:"resetOn,omitempty" json:"resetOn,omitempty"`       // default: the day the subscription started
	CreditRate *CreditRate `yaml:"creditRate,omitempty" json:"creditRate,omitempty"` // usage of the feature also draws on a wallet
}

// CreditRate is what one unit of usage costs.
type CreditRate struct {
	Currency string  `yaml:"currency" json:"currency"`
	Amount   float64 `yaml:"amount" json:"amount"`
}

// ref is the id the entitlement is found by, and whether it is a currency's.
func (e *Entitlement) ref() ref {
	if e.Currency != "" {
		return ref{id: e.Currency, credit: true}
	}
	return ref{id: e.Feature}
}

// ref names a feature or a currency; the two have separate ids.
type ref struct {
	id     string
	credit bool
}

func compareRefs(a, b ref) int {
	if a.credit != b.credit {
		if b.credit {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.id, b.id)
}

// CatalogError is one thing wrong with a catalog.
type CatalogError struct {
	Line    int    // in the YAML text; 0 when the catalog was built in Go
	Field   string // such as "plans[2].entitlements[0].feature"; empty when it is the text as a whole
	Problem string
}

// Error names line, field and problem.
func (e *CatalogError) Error() string {
	switch {
	case e.Line > 0 && e.Field == "":
		return fmt.Sprintf("catalog line %d: %s", e.Line, e.Problem)
	case e.Line > 0:
		return fmt.Sprintf("catalog line %d: %s: %s", e.Line, e.Field, e.Problem)
	}
	return fmt.Sprintf("catalog: %s: %s", e.Field, e.Problem)
}

// index is a checked catalog, ready for lookup; immutable.
type index struct {
	catalog    *Catalog
	features   map[string]*Feature
	groups     map[string]*FeatureGroup
	currencies map[string]*Currency
	products   map[string]*Product
	plans      map[string]*Plan
	addons     map[string]*Addon
	coupons    map[string]*Coupon
	granted    map[string][]Entitlement // by plan id: own and inherited, in order of ref
}

// feature returns the feature of that id, or nil.
func (ix *index) feature(id string) *Feature { return ix.features[id] }
