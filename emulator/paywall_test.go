package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// shops has two products, whose prices differ by country and whose plans are not shown everywhere.
const shops = `
features:
  - {id: seats, type: number, meter: fluctuating}
  - {id: calls, type: number, meter: incremental}
  - {id: sso, type: boolean}
currencies: [{id: credits}]
products: [{id: app, downgradePlan: free}, {id: box}]
plans:
  - {id: free, product: app, entitlements: [{feature: seats, limit: 1}]}
  - id: team
    product: app
    parent: free
    pricing: paid
    trial: {days: 14}
    prices:
      - {period: month, amount: 20}
      - {period: year, amount: 200}
      - {period: month, amount: 18, currency: EUR, country: DE}
      - {period: month, feature: calls, usage: true, amount: 0.25}
      - {period: month, feature: calls, usage: true, amount: 0.2, currency: EUR, country: DE}
    entitlements: [{feature: sso}, {feature: calls, limit: 100, reset: month}, {currency: credits, limit: 5, reset: month}]
  - id: seats
    product: app
    pricing: paid
    hiddenFrom: [paywall]
    prices: [{period: month, feature: seats, amount: 4, min: 3}, {period: month, once: true, amount: 99}]
    minimumSpend: [{period: month, amount: 10}]
    entitlements: [{feature: seats, limit: 100}]
  - {id: talk, product: app, pricing: custom, hiddenFrom: [customerPortal, checkout]}
  - {id: small, product: box, pricing: paid, prices: [{period: year, amount: 7, currency: JPY}]}
addons:
  - {id: more, product: app, prices: [{period: month, amount: 5}, {period: month, amount: 4.5, currency: EUR, country: DE}], entitlements: [{feature: seats, limit: 2}]}
  - {id: secret, product: app, hiddenFrom: [paywall]}
billing: {}
`

func newShops(t *testing.T) *bench {
	t.Helper()
	c, err := ParseCatalog([]byte(shops))
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, Config{Catalog: c})
}

// show asks for a field and answers it in JSON, without quotes to be readable.
func (b *bench) show(document string) string {
	b.t.Helper()
	for _, v := range b.must(document, nil) {
		text, err := json.Marshal(v)
		b.check(err)
		return strings.ReplaceAll(string(text), `"`, "")
	}
	return ""
}

func TestPaywallShowsPlansAndWhatIsHiddenOnlyWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		const all = `{plans:[{compatibleAddons:[{refId:more},{refId:secret}],refId:free},{compatibleAddons:[{refId:more},{refId:secret}],refId:team},` +
			`{compatibleAddons:[{refId:more},{refId:secret}],refId:seats},{compatibleAddons:[{refId:more},{refId:secret}],refId:talk}]}`
		for input, want := range map[string]string{
			`productId:"box"`:                         `{plans:[{compatibleAddons:[],refId:small}]}`,
			`productId:"app"`:                         `{plans:[{compatibleAddons:[{refId:more}],refId:free},{compatibleAddons:[{refId:more}],refId:team},{compatibleAddons:[{refId:more}],refId:talk}]}`,
			`productId:"app",includeHiddenPlans:true`: all,
			`productId:"app",context:CHECKOUT`:        strings.Replace(all, `,{compatibleAddons:[{refId:more},{refId:secret}],refId:talk}`, "", 1),
		} {
			for _, field := range []string{"paywall", "mockPaywall"} {
				if got := b.show(`{` + field + `(input:{` + input + `}){plans{refId compatibleAddons{refId}}}}`); got != want {
					t.Errorf("%s of %s = %s\nwant %s", field, input, got, want)
				}
			}
		}
		if got := b.show(`{paywall(input:{}){plans{refId}}}`); got != `{plans:[{refId:free},{refId:team},{refId:talk},{refId:small}]}` {
			t.Errorf("of all products: %s", got)
		}
	})
}

