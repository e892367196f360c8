package queuetest

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/entcache/entcache/usage"
)

// crowd: many append to both lanes, others ask how many there are, and each lane has one that delivers.
func crowd(s *stage) {
	const writers, each = 6, 80
	var problems sync.Map // by text: goroutines must not report for themselves
	problem := func(text string) { problems.Store(text, true) }
	var writing, watching, delivering sync.WaitGroup
	stop := make(chan struct{})
	var accepted [len(usage.Lanes)]sync.Map // by key, the number
	var done [len(usage.Lanes)]atomic.Bool
	for _, l := range usage.Lanes {
		for w := range writers {
			writing.Go(func() {
				var before uint64
				for i := range each {
					r := numbered(l, w*each+i)
					n, err := s.Append(l, r)
					if err != nil {
						problem("Append: " + err.Error())
						return
					}
					if n <= before {
						problem("Append: a number is not above that of the record that was accepted before it")
					}
					before = n
					accepted[l].Store(r.Key, n)
				}
			})
		}
		delivering.Go(func() { // what a reporter does
			var after uint64
			seen := map[string]bool{}
			var held []usage.Shipment
			for last := false; ; {
				list, err := s.Read(l, after, 50)
				if err != nil {
					problem("Read: " + err.Error())
					return
				}
				if len(list) == 0 {
					if last {
						break
					}
					last = done[l].Load()
					runtime.Gosched()
					continue
				}
				for i, e := range list {
					if e.Number != after+uint64(i)+1 {
						problem("Read: a number is missing, or out of order")
					}
					if seen[e.Record.Key] {
						problem("Read: a record is there twice")
					}
					seen[e.Record.Key] = true
				}
				end := list[len(list)-1].Number
				shipment, err := s.Seal(l, end)
				if err != nil || shipment != (usage.Shipment{After: after, Last: end}) {
					problem("Seal: not the shipment of what was read")
					return
				}
				after = end
				if held = append(held, shipment); len(held) == 3 { // the later ones first
					for _, x := range slices.Backward(held) {
						if err := s.Remove(l, x); err != nil {
							problem("Remove: " + err.Error())
						}
					}
					held = nil
				}
			}
			for _, x := range held {
				if err := s.Remove(l, x); err != nil {
					problem("Remove: " + err.Error())
				}
			}
			if len(seen) != writers*each {
				problem("Read: some records were never there")
			}
		})
	}
	durable := s.Durable()
	watching.Go(func() {
		var before [len(usage.Lanes)]uint64
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, l := range usage.Lanes {
				last := s.Last(l)
				if last < before[l] {
					problem("Last: went back")
				}
				before[l] = last
				if records, bytes := s.Len(l); records < 0 || bytes < 0 || (records == 0) != (bytes == 0) {
					problem("Len: records without bytes, or bytes without records")
				}
				if s.Durable() != durable {
					problem("Durable: changed its mind")
				}
			}
			runtime.Gosched()
		}
	})
	writing.Wait()
	for _, l := range usage.Lanes {
		done[l].Store(true)
	}
	delivering.Wait()
	close(stop)
	watching.Wait()
	problems.Range(func(text, _ any) bool {
		s.Errorf("%s", text)
		return true
	})
	for _, l := range usage.Lanes {
		s.holds(l, writers*each, nil)
		s.shipments(l)
	}
}

func closes(s *stage) {
	list := s.filled(usage.Reports, 10)
	first := s.sealed(usage.Reports, 4, usage.Shipment{After: 0, Last: 4})
	s.removed(usage.Reports, first)
	list = without(list, first)
	durable := s.Durable()
	s.closed()
	for _, l := range usage.Lanes {
		if n, err := s.Append(l, numbered(l, 1)); !errors.Is(err, usage.ErrClosed) {
			s.Fatalf("Append(%s) after Close = %d, %v, want ErrClosed", l, n, err)
		}
	}
	records, bytes := s.Len(usage.Reports)
	if records != len(list) || bytes != sizeOf(list) || s.Last(usage.Reports) != 10 || s.Durable() != durable {
		s.Fatalf("after Close: Len = %d of %d bytes, want %d of %d; Last = %d, want 10; Durable = %v, want %v as before",
			records, bytes, len(list), sizeOf(list), s.Last(usage.Reports), s.Durable(), durable)
	}
}

