// Package scalar holds the one scalar of Stigg's API that Go's own types do not read: DateTime, in all the forms it arrives in.
//
// It is a package of its own because generated code cannot import the package it is generated into; package gql names the
// type for its users.
package scalar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// DateTime is a moment of Stigg's API. It reads RFC 3339, the same without a zone (taken as UTC), a date alone, and
// milliseconds since the Unix epoch as a number or as its string; null and the empty string are the zero time. It writes
// RFC 3339 in UTC with milliseconds, as JavaScript does.
type DateTime struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (d DateTime) MarshalJSON() ([]byte, error) {
	t := d.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("DateTime: year %d is outside of what RFC 3339 can say", y)
	}
	return t.AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *DateTime) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	text := data
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		text = []byte(s)
	}
	t, ok := ParseTime(text)
	if !ok {
		return fmt.Errorf("DateTime: cannot read %.64q", data)
	}
	d.Time = t
	return nil
}

// layouts are the forms beyond strict RFC 3339 that are accepted, with an optional fraction of a second each.
var layouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02"}

// ParseTime reads the text of a moment, without quotes. Empty text is the zero time.
func ParseTime(text []byte) (time.Time, bool) {
	if len(text) == 0 {
		return time.Time{}, true
	}
	var t time.Time
	if t.UnmarshalText(text) == nil {
		return t.UTC(), true
	}
	if ms, err := strconv.ParseFloat(string(text), 64); err == nil {
		return fromMilliseconds(ms)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(text)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func fromMilliseconds(ms float64) (time.Time, bool) {
	// What JavaScript's Date can hold. NaN fails the comparison.
	if !(math.Abs(ms) <= 8.64e15) {
		return time.Time{}, false
	}
	if ms == 0 {
		return time.Time{}, true
	}
	whole, frac := math.Modf(ms)
	return time.UnixMilli(int64(whole)).Add(time.Duration(frac * 1e6)).UTC(), true
}
