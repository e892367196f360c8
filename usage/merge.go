package usage

import (
	"math"
	"math/big"
	"strconv"
	"time"
)

// mergeSpan is how far apart reports may be accepted and still become one line: shorter than any usage period, so that the end of
// one moves the usage of a second at most. Like all of this file it must not change while durable queues of it are about: a
// shipment that was sealed is merged again, the same way, after a restart.
const mergeSpan = time.Second

// line is what goes to Stigg as one element of a call, and what it was made of.
type line struct {
	record   Record
	parts    []*Entry
	meter    meter
	shipment *shipment

	refusals int    // alone in its call
	alone    bool   // it failed alone, and goes alone from then on
	failures int    // of these, those between which others arrived
	arrivals uint64 // what lane.arrivals was at the last of them
}

// meter is what the order of lines matters within. An event is a meter of its own.
type meter struct{ customerID, resourceID, featureID, event string }

func meterOf(r *Record) meter {
	if r.Kind == Event {
		return meter{event: r.Key}
	}
	return meter{r.CustomerID, r.ResourceID, r.FeatureID, ""}
}

// shipment is a [Shipment] that is not removed.
type shipment struct {
	Shipment
	since   time.Time // when the first of its records came
	records int
	bytes   int64
	open    int // lines that are not settled
}

// merger makes lines of records.
type merger struct {
	lines   []*line
	last    map[meter]*line // the one that a report may join
	records int
	bytes   int64
}

// add takes the next record in the order of the queue, and keeps it, unless it would be one line more than most.
func (m *merger) add(e *Entry, most int) bool {
	k := meterOf(&e.Record)
	if l := m.last[k]; l == nil || !l.join(e) {
		if len(m.lines) >= most {
			return false
		}
		l := &line{record: e.Record, parts: []*Entry{e}, meter: k}
		m.lines = append(m.lines, l)
		if e.Record.Kind != Event {
			if m.last == nil {
				m.last = map[meter]*line{}
			}
			m.last[k] = l
		}
	}
	m.records++
	m.bytes += e.Record.Size()
	return true
}

// join makes a record part of the line, unless that could change what Stigg counts.
func (l *line) join(e *Entry) bool {
	r := &e.Record
	apart := r.At.Sub(l.parts[0].Record.At)
	if l.record.Alone || r.Alone || apart < -mergeSpan || apart > mergeSpan || string(l.record.Dimensions) != string(r.Dimensions) {
		return false
	}
	value, ok := combine(l.record.Kind, l.record.Value, r.Kind, r.Value)
	if !ok {
		return false
	}
	if r.Kind == Set {
		l.record.Kind = Set
	}
	l.record.Value = value
	if r.At.After(l.record.At) {
		l.record.At = r.At
	}
	l.parts = append(l.parts, e)
	return true
}

// combine returns the value of one report that does what two do, the first and then the second; usage never falls below zero. A
// loss followed by a gain is not one delta: how much of the loss took effect is Stigg's to know.
func combine(first Kind, a float64, second Kind, b float64) (float64, bool) {
	switch {
	case second == Set:
		return b, true
	case first == Set:
		if a < 0 {
			a = 0
		}
		sum, ok := add(a, b)
		return max(sum, 0), ok
	case a < 0 && b > 0:
		return 0, false
	default:
		return add(a, b)
	}
}

// add is the sum of two decimals as they are written, if that can be written too: ten times 0.1 are 1, and a sum that would be
// rounded is not one.
func add(a, b float64) (float64, bool) {
	const exact = 1<<53 - 1
	if sum := a + b; math.Trunc(a) == a && math.Trunc(b) == b && math.Abs(a) <= exact && math.Abs(b) <= exact && math.Abs(sum) <= exact {
		return sum, true
	}
	if !(math.Abs(a) <= exact && math.Abs(b) <= exact) {
		return 0, false // far more than anybody uses, and slow; or no number
	}
	x, y := decimal(a), decimal(b)
	sum := x.Add(x, y)
	f, _ := sum.Float64()
	if decimal(f).Cmp(sum) != 0 {
		return 0, false
	}
	return f, true
}

// decimal is the number that the shortest text of f stands for, which is the one that goes to Stigg.
func decimal(f float64) *big.Rat {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	return r
}

// apart reports whether two lines of one meter must not go in the same call, because the order in which Stigg counts a call's
// elements is not documented, and here it matters.
func apart(a, b *Record) bool {
	return a.Kind != Delta || b.Kind != Delta || math.Signbit(a.Value) != math.Signbit(b.Value)
}

func (l *line) records() []Record {
	list := make([]Record, len(l.parts))
	for i, e := range l.parts {
		list[i] = e.Record
	}
	return list
}
