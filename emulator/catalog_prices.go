package emulator

import (
	"fmt"
	"regexp"
	"slices"
	"sync"

	"github.com/graph-gophers/graphql-go/ast"
	"github.com/shopspring/decimal"
)

// Amounts in a catalog are exact: the digits that are written are the digits that are counted with.

// TiersMode says how a price in tiers counts units.
type TiersMode string

// The modes.
const (
	Volume    TiersMode = "volume"    // all units at the price of the tier that the last one falls into
	Graduated TiersMode = "graduated" // each unit at the price of the tier that it falls into
)

// Price is what a plan or an add-on charges for each billing period, in one currency: a flat fee; with Feature, so much for each
// unit of it that is bought; with Usage too, for each unit that was used.
type Price struct {
	Period   Period    `yaml:"period" json:"period"`                         // month or year
	Currency string    `yaml:"currency,omitempty" json:"currency,omitempty"` // ISO 4217; default USD
	Country  string    `yaml:"country,omitempty" json:"country,omitempty"`   // billing country, ISO 3166; default: any
	Once     bool      `yaml:"once,omitempty" json:"once,omitempty"`         // charged with the first period only
	Amount   *Decimal  `yaml:"amount,omitempty" json:"amount,omitempty"`     // the fee, or the price of a unit
	Feature  string    `yaml:"feature,omitempty" json:"feature,omitempty"`   // a number feature
	Usage    bool      `yaml:"usage,omitempty" json:"usage,omitempty"`       // charged when the period is over; metered features only
	Mode     TiersMode `yaml:"mode,omitempty" json:"mode,omitempty"`         // of tiers; default volume
	Tiers    []Tier    `yaml:"tiers,omitempty" json:"tiers,omitempty"`       // instead of amount
	Block    float64   `yaml:"block,omitempty" json:"block,omitempty"`       // units are sold this many at once
	Min      float64   `yaml:"min,omitempty" json:"min,omitempty"`           // fewest units; bought when nothing is said
	Max      float64   `yaml:"max,omitempty" json:"max,omitempty"`           // most units; default: no limit
}

// Tier is a part of the scale of quantities.
type Tier struct {
	UpTo *float64 `yaml:"upTo,omitempty" json:"upTo,omitempty"` // its last unit; none in the last tier
	Unit *Decimal `yaml:"unit,omitempty" json:"unit,omitempty"` // the price of each unit
	Flat *Decimal `yaml:"flat,omitempty" json:"flat,omitempty"` // a fee when it is reached
}

// Spend is the least that a subscription to a plan costs for each period, whatever its prices add up to.
type Spend struct {
	Period   Period   `yaml:"period" json:"period"`
	Currency string   `yaml:"currency,omitempty" json:"currency,omitempty"` // default USD
	Amount   *Decimal `yaml:"amount" json:"amount"`
}

// Coupon takes something off the price of subscriptions: exactly one of PercentOff and AmountsOff is set.
type Coupon struct {
	ID          string   `yaml:"id" json:"id"`
	Name        string   `yaml:"name,omitempty" json:"name,omitempty"` // default: the id
	Description string   `yaml:"description,omitempty" json:"description,omitempty"`
	PercentOff  *Decimal `yaml:"percentOff,omitempty" json:"percentOff,omitempty"`
	AmountsOff  []Amount `yaml:"amountsOff,omitempty" json:"amountsOff,omitempty"` // one for each currency
	Once        bool     `yaml:"once,omitempty" json:"once,omitempty"`             // for the first period only
	Months      int      `yaml:"months,omitempty" json:"months,omitempty"`         // for so many months; default: for ever
	Archived    bool     `yaml:"archived,omitempty" json:"archived,omitempty"`     // cannot be applied any more
}

// Amount is money.
type Amount struct {
	Amount   *Decimal `yaml:"amount" json:"amount"`
	Currency string   `yaml:"currency,omitempty" json:"currency,omitempty"` // default USD
}

// Tax is added to what is charged, or is contained in it.
type Tax struct {
	Name      string   `yaml:"name" json:"name"`
	Percent   *Decimal `yaml:"percent" json:"percent"`
	Inclusive bool     `yaml:"inclusive,omitempty" json:"inclusive,omitempty"` // prices contain it
}

// defaultCurrency is that of amounts that name none.
const defaultCurrency = "USD"