func TestPaywallShowsThePricesOfACountry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		const month20, year200, perCall = `{billingPeriod:MONTHLY,price:{amount:20,currency:USD}}`, `{billingPeriod:ANNUALLY,price:{amount:200,currency:USD}}`, `{billingPeriod:MONTHLY,price:{amount:0.25,currency:USD}}`
		const month18, perCallDE = `{billingPeriod:MONTHLY,price:{amount:18,currency:EUR}}`, `{billingPeriod:MONTHLY,price:{amount:0.2,currency:EUR}}`
		for input, row := range map[string]struct{ currency, addon, prices string }{
			``:                               {`{code:USD,symbol:$}`, `[{price:{amount:5}}]`, strings.Join([]string{month20, year200, perCall}, ",")},
			`,billingCountryCode:"DE"`:       {`{code:EUR,symbol:€}`, `[{price:{amount:4.5}}]`, strings.Join([]string{year200, month18, perCallDE}, ",")},
			`,billingCountryCode:"FR"`:       {`{code:USD,symbol:$}`, `[{price:{amount:5}}]`, strings.Join([]string{month20, year200, perCall}, ",")},
			`,fetchAllCountriesPrices:true`:  {`{code:USD,symbol:$}`, `[{price:{amount:5}},{price:{amount:4.5}}]`, strings.Join([]string{month20, year200, month18, perCall, perCallDE}, ",")},
			`,fetchAllCountriesPrices:false`: {`{code:USD,symbol:$}`, `[{price:{amount:5}}]`, strings.Join([]string{month20, year200, perCall}, ",")},
		} {
			got := b.show(`{paywall(input:{productId:"app"` + input + `}){currency{code symbol} plans{refId prices{billingPeriod price{amount currency}} compatibleAddons{prices{price{amount}}}}}}`)
			want := `{compatibleAddons:[{prices:` + row.addon + `}],prices:[` + row.prices + `],refId:team}`
			if !strings.Contains(got, want) || !strings.Contains(got, `currency:`+row.currency+`,plans`) {
				t.Errorf("%s: %s\nwant %s in %s", input, got, want, row.currency)
			}
		}
		if got := b.show(`{paywall(input:{productId:"box"}){currency{code symbol}}}`); got != `{currency:{code:JPY,symbol:¥}}` {
			t.Errorf("in Japan: %s", got)
		}
	})
}

func TestPricePointsAreWhereAPlanBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		point := func(plan, period, amount, currency, country, feature string, more bool) string {
			return fmt.Sprintf("{additionalChargesMayApply:%v,amount:%s,billingCountryCode:%s,billingPeriod:%s,currency:%s,feature:%s,planId:%s}", more, amount, country, period, currency, feature, plan)
		}
		year := point("team", "ANNUALLY", "200", "USD", "null", "null", false)
		month := point("team", "MONTHLY", "20", "USD", "null", "null", true) // and so much for each call
		german := point("team", "MONTHLY", "18", "EUR", "DE", "null", true)
		// Three seats at 4, which is more than the minimum; the fee that is charged once comes on top.
		seats := point("seats", "MONTHLY", "12", "USD", "null", "{refId:seats}", true)
		japan := point("small", "ANNUALLY", "7", "JPY", "null", "null", false)
		for input, want := range map[string][]string{
			``:                                {month, year, japan},
			`billingCountryCode:"DE"`:         {german, year, japan},
			`fetchAllCountriesPrices:true`:    {month, german, year, japan},
			`includeHiddenPlans:true`:         {month, year, seats, japan},
			`productId:"box"`:                 {japan},
			`context:CHECKOUT,offerId:null`:   {month, year, seats, japan},
			`productId:"app",customerId:null`: {month, year},
		} {
			got := b.show(`{paywall(input:{` + input + `}){paywallCalculatedPricePoints{planId billingPeriod amount currency billingCountryCode additionalChargesMayApply feature{refId}}}}`)
			if want := `{paywallCalculatedPricePoints:[` + strings.Join(want, ",") + `]}`; got != want {
				t.Errorf("%s: %s\nwant %s", input, got, want)
			}
		}
		c := b.state.index.catalog.clone()
		c.Plans[2].MinimumSpend[0].Amount = new(mustDecimal(t, "12.01"))
		b.check(b.UpdateCatalog(c, NewCustomers))
		if got := b.show(`{paywall(input:{includeHiddenPlans:true}){paywallCalculatedPricePoints{amount}}}`); !strings.Contains(got, "{amount:12.01}") {
			t.Errorf("with a minimum spend above it: %s", got)
		}
	})
}

// A plan grants what it says and, apart, what its ancestors do.
func TestPaywallTellsOwnFromInheritedEntitlements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		got := b.show(`{paywall(input:{productId:"app"}){plans{refId basePlan{refId} entitlements{featureId} inheritedEntitlements{featureId usageLimit} ` +
			`inheritedPackageEntitlements{__typename} packageEntitlements{__typename ...on PackageCreditEntitlement{amount}}}}}`)
		want := `{basePlan:{refId:free},entitlements:[{featureId:sso},{featureId:calls}],inheritedEntitlements:[{featureId:seats,usageLimit:1}],` +
			`inheritedPackageEntitlements:[{__typename:PackageFeatureEntitlement}],packageEntitlements:[{__typename:PackageFeatureEntitlement},` +
			`{__typename:PackageFeatureEntitlement},{__typename:PackageCreditEntitlement,amount:5}],refId:team}`
		if !strings.Contains(got, want) {
			t.Errorf("paywall: %s\nwant %s", got, want)
		}
		// Nobody in particular has used nothing, whoever is named.
		got = b.show(`{mockPaywall(input:{productId:"app",customerId:"nobody",resourceId:"r"}){plans{refId product{refId} basePlan{refId} defaultTrialConfig{duration} ` +
			`entitlements{isGranted customerId usageLimit currentUsage resetPeriod nextResetDate feature{refId}} inheritedEntitlements{usageLimit currentUsage feature{refId}}}}}`)
		month := b.Now().UTC().AddDate(0, 1, 0).Format("2006-01-02T15:04:05.000Z")
		want = `{basePlan:{refId:free},defaultTrialConfig:{duration:14},entitlements:[{currentUsage:null,customerId:null,feature:{refId:sso},isGranted:true,nextResetDate:null,resetPeriod:null,usageLimit:null},` +
			`{currentUsage:0,customerId:null,feature:{refId:calls},isGranted:true,nextResetDate:` + month + `,resetPeriod:MONTH,usageLimit:100}],` +
			`inheritedEntitlements:[{currentUsage:0,feature:{refId:seats},usageLimit:1}],product:{refId:app},refId:team}`
		if !strings.Contains(got, want) {
			t.Errorf("mock paywall: %s\nwant %s", got, want)
		}
	})
}

