package emulator

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestDemoCatalogCoversEveryKindOfEntitlement(t *testing.T) {
	c := DemoCatalog()
	have := map[string]bool{}
	kinds := map[string]Feature{}
	for _, f := range c.Features {
		kinds[f.ID] = f
	}
	for _, p := range c.Plans {
		for _, e := range p.Entitlements {
			f := kinds[e.Feature]
			have[string(f.Type)+" "+string(f.Meter)] = true
			have["soft limit"] = have["soft limit"] || e.SoftLimit
			have["unlimited"] = have["unlimited"] || e.Unlimited
			have["monthly reset"] = have["monthly reset"] || e.Reset == Month
			have["credits"] = have["credits"] || e.Currency != ""
			have["paid by credits"] = have["paid by credits"] || e.CreditRate != nil
		}
	}
	for _, kind := range []string{
		"boolean ", "enum ", "number ", "number incremental", "number fluctuating",
		"soft limit", "unlimited", "monthly reset", "credits", "paid by credits",
	} {
		if !have[kind] {
			t.Errorf("the demo catalog has no %s", kind)
		}
	}
}

// TestCatalogErrorsNameLineAndField starts each row from a catalog that is fine and breaks one thing.
func TestCatalogErrorsNameLineAndField(t *testing.T) {
	const fine = `features:
  - {id: sso, type: boolean}
  - {id: theme, type: enum, values: [light, dark]}
  - {id: calls, type: number, meter: incremental}
  - {id: seats, type: number, meter: fluctuating}
currencies:
  - {id: credits}
products:
  - {id: app, journey: {plan: free}, downgradePlan: free}
  - {id: other}
plans:
  - id: free
    product: app
    entitlements:
      - {feature: sso}
      - {feature: calls, limit: 5, reset: month}
  - id: pro
    product: app
    parent: free
    entitlements:
      - feature: theme
        values: [light]
      - {currency: credits, limit: 10, reset: month}
addons:
  - {id: more, product: app}
`
	if _, err := ParseCatalog([]byte(fine)); err != nil {
		t.Fatalf("the catalog to start from: %v", err)
	}
	for _, row := range []struct{ name, old, new, want string }{
		{"unknown field", "product: app\n    parent: free", "product: app\n    parnet: free", "line 19: plans[1].parnet: there is no such field"},
		{"wrong type", "limit: 5,", "limit: five,", "line 16: plans[0].entitlements[1].limit: is text: give a number"},
		{"not YAML", "features:", "features: [", "catalog line 6: ',' or ']' must be specified"},
		{"doubled id", "{id: seats,", "{id: calls,", `line 5: features[3].id: "calls" is already used`},
		{"no id", "{id: credits}", "{name: credits}", "line 7: currencies[0].id: is required"},
		{"feature type", "type: boolean", "type: bool", `line 2: features[0].type: "bool" is not`},
		{"meter", "meter: fluctuating", "meter: level", `line 5: features[3].meter: "level" is not`},
		{"meter on a boolean", "type: boolean", "type: boolean, meter: incremental", "line 2: features[0].meter: only a number"},
		{"dangling group", "currencies:\n", "featureGroups: [{id: g, features: [sso, theme, gone]}]\ncurrencies:\n", `line 6: featureGroups[0].features[2]: there is no feature "gone"`},
		{"group of nothing", "currencies:\n", "featureGroups: [{id: g, features: []}]\ncurrencies:\n", "line 6: featureGroups[0].features: a group has at least one feature"},
		{"twice in a group", "currencies:\n", "featureGroups: [{id: g, features: [sso, sso]}]\ncurrencies:\n", `line 6: featureGroups[0].features[1]: "sso" is in the group twice`},
		{"group without an id", "currencies:\n", "featureGroups: [{features: [sso]}]\ncurrencies:\n", "line 6: featureGroups[0].id: is required"},
		{"doubled group", "currencies:\n", "featureGroups: [{id: g, features: [sso]}, {id: g, features: [sso]}]\ncurrencies:\n", `line 6: featureGroups[1].id: "g" is already used`},
		{"dangling product", "product: app\n    parent", "product: ap\n    parent", `line 18: plans[1].product: there is no product "ap"`},
		{"dangling parent", "parent: free", "parent: fre", `line 19: plans[1].parent: there is no plan "fre"`},
		{"own ancestor", "parent: free", "parent: pro", `line 19: plans[1].parent: plan "pro" is its own ancestor`},
		{"plan of another product", "{id: other}", "{id: other, downgradePlan: free}", `line 10: products[1].downgradePlan: plan "free" belongs to product "app"`},
		{"dangling journey", "journey: {plan: free}", "journey: {plan: gone}", `line 9: products[0].journey.plan: there is no plan "gone"`},
		{"journey without a plan", "journey: {plan: free}", "journey: {trial: true}", "line 9: products[0].journey.plan: is required"},
		{"trial of a plan without", "journey: {plan: free}", "journey: {plan: free, trial: true}", `line 9: products[0].journey.trial: plan "free" has no trial`},
		{"dangling feature", "feature: theme", "feature: themes", `line 21: plans[1].entitlements[0].feature: there is no feature "themes"`},
		{"dangling currency", "currency: credits", "currency: gold", `line 23: plans[1].entitlements[1].currency: there is no currency "gold"`},
		{"dangling value", "values: [light]", "values: [blue]", `line 22: plans[1].entitlements[0].values[0]: feature "theme" has no value "blue"`},
		{"neither", "- {feature: sso}", "- {limit: 1}", "line 15: plans[0].entitlements[0]: give exactly one"},
		{"both", "- {feature: sso}", "- {feature: sso, currency: credits}", "line 15: plans[0].entitlements[0]: give exactly one"},
		{"twice", "- {feature: sso}", "- {feature: sso}\n      - {feature: sso}", `plans[0].entitlements[1]: "sso" is granted twice`},
		{"limit of a boolean", "- {feature: sso}", "- {feature: sso, limit: 1}", `boolean feature "sso" has no limit`},
		{"no limit", "limit: 5,", "", `line 16: plans[0].entitlements[1].limit: feature "calls" needs a limit`},
		{"negative limit", "limit: 5,", "limit: -5,", "line 16: plans[0].entitlements[1].limit: must be a finite number"},
		{"infinite limit", "limit: 5,", "limit: .inf,", "line 16: plans[0].entitlements[1].limit: must be a finite number"},
		{"reset", "limit: 5, reset: month", "limit: 5, reset: monthly", `plans[0].entitlements[1].reset: "monthly" is not`},
		{"reset of a level", "- {feature: sso}", "- {feature: seats, limit: 1, reset: month}", "only an incremental meter resets"},
		{"resetOn", "limit: 5, reset: month", "limit: 5, reset: month, resetOn: monday", `resetOn: "monday" does not go with reset "month"`},
		{"rate in no currency", "limit: 5,", "limit: 5, creditRate: {currency: gold, amount: 1},", `creditRate.currency: there is no currency "gold"`},
		{"rate of nothing", "limit: 5,", "limit: 5, creditRate: {currency: credits},", "creditRate.amount: must be positive"},
		{"credits without amount", "{currency: credits, limit: 10,", "{currency: credits,", "credits need a limit"},
		{"addon", "{id: more, product: app}", "{id: more}", "line 25: addons[0].product: is required"},
		{"trial", "    parent: free", "    parent: free\n    trial: {days: 0}", "line 20: plans[1].trial.days: must be positive"},
		// Not the YAML of a catalog, told in words that are not Go's.
		{"unknown field in a flow", "{id: calls,", "{idd: calls,", "line 4: features[2].idd: there is no such field"},
		{"unknown part", "features:\n", "featurs: []\nfeatures:\n", "line 1: featurs: there is no such field"},
		{"list for text", "type: boolean", "type: [boolean]", "line 2: features[0].type: is a list: give text"},
		{"mapping for text", "{id: credits}", "{id: {a: b}}", "line 7: currencies[0].id: is a mapping: give text"},
		{"mapping in lines for text", "- {id: credits}", "- id:\n      a: b", "line 8: currencies[0].id: is a mapping: give text"},
		{"text for a list", "values: [light]", "values: light", "line 22: plans[1].entitlements[0].values: is text: give a list"},
		{"text for a mapping", "journey: {plan: free}", "journey: free", "line 9: products[0].journey: is text: give a mapping"},
		{"a number for a name", "limit: 5,", "limit: 5, 7: x,", "there is no such field"},
		{"text for true", "limit: 5,", "limit: 5, unlimited: maybe,", "line 16: plans[0].entitlements[1].unlimited: is text: give true or false"},
		{"text for a whole number", "    parent: free", "    parent: free\n    version: new", "line 20: plans[1].version: is text: give a whole number"},
		{"fraction of a day", "    parent: free", "    parent: free\n    trial: {days: 1.5}", "line 20: plans[1].trial.days: 1.5 is not a whole number"},
		{"too many days", "    parent: free", "    parent: free\n    trial: {days: 99999999999999999999}", "line 20: plans[1].trial.days: 99999999999999999999 is too large"},
		{"twice the same field", "{id: calls,", "{id: calls, id: calls,", `line 4: mapping key "id" already defined`},
		{"two documents", "products:\n", "---\nproducts:\n", "a second document begins here"},
		{"pricing", "    parent: free", "    parent: free\n    pricing: cheap", `line 20: plans[1].pricing: "cheap" is not`},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := strings.Replace(fine, row.old, row.new, 1)
			if text == fine {
				t.Fatalf("%q is not in the catalog", row.old)
			}
			c, err := ParseCatalog([]byte(text))
			if err == nil || c != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("ParseCatalog = %v, want an error with %q", err, row.want)
			}
		})
	}
}

