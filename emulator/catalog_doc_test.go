package emulator

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestCatalogDocumentation holds docs/catalog.md to the code: each of its examples is a catalog, and it names every field there is.
func TestCatalogDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/catalog.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := yamlBlock.FindAllStringSubmatch(string(text), -1)
	if len(examples) < 4 {
		t.Errorf("%d examples found", len(examples))
	}
	whole := yamlBlock.ReplaceAllString(string(text), "")
	for _, m := range examples {
		c, err := ParseCatalog([]byte(m[1]))
		if err != nil {
			t.Errorf("%v\n%s", err, m[1])
			continue
		}
		if _, err := New(Config{Catalog: c}); err != nil {
			t.Errorf("%v\n%s", err, m[1])
		}
	}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] || typ == reflect.TypeFor[Decimal]() {
				return
			}
			seen[typ] = true
			for f := range typ.Fields() {
				name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				if !strings.Contains(whole, "`"+name+"`") && !strings.Contains(whole, "`"+name+":") {
					t.Errorf("docs/catalog.md does not explain %s.%s (%s)", typ.Name(), f.Name, name)
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Catalog]())
	if len(seen) < 15 {
		t.Errorf("%d types seen", len(seen))
	}
	for _, op := range Operators {
		if !strings.Contains(whole, "`"+op+"`") {
			t.Errorf("docs/catalog.md does not name the operator %s", op)
		}
	}
}
