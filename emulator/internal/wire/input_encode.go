package wire

import "reflect"

// EncodeInput is the object that decodes to what in points to, a generated input struct. An input that was absent is absent.
func EncodeInput(in any) map[string]any {
	s := reflect.ValueOf(in).Elem()
	object := map[string]any{}
	for i := range s.NumField() {
		if v, given := encode(s.Field(i)); given {
			object[s.Type().Field(i).Tag.Get("graphql")] = v
		}
	}
	return object
}

// encode is the inverse of decode; given is false for an Opt that is not set.
func encode(v reflect.Value) (_ any, given bool) {
	switch scalar := v.Interface().(type) {
	case DateTime:
		return scalar.String(), true
	case JSON:
		return scalar.Value, true
	}
	switch v.Kind() {
	case reflect.Struct:
		if _, optional := v.Addr().Interface().(interface{ Nullable() }); !optional {
			return EncodeInput(v.Addr().Interface()), true
		}
		value, set := v.FieldByName("Value"), v.FieldByName("Set").Bool()
		if value.IsNil() {
			return nil, set
		}
		return encode(value.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i], _ = encode(v.Index(i))
		}
		return list, true
	case reflect.Bool:
		return v.Bool(), true
	case reflect.Float64:
		return v.Float(), true
	case reflect.Int32:
		return float64(v.Int()), true
	default: // strings, ids and enums
		return v.String(), true
	}
}