// What a customer has already is shown for it, or for one of its resources, and of the product that is shown.
func TestPaywallShowsWhatTheCustomerHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShops(t)
		b.provision("acme", "", "free")
		b.provision("acme", "", "small")
		b.provision("acme", "site", "team")
		for input, want := range map[string]string{
			``:                                    `{activeSubscriptions:null,customer:null,resource:null}`,
			`customerId:"acme"`:                   `{activeSubscriptions:[{plan:{refId:free}},{plan:{refId:small}}],customer:{refId:acme},resource:null}`,
			`customerId:"acme",productId:"box"`:   `{activeSubscriptions:[{plan:{refId:small}}],customer:{refId:acme},resource:null}`,
			`customerId:"acme",resourceId:"site"`: `{activeSubscriptions:[{plan:{refId:team}}],customer:{refId:acme},resource:{resourceId:site}}`,
			`customerId:"acme",resourceId:"new"`:  `{activeSubscriptions:[],customer:{refId:acme},resource:null}`,
		} {
			if got := b.show(`{paywall(input:{` + input + `}){customer{refId} resource{resourceId} activeSubscriptions{plan{refId}}}}`); got != want {
				t.Errorf("%s: %s\nwant %s", input, got, want)
			}
		}
		// A trial that has ended is followed by what follows it, though nobody has looked since.
		b.provision("globex", "", "")
		b.drive("provisionSubscriptionV2", props{"customerId": "globex", "planId": "team"})
		time.Sleep(15 * 24 * time.Hour)
		if got := b.show(`{paywall(input:{customerId:"globex"}){activeSubscriptions{plan{refId}}}}`); got != `{activeSubscriptions:[{plan:{refId:free}}]}` {
			t.Errorf("after the trial: %s", got)
		}
	})
}

func TestProductsAreListedByPage(t *testing.T) {
	c := &Catalog{}
	for i := range 130 {
		c.Products = append(c.Products, Product{ID: fmt.Sprintf("p%03d", i)})
	}
	b := newBench(t, Config{Catalog: c})
	for args, want := range map[string][3]any{
		``: {25, "p000", "p024"}, `(paging:{first:130})`: {130, "p000", "p129"}, `(paging:{first:1000})`: {130, "p000", "p129"},
		`(paging:{last:2})`: {2, "p128", "p129"}, `(paging:{first:2,after:"` + cursorOf("p099") + `"})`: {2, "p100", "p101"},
	} {
		edges := b.must(`{products`+args+`{edges{node{refId}}}}`, nil)["products"].(props)["edges"].([]any)
		id := func(i int) any { return edges[i].(props)["node"].(props)["refId"] }
		if got := [3]any{len(edges), id(0), id(len(edges) - 1)}; got != want {
			t.Errorf("products%s = %v, want %v", args, got, want)
		}
	}
	for _, paging := range []string{`first:1001`, `last:1001`, `first:-1`, `after:"x"`} {
		if a := b.ask(`{products(paging:{`+paging+`}){edges{node{refId}}}}`, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput {
			t.Errorf("paging %s: %+v, want %s", paging, a.Errors, codeBadUserInput)
		}
	}
}

func TestAWidgetIsOneThatExists(t *testing.T) {
	for _, at := range []string{"plans[0].hiddenFrom[1]", "addons[0].hiddenFrom[0]"} {
		_, err := ParseCatalog([]byte("products: [{id: app}]\nplans: [{id: p, product: app, hiddenFrom: [paywall, portal]}]\naddons: [{id: a, product: app, hiddenFrom: [x]}]"))
		if err == nil || !strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), "not paywall, customerPortal or checkout") {
			t.Errorf("%v, want one that names %s", err, at)
		}
	}
}
