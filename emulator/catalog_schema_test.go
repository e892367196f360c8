package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

var updateSchema = flag.Bool("update-schema", false, "write catalog.schema.json from the Go types")

// object is a JSON object whose keys keep their order.
type object []struct {
	key   string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		k, err := json.Marshal(p.key)
		if err != nil {
			return nil, err
		}
		v, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (o *object) add(key string, value any) {
	*o = append(*o, struct {
		key   string
		value any
	}{key, value})
}

// choices are the values of what is text in Go and a choice in a catalog.
var choices = map[string][]string{
	"FeatureType": {string(Boolean), string(Enum), string(Number)}, "MeterType": {string(Incremental), string(Fluctuating)},
	"Period": {string(Hour), string(Day), string(Week), string(Month), string(Year)}, "TiersMode": {string(Volume), string(Graduated)},
	"Aggregate": {string(Count), string(Sum), string(Max), string(Unique)}, "Plan.Pricing": {"free", "paid", "custom"},
	"Condition.Op": Operators, "Price.Period": {string(Month), string(Year)}, "Spend.Period": {string(Month), string(Year)}, "Widget": {string(PaywallWidget), string(CustomerPortalWidget), string(CheckoutWidget)},
}

// rules are what more a schema says of a field. Numbers may be written as text, which has a form and no bounds.
var rules = map[string]object{
	"Price.Amount": {{"minimum", 0}}, "Price.Min": {{"minimum", 0}}, "Price.Max": {{"minimum", 0}}, "Spend.Amount": {{"minimum", 0}}, "Amount.Amount": {{"exclusiveMinimum", 0}},
	"Coupon.PercentOff": {{"exclusiveMinimum", 0}, {"maximum", 100}}, "Tax.Percent": {{"exclusiveMinimum", 0}, {"maximum", 100}},
	"Coupon.Months": {{"minimum", 0}}, "Trial.Days": {{"exclusiveMinimum", 0}}, "Entitlement.Limit": {{"minimum", 0}},
	"Price.Currency": {{"pattern", "^([A-Z]{3})?$"}}, "Spend.Currency": {{"pattern", "^([A-Z]{3})?$"}}, "Amount.Currency": {{"pattern", "^([A-Z]{3})?$"}},
	"Price.Country": {{"pattern", "^([A-Z]{2})?$"}},
}

const (
	decimalText = "^[-+]?[0-9._]+([eE][-+]?[0-9]+)?$"
	numberText  = "^[-+.0-9][-+.0-9a-fA-FxXoO_]*$"
)

// orNull lets a schema accept that nothing is written at a field that may be left out, as "name:" does. An empty text chooses nothing.
func orNull(schema object) object {
	for i, p := range schema {
		switch p.key {
		case "type":
			kinds, ok := p.value.([]string)
			if !ok {
				kinds = []string{p.value.(string)}
			}
			schema[i].value = append(slices.Clone(kinds), "null")
			return schema
		case "enum":
			var list []any
			for _, x := range p.value.([]string) {
				list = append(list, x)
			}
			schema[i].value = append(list, "", nil)
			return schema
		case "$ref":
			return object{{"anyOf", []object{{p}, {{"type", "null"}}}}}
		}
	}
	return schema
}

// schemaOf writes the schema of a type, and of those it is made of into definitions.
func schemaOf(t reflect.Type, field string, docs map[string]string, definitions map[string]any) any {
	if list := choices[field]; list != nil {
		return object{{"enum", list}}
	}
	if list := choices[t.Name()]; list != nil {
		return object{{"enum", list}}
	}
	switch {
	case t.Name() == "ResetOn":
		var list []string
		for _, d := range append([]ResetOn{Calendar}, weekdays...) {
			list = append(list, string(d))
		}
		return object{{"enum", list}}
	case t == reflect.TypeFor[Decimal]():
		return object{{"type", []string{"number", "string"}}, {"pattern", decimalText}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), field, docs, definitions)
	case reflect.Slice:
		items := schemaOf(t.Elem(), "", docs, definitions).(object)
		if t.Elem().Kind() == reflect.String && choices[t.Elem().Name()] == nil {
			items = orNull(items)
		}
		return object{{"type", "array"}, {"items", items}}
	case reflect.String: // YAML tells 2024 from "2024"; who writes a name need not
		return object{{"type", []string{"string", "number", "boolean"}}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int:
		return object{{"type", []string{"integer", "string"}}, {"pattern", numberText}}
	case reflect.Float64:
		return object{{"type", []string{"number", "string"}}, {"pattern", numberText}}
	case reflect.Struct:
		if definitions[t.Name()] == nil {
			definitions[t.Name()] = true // it may contain itself
			var properties object
			required := []string{}
			for f := range t.Fields() {
				name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				p, ok := schemaOf(f.Type, t.Name()+"."+f.Name, docs, definitions).(object)
				if !ok {
					panic(fmt.Sprint("no schema for ", f.Type))
				}
				p = append(p, rules[t.Name()+"."+f.Name]...)
				if name == "id" {
					p.add("minLength", 1)
				}
				if options != "" || t.Name() == "Catalog" {
					p = orNull(p)
				}
				if doc := docs[t.Name()+"."+f.Name]; doc != "" {
					p.add("description", doc)
				}
				properties.add(name, p)
				if options == "" && t.Name() != "Catalog" {
					required = append(required, name)
				}
			}
			o := object{{"type", "object"}, {"description", docs[t.Name()]}, {"additionalProperties", false}, {"properties", properties}}
			if len(required) > 0 {
				o.add("required", required)
			}
			definitions[t.Name()] = o
		}
		return object{{"$ref", "#/$defs/" + t.Name()}}
	}
	panic(fmt.Sprint("no schema for ", t))
}

// catalogDocs are the comments of the catalog's types and fields.
func catalogDocs(t *testing.T) map[string]string {
	docs := map[string]string{}
	for _, name := range []string{"catalog.go", "catalog_prices.go", "usage_events.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		plain := func(g *ast.CommentGroup) string { return strings.Join(strings.Fields(g.Text()), " ") }
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			spec := g.Specs[0].(*ast.TypeSpec)
			docs[spec.Name.Name] = plain(g.Doc)
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range s.Fields.List {
					if field.Comment != nil && len(field.Names) == 1 {
						docs[spec.Name.Name+"."+field.Names[0].Name] = plain(field.Comment)
					}
				}
			}
		}
	}
	return docs
}

