package emulator

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
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
	"Condition.Op": Operators, "Widget": {string(PaywallWidget), string(CustomerPortalWidget), string(CheckoutWidget)},
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
		return object{{"type", []string{"number", "string"}}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), field, docs, definitions)
	case reflect.Slice:
		return object{{"type", "array"}, {"items", schemaOf(t.Elem(), "", docs, definitions)}}
	case reflect.String:
		return object{{"type", "string"}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int:
		return object{{"type", "integer"}}
	case reflect.Float64:
		return object{{"type", "number"}}
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
	kind := map[reflect.Kind]string{
		reflect.Map: "object", reflect.Slice: "array", reflect.String: "string", reflect.Bool: "boolean", reflect.Float64: "number",
	}[reflect.ValueOf(v).Kind()]
	if f, ok := v.(float64); ok && s["type"] == "integer" && f == float64(int64(f)) {
		kind = "integer"
	}
	if kinds := fmt.Sprint(s["type"]); !strings.Contains(kinds, kind) {
		return fmt.Errorf("%s: is a %s, want %s", at, kind, kinds)
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
	var schema, catalog map[string]any
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(catalogSchema), &schema); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(asJSON, &catalog); err != nil {
		t.Fatal(err)
	}
	return accepts(schema, catalog, schema["$defs"].(map[string]any), "")
}

func TestCatalogSchemaAcceptsCatalogs(t *testing.T) {
	for _, text := range []string{DemoCatalogYAML(), metering, priced(`[{period: month, amount: "19.90"}]`)} {
		if err := checkSchema(t, text); err != nil {
			t.Error(err)
		}
	}
	for text, says := range map[string]string{
		"feature: []":                                       "no such field",
		"features: [{id: x}]":                               ".features[0].type: is required",
		"features: [{id: x, type: text}]":                   "is none of",
		"plans: [{id: x, product: p, trial: {days: soon}}]": "is a string",
		"products: {}":                                      "is a object, want array",
	} {
		if err := checkSchema(t, text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}
