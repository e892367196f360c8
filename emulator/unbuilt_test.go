package emulator

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/graph-gophers/graphql-go/ast"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// unbuiltCeiling is how many root fields may be listed in unbuilt.txt. Lower it with every field that is built; never
// raise it.
const unbuiltCeiling = 0

// TestUnbuiltListIsTrue executes every root field of the schema with the least it accepts: those in unbuilt.txt must
// answer that they are not built, all others must not.
func TestUnbuiltListIsTrue(t *testing.T) {
	text, err := os.ReadFile("unbuilt.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Fields(string(text))
	if !slices.IsSorted(listed) {
		t.Error("unbuilt.txt is not sorted")
	}
	if len(listed) != unbuiltCeiling {
		t.Errorf("unbuilt.txt lists %d fields, unbuiltCeiling says %d: lower the constant with the list", len(listed), unbuiltCeiling)
	}

	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Provision("x", "", "growth"); err != nil {
		t.Fatal(err)
	}
	types := e.schema.AST()
	known := map[string]bool{}
	for kind, fields := range map[string][]string{
		"query": wire.QueryFields, "mutation": wire.MutationFields, "subscription": wire.SubscriptionFields,
	} {
		root := types.RootOperationTypes[kind].(*ast.ObjectTypeDefinition)
		for _, name := range fields {
			known[name] = true
			document := kind + "{" + least(root.Fields.Get(name)) + "}"
			var resp *response
			if kind == "subscription" {
				var f *feed
				if f, resp = e.newFeed(request{Query: document}); f != nil {
					f.stop()
					resp = &response{}
				}
			} else {
				resp = e.execute(t.Context(), request{Query: document})
			}
			unbuilt := false
			for _, err := range resp.Errors {
				switch code := err.Extensions["code"]; code {
				case codeNotImplemented:
					unbuilt = true
					if !strings.Contains(err.Message, name) {
						t.Errorf("%s: error %q does not name the operation", name, err.Message)
					}
				case codeParseFailed, codeValidationFailed, codeUnexpected:
					t.Errorf("%s: %s answered %v %s", name, document, code, err.Message)
				}
			}
			if want := slices.Contains(listed, name); unbuilt != want {
				t.Errorf("%s: not built = %v, listed in unbuilt.txt = %v", name, unbuilt, want)
			}
		}
	}
	for _, name := range listed {
		if !known[name] {
			t.Errorf("unbuilt.txt lists %q, which is not a root field", name)
		}
	}
}

// least writes a selection of a field with only what it requires.
func least(f *ast.FieldDefinition) string {
	var args []string
	for _, a := range f.Arguments {
		if _, required := a.Type.(*ast.NonNull); required {
			args = append(args, a.Name.Name+":"+literal(a.Type))
		}
	}
	s := f.Name
	if len(args) > 0 {
		s += "(" + strings.Join(args, ",") + ")"
	}
	if composite(f.Type) {
		s += "{__typename}"
	}
	return s
}

func composite(t ast.Type) bool {
	switch t := t.(type) {
	case *ast.NonNull:
		return composite(t.OfType)
	case *ast.List:
		return composite(t.OfType)
	case *ast.ObjectTypeDefinition, *ast.Union:
		return true
	}
	return false
}

// literal writes some value of an input type.
func literal(t ast.Type) string {
	switch t := t.(type) {
	case *ast.NonNull:
		return literal(t.OfType)
	case *ast.List:
		return "[" + literal(t.OfType) + "]"
	case *ast.EnumTypeDefinition:
		return t.EnumValuesDefinition[0].EnumValue
	case *ast.InputObject:
		var fields []string
		for _, v := range t.Values {
			if _, required := v.Type.(*ast.NonNull); required {
				fields = append(fields, v.Name.Name+":"+literal(v.Type))
			}
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	switch name := t.String(); name {
	case "Int", "Float":
		return "1"
	case "Boolean":
		return "true"
	case "DateTime":
		return `"2026-01-01T00:00:00Z"`
	case "String", "ID", "JSON":
		return `"x"`
	default:
		panic(fmt.Sprintf("no literal for %s", name))
	}
}
