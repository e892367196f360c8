package queuetest

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/entcache/entcache/usage"
)

// Records returns records of every shape that a queue has to give back as it was: times to the nanosecond and of any year, values of
// any size, strings of any bytes, dimensions that are there and that are not.
func Records() []usage.Record {
	at := time.Date(2026, time.November, 28, 12, 30, 15, 123456789, time.UTC)
	base := usage.Record{Kind: usage.Delta, CustomerID: "acme", FeatureID: "api-calls", Value: 1, Key: "key", At: at}
	list := []usage.Record{
		base,
		{
			Kind: usage.Set, CustomerID: "customer", ResourceID: "resource", FeatureID: "feature", Value: 0.1, Key: "key-of-a-set", At: at,
			Alone: true, Dimensions: json.RawMessage(`{"region":"eu"}`),
		},
		{
			Kind: usage.Event, CustomerID: "customer", ResourceID: "resource", EventName: "signed-in", Key: "key-of-an-event", At: at,
			Dimensions: json.RawMessage(`{"user":"u-1","size":12.50}`),
		},
		{Kind: usage.Event, CustomerID: "c", EventName: "e", Key: "k", At: at},
	}
	change := func(f func(r *usage.Record)) {
		r := base
		f(&r)
		list = append(list, r)
	}
	for _, v := range []float64{
		0, math.Copysign(0, -1), -1, 0.1, -0.3, 1.0 / 3, 12345.678, 1e-7, 1 << 53, 1<<53 - 1, -1 << 63, math.Pi * 1e100,
		math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64,
	} {
		change(func(r *usage.Record) { r.Value = v })
	}
	for _, t := range []time.Time{
		time.Unix(0, 0), time.Unix(0, 1), time.Unix(0, -1), time.Unix(-1, 999_999_999), time.Now(),
		time.Time{}.Add(1), // the earliest that is not the zero time, of the year 1
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), // the latest that JSON can say
		time.Date(1677, 1, 1, 0, 0, 0, 1, time.UTC),                // nanoseconds since 1970 do not fit an int64
		time.Date(2263, 1, 1, 0, 0, 0, 1, time.UTC),
		at.In(time.FixedZone("elsewhere", -7*3600-1800)), // the moment is kept; the zone need not be
	} {
		change(func(r *usage.Record) { r.At, r.Alone = t, true })
	}
	for _, id := range []string{
		" ", "\x00", "a\x00b", "a\nb\tc", `"quoted\"`, "Zoë", "e\u0301", "\u00e9", "日本語", "🧾", "\u2028", "\ufeff", "\ufffd", "\xff\xfe", "a\xc3",
		"-1", "<&>", strings.Repeat("k", 255), strings.Repeat("ö", 70_000),
	} {
		change(func(r *usage.Record) { r.CustomerID = id })
		change(func(r *usage.Record) { r.ResourceID, r.FeatureID, r.Key = id, id, id })
		list = append(list, usage.Record{Kind: usage.Event, CustomerID: id, EventName: id, Key: id, At: at})
	}
	for _, d := range []string{
		`{}`, `{ "b" : 1 , "a" : 2, "b": 3 }`, `{"n":1e400,"m":-0,"z":0.10}`, `{"text":"\u0000 \ud800 <&>"}`, "{\n}", `{"deep":{"er":[1,{"x":null}]}}`,
		`{"long":"` + strings.Repeat("x", 300_000) + `"}`,
	} {
		change(func(r *usage.Record) { r.Dimensions = json.RawMessage(d) })
	}
	return list
}

// Differ says in what two records differ, got as it came out of a queue and want as it went in; empty when in nothing. Times are the same
// when their moments are.
func Differ(got, want usage.Record) string {
	var list []string
	differ := func(field string, same bool, got, want any) {
		if !same {
			list = append(list, fmt.Sprintf("%s is %s, want %s", field, short(got), short(want)))
		}
	}
	differ("Kind", got.Kind == want.Kind, got.Kind, want.Kind)
	differ("CustomerID", got.CustomerID == want.CustomerID, got.CustomerID, want.CustomerID)
	differ("ResourceID", got.ResourceID == want.ResourceID, got.ResourceID, want.ResourceID)
	differ("FeatureID", got.FeatureID == want.FeatureID, got.FeatureID, want.FeatureID)
	differ("EventName", got.EventName == want.EventName, got.EventName, want.EventName)
	differ("Value", math.Float64bits(got.Value) == math.Float64bits(want.Value), got.Value, want.Value)
	differ("Key", got.Key == want.Key, got.Key, want.Key)
	differ("At", got.At.Equal(want.At), got.At.UTC(), want.At.UTC())
	differ("Alone", got.Alone == want.Alone, got.Alone, want.Alone)
	differ("Dimensions", string(got.Dimensions) == string(want.Dimensions) && (got.Dimensions == nil) == (want.Dimensions == nil),
		text(got.Dimensions), text(want.Dimensions))
	return strings.Join(list, "; ")
}

func text(d json.RawMessage) any {
	if d == nil {
		return nil
	}
	return string(d)
}

// short is a value for a message: the whole of a long string helps nobody.
func short(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	if len(s) > 80 {
		return fmt.Sprintf("%q and %d bytes more", s[:80], len(s)-80)
	}
	return fmt.Sprintf("%q", s)
}
