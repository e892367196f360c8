package emulator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/graph-gophers/graphql-go/ast"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// TestEveryRootFieldIsBuilt executes every root field of the schema with the least it accepts: none may answer that it is not built, as
// the generated resolvers do where there is no other.
func TestEveryRootFieldIsBuilt(t *testing.T) {
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Provision("x", "", "growth"); err != nil {
		t.Fatal(err)
	}
	types := e.schema.AST()
	for kind, fields := range map[string][]string{
		"query": wire.QueryFields, "mutation": wire.MutationFields, "subscription": wire.SubscriptionFields,
	} {
		root := types.RootOperationTypes[kind].(*ast.ObjectTypeDefinition)
		if len(fields) != len(root.Fields) {
			t.Errorf("wire has %d fields of %s, the schema %d: generate it again", len(fields), kind, len(root.Fields))
		}
		for _, name := range fields {
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
			for _, err := range resp.Errors {
				switch code := err.Extensions["code"]; code {
				case codeNotImplemented, codeParseFailed, codeValidationFailed, codeUnexpected:
					t.Errorf("%s: %s answered %v %s", name, document, code, err.Message)
				}
			}
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
