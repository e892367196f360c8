package emulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// fieldsOf names the JSON fields of a struct.
func fieldsOf(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if name, ok := jsonNameOf(f); ok {
			names = append(names, name)
		}
	}
	return names
}

func jsonNameOf(f reflect.StructField) (name string, ok bool) {
	name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		name = f.Name
	}
	return name, f.IsExported() && name != "-"
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// unknownField finds the field called leaf that a t does not have, within the JSON value v: the way there, and the struct that would
// have it. encoding/json says no more of it than its name.
func unknownField(v any, t reflect.Type, leaf string) (path string, owner reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return "", nil
	}
	switch t.Kind() {
	case reflect.Slice:
		elements, _ := v.([]any)
		for i, x := range elements {
			if path, owner = unknownField(x, t.Elem(), leaf); owner != nil {
				return fmt.Sprintf("[%d].%s", i, path), owner
			}
		}
	case reflect.Struct:
		fields, _ := v.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			f, known := fieldCalled(t, name)
			if !known {
				if name == leaf {
					return name, t
				}
				continue
			}
			if path, owner = unknownField(fields[name], f.Type, leaf); owner != nil {
				if !strings.HasPrefix(path, "[") {
					path = "." + path
				}
				return name + path, owner
			}
		}
	}
	return "", nil
}

// fieldCalled finds a field as encoding/json does: without regard to case.
func fieldCalled(t reflect.Type, name string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if has, ok := jsonNameOf(f); ok && strings.EqualFold(has, name) {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// anObject is a word of JSON's with its article.
func anObject(kind string) string {
	if strings.ContainsAny(kind[:1], "aeiou") {
		return "an " + kind
	}
	return "a " + kind
}
