package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/usage"
)

// numbered is a record that differs from every other of its lane.
func numbered(l usage.Lane, n int) usage.Record {
	r := usage.Record{
		Kind: usage.Delta, CustomerID: fmt.Sprint("customer-", n%7), FeatureID: "api-calls", Value: float64(n), Key: fmt.Sprint(l, "-", n),
		At: time.Unix(1_800_000_000, int64(n)),
	}
	if l == usage.Events {
		r.Kind, r.FeatureID, r.EventName, r.Value = usage.Event, "", "signed-in", 0
		r.Dimensions = fmt.Appendf(nil, `{"n":%d}`, n)
	}
	return r
}

// appended appends a record that has to get the number that it is numbered with.
func (s *stage) appended(l usage.Lane, r usage.Record, want uint64) {
	s.Helper()
	if n, err := s.Append(l, r); err != nil || n != want {
		s.Fatalf("Append(%s, %s) = %d, %v, want %d", l, short(r.Key), n, err, want)
	}
}

// filled appends count numbered records, numbered on from Last, a crowd at a time so that a disk does not make it slow. It returns them
// in the order of their numbers.
func (s *stage) filled(l usage.Lane, count int) []usage.Entry {
	s.Helper()
	before := s.Last(l)
	list := make([]usage.Entry, count)
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				r := numbered(l, int(before)+i)
				n, err := s.Append(l, r)
				if err != nil {
					failed.Store(&err)
					return
				}
				list[i] = usage.Entry{Number: n, Record: r}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		s.Fatalf("Append(%s): %v", l, *err)
	}
	slices.SortFunc(list, func(a, b usage.Entry) int { return int(int64(a.Number) - int64(b.Number)) })
	for i, e := range list {
		if want := before + uint64(i) + 1; e.Number != want {
			s.Fatalf("%d records in a crowd: one got the number %d, and there is none of %d", count, e.Number, want)
		}
	}
	return list
}

// reads compares what Read answers.
func (s *stage) reads(l usage.Lane, after uint64, max int, want []usage.Entry) {
	s.Helper()
	got, err := s.Read(l, after, max)
	if err != nil {
		s.Fatalf("Read(%s, %d, %d): %v", l, after, max, err)
	}
	s.same(fmt.Sprintf("Read(%s, %d, %d)", l, after, max), got, want)
}

func (s *stage) same(what string, got, want []usage.Entry) {
	s.Helper()
	if len(got) != len(want) {
		s.Fatalf("%s has %d entries, %v, want %d, %v", what, len(got), numbersOf(got), len(want), numbersOf(want))
	}
	for i, e := range got {
		if e.Number != want[i].Number {
			s.Fatalf("%s: entry %d has the number %d, want %d", what, i, e.Number, want[i].Number)
		}
		if d := Differ(e.Record, want[i].Record); d != "" {
			s.Fatalf("%s: the record numbered %d is not what was accepted: %s", what, e.Number, d)
		}
	}
}

func numbersOf(list []usage.Entry) []uint64 {
	numbers := make([]uint64, min(len(list), 10))
	for i := range numbers {
		numbers[i] = list[i].Number
	}
	return numbers
}

// holds compares Last and Len, and all that Read has.
func (s *stage) holds(l usage.Lane, last uint64, want []usage.Entry) {
	s.Helper()
	if got := s.Last(l); got != last {
		s.Fatalf("Last(%s) = %d, want %d", l, got, last)
	}
	records, bytes := s.Len(l)
	if size := sizeOf(want); records != len(want) || bytes != size {
		s.Fatalf("Len(%s) = %d records of %d bytes, want %d of %d", l, records, bytes, len(want), size)
	}
	s.reads(l, 0, len(want)+1, want)
}

func sizeOf(list []usage.Entry) int64 {
	var size int64
	for i := range list {
		size += list[i].Record.Size()
	}
	return size
}

func (s *stage) sealed(l usage.Lane, last uint64, want usage.Shipment) usage.Shipment {
	s.Helper()
	got, err := s.Seal(l, last)
	if err != nil || got != want {
		s.Fatalf("Seal(%s, %d) = %+v, %v, want %+v", l, last, got, err, want)
	}
	return got
}

func (s *stage) removed(l usage.Lane, shipment usage.Shipment) {
	s.Helper()
	if err := s.Remove(l, shipment); err != nil {
		s.Fatalf("Remove(%s, %+v): %v", l, shipment, err)
	}
}

// shipments compares what Sealed answers.
func (s *stage) shipments(l usage.Lane, want ...usage.Shipment) {
	s.Helper()
	got, err := s.Sealed(l)
	if err != nil || !slices.Equal(got, want) {
		s.Fatalf("Sealed(%s) = %+v, %v, want %+v", l, got, err, want)
	}
}