func TestCatalogBuiltInGoIsCheckedToo(t *testing.T) {
	_, err := New(Config{Catalog: &Catalog{Plans: []Plan{{ID: "p", Product: "nowhere"}}}})
	ce, ok := errors.AsType[*CatalogError](err)
	if !ok || ce.Field != "plans[0].product" || ce.Line != 0 {
		t.Errorf("New = %v, want a CatalogError about plans[0].product", err)
	}
}

func TestCatalogIsCopied(t *testing.T) {
	c := DemoCatalog()
	e, err := New(Config{Catalog: c})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for i := range c.Plans {
		c.Plans[i].Entitlements = c.Plans[i].Entitlements[:0]
		c.Plans[i].ID = "gone"
	}
	if err := e.Provision("c1", "", "free"); err != nil {
		t.Errorf("Provision after the caller's catalog changed: %v", err)
	}
}

var catalogSeeds = []string{
	demoYAML, "plans: ! ", "plans:\n  - {id: p, product: nowhere}\n", "features: [{id: 1, type: number}]\nplans: [{id: a, parent: a}]",
	"products: [{id: a, journey: {plan: p, trial: true}}]\nplans: [{id: p, product: a, trial: {days: 1.5, convert: true}}]",
	"features: &f [{id: x, type: boolean}]\nproducts: [{id: a}]\nplans: [{id: p, product: a, entitlements: [{feature: x}]}]",
	"features: [{id: x, type: number, meter: incremental}]\ncurrencies: [{id: x}]\nproducts: [{id: a}]\n" +
		"plans: [{id: p, product: a, entitlements: [{feature: x, limit: 1e300, reset: month, resetOn: end, creditRate: {currency: x, amount: 1e-9}}, {currency: x, limit: 0}]}]",
	"features: []\n---\nfeatures: 5\n", "features: [{id: [], type: 7}]", "features: 99999999999999999999", "<<: {features: []}", "products: [{id: \"\\u0000\\xff\"}]",
}

