package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

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
