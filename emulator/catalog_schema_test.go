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
	"slices"
	"strings"
	"testing"
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
