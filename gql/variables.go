package gql

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"unicode/utf8"
)

// nulls holds, for each type that Null was asked for, the pointer that stands for an explicit null.
var nulls sync.Map // reflect.Type of T → *T

// Null returns a pointer that is sent as an explicit null, for inputs where null means something else than absence: "clear this
// field" rather than "leave it". An input field that is nil is absent on the wire. The pointer is always the same for a type, so
// it must not be written through. For lists there is [NullList]; types that take no memory have no null.
//
//	in := gql.ProvisionCustomerInput{SubscriptionParams: gql.Null[gql.ProvisionCustomerSubscriptionInput]()}
func Null[T any]() *T {
	t := reflect.TypeFor[T]()
	if p, ok := nulls.Load(t); ok {
		return p.(*T)
	}
	p, _ := nulls.LoadOrStore(t, new(T))
	return p.(*T)
}

// NullList is [Null] for a list field: nil is left out, an empty list is sent as one, and this is sent as null. Appending to it
// makes an ordinary list. A list of what takes no memory has none to give.
func NullList[T any]() []T {
	// Without capacity, so that nobody writes to what all share. Its address tells it from other empty lists.
	return (*Null[[1]T]())[:0:0]
}

func isNullList(v reflect.Value) bool {
	if v.IsNil() || v.Len() > 0 {
		return false
	}
	p, ok := nulls.Load(reflect.ArrayOf(1, v.Type().Elem()))
	return ok && reflect.ValueOf(p).Pointer() == v.Pointer()
}

func isNull(v reflect.Value) bool {
	p, ok := nulls.Load(v.Type().Elem())
	return ok && reflect.ValueOf(p).Pointer() == v.Pointer()
}

var marshalerType = reflect.TypeFor[json.Marshaler]()

// appendVariables appends the JSON of a generated variables struct. It differs from encoding/json in three things. A field that is a
// nil pointer, list or map is left out: genqlient would send null, which in an update may clear what is stored. What a json.RawMessage
// holds (the JSON scalar) is the caller's and is sent as it is, nulls included. Text that is not UTF-8 is an error: encoding/json sends
// U+FFFD for it, and two ids of different bytes would name the same customer. And what no input can mean is an error that names the
// field: see unmeant.
func appendVariables(buf []byte, v reflect.Value) ([]byte, error) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() || isNull(v) {
			return append(buf, "null"...), nil
		}
		return appendVariables(buf, v.Elem())
	}
	switch t := v.Type(); {
	case t.Implements(marshalerType), v.CanAddr() && reflect.PointerTo(t).Implements(marshalerType):
	case v.Kind() == reflect.Struct:
		return appendObject(buf, v)
	case v.Kind() == reflect.String && !utf8.ValidString(v.String()):
		return nil, fmt.Errorf("%q is not UTF-8, and would be sent as something else", v.String())
	case v.Kind() == reflect.Slice && isNullList(v):
		return append(buf, "null"...), nil
	case v.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		buf = append(buf, '[')
		for i := range v.Len() {
			if i > 0 {
				buf = append(buf, ',')
			}
			var err error
			if buf, err = appendVariables(buf, v.Index(i)); err != nil {
				return nil, within(fmt.Sprintf("[%d]", i), err)
			}
		}
		return append(buf, ']'), nil
	}
	data, err := json.Marshal(v.Interface())
	if err == nil && !utf8.Valid(data) { // a json.RawMessage
		err = fmt.Errorf("%q is not UTF-8", data)
	}
	if err != nil {
		return nil, err
	}
	return append(buf, data...), nil
}

func appendObject(buf []byte, v reflect.Value) ([]byte, error) {
	buf = append(buf, '{')
	empty := true
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || absent(v.Field(i)) {
			continue
		}
		if !empty {
			buf = append(buf, ',')
		}
		empty = false
		buf = append(buf, '"')
		buf = append(buf, jsonName(f)...) // a GraphQL name: nothing to escape
		buf = append(buf, '"', ':')
		err := unmeant(v.Type(), v.Field(i))
		if err == nil {
			buf, err = appendVariables(buf, v.Field(i))
		}
		if err != nil {
			return nil, within(f.Name, err)
		}
	}
	return append(buf, '}'), nil
}

func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	}
	return false
}

// requestBody makes the body of a GraphQL request. variables is nil or a struct, or a pointer to one.
func requestBody(op, query string, variables any) ([]byte, error) {
	head, err := json.Marshal(struct {
		OperationName string `json:"operationName"`
		Query         string `json:"query"`
	}{op, query})
	if err != nil {
		return nil, err
	}
	if variables == nil {
		return head, nil
	}
	buf := append(head[:len(head)-1], `,"variables":`...)
	if v := reflect.Indirect(reflect.ValueOf(variables)); v.Kind() == reflect.Struct {
		buf, err = appendVariables(buf, v)
		err = fromInput(err)
	} else {
		var data []byte
		data, err = json.Marshal(variables) // of a program's own operation; not ours to change
		buf = append(buf, data...)
	}
	return append(buf, '}'), err
}
