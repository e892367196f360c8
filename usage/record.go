package usage

import (
	"encoding/json"
	"time"
)

// Kind is what a record does to the usage it is about. The zero value is none, and is refused.
type Kind uint8

// The kinds of record. Their numbers are part of the format of durable queues.
const (
	Delta Kind = 1 // a report: Value is added; it may be negative
	Set   Kind = 2 // a report: Value replaces what there was
	Event Kind = 3 // a raw event: Stigg counts it by its own rules
)

func (k Kind) String() string {
	switch k {
	case Delta:
		return "delta"
	case Set:
		return "set"
	case Event:
		return "event"
	default:
		return "none"
	}
}

// Record is one accepted report of usage, or one raw event.
type Record struct {
	Kind       Kind
	CustomerID string
	ResourceID string
	FeatureID  string  // of a report
	EventName  string  // of an event
	Value      float64 // of a report, in the feature's units
	// Key is the idempotency key. Whoever accepts the record gives it one that no other has, unless the program did.
	Key string
	// At is when it happened, by default when it was accepted; to the nanosecond, and without a time zone of its own.
	At time.Time
	// Alone: the program gave the key or the time, so that the record is delivered as it is and merged with no other.
	Alone bool
	// Dimensions is a JSON object, or nil.
	Dimensions json.RawMessage
}

// Lane returns the lane that the record belongs to.
func (r *Record) Lane() Lane {
	if r.Kind == Event {
		return Events
	}
	return Reports
}

// Size is roughly how many bytes the record takes in memory and on its way to Stigg.
func (r *Record) Size() int64 {
	const fixed = 200 // the struct, and the names and punctuation of its JSON
	return int64(fixed + len(r.CustomerID) + len(r.ResourceID) + len(r.FeatureID) + len(r.EventName) + len(r.Key) + len(r.Dimensions))
}
