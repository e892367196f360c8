package wire

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
)

// Opt is an input that may be absent, null, or set; GraphQL gives each its own meaning. The zero value is absent.
type Opt[T any] struct {
	// Value is nil when the input is absent or null.
	Value *T
	// Set is true when the input was given, null included.
	Set bool
}

// Or returns the value, or fallback when there is none.
func (o Opt[T]) Or(fallback T) T {
	if o.Value == nil {
		return fallback
	}
	return *o.Value
}

// IsNull reports that the input was given, as null.
func (o Opt[T]) IsNull() bool { return o.Set && o.Value == nil }

// Nullable marks the type for graphql-go as one that takes null itself.
func (o *Opt[T]) Nullable() {}

// ImplementsGraphQLType accepts any name: the generator chose T from the schema.
func (o *Opt[T]) ImplementsGraphQLType(string) bool { return true }

// UnmarshalGraphQL records null, or decodes the value as strictly as T asks.
func (o *Opt[T]) UnmarshalGraphQL(v any) error {
	o.Set = true
	if v == nil {
		return nil
	}
	value := new(T)
	if err := decode(reflect.ValueOf(value).Elem(), v); err != nil {
		return err
	}
	o.Value = value
	return nil
}

// unmarshaler is what graphql-go calls an input type of one's own; see its decode package.
type unmarshaler interface {
	ImplementsGraphQLType(name string) bool
	UnmarshalGraphQL(input any) error
}

type enum interface{ enumValues() []string }

// decodeInput fills the generated input struct that dst points to from v, an object of the request.
func decodeInput(dst, v any) error {
	object, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("want an object, got %s", describe(v))
	}
	s := reflect.ValueOf(dst).Elem()
	known := make(map[string]bool, s.NumField())
	for i := range s.NumField() {
		name := s.Type().Field(i).Tag.Get("graphql")
		known[name] = true
		value, given := object[name]
		field := s.Field(i)
		if !given {
			if _, optional := field.Addr().Interface().(interface{ Nullable() }); !optional {
				return fmt.Errorf("field %q is required", name)
			}
			continue
		}
		if err := decode(field, value); err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !known[name] {
			return fmt.Errorf("field %q is not defined by %s", name, s.Type().Name())
		}
	}
	return nil
}

func decode(dst reflect.Value, v any) error {
	if u, ok := dst.Addr().Interface().(unmarshaler); ok {
		if _, nullable := u.(interface{ Nullable() }); v == nil && !nullable {
			return errNull
		}
		return u.UnmarshalGraphQL(v)
	}
	if v == nil {
		return errNull
	}
	switch dst.Kind() {
	case reflect.String:
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("want a string, got %s", describe(v))
		}
		if e, ok := dst.Interface().(enum); ok && !slices.Contains(e.enumValues(), s) {
			return fmt.Errorf("%q is not one of %q", s, e.enumValues())
		}
		dst.SetString(s)
	case reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			return fmt.Errorf("want a boolean, got %s", describe(v))
		}
		dst.SetBool(b)
	case reflect.Float64:
		f, err := number(v)
		if err != nil {
			return err
		}
		dst.SetFloat(f)
	case reflect.Int32:
		f, err := number(v)
		if err != nil {
			return err
		}
		if f != math.Trunc(f) || f < math.MinInt32 || f > math.MaxInt32 {
			return fmt.Errorf("%v is not a 32-bit integer", f)
		}
		dst.SetInt(int64(f))
	case reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			list = []any{v} // a single value stands for a list of one
		}
		items := reflect.MakeSlice(dst.Type(), len(list), len(list))
		for i, item := range list {
			if err := decode(items.Index(i), item); err != nil {
				return fmt.Errorf("item %d: %w", i, err)
			}
		}
		dst.Set(items)
	default:
		return errors.New("no decoding for " + dst.Type().String())
	}
	return nil
}

func number(v any) (float64, error) {
	switch n := v.(type) {
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return 0, fmt.Errorf("%v is not a finite number", n)
		}
		return n, nil
	case int32:
		return float64(n), nil
	case int64:
		return float64(n), nil
	case int:
		return float64(n), nil
	}
	return 0, fmt.Errorf("want a number, got %s", describe(v))
}

// describe names the JSON type of v for an error; it never prints the value, which may be secret or huge.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	return "a number"
}
