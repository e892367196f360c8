package usage

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// server is a Stigg of a few lines: it counts in exact decimals, never below zero, each key once, and the elements of a call in an
// order of its own.
type server struct {
	t      *testing.T
	random *rand.Rand

	mu     sync.Mutex // guards the following
	totals map[meter]*big.Rat
	events map[string]Record // by key
	keys   map[string]Record // what was reported under a key
	calls  [][]Record
	refuse func(Record) bool // whether a record is refused
	fail   func(call int, records []Record) *failing
	deltas float64 // that were sent by who accepted them
	most   int     // calls under way at once, in one lane
	active [len(Lanes)]int
}

// failing is how a call fails.
type failing struct {
	Failure
	counted bool // although it fails
	hangs   bool // until it is given up
}

func newServer(t *testing.T) *server {
	return &server{
		t: t, random: rand.New(rand.NewPCG(1, 2)),
		totals: map[meter]*big.Rat{}, events: map[string]Record{}, keys: map[string]Record{},
	}
}

var errRefused = errors.New("refused")

func (s *server) Send(ctx context.Context, l Lane, lines []Line) error {
	records := make([]Record, len(lines))
	for i, ln := range lines {
		records[i] = ln.Record
	}
	s.mu.Lock()
	for _, ln := range lines {
		s.deltas += ln.Deltas
	}
	s.active[l]++
	s.most = max(s.most, s.active[l])
	defer func() { s.mu.Lock(); s.active[l]--; s.mu.Unlock() }()
	s.calls = append(s.calls, slices.Clone(records))
	var f *failing
	if s.fail != nil {
		f = s.fail(len(s.calls), records)
	}
	var err error
	if f == nil || f.counted {
		err = s.count(l, records)
	}
	s.mu.Unlock()
	time.Sleep(20 * time.Millisecond) // the way, in the bubble's time
	switch {
	case f == nil:
		return err
	case f.hangs:
		<-ctx.Done()
		return ctx.Err()
	default:
		return &f.Failure
	}
}

// count counts a call, up to the first record that it refuses.
func (s *server) count(l Lane, records []Record) error {
	limit := MaxReports
	if l == Events {
		limit = MaxEvents
	}
	if len(records) == 0 || len(records) > limit {
		s.t.Errorf("a call of %d %s", len(records), l)
	}
	for _, i := range s.random.Perm(len(records)) {
		r := records[i]
		if r.Lane() != l {
			s.t.Errorf("a %s in the lane of %s", r.Kind, l)
		}
		if s.refuse != nil && s.refuse(r) {
			return &Failure{Err: fmt.Errorf("%w: %s", errRefused, r.Key), Means: Refused}
		}
		if before, ok := s.keys[r.Key]; ok {
			if !same(before, r) {
				s.t.Errorf("key %s stands for %+v, and then for %+v", r.Key, before, r)
			}
			continue
		}
		s.keys[r.Key] = r
		if l == Events {
			s.events[r.Key] = r
			continue
		}
		s.apply(r)
	}
	return nil
}

func (s *server) apply(r Record) {
	m := meterOf(&r)
	total := s.totals[m]
	if total == nil {
		total = new(big.Rat)
	}
	v := decimal(r.Value)
	if r.Kind == Delta {
		v.Add(v, total)
	}
	if v.Sign() < 0 {
		v = new(big.Rat)
	}
	s.totals[m] = v
}

func same(a, b Record) bool {
	return a.Kind == b.Kind && a.CustomerID == b.CustomerID && a.ResourceID == b.ResourceID && a.FeatureID == b.FeatureID &&
		a.EventName == b.EventName && a.Value == b.Value && a.Key == b.Key && a.At.Equal(b.At) && string(a.Dimensions) == string(b.Dimensions)
}

// total is what a meter shows.
func (s *server) total(customerID, featureID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.totals[meter{customerID: customerID, featureID: featureID}]; v != nil {
		f, _ := v.Float64()
		return fmt.Sprint(f)
	}
	return "0"
}

// number is how many calls there were.
func (s *server) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}