// refusesSeal and refusesRemove expect ErrShipment.
func (s *stage) refusesSeal(l usage.Lane, last uint64, why string) {
	s.Helper()
	if got, err := s.Seal(l, last); !errors.Is(err, usage.ErrShipment) {
		s.Fatalf("Seal(%s, %d) = %+v, %v, want ErrShipment: %s", l, last, got, err, why)
	}
}

func (s *stage) refusesRemove(l usage.Lane, shipment usage.Shipment, why string) {
	s.Helper()
	if err := s.Remove(l, shipment); !errors.Is(err, usage.ErrShipment) {
		s.Fatalf("Remove(%s, %+v) = %v, want ErrShipment: %s", l, shipment, err, why)
	}
}

// without is a list without the records of a shipment.
func without(list []usage.Entry, shipment usage.Shipment) []usage.Entry {
	return slices.DeleteFunc(slices.Clone(list), func(e usage.Entry) bool { return e.Number > shipment.After && e.Number <= shipment.Last })
}

func numbers(s *stage) {
	for _, l := range usage.Lanes {
		s.holds(l, 0, nil)
		s.shipments(l)
	}
	for i := range 5 {
		n := uint64(i)
		s.appended(usage.Reports, numbered(usage.Reports, i), n+1)
		s.appended(usage.Events, numbered(usage.Events, i), 2*n+1)
		s.appended(usage.Events, numbered(usage.Events, i), 2*n+2) // the same again: it is another
		if reports, events := s.Last(usage.Reports), s.Last(usage.Events); reports != n+1 || events != 2*n+2 {
			s.Fatalf("Last = %d reports and %d events, after Append answered %d and %d", reports, events, n+1, 2*n+2)
		}
	}
}

func roundTrip(s *stage) {
	want := map[usage.Lane][]usage.Entry{}
	for _, r := range Records() {
		l := r.Lane()
		n := uint64(len(want[l])) + 1
		kept := r
		r.Dimensions = slices.Clone(r.Dimensions) // which the queue may keep, and nobody else
		s.appended(l, r, n)
		want[l] = append(want[l], usage.Entry{Number: n, Record: kept})
	}
	for _, l := range usage.Lanes {
		s.holds(l, uint64(len(want[l])), want[l])
	}
	if s.Durable() {
		s.reopen()
		for _, l := range usage.Lanes {
			s.holds(l, uint64(len(want[l])), want[l])
		}
	}
}

func pages(s *stage) {
	const count = 700
	for _, l := range usage.Lanes {
		list := s.filled(l, count)
		for _, size := range []int{1, 7, 256, count, count + 1, 1 << 40} {
			if size == 1 { // a call for each record is slow enough for a few of them
				s.reads(l, 0, 1, list[:1])
				s.reads(l, 350, 1, list[350:351])
				continue
			}
			for after := 0; after <= count; after += size {
				s.reads(l, uint64(after), size, list[after:min(after+size, count)])
			}
		}
		s.reads(l, 0, 0, nil)
		s.reads(l, count-1, 5, list[count-1:])
		s.reads(l, count, 5, nil)
		s.reads(l, count+100, 5, nil)
		s.reads(l, 1<<63, 5, nil)
		s.reads(l, 1<<64-1, 5, nil)
	}
}

// stays: an entry that was read is the reader's, whatever becomes of the place that it came from.
func stays(s *stage) {
	list := s.filled(usage.Events, 200)
	got, err := s.Read(usage.Events, 0, len(list))
	if err != nil {
		s.Fatalf("Read: %v", err)
	}
	s.removed(usage.Events, s.sealed(usage.Events, 200, usage.Shipment{After: 0, Last: 200}))
	s.filled(usage.Events, 600) // in the room that was freed
	if _, err := s.Read(usage.Events, 200, 200); err != nil {
		s.Fatalf("Read: %v", err)
	}
	s.same("what was read before its removal", got, list)
	s.closed()
	s.same("what was read before Close", got, list)
}

func seals(s *stage) {
	for _, l := range usage.Lanes {
		s.refusesSeal(l, 0, "there is nothing")
		s.refusesSeal(l, 1, "there is nothing")
		list := s.filled(l, 10)
		s.refusesSeal(l, 0, "it would be empty")
		s.refusesSeal(l, 11, "there are only 10")
		s.refusesSeal(l, 1<<64-1, "there are only 10")
		s.shipments(l)
		first := s.sealed(l, 4, usage.Shipment{After: 0, Last: 4})
		s.refusesSeal(l, 4, "it would be empty")
		s.refusesSeal(l, 2, "it was sealed")
		second := s.sealed(l, 5, usage.Shipment{After: 4, Last: 5})
		third := s.sealed(l, 10, usage.Shipment{After: 5, Last: 10})
		s.refusesSeal(l, 10, "all is sealed")
		s.refusesSeal(l, 11, "all is sealed")
		s.shipments(l, first, second, third)
		s.holds(l, 10, list) // sealed records are still there
		list = append(list, s.filled(l, 3)...)
		fourth := s.sealed(l, 12, usage.Shipment{After: 10, Last: 12})
		s.shipments(l, first, second, third, fourth)
		s.holds(l, 13, list)
	}
}

