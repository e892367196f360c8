package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ID is GraphQL's ID scalar.
type ID string

// ImplementsGraphQLType binds the type to its name in the schema.
func (ID) ImplementsGraphQLType(name string) bool { return name == "ID" }

// UnmarshalGraphQL accepts a string.
func (id *ID) UnmarshalGraphQL(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("want an ID, got %s", describe(v))
	}
	*id = ID(s)
	return nil
}

// dateTimeLayout is what JavaScript's toISOString prints once the time is in UTC.
const dateTimeLayout = "2006-01-02T15:04:05.000Z"

// DateTime is the API's time scalar: ISO-8601 with milliseconds, always printed in UTC.
type DateTime struct{ time.Time }

// NewDateTime returns t as a DateTime, cut to the millisecond the wire can carry.
func NewDateTime(t time.Time) DateTime { return DateTime{t.UTC().Truncate(time.Millisecond)} }

// ImplementsGraphQLType binds the type to its name in the schema.
func (DateTime) ImplementsGraphQLType(name string) bool { return name == "DateTime" }

// UnmarshalGraphQL accepts RFC 3339, or a bare date, which means midnight UTC.
func (d *DateTime) UnmarshalGraphQL(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("want a DateTime string, got %s", describe(v))
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			if *d = NewDateTime(t); d.IsZero() {
				d.Time = d.Add(1) // a moment like others, which is printed the same: the zero time stands for none inside
			}
			return nil
		}
	}
	return fmt.Errorf("%q is not an ISO-8601 date-time", s)
}

// MarshalJSON prints the time as the wire has it.
func (d DateTime) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// String is the time as the wire has it.
func (d DateTime) String() string { return d.UTC().Format(dateTimeLayout) }

// JSON is the API's scalar for any value.
type JSON struct{ Value any }

// ImplementsGraphQLType binds the type to its name in the schema.
func (JSON) ImplementsGraphQLType(name string) bool { return name == "JSON" }

// UnmarshalGraphQL keeps the value as it came.
func (j *JSON) UnmarshalGraphQL(v any) error {
	j.Value = v
	return nil
}

// MarshalJSON prints the value as it came.
func (j JSON) MarshalJSON() ([]byte, error) { return json.Marshal(j.Value) }

// NotBuilt is the error of a root field that exists in the schema and has no behaviour here yet.
type NotBuilt struct{ Field string }

// Error names the field.
func (e *NotBuilt) Error() string { return "the emulator does not implement " + e.Field + " yet" }

var errNull = errors.New("got null for a required value")