// TestCatalogSchemaIsThatOfTheTypes holds catalog.schema.json to the Go types and their comments: change both with
// "go test ./emulator -run TestCatalogSchemaIsThatOfTheTypes -update-schema".
func TestCatalogSchemaIsThatOfTheTypes(t *testing.T) {
	definitions := map[string]any{}
	top := schemaOf(reflect.TypeFor[Catalog](), "", catalogDocs(t), definitions)
	doc := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "A catalog of the entcache emulator"}, {"$ref", top.(object)[0].value}, {"$defs", definitions},
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		t.Fatal(err)
	}
	if *updateSchema {
		if err := os.WriteFile("catalog.schema.json", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if b.String() != catalogSchema {
		t.Error("catalog.schema.json is not that of the types: run this test with -update-schema")
	}
}

// accepts reports what a schema has against a value: the part of JSON schema that catalogs use.
func accepts(schema, v any, definitions map[string]any, at string) error {
	s := schema.(map[string]any)
	if r, ok := s["$ref"].(string); ok {
		return accepts(definitions[strings.TrimPrefix(r, "#/$defs/")], v, definitions, at)
	}
	if list, ok := s["enum"].([]any); ok {
		for _, x := range list {
			if x == v {
				return nil
			}
		}
		return fmt.Errorf("%s: %v is none of %v", at, v, list)
	}
	if list, ok := s["anyOf"].([]any); ok {
		var errs []error
		for _, one := range list {
			err := accepts(one, v, definitions, at)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	kinds, ok := s["type"].([]any)
	if !ok {
		kinds = []any{s["type"]}
	}
	kind := "null"
	if v != nil {
		kind = map[reflect.Kind]string{
			reflect.Map: "object", reflect.Slice: "array", reflect.String: "string", reflect.Bool: "boolean", reflect.Float64: "number",
		}[reflect.ValueOf(v).Kind()]
	}
	if f, ok := v.(float64); ok && f == math.Trunc(f) && slices.Contains(kinds, any("integer")) {
		kind = "integer"
	}
	if !slices.Contains(kinds, any(kind)) {
		return fmt.Errorf("%s: is a %s, want %v", at, kind, kinds)
	}
	if f, ok := v.(float64); ok {
		for rule, breaks := range map[string]func(bound float64) bool{
			"minimum": func(b float64) bool { return f < b }, "exclusiveMinimum": func(b float64) bool { return f <= b }, "maximum": func(b float64) bool { return f > b },
		} {
			if bound, ok := s[rule].(float64); ok && breaks(bound) {
				return fmt.Errorf("%s: %v breaks a %s of %v", at, f, rule, bound)
			}
		}
	}
	if text, ok := v.(string); ok {
		if pattern, ok := s["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(text) {
			return fmt.Errorf("%s: %q does not match %s", at, text, pattern)
		}
		if least, ok := s["minLength"].(float64); ok && float64(len(text)) < least {
			return fmt.Errorf("%s: is empty", at)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		properties := s["properties"].(map[string]any)
		for name, x := range v {
			p, ok := properties[name]
			if !ok {
				return fmt.Errorf("%s.%s: there is no such field", at, name)
			}
			if err := accepts(p, x, definitions, at+"."+name); err != nil {
				return err
			}
		}
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Errorf("%s.%s: is required", at, name)
			}
		}
	case []any:
		for i, x := range v {
			if err := accepts(s["items"], x, definitions, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSchema holds a catalog to the schema.
func checkSchema(t *testing.T, text string) error {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal([]byte(catalogSchema), &schema); err != nil {
		t.Fatal(err)
	}
	var written any
	if err := yaml.Unmarshal([]byte(text), &written); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if written == nil {
		written = map[string]any{} // a text of nothing is an empty catalog
	}
	return accepts(schema, asJSON(written), schema["$defs"].(map[string]any), "")
}

// asJSON is a value of YAML as JSON has it.
func asJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = asJSON(v[name])
		}
		return v
	case []any:
		for i := range v {
			v[i] = asJSON(v[i])
		}
		return v
	case uint64:
		return float64(v)
	case int64:
		return float64(v)
	case int:
		return float64(v)
	}
	return v
}

// TestCatalogSchemaAcceptsWhatParses: what can be loaded an editor takes for good, whichever of YAML's ways it is written in. What
// FuzzParseCatalog finds that parses is held to it there.
func TestCatalogSchemaAcceptsWhatParses(t *testing.T) {
	texts := append(slices.Clone(catalogSeeds), DemoCatalogYAML(), metering, lifeCatalog, shop, priced(`[{period: month, amount: "19.90"}]`))
	doc, err := os.ReadFile("../docs/catalog.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range yamlBlock.FindAllStringSubmatch(string(doc), -1) {
		texts = append(texts, m[1])
	}
	const plan, grant = "products: [{id: p}]\nplans: [{id: a, product: p, ", "features: [{id: f, type: number}]\nproducts: [{id: p}]\nplans: [{id: a, product: p, entitlements: [{feature: f, "
	scalars := []string{
		"features: [{id: 1, type: boolean}]", "features: [{id: true, type: boolean, name: 2024}]", "features: [{id: a, type: boolean, name: , unit: yes}]",
		"features: [{id: a, type: enum, values: [1, 2, true, null]}]", "features:\nproducts:\nplans:\nbilling:\n", "features: [{id: f, type: boolean, meter: ''}]",
		"features: [{id: f, type: boolean, meter: }]", "features: [{id: f, type: number, meter: incremental, events: {name: x, where: [{field: f, op: lessThan, value: 500}]}}]",
		plan + "version: \"3\"}]", plan + "version: 1e1}]", plan + "version: }]", plan + "trial: }]", plan + "trial: {days: 14.0}}]", plan + "pricing: ''}]",
		grant + "limit: \"5\"}]}]", grant + "limit: 1, reset: ''}]}]", "coupons: [{id: c, percentOff: 1_0, once: }]", "coupons: [{id: c, percentOff: .5, months: 2.0}]",
	}
	accepted := 0
	for _, text := range append(texts, scalars...) {
		_, err := ParseCatalog([]byte(text))
		if err != nil && slices.Contains(scalars, text) {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil {
			continue
		}
		if accepted++; checkSchema(t, text) != nil {
			t.Errorf("it parses, and the schema has this against it: %v\n%s", checkSchema(t, text), text)
		}
	}
	if accepted < 30 {
		t.Errorf("%d catalogs of %d parse", accepted, len(texts)+len(scalars))
	}
	for text, says := range map[string]string{
		"feature: []":                                        "no such field",
		"features: [{id: x}]":                                ".features[0].type: is required",
		"features: [{id: x, type: text}]":                    "is none of",
		"features: [{id: '', type: boolean}]":                "is empty",
		"features: [{id: , type: boolean}]":                  "is a null",
		"plans: [{id: x, product: p, trial: {days: soon}}]":  "does not match",
		"plans: [{id: x, product: p, trial: {days: 14.5}}]":  "is a number",
		"plans: [{id: x, product: p, hiddenFrom: ['']}]":     "is none of",
		"products: {}":                                       "is a object, want [array null]",
		"coupons: [{id: c, percentOff: 150}]":                "breaks a maximum of 100",
		"coupons: [{id: c, percentOff: 5, months: 2.5}]":     "is a number",
		"coupons: [{id: c, percentOff: 5, once: 1}]":         "is a number",
		"billing: {tax: {name: VAT, percent: 0}}":            "exclusiveMinimum",
		"billing: {tax: {name: VAT, percent: twenty}}":       "does not match",
		"coupons: [{id: c, amountsOff: [{amount: 0}]}]":      "exclusiveMinimum",
		"plans: [{id: a, product: p, prices: [{period: }]}]": "is none of",
	} {
		if err := checkSchema(t, text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: the schema says %v, want %q", text, err, says)
		}
		if _, err := ParseCatalog([]byte(text)); err == nil {
			t.Errorf("%s parses", text)
		}
	}
}