func removes(s *stage) {
	const l = usage.Reports
	list := s.filled(l, 600)
	other := s.filled(usage.Events, 3)
	s.refusesRemove(l, usage.Shipment{After: 0, Last: 600}, "nothing is sealed")
	s.refusesRemove(l, usage.Shipment{}, "nothing is sealed")
	var all []usage.Shipment
	for last := uint64(100); last <= 500; last += 100 {
		all = append(all, s.sealed(l, last, usage.Shipment{After: last - 100, Last: last}))
	}
	for why, wrong := range map[string]usage.Shipment{
		"it is part of one":         {After: 0, Last: 50},
		"it is the rest of one":     {After: 50, Last: 100},
		"it is two":                 {After: 0, Last: 200},
		"it lies across two":        {After: 50, Last: 150},
		"it is not sealed":          {After: 500, Last: 600},
		"it is in nobody's future":  {After: 600, Last: 700},
		"it is empty":               {After: 100, Last: 100},
		"it is upside down":         {After: 100, Last: 0},
		"it is all there could be":  {After: 0, Last: 1<<64 - 1},
		"it begins where one ends":  {After: 100, Last: 150},
		"it ends where one begins ": {After: 99, Last: 100},
	} {
		s.refusesRemove(l, wrong, why)
	}
	s.refusesRemove(usage.Events, all[0], "it is of the other lane")
	s.shipments(l, all...)
	s.holds(l, 600, list)
	left := slices.Clone(all)
	for _, i := range []int{2, 4, 0, 1, 3} {
		s.removed(l, all[i])
		list = without(list, all[i])
		left = slices.DeleteFunc(left, func(x usage.Shipment) bool { return x == all[i] })
		s.refusesRemove(l, all[i], "it was removed")
		s.shipments(l, left...)
		s.holds(l, 600, list)
		if i == 2 { // pages that go over the gap
			s.reads(l, 150, 100, slices.Concat(list[150:200], list[200:250]))
			s.reads(l, 200, 1, list[200:201])
			s.reads(l, 250, 1, list[200:201])
		}
	}
	s.refusesSeal(l, 500, "it was sealed, and removed")
	s.sealed(l, 600, usage.Shipment{After: 500, Last: 600})
	s.holds(usage.Events, 3, other)
}

func lasts(s *stage) {
	for _, l := range usage.Lanes {
		for round := range uint64(3) {
			from, to := 10*round, 10*round+10
			list := s.filled(l, 10)
			s.holds(l, to, list)
			s.removed(l, s.sealed(l, to, usage.Shipment{After: from, Last: to}))
			s.holds(l, to, nil)
			s.shipments(l)
			if s.Durable() {
				s.reopen()
				s.holds(l, to, nil)
				s.shipments(l)
				s.refusesSeal(l, to, "it was sealed and removed before the queue was opened")
			}
		}
	}
}

func lengths(s *stage) {
	want := map[usage.Lane]int64{}
	count := map[usage.Lane]int{}
	for _, r := range Records() {
		l := r.Lane()
		if _, err := s.Append(l, r); err != nil {
			s.Fatalf("Append: %v", err)
		}
		count[l]++
		want[l] += r.Size()
		if records, bytes := s.Len(l); records != count[l] || bytes != want[l] {
			s.Fatalf("Len(%s) = %d records of %d bytes after those that have %d of %d", l, records, bytes, count[l], want[l])
		}
	}
	for _, l := range usage.Lanes {
		half := uint64(count[l] / 2)
		first := s.sealed(l, half, usage.Shipment{After: 0, Last: half})
		if records, bytes := s.Len(l); records != count[l] || bytes != want[l] {
			s.Fatalf("Len(%s) = %d records of %d bytes after Seal, want %d of %d as before", l, records, bytes, count[l], want[l])
		}
		s.removed(l, first)
		s.removed(l, s.sealed(l, uint64(count[l]), usage.Shipment{After: half, Last: uint64(count[l])}))
		if records, bytes := s.Len(l); records != 0 || bytes != 0 {
			s.Fatalf("Len(%s) = %d records of %d bytes when all are removed", l, records, bytes)
		}
	}
}
