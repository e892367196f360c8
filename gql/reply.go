package gql

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/entcache/entcache/gql/internal/scan"
)

// split takes a GraphQL reply apart. Either part is nil when it is absent or null.
func split(body []byte) (data, failed []byte, err error) {
	s := scan.New(body)
	s.Open('{')
	for first := true; s.More('}', first); first = false {
		switch string(s.Key()) {
		case "data":
			if data = nil; !s.Null() {
				data = s.Raw()
			}
		case "errors":
			if failed = nil; !s.Null() {
				failed = s.Raw()
			}
		default:
			s.Skip()
		}
	}
	s.End()
	return data, failed, s.Err()
}

// firstError reads the errors of a reply, or of an error message on a stream; nil when there are none. Of several the first is
// taken, with the number of the others.
func firstError(raw []byte) *Error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	type graphqlError struct {
		Message    string `json:"message"`
		Extensions struct {
			Code    any `json:"code"`
			TraceID any `json:"traceId"`
		} `json:"extensions"`
	}
	// Not unmarshalled into a list: a hostile one of a megabyte would take forty.
	var head []byte
	more := -1
	s := scan.New(raw)
	s.Open('[')
	for first := true; s.More(']', first); first = false {
		if more++; first {
			head = s.Raw()
		} else {
			s.Skip()
		}
	}
	if s.End(); s.Err() != nil {
		// Something is wrong, and not even that is said properly. Still an error.
		return &Error{Err: fmt.Errorf("%w: errors is not a list", ErrMalformed)}
	}
	if more < 0 {
		return nil
	}
	var g graphqlError
	if json.Unmarshal(head, &g) != nil {
		return &Error{Err: fmt.Errorf("%w: unreadable error", ErrMalformed)}
	}
	e := &Error{Message: g.Message}
	e.Code, _ = g.Extensions.Code.(string)
	e.TraceID, _ = g.Extensions.TraceID.(string)
	if e.Message == "" && e.Code == "" {
		e.Message = "unspecified error"
	}
	if more > 0 {
		e.Message += fmt.Sprintf(" (and %d more)", more)
	}
	return e
}

var unmarshalerType = reflect.TypeFor[json.Unmarshaler]()

// requireComplete checks data against the generated type it was decoded into: a field whose Go type cannot say null must be there
// and not be null. encoding/json would leave it zero in silence.
func requireComplete(data []byte, t reflect.Type) error {
	s := scan.New(data)
	requireValue(&s, t, "data")
	return s.Err()
}

func requireValue(s *scan.Scanner, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case reflect.PointerTo(t).Implements(unmarshalerType):
		s.Skip()
	case t.Kind() == reflect.Slice && s.Kind() == scan.Array:
		s.Open('[')
		for first := true; s.More(']', first); first = false {
			requireValue(s, t.Elem(), path)
		}
	case t.Kind() == reflect.Struct && s.Kind() == scan.Object:
		requireObject(s, t, path)
	default:
		s.Skip()
	}
}

func requireObject(s *scan.Scanner, t reflect.Type, path string) {
	seen := make([]bool, t.NumField())
	s.Open('{')
	for first := true; s.More('}', first); first = false {
		name := string(s.Key())
		i := fieldNamed(t, name)
		if i < 0 {
			s.Skip()
			continue
		}
		seen[i] = s.Kind() != scan.Null
		requireValue(s, t.Field(i).Type, path+"."+name)
	}
	if s.Err() != nil {
		return
	}
	for i, ok := range seen {
		if f := t.Field(i); !ok && f.IsExported() && f.Type.Kind() != reflect.Pointer && f.Type.Kind() != reflect.Slice {
			s.Fail(fmt.Errorf("%s.%s: %w", path, jsonName(f), errMissing))
			return
		}
	}
}

func fieldNamed(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if jsonName(t.Field(i)) == name {
			return i
		}
	}
	return -1
}

// jsonName is the name in a generated field's tag.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		return f.Name
	}
	return name
}