var (
	currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)
	countryCode  = regexp.MustCompile(`^[A-Z]{2}$`)
)

// apiCurrencies are those that the API can say.
var apiCurrencies = sync.OnceValue(func() map[string]bool {
	codes := map[string]bool{}
	if parsed, err := boundSchema(); err == nil {
		if enum, ok := parsed.AST().Types["Currency"].(*ast.EnumTypeDefinition); ok {
			for _, v := range enum.EnumValuesDefinition {
				codes[v.EnumValue] = true
			}
		}
	}
	return codes
})

// prices checks those of a plan or add-on, and fills in defaults.
func (ck *checker) prices(at string, list []Price) {
	for i := range list {
		p, at := &list[i], fmt.Sprintf("%s.prices[%d]", at, i)
		ck.billing(at, p.Period, &p.Currency)
		if p.Country != "" && !countryCode.MatchString(p.Country) {
			ck.fail(at+".country", "%q is not two capital letters", p.Country)
		}
		if (p.Amount == nil) == (len(p.Tiers) == 0) {
			ck.fail(at, "give exactly one of amount and tiers")
		}
		ck.amount(at+".amount", p.Amount)
		ck.tiers(at, p)
		f := ck.ix.features[p.Feature]
		switch {
		case p.Feature == "":
			if len(p.Tiers) > 0 || p.Usage || p.Block != 0 || p.Min != 0 || p.Max != 0 {
				ck.fail(at+".feature", "is required: tiers, usage, block, min and max count units of one")
			}
		case f == nil:
			ck.fail(at+".feature", "there is no feature %q", p.Feature)
		case f.Type != Number:
			ck.fail(at+".feature", "%s feature %q has no units", f.Type, f.ID)
		case p.Usage && !f.Metered():
			ck.fail(at+".usage", "only usage of a metered feature is charged; %q is not one", f.ID)
		}
		if p.Usage && p.Once {
			ck.fail(at+".once", "what is charged by usage is charged for each period")
		}
		for field, v := range map[string]float64{"block": p.Block, "min": p.Min, "max": p.Max} {
			if !(v >= 0) || v > maxUnits {
				ck.fail(at+"."+field, "must be a number, zero or more")
			}
		}
		if p.Max > 0 && p.Max < p.Min {
			ck.fail(at+".max", "is less than min")
		}
	}
}

// maxUnits keeps quantities far from where a float64 loses whole numbers.
const maxUnits = 1e15

func (ck *checker) tiers(at string, p *Price) {
	if p.Mode == "" && len(p.Tiers) > 0 {
		p.Mode = Volume
	}
	if p.Mode != "" && len(p.Tiers) == 0 {
		ck.fail(at+".mode", "is for tiers")
	}
	if !slices.Contains([]TiersMode{"", Volume, Graduated}, p.Mode) {
		ck.fail(at+".mode", "%q is not volume or graduated", p.Mode)
	}
	from := 0.0
	for i, t := range p.Tiers {
		at := fmt.Sprintf("%s.tiers[%d]", at, i)
		ck.amount(at+".unit", t.Unit)
		ck.amount(at+".flat", t.Flat)
		last := i == len(p.Tiers)-1
		switch {
		case t.Unit == nil && t.Flat == nil:
			ck.fail(at, "give unit, flat, or both")
		case last && t.UpTo != nil:
			ck.fail(at+".upTo", "the last tier has no end")
		case !last && t.UpTo == nil:
			ck.fail(at+".upTo", "is required: only the last tier has no end")
		case t.UpTo != nil && (!(*t.UpTo > from) || *t.UpTo > maxUnits):
			ck.fail(at+".upTo", "must be more than that of the tier before")
		}
		if t.UpTo != nil {
			from = *t.UpTo
		}
	}
}

// billing checks the period and the currency of a price, and fills in the default of the latter.
func (ck *checker) billing(at string, p Period, currency *string) {
	if p != Month && p != Year {
		ck.fail(at+".period", "%q is not month or year", p)
	}
	ck.money(at, currency)
}

func (ck *checker) money(at string, currency *string) {
	if *currency = orDefault(*currency, defaultCurrency); !currencyCode.MatchString(*currency) {
		ck.fail(at+".currency", "%q is not three capital letters", *currency)
	} else if !apiCurrencies()[*currency] {
		ck.fail(at+".currency", "the API has no currency %q", *currency)
	}
}

