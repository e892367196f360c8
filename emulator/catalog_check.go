package emulator

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Validate reports everything wrong with the catalog, each as a [*CatalogError], joined; nil when it can be used.
func (c *Catalog) Validate() error {
	_, err := c.clone().index()
	return err
}

// clone copies the catalog, so that its owner may go on changing theirs.
func (c *Catalog) clone() *Catalog {
	cp := &Catalog{
		Features:      slices.Clone(c.Features),
		FeatureGroups: slices.Clone(c.FeatureGroups),
		Currencies:    slices.Clone(c.Currencies),
		Products:      slices.Clone(c.Products),
		Plans:         slices.Clone(c.Plans),
		Addons:        slices.Clone(c.Addons),
		Coupons:       cloneCoupons(c.Coupons),
		Billing:       clonePointer(c.Billing),
	}
	for i := range cp.FeatureGroups {
		cp.FeatureGroups[i].Features = slices.Clone(cp.FeatureGroups[i].Features)
	}
	if cp.Billing != nil {
		if cp.Billing.Tax = clonePointer(cp.Billing.Tax); cp.Billing.Tax != nil {
			cp.Billing.Tax.Percent = clonePointer(cp.Billing.Tax.Percent)
		}
	}
	for i := range cp.Features {
		cp.Features[i].Values = slices.Clone(cp.Features[i].Values)
		cp.Features[i].Events = cp.Features[i].Events.clone()
	}
	for i := range cp.Products {
		cp.Products[i].Journey = clonePointer(cp.Products[i].Journey)
	}
	for i := range cp.Plans {
		cp.Plans[i].Trial = clonePointer(cp.Plans[i].Trial)
		cp.Plans[i].HiddenFrom = slices.Clone(cp.Plans[i].HiddenFrom)
		cp.Plans[i].Entitlements = cloneEntitlements(cp.Plans[i].Entitlements)
		cp.Plans[i].Prices, cp.Plans[i].MinimumSpend = clonePrices(cp.Plans[i].Prices), cloneSpends(cp.Plans[i].MinimumSpend)
	}
	for i := range cp.Addons {
		cp.Addons[i].Entitlements = cloneEntitlements(cp.Addons[i].Entitlements)
		cp.Addons[i].Prices = clonePrices(cp.Addons[i].Prices)
		cp.Addons[i].HiddenFrom = slices.Clone(cp.Addons[i].HiddenFrom)
	}
	return cp
}

func cloneEntitlements(list []Entitlement) []Entitlement {
	list = slices.Clone(list)
	for i := range list {
		list[i] = list[i].clone()
	}
	return list
}