// closing: of those that append while the queue is closed, each is accepted or hears ErrClosed; what was accepted is there.
func closing(s *stage) {
	var wg sync.WaitGroup
	var accepted, wrong atomic.Int64
	var begun sync.WaitGroup
	const writers = 8
	begun.Add(writers)
	for w := range writers {
		wg.Go(func() {
			for i := range 20_000 { // or until Close, which comes long before
				_, err := s.Append(usage.Reports, numbered(usage.Reports, w*20_000+i))
				if i == 3 || err != nil && i < 3 {
					begun.Done()
				}
				if err != nil {
					if !errors.Is(err, usage.ErrClosed) {
						wrong.Add(1)
					}
					return
				}
				accepted.Add(1)
			}
		})
	}
	begun.Wait()
	s.closed()
	wg.Wait()
	if n := wrong.Load(); n > 0 {
		s.Errorf("%d of those that appended during Close heard another error than ErrClosed", n)
	}
	want := accepted.Load()
	if got := s.Last(usage.Reports); int64(got) != want {
		s.Errorf("Last = %d after Close, and %d were accepted", got, want)
	}
	if !s.Durable() {
		return
	}
	s.reopen()
	records, _ := s.Len(usage.Reports)
	if int64(records) != want || int64(s.Last(usage.Reports)) != want {
		s.Errorf("opened again: %d records, Last = %d; %d were accepted", records, s.Last(usage.Reports), want)
	}
}

func found(s *stage) {
	for _, l := range usage.Lanes {
		s.filled(l, 300)
	}
	s.reopen()
	for _, l := range usage.Lanes {
		list, err := s.Read(l, 0, 301)
		if err != nil || len(list) != 300 {
			s.Fatalf("opened again: Read(%s) = %d entries, %v, want 300", l, len(list), err)
		}
		s.shipments(l)
		first := s.sealed(l, 50, usage.Shipment{After: 0, Last: 50})
		second := s.sealed(l, 120, usage.Shipment{After: 50, Last: 120})
		third := s.sealed(l, 121, usage.Shipment{After: 120, Last: 121})
		s.reopen()
		s.shipments(l, first, second, third)
		s.holds(l, 300, list)
		s.refusesSeal(l, 121, "it was sealed before the queue was opened")
		s.removed(l, second)
		list = without(list, second)
		s.reopen()
		s.shipments(l, first, third)
		s.holds(l, 300, list)
		s.refusesRemove(l, second, "it was removed before the queue was opened")
		fourth := s.sealed(l, 300, usage.Shipment{After: 121, Last: 300})
		s.removed(l, first)
		s.removed(l, third)
		s.removed(l, fourth)
		s.reopen()
		s.shipments(l)
		s.holds(l, 300, nil)
	}
}

// goesOn: what is sealed reaches on from what was sealed before, also when that is gone, and numbers do not begin anew.
func goesOn(s *stage) {
	const l = usage.Events
	list := s.filled(l, 5)
	s.removed(l, s.sealed(l, 3, usage.Shipment{After: 0, Last: 3}))
	s.reopen()
	s.holds(l, 5, list[3:])
	s.appended(l, numbered(l, 5), 6)
	list = append(list, usage.Entry{Number: 6, Record: numbered(l, 5)})
	s.refusesSeal(l, 3, "it was sealed and removed before the queue was opened")
	second := s.sealed(l, 6, usage.Shipment{After: 3, Last: 6})
	s.reopen()
	s.shipments(l, second)
	s.holds(l, 6, list[3:])
	s.removed(l, second)
	s.reopen()
	s.appended(l, numbered(l, 6), 7)
	s.sealed(l, 7, usage.Shipment{After: 6, Last: 7})
	s.reopen()
	s.holds(l, 7, []usage.Entry{{Number: 7, Record: numbered(l, 6)}})
	s.holds(usage.Reports, 0, nil)
}

func manyFound(s *stage) {
	var want [len(usage.Lanes)][]usage.Entry
	for range 3 {
		for _, l := range usage.Lanes {
			want[l] = append(want[l], s.filled(l, 500)...)
		}
		s.reopen()
		for _, l := range usage.Lanes {
			s.holds(l, uint64(len(want[l])), want[l])
		}
	}
}
