package emulator

import (
	"context"
	"slices"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// maxProducts is how many products a list has at most. It is more than of other things, because this list cannot be gone on with.
const maxProducts = 1000

// Products lists the products of the catalog, in its order. The connection has no cursors; those that paging takes are as elsewhere.
func (*query) Products(ctx context.Context, args wire.QueryProductsArgs) (*wire.ProductConnection, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	ix := q.e.state.index
	var all []*Product
	for i := range ix.catalog.Products {
		all = append(all, &ix.catalog.Products[i])
	}
	found, _, err := pageUpTo(maxProducts, all, func(p *Product) string { return p.ID }, args.Paging.Or(wire.CursorPaging{}))
	if err != nil {
		return nil, err
	}
	edges := []*wire.ProductEdge{}
	for _, p := range found {
		edges = append(edges, &wire.ProductEdge{Node: productOf(ix, p)})
	}
	return &wire.ProductConnection{Edges: &edges}, nil
}

// Paywall shows what can be bought, and what a customer has of it.
func (*query) Paywall(ctx context.Context, args wire.QueryPaywallArgs) (*wire.Paywall, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	show, err := q.e.showing(&args.Input)
	if err != nil {
		return nil, err
	}
	in, w := &args.Input, &wire.Paywall{Configuration: paywallLook(), Currency: show.currency()}
	if in.ResourceID.Or("") != "" && in.CustomerID.Or("") == "" {
		return nil, errorf(codeBadUserInput, "resourceId is one of a customer: give customerId")
	}
	if id := in.CustomerID.Or(""); id != "" {
		c := q.e.state.customers[id]
		if c == nil {
			return nil, errorf(codeCustomerNotFound, "there is no customer %q", id)
		}
		q.e.settle(c)
		w.Customer = q.e.customerOf(c)
		w.Resource = c.resource(in.ResourceID.Or(""))
		subs := []*wire.CustomerSubscription{}
		for _, s := range c.liveOf(in.ResourceID.Or(""), in.ProductID.Or(""), q.e.now()) {
			subs = append(subs, q.e.subscriptionOf(c, s, w.Customer))
		}
		w.ActiveSubscriptions = &subs
	}
	plans, points := []*wire.Plan{}, []*wire.PaywallPricePoint{}
	for _, p := range show.plans {
		plans, points = append(plans, show.plan(p)), append(points, show.points(p)...)
	}
	w.Plans, w.PaywallCalculatedPricePoints = &plans, &points
	return w, nil
}

// MockPaywall shows the same plans to nobody. Whom the input names does not matter.
func (*query) MockPaywall(ctx context.Context, args wire.QueryMockPaywallArgs) (*wire.MockPaywall, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	show, err := q.e.showing(&args.Input)
	if err != nil {
		return nil, err
	}
	plans := []*wire.PaywallPlan{}
	for _, p := range show.plans {
		plans = append(plans, q.e.mockPlanOf(show.ix, p, show.plan(p)))
	}
	return &wire.MockPaywall{Configuration: paywallLook(), Plans: &plans}, nil
}

// resource is a resource that the customer has; nil when it has none of that id.
func (c *customer) resource(id string) *wire.CustomerResource {
	if id == "" || c.scopes[id] == nil {
		return nil
	}
	return &wire.CustomerResource{ResourceID: id}
}

// showing is a part of the catalog, as a widget shows it.
type showing struct {
	ix        *index
	plans     []*Plan
	widget    wire.WidgetType
	hidden    bool   // what is hidden from the widget is shown
	country   string // of billing; empty: not known
	countries bool   // prices of all countries are shown
}

func (e *Emulator) showing(in *wire.GetPaywallInput) (*showing, error) {
	show := &showing{
		ix: e.state.index, widget: in.Context.Or(wire.WidgetTypePaywall), hidden: in.IncludeHiddenPlans.Or(false),
		country: in.BillingCountryCode.Or(""), countries: in.FetchAllCountriesPrices.Or(false),
	}
	product := in.ProductID.Or("")
	if product != "" && show.ix.products[product] == nil {
		return nil, errorf(codeProductNotFound, "there is no product %q", product)
	}
	if id := in.OfferID.Or(""); id != "" {
		return nil, errorf("OfferNotFound", "there is no offer %q: the emulator has none", id)
	}
	for i := range show.ix.catalog.Plans {
		p := &show.ix.catalog.Plans[i]
		if (product == "" || p.Product == product) && (show.hidden || !hides(p.HiddenFrom, show.widget)) {
			show.plans = append(show.plans, p)
		}
	}
	return show, nil
}

// prices are those of a package that are shown: for each period those of the country, or else those for any.
func (show *showing) prices(list []Price) []Price {
	if show.countries {
		return list
	}
	var shown []Price
	for _, p := range list {
		own := slices.ContainsFunc(list, func(o Price) bool { return o.Period == p.Period && o.Country == show.country })
		if p.Country == show.country || !own && p.Country == "" {
			shown = append(shown, p)
		}
	}
	return shown
}

// plan is a plan as it is shown.
func (show *showing) plan(p *Plan) *wire.Plan {
	w := planOf(show.ix, p)
	w.Prices = pricesOf(show.ix, show.prices(p.Prices))
	addons := []*wire.Addon{}
	for i := range show.ix.catalog.Addons {
		a := &show.ix.catalog.Addons[i]
		if a.Product == p.Product && (show.hidden || !hides(a.HiddenFrom, show.widget)) {
			shown := addonOf(show.ix, a)
			shown.Prices = pricesOf(show.ix, show.prices(a.Prices))
			addons = append(addons, shown)
		}
	}
	w.CompatibleAddons = &addons
	return w
}

// currency is that of the first price that is shown: of the country, if one is.
func (show *showing) currency() *wire.PaywallCurrency {
	code := ""
	for _, p := range show.plans {
		for _, price := range show.prices(p.Prices) {
			if price.Country == show.country {
				return currencyShown(price.Currency)
			}
			code = orDefault(code, price.Currency)
		}
	}
	return currencyShown(orDefault(code, show.ix.currency()))
}

func currencyShown(code string) *wire.PaywallCurrency {
	symbol := map[string]string{
		"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "¥", "INR": "₹", "ILS": "₪", "KRW": "₩", "BRL": "R$", "CHF": "CHF",
		"AUD": "A$", "CAD": "C$", "NZD": "NZ$", "MXN": "MX$", "PLN": "zł", "TRY": "₺", "UAH": "₴", "VND": "₫", "NGN": "₦", "THB": "฿",
	}[code]
	return &wire.PaywallCurrency{Code: wire.Currency(code), Symbol: orDefault(symbol, code)}
}

// points are the prices that a plan begins at: what each period costs in advance with the fewest units that can be bought, raised to
// the minimum spend. A plan without prices has none.
func (show *showing) points(p *Plan) []*wire.PaywallPricePoint {
	countries := []string{show.country}
	if show.countries {
		countries = []string{""}
		for _, price := range p.Prices {
			if !slices.Contains(countries, price.Country) {
				countries = append(countries, price.Country)
			}
		}
	}
	var points []*wire.PaywallPricePoint
	for _, period := range []Period{Month, Year} {
		for _, country := range countries {
			s := &subscription{index: show.ix, planID: p.ID, country: country}
			q, err := s.quote(period)
			if err != nil || len(q.plan) == 0 || show.countries && q.plan[0].Country != country {
				continue // no price by this period, or of this country
			}
			points = append(points, q.point(show.ix, p.ID, period))
		}
	}
	return points
}

func (q *quote) point(ix *index, planID string, period Period) *wire.PaywallPricePoint {
	w := &wire.PaywallPricePoint{
		PlanID: planID, BillingPeriod: *billingPeriod(period), Amount: q.bill(nil, nil).SubTotal.InexactFloat64(),
		Currency: wire.Currency(q.currency), BillingCountryCode: optional(q.plan[0].Country),
	}
	inAdvance, more := []Price{}, false
	for _, price := range q.plan {
		more = more || price.Once || price.Feature != ""
		if !price.Usage && !price.Once {
			inAdvance = append(inAdvance, price)
		}
	}
	w.AdditionalChargesMayApply = &more
	if len(inAdvance) == 1 {
		if f := ix.feature(inAdvance[0].Feature); f != nil {
			w.Feature = fullFeatureOf(f) // the amount is that of its units
		}
	}
	return w
}