func (e Entitlement) clone() Entitlement {
	e.Limit = clonePointer(e.Limit)
	e.Values = slices.Clone(e.Values)
	e.CreditRate = clonePointer(e.CreditRate)
	return e
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

// index checks the catalog and prepares it for lookup.
func (c *Catalog) index() (*index, error) {
	ck := &checker{ix: &index{
		catalog:    c,
		features:   map[string]*Feature{},
		groups:     map[string]*FeatureGroup{},
		currencies: map[string]*Currency{},
		products:   map[string]*Product{},
		plans:      map[string]*Plan{},
		addons:     map[string]*Addon{},
		coupons:    map[string]*Coupon{},
		granted:    map[string][]Entitlement{},
	}}
	ck.collect(c)
	ck.references(c)
	if len(ck.errs) > 0 {
		return nil, errors.Join(ck.errs...)
	}
	for id := range ck.ix.plans {
		ck.inherit(id)
	}
	return ck.ix, nil
}

type checker struct {
	ix   *index
	errs []error
}

func (ck *checker) fail(field, format string, args ...any) {
	ck.errs = append(ck.errs, &CatalogError{Field: field, Problem: fmt.Sprintf(format, args...)})
}

// put adds one named thing, refusing what has no id or takes another's.
func put[T any](ck *checker, into map[string]*T, field, id string, v *T) {
	switch {
	case id == "":
		ck.fail(field+".id", "is required")
	case into[id] != nil:
		ck.fail(field+".id", "%q is already used", id)
	default:
		into[id] = v
	}
}

func (ck *checker) collect(c *Catalog) {
	for i := range c.Features {
		f, at := &c.Features[i], fmt.Sprintf("features[%d]", i)
		put(ck, ck.ix.features, at, f.ID, f)
		switch f.Type {
		case Boolean, Enum, Number:
		default:
			ck.fail(at+".type", "%q is not boolean, enum or number", f.Type)
		}
		switch f.Meter {
		case "", Incremental, Fluctuating:
		default:
			ck.fail(at+".meter", "%q is not incremental or fluctuating", f.Meter)
		}
		if f.Meter != "" && f.Type != Number {
			ck.fail(at+".meter", "only a number feature has a meter")
		}
		if len(f.Values) > 0 && f.Type != Enum {
			ck.fail(at+".values", "only an enum feature has values")
		}
		ck.events(at, f)
		f.Name = orDefault(f.Name, f.ID)
	}
	for i := range c.FeatureGroups {
		g := &c.FeatureGroups[i]
		put(ck, ck.ix.groups, fmt.Sprintf("featureGroups[%d]", i), g.ID, g)
		g.Name = orDefault(g.Name, g.ID)
	}
	for i := range c.Currencies {
		cur := &c.Currencies[i]
		put(ck, ck.ix.currencies, fmt.Sprintf("currencies[%d]", i), cur.ID, cur)
		cur.Name = orDefault(cur.Name, cur.ID)
		if cur.Price != nil && (cur.Price.IsNegative() || cur.Price.InexactFloat64() > maxUnits) {
			ck.fail(fmt.Sprintf("currencies[%d].price", i), "must be zero or more, and %g at most", maxUnits)
		}
	}
	for i := range c.Products {
		p := &c.Products[i]
		put(ck, ck.ix.products, fmt.Sprintf("products[%d]", i), p.ID, p)
		p.Name = orDefault(p.Name, p.ID)
	}
	for i := range c.Plans {
		p, at := &c.Plans[i], fmt.Sprintf("plans[%d]", i)
		put(ck, ck.ix.plans, at, p.ID, p)
		p.Name = orDefault(p.Name, p.ID)
		p.Pricing = orDefault(p.Pricing, "free")
		p.Version = max(p.Version, 1)
		if !slices.Contains([]string{"free", "paid", "custom"}, p.Pricing) {
			ck.fail(at+".pricing", "%q is not free, paid or custom", p.Pricing)
		}
		if p.Trial != nil && p.Trial.Days <= 0 {
			ck.fail(at+".trial.days", "must be positive")
		}
		ck.hidden(at, p.HiddenFrom)
	}
	for i := range c.Addons {
		a, at := &c.Addons[i], fmt.Sprintf("addons[%d]", i)
		put(ck, ck.ix.addons, at, a.ID, a)
		a.Name = orDefault(a.Name, a.ID)
		ck.hidden(at, a.HiddenFrom)
	}
	ck.coupons(c.Coupons)
	if c.Billing != nil {
		ck.tax(c.Billing.Tax)
	}
}

func (ck *checker) hidden(at string, list []Widget) {
	for i, w := range list {
		if widgets[w] == "" {
			ck.fail(fmt.Sprintf("%s.hiddenFrom[%d]", at, i), "%q is not paywall, customerPortal or checkout", w)
		}
	}
}

func (ck *checker) references(c *Catalog) {
	for i, g := range c.FeatureGroups {
		at := fmt.Sprintf("featureGroups[%d].features", i)
		if len(g.Features) == 0 {
			ck.fail(at, "a group has at least one feature")
		}
		for j, id := range g.Features {
			if at := fmt.Sprintf("%s[%d]", at, j); ck.ix.features[id] == nil {
				ck.fail(at, "there is no feature %q", id)
			} else if slices.Contains(g.Features[:j], id) {
				ck.fail(at, "%q is in the group twice", id)
			}
		}
	}
	for i, p := range c.Products {
		at := fmt.Sprintf("products[%d]", i)
		ck.planOf(at+".downgradePlan", p.DowngradePlan, p.ID)
		if p.Journey == nil {
			continue
		}
		if p.Journey.Plan == "" {
			ck.fail(at+".journey.plan", "is required")
			continue
		}
		ck.planOf(at+".journey.plan", p.Journey.Plan, p.ID)
		if plan := ck.ix.plans[p.Journey.Plan]; plan != nil && p.Journey.Trial && plan.Trial == nil {
			ck.fail(at+".journey.trial", "plan %q has no trial", plan.ID)
		}
	}
	for i, p := range c.Plans {
		at := fmt.Sprintf("plans[%d]", i)
		ck.product(at+".product", p.Product)
		ck.planOf(at+".parent", p.Parent, p.Product)
		ck.ancestry(at+".parent", p.ID)
		ck.entitlements(at, p.Entitlements)
		if p.Pricing != "paid" && len(p.Prices)+len(p.MinimumSpend) > 0 {
			ck.fail(at+".prices", "a %s plan has none: pricing is paid when there are", p.Pricing)
		}
		ck.prices(at, p.Prices)
		ck.minimum(at, p.MinimumSpend)
	}
	for i, a := range c.Addons {
		at := fmt.Sprintf("addons[%d]", i)
		ck.product(at+".product", a.Product)
		ck.entitlements(at, a.Entitlements)
		ck.prices(at, a.Prices)
	}
}

func (ck *checker) product(field, id string) {
	if id == "" {
		ck.fail(field, "is required")
	} else if ck.ix.products[id] == nil {
		ck.fail(field, "there is no product %q", id)
	}
}

// planOf checks an optional reference to a plan of the given product.
func (ck *checker) planOf(field, id, product string) {
	switch plan := ck.ix.plans[id]; {
	case id == "":
	case plan == nil:
		ck.fail(field, "there is no plan %q", id)
	case plan.Product != product:
		ck.fail(field, "plan %q belongs to product %q", id, plan.Product)
	}
}

func (ck *checker) ancestry(field, id string) {
	seen := map[string]bool{}
	for p := ck.ix.plans[id]; p != nil; p = ck.ix.plans[p.Parent] {
		if seen[p.ID] {
			ck.fail(field, "plan %q is its own ancestor", id)
			return
		}
		seen[p.ID] = true
	}
}

func (ck *checker) entitlements(at string, list []Entitlement) {
	seen := map[ref]bool{}
	for i := range list {
		e, at := &list[i], fmt.Sprintf("%s.entitlements[%d]", at, i)
		if (e.Feature == "") == (e.Currency == "") {
			ck.fail(at, "give exactly one of feature and currency")
			continue
		}
		if seen[e.ref()] {
			ck.fail(at, "%q is granted twice", e.ref().id)
		}
		seen[e.ref()] = true
		ck.entitlement(at, e)
	}
}

// entitlement checks one grant against what its feature or currency can express.
func (ck *checker) entitlement(at string, e *Entitlement) {
	if e.Limit != nil && (*e.Limit < 0 || math.IsNaN(*e.Limit) || math.IsInf(*e.Limit, 0)) {
		ck.fail(at+".limit", "must be a finite number, zero or more")
	}
	if !e.Reset.valid() {
		ck.fail(at+".reset", "%q is not hour, day, week, month or year", e.Reset)
	}
	if !e.ResetOn.fits(e.Reset) {
		ck.fail(at+".resetOn", "%q does not go with reset %q", e.ResetOn, e.Reset)
	}
	if r := e.CreditRate; r != nil {
		if ck.ix.currencies[r.Currency] == nil {
			ck.fail(at+".creditRate.currency", "there is no currency %q", r.Currency)
		}
		if !(r.Amount > 0) || math.IsInf(r.Amount, 0) {
			ck.fail(at+".creditRate.amount", "must be positive")
		}
	}
	if e.Currency != "" {
		ck.credit(at, e)
		return
	}
	f := ck.ix.features[e.Feature]
	if f == nil {
		ck.fail(at+".feature", "there is no feature %q", e.Feature)
		return
	}
	if f.Type != Number && (e.Limit != nil || e.Unlimited || e.SoftLimit) {
		ck.fail(at, "%s feature %q has no limit", f.Type, f.ID)
	}
	if f.Type == Number && e.Limit == nil && !e.Unlimited {
		ck.fail(at+".limit", "feature %q needs a limit, or unlimited", f.ID)
	}
	if f.Type != Enum && len(e.Values) > 0 {
		ck.fail(at+".values", "%s feature %q has no values", f.Type, f.ID)
	}
	for i, v := range e.Values {
		if f.Type == Enum && !slices.Contains(f.Values, v) {
			ck.fail(fmt.Sprintf("%s.values[%d]", at, i), "feature %q has no value %q", f.ID, v)
		}
	}
	if e.Reset != "" && f.Meter != Incremental {
		ck.fail(at+".reset", "only an incremental meter resets; %q is not one", f.ID)
	}
	if e.CreditRate != nil && !f.Metered() {
		ck.fail(at+".creditRate", "only usage of a metered feature costs credits; %q is not one", f.ID)
	}
}

func (ck *checker) credit(at string, e *Entitlement) {
	if ck.ix.currencies[e.Currency] == nil {
		ck.fail(at+".currency", "there is no currency %q", e.Currency)
	}
	if e.Limit == nil {
		ck.fail(at+".limit", "credits need a limit: how many are granted")
	}
	if e.Unlimited || len(e.Values) > 0 || e.CreditRate != nil {
		ck.fail(at, "credits take limit, softLimit, reset and resetOn only")
	}
}

// inherit fills in what a plan grants with its ancestors.
func (ck *checker) inherit(id string) []Entitlement {
	if done, ok := ck.ix.granted[id]; ok {
		return done
	}
	plan := ck.ix.plans[id]
	byRef := map[ref]Entitlement{}
	if plan.Parent != "" {
		for _, e := range ck.inherit(plan.Parent) {
			byRef[e.ref()] = e
		}
	}
	for _, e := range plan.Entitlements {
		byRef[e.ref()] = e
	}
	list := make([]Entitlement, 0, len(byRef))
	for _, r := range slices.SortedFunc(maps.Keys(byRef), compareRefs) {
		list = append(list, byRef[r])
	}
	ck.ix.granted[id] = list
	return list
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