// FuzzParseCatalog: what is accepted can be sold, every plan of it with everything it grants; what is not says where it is wrong.
func FuzzParseCatalog(f *testing.F) {
	for _, text := range catalogSeeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCatalog([]byte(text))
		if err != nil {
			if _, ok := errors.AsType[*CatalogError](err); c != nil || !ok && !strings.Contains(err.Error(), "malformed YAML") ||
				ok && !strings.HasPrefix(err.Error(), "catalog line ") {
				t.Fatalf("ParseCatalog = %v, %v: no place is named", c, err)
			}
			return
		}
		if err := checkSchema(t, text); err != nil {
			t.Fatalf("it parses, and the schema has this against it: %v", err)
		}
		e, err := New(Config{Catalog: c})
		if err != nil {
			t.Fatalf("a catalog that parsed is refused: %v", err)
		}
		defer e.Close()
		for _, p := range c.Plans[:min(len(c.Plans), 50)] {
			if err := e.Provision("customer of "+p.ID, "", p.ID); err != nil {
				t.Fatalf("plan %q cannot be provisioned: %v", p.ID, err)
			}
			var has []string
			for _, ent := range e.Snapshot("customer of "+p.ID, "").Entitlements {
				has = append(has, ent.FeatureID+ent.CurrencyID)
			}
			for _, ent := range p.Entitlements {
				if !slices.Contains(has, ent.Feature+ent.Currency) {
					t.Fatalf("plan %q gives %q, and not %q", p.ID, has, ent.Feature+ent.Currency)
				}
			}
		}
	})
}
