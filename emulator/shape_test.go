package emulator

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graph-gophers/graphql-go/ast"
)

// shape holds answers against the types they are of.
type shape struct {
	t     *testing.T
	types map[string]*ast.ObjectTypeDefinition // all that the questions lead to
	// asked, had and filled are fields, as Type.field: those that were selected, that an answer had, and that had a value there.
	asked, had, filled map[string]bool
}

func newShape(t *testing.T) *shape {
	return &shape{t, map[string]*ast.ObjectTypeDefinition{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// ask asks for every field below a root field, and wants an answer that has them.
func (s *shape) ask(b *bench, kind, field, args string) {
	s.t.Helper()
	a := b.ask(b.everyField(kind, field, args), nil)
	if len(a.Errors) > 0 {
		s.t.Errorf("%s%s: %+v", field, args, a.Errors)
		return
	}
	t := b.schema.AST().RootOperationTypes[kind].(*ast.ObjectTypeDefinition).Fields.Get(field).Type
	value, ok := a.Data[field]
	if !ok || value == nil && composite(t) { // a text alone says nothing: reportEvent, and imports
		s.t.Errorf("%s%s: no data", field, args)
	}
	s.below(t, everyDepth)
	s.want(field, t, everyDepth, "", value)
}

// below notes every type that a type leads to, and what selection selects of it.
func (s *shape) below(t ast.Type, depth int) {
	switch t := t.(type) {
	case *ast.NonNull:
		s.below(t.OfType, depth)
	case *ast.List:
		s.below(t.OfType, depth)
	case *ast.Union:
		for _, m := range t.UnionMemberTypes {
			s.below(m, depth)
		}
	case *ast.ObjectTypeDefinition:
		known := s.types[t.Name] != nil
		s.types[t.Name] = t
		for _, f := range t.Fields {
			if depth >= 0 && (depth > 0 || !composite(f.Type)) {
				s.asked[t.Name+"."+f.Name] = true
			} else if known {
				continue
			}
			s.below(f.Type, depth-1)
		}
	}
}

// want wants v to be of a type, with all that selection selects of it to a depth, and nothing else.
func (s *shape) want(path string, t ast.Type, depth int, member string, v any) {
	if n, ok := t.(*ast.NonNull); ok {
		if v == nil {
			s.t.Errorf("%s is null, and is %s", path, t)
			return
		}
		s.want(path, n.OfType, depth, member, v)
		return
	}
	if v == nil {
		return
	}
	wrong := func(want string) { s.t.Errorf("%s is %#.80v, want %s", path, v, want) }
	switch t := t.(type) {
	case *ast.List:
		list, ok := v.([]any)
		if !ok {
			wrong("a list")
		}
		for i, item := range list {
			s.want(fmt.Sprintf("%s[%d]", path, i), t.OfType, depth, member, item)
		}
	case *ast.Union:
		object, _ := v.(map[string]any)
		i := slices.IndexFunc(t.UnionMemberTypes, func(m *ast.ObjectTypeDefinition) bool { return m.Name == object["__typename"] })
		if i < 0 {
			wrong("an object of one of the members of " + t.Name)
			return
		}
		m := t.UnionMemberTypes[i]
		s.want(path, m, depth, m.Name+"_", v)
	case *ast.ObjectTypeDefinition:
		object, ok := v.(map[string]any)
		if !ok || object["__typename"] != t.Name {
			wrong("an object of " + t.Name)
			return
		}
		selected := 1
		for _, f := range t.Fields {
			if composite(f.Type) && depth == 0 {
				continue
			}
			selected++
			value, ok := object[member+f.Name]
			if !ok {
				s.t.Errorf("%s has no %s", path, f.Name)
				continue
			}
			s.had[t.Name+"."+f.Name] = true
			if list, ok := value.([]any); value != nil && (!ok || len(list) > 0) {
				s.filled[t.Name+"."+f.Name] = true
			}
			s.want(path+"."+f.Name, f.Type, depth-1, "", value)
		}
		if len(object) != selected {
			s.t.Errorf("%s has %d fields, and %d were asked for", path, len(object), selected)
		}
	case *ast.EnumTypeDefinition:
		if !slices.ContainsFunc(t.EnumValuesDefinition, func(d *ast.EnumValueDefinition) bool { return d.EnumValue == v }) {
			wrong("a value of " + t.Name)
		}
	case *ast.ScalarTypeDefinition:
		if !scalarIs(t.Name, v) {
			wrong("a " + t.Name)
		}
	default:
		s.t.Errorf("%s is of %T", path, t)
	}
}

func scalarIs(name string, v any) bool {
	switch name {
	case "String", "ID", "UUID":
		_, ok := v.(string)
		return ok
	case "Boolean":
		_, ok := v.(bool)
		return ok
	case "Float":
		_, ok := v.(float64)
		return ok
	case "Int":
		n, ok := v.(float64)
		return ok && n == math.Trunc(n)
	case "DateTime":
		text, _ := v.(string)
		_, err := time.Parse(time.RFC3339, text)
		return err == nil
	}
	return name == "JSON" || name == "JSONObject"
}

// wantFilled wants every field of every type to have been selected, and a value for each but those that a file lists: as Type where no
// answer had an object of it, as Type.field where there was one and it had nothing there.
func (s *shape) wantFilled(file string) {
	s.t.Helper()
	var unfilled []string
	for name, t := range s.types {
		if !s.had[name+"."+t.Fields[0].Name] {
			unfilled = append(unfilled, name)
		}
		for _, f := range t.Fields {
			field := name + "." + f.Name
			if !s.asked[field] {
				s.t.Errorf("%s is selected nowhere", field)
			}
			if s.had[field] && !s.filled[field] {
				unfilled = append(unfilled, field)
			}
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	listed := strings.Fields(string(text))
	if !slices.IsSorted(listed) {
		s.t.Errorf("%s is not sorted", file)
	}
	for _, x := range listed {
		if !slices.Contains(unfilled, x) {
			s.t.Errorf("%s has a value now, or is no part of this any more: take it off %s", x, file)
		}
	}
	slices.Sort(unfilled)
	for _, x := range unfilled {
		if !slices.Contains(listed, x) {
			s.t.Errorf("%s has a value nowhere, and %s does not list it", x, file)
		}
	}
}