func (ck *checker) amount(field string, a *Decimal) {
	if a != nil && a.IsNegative() {
		ck.fail(field, "must be zero or more")
	}
}

func (ck *checker) minimum(at string, list []Spend) {
	for i := range list {
		s, at := &list[i], fmt.Sprintf("%s.minimumSpend[%d]", at, i)
		ck.billing(at, s.Period, &s.Currency)
		if s.Amount == nil {
			ck.fail(at+".amount", "is required")
		}
		ck.amount(at+".amount", s.Amount)
	}
}

func (ck *checker) coupons(list []Coupon) {
	for i := range list {
		c, at := &list[i], fmt.Sprintf("coupons[%d]", i)
		put(ck, ck.ix.coupons, at, c.ID, c)
		c.Name = orDefault(c.Name, c.ID)
		if (c.PercentOff == nil) == (len(c.AmountsOff) == 0) {
			ck.fail(at, "give exactly one of percentOff and amountsOff")
		}
		ck.percent(at+".percentOff", c.PercentOff)
		for j := range c.AmountsOff {
			a, at := &c.AmountsOff[j], fmt.Sprintf("%s.amountsOff[%d]", at, j)
			ck.money(at, &a.Currency)
			if a.Amount == nil || !a.Amount.IsPositive() {
				ck.fail(at+".amount", "must be positive")
			}
		}
		if c.Months < 0 || c.Once && c.Months > 0 {
			ck.fail(at+".months", "must be positive, and does not go with once")
		}
	}
}

func (ck *checker) percent(field string, p *Decimal) {
	if p != nil && (!p.IsPositive() || p.GreaterThan(decimal.NewFromInt(100))) {
		ck.fail(field, "must be more than 0 and at most 100")
	}
}

func (ck *checker) tax(t *Tax) {
	if t == nil {
		return
	}
	if t.Name == "" {
		ck.fail("billing.tax.name", "is required")
	}
	if t.Percent == nil {
		ck.fail("billing.tax.percent", "is required")
	}
	ck.percent("billing.tax.percent", t.Percent)
}

func clonePrices(list []Price) []Price {
	list = slices.Clone(list)
	for i := range list {
		list[i].Amount = clonePointer(list[i].Amount)
		list[i].Tiers = slices.Clone(list[i].Tiers)
		for j, t := range list[i].Tiers {
			list[i].Tiers[j] = Tier{clonePointer(t.UpTo), clonePointer(t.Unit), clonePointer(t.Flat)}
		}
	}
	return list
}

func cloneSpends(list []Spend) []Spend {
	list = slices.Clone(list)
	for i := range list {
		list[i].Amount = clonePointer(list[i].Amount)
	}
	return list
}

func cloneCoupons(list []Coupon) []Coupon {
	list = slices.Clone(list)
	for i := range list {
		list[i].PercentOff = clonePointer(list[i].PercentOff)
		list[i].AmountsOff = slices.Clone(list[i].AmountsOff)
		for j := range list[i].AmountsOff {
			list[i].AmountsOff[j].Amount = clonePointer(list[i].AmountsOff[j].Amount)
		}
	}
	return list
}

// equalPrices reports whether two packages cost the same.
func equalPrices(a, b []Price) bool {
	return slices.EqualFunc(a, b, func(a, b Price) bool {
		same := equalAmounts(a.Amount, b.Amount) && slices.EqualFunc(a.Tiers, b.Tiers, func(a, b Tier) bool {
			return equalPointers(a.UpTo, b.UpTo) && equalAmounts(a.Unit, b.Unit) && equalAmounts(a.Flat, b.Flat)
		})
		return same && a.Period == b.Period && a.Currency == b.Currency && a.Country == b.Country && a.Once == b.Once && a.Feature == b.Feature &&
			a.Usage == b.Usage && a.Mode == b.Mode && a.Block == b.Block && a.Min == b.Min && a.Max == b.Max
	})
}

func equalSpends(a, b []Spend) bool {
	return slices.EqualFunc(a, b, func(a, b Spend) bool {
		return a.Period == b.Period && a.Currency == b.Currency && equalAmounts(a.Amount, b.Amount)
	})
}

func equalAmounts(a, b *Decimal) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(b.Decimal))
}

func equalPointers[T comparable](a, b *T) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}
