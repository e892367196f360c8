package queuetest_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/entcache/entcache/usage"
	"github.com/entcache/entcache/usage/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAQueueThatKeepsItsPromises: in memory, and one that is as good as durable.
func TestAQueueThatKeepsItsPromises(t *testing.T) {
	queuetest.Run(t, func(string) (usage.Queue, error) { return usage.NewMemory(), nil })
	queuetest.Run(t, library(nil))
}

// TestEachBrokenPromiseIsFound: a queue that is good but for one thing fails the part that the thing belongs to.
func TestEachBrokenPromiseIsFound(t *testing.T) {
	for what, row := range map[string]struct {
		story string
		bend  func(b *bent)
	}{
		"numbers begin at 0": {"NumbersCountAcceptance", func(b *bent) {
			b.append = func(l usage.Lane, r usage.Record) (uint64, error) { n, err := b.Queue.Append(l, r); return n - 1, err }
		}},
		"one numbering for both lanes": {"NumbersCountAcceptance", func(b *bent) {
			b.append = func(l usage.Lane, r usage.Record) (uint64, error) {
				n, err := b.Queue.Append(l, r)
				return n + b.Queue.Last(1-l), err
			}
		}},
		"microseconds": {"RecordsComeBackAsTheyWere", func(b *bent) {
			b.change = func(r *usage.Record) { r.At = r.At.Truncate(1000) }
		}},
		"values of 32 bits":  {"RecordsComeBackAsTheyWere", func(b *bent) { b.change = func(r *usage.Record) { r.Value = float64(float32(r.Value)) } }},
		"no negative zero":   {"RecordsComeBackAsTheyWere", func(b *bent) { b.change = func(r *usage.Record) { r.Value += 0 } }},
		"Alone is forgotten": {"RecordsComeBackAsTheyWere", func(b *bent) { b.change = func(r *usage.Record) { r.Alone = false } }},
		"strings end at NUL": {"RecordsComeBackAsTheyWere", func(b *bent) { b.change = func(r *usage.Record) { r.Key, _, _ = strings.Cut(r.Key, "\x00") } }},
		"strings are made valid": {"RecordsComeBackAsTheyWere", func(b *bent) {
			b.change = func(r *usage.Record) { r.EventName = strings.ToValidUTF8(r.EventName, "\ufffd") }
		}},
		"resources are lower case": {"RecordsComeBackAsTheyWere", func(b *bent) { b.change = func(r *usage.Record) { r.ResourceID = strings.ToLower(r.ResourceID) } }},
		"dimensions are never nil": {"RecordsComeBackAsTheyWere", func(b *bent) { b.change = func(r *usage.Record) { r.Dimensions = append([]byte{}, r.Dimensions...) } }},
		"Read has what after names": {"ReadGoesThroughPages", func(b *bent) {
			b.read = func(l usage.Lane, after uint64, max int) ([]usage.Entry, error) {
				return b.Queue.Read(l, after-min(after, 1), max)
			}
		}},
		"Read gives all": {"ReadGoesThroughPages", func(b *bent) {
			b.read = func(l usage.Lane, after uint64, _ int) ([]usage.Entry, error) { return b.Queue.Read(l, after, 1<<40) }
		}},
		"Read gives 256 at most": {"ReadGoesThroughPages", func(b *bent) {
			b.read = func(l usage.Lane, after uint64, max int) ([]usage.Entry, error) {
				return b.Queue.Read(l, after, min(max, 256))
			}
		}},
		"what was read is reused": {"WhatWasReadStaysAsItWas", func(b *bent) {
			var last [len(usage.Lanes)][]usage.Entry
			b.read = func(l usage.Lane, after uint64, max int) ([]usage.Entry, error) {
				for i := range last[l] {
					last[l][i].Record.Key = "another's"
				}
				list, err := b.Queue.Read(l, after, max)
				last[l] = list
				return list, err
			}
		}},
		"Seal takes what is not there": {"SealMakesShipments", func(b *bent) {
			b.seal = func(l usage.Lane, last uint64) (usage.Shipment, error) {
				return b.Queue.Seal(l, min(last, b.Queue.Last(l)))
			}
		}},
		"Seal has an error of its own": {"SealMakesShipments", func(b *bent) {
			b.seal = func(l usage.Lane, last uint64) (usage.Shipment, error) {
				s, err := b.Queue.Seal(l, last)
				if err != nil {
					err = errors.New("no")
				}
				return s, err
			}
		}},
		"Remove takes anything": {"RemoveTakesAnyOrder", func(b *bent) {
			b.remove = func(l usage.Lane, s usage.Shipment) error { _ = b.Queue.Remove(l, s); return nil }
		}},
		"Remove takes them in order": {"RemoveTakesAnyOrder", func(b *bent) {
			b.remove = func(l usage.Lane, s usage.Shipment) error {
				if list, _ := b.Queue.Sealed(l); len(list) > 0 && list[0] != s {
					return usage.ErrShipment
				}
				return b.Queue.Remove(l, s)
			}
		}},
		"Last is that of those that are there": {"LastOutlivesTheRecords", func(b *bent) {
			b.last = func(l usage.Lane) uint64 {
				if n, _ := b.Queue.Len(l); n == 0 {
					return 0
				}
				return b.Queue.Last(l)
			}
		}},
		"Len counts what is not sealed": {"LenCountsRecordsAndBytes", func(b *bent) {
			b.len = func(l usage.Lane) (int, int64) {
				n, bytes := b.Queue.Len(l)
				sealed, _ := b.Queue.Sealed(l)
				for _, s := range sealed {
					n -= int(s.Last - s.After)
				}
				return n, bytes
			}
		}},
		"Len counts no bytes": {"LenCountsRecordsAndBytes", func(b *bent) {
			b.len = func(l usage.Lane) (int, int64) { n, _ := b.Queue.Len(l); return n, int64(n) }
		}},
		"a number for two": {"AppendWhileOthersRun", func(b *bent) {
			var mu sync.Mutex
			lost := false
			b.append = func(l usage.Lane, r usage.Record) (uint64, error) {
				mu.Lock()
				defer mu.Unlock()
				if !lost && b.Queue.Last(l) == 200 {
					lost = true
					return 200, nil
				}
				return b.Queue.Append(l, r)
			}
		}},
		"Append after Close": {"AppendAfterCloseFails", func(b *bent) {
			b.append = func(l usage.Lane, r usage.Record) (uint64, error) {
				n, err := b.Queue.Append(l, r)
				if err != nil {
					return b.Queue.Last(l) + 1, nil
				}
				return n, err
			}
		}},
		"the last before Close is lost": {"AppendDuringCloseIsKeptOrFails", func(b *bent) {
			b.append = func(l usage.Lane, r usage.Record) (uint64, error) {
				n, err := b.Queue.Append(l, r)
				if errors.Is(err, usage.ErrClosed) {
					return b.Queue.Last(l), nil
				}
				return n, err
			}
		}},
		"sealed is forgotten": {"DurableIsFoundAgain", func(b *bent) {
			b.sealed = func(l usage.Lane) ([]usage.Shipment, error) {
				list, err := b.Queue.Sealed(l)
				return slices.DeleteFunc(list, func(s usage.Shipment) bool { return s.Last <= b.before[l] }), err
			}
		}},
		"numbers begin anew": {"DurableGoesOnWhereItWas", func(b *bent) {
			b.append = func(l usage.Lane, r usage.Record) (uint64, error) {
				n, err := b.Queue.Append(l, r)
				return n - b.before[l], err
			}
		}},
		"a torn end": {"DurableOfManyIsFoundAgain", func(b *bent) {
			b.read = func(l usage.Lane, after uint64, max int) ([]usage.Entry, error) {
				list, err := b.Queue.Read(l, after, max)
				return slices.DeleteFunc(list, func(e usage.Entry) bool { return e.Number == b.before[l] && e.Number > 0 }), err
			}
		}},
	} {
		err := queuetest.CheckStory(library(row.bend), row.story)
		if err == nil || !strings.Contains(err.Error(), row.story+": ") {
			t.Errorf("%s: %v; want a problem of %s", what, err, row.story)
		}
	}
}

// TestAQueueThatDoesNotOpen is no panic.
func TestAQueueThatDoesNotOpen(t *testing.T) {
	err := queuetest.Check(func(string) (usage.Queue, error) { return nil, os.ErrPermission })
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("%v", err)
	}
	err = queuetest.Check(func(string) (usage.Queue, error) { return nil, nil })
	if err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("%v", err)
	}
}

func TestRecordsThatDiffer(t *testing.T) {
	for i, r := range queuetest.Records() {
		if d := queuetest.Differ(r, r); d != "" {
			t.Errorf("record %d differs from itself: %s", i, d)
		}
		s := r
		s.Key += "x"
		if d := queuetest.Differ(s, r); !strings.Contains(d, "Key") || strings.Contains(d, ";") {
			t.Errorf("record %d with another key: %s", i, d)
		}
	}
}

// library opens queues that are as good as durable, since what is in them outlives the handle, each of them bent.
func library(bend func(b *bent)) queuetest.Open {
	var mu sync.Mutex
	kept := map[string]*usage.Memory{}
	return func(dir string) (usage.Queue, error) {
		mu.Lock()
		defer mu.Unlock()
		if kept[dir] == nil {
			kept[dir] = usage.NewMemory()
		}
		b := &bent{Queue: &handle{Memory: kept[dir]}}
		for _, l := range usage.Lanes {
			b.before[l] = b.Queue.Last(l)
		}
		if bend != nil {
			bend(b)
		}
		return b, nil
	}
}

// handle is a queue that is closed without the end of what is in it.
type handle struct {
	*usage.Memory
	mu     sync.RWMutex // guards the following
	closed bool
}

func (h *handle) Durable() bool { return true }

func (h *handle) Append(l usage.Lane, r usage.Record) (uint64, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return 0, usage.ErrClosed
	}
	return h.Memory.Append(l, r)
}

func (h *handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return nil
}

// bent is a queue with some methods replaced.
type bent struct {
	usage.Queue
	before [len(usage.Lanes)]uint64 // Last when it was opened
	append func(usage.Lane, usage.Record) (uint64, error)
	change func(*usage.Record)
	read   func(usage.Lane, uint64, int) ([]usage.Entry, error)
	seal   func(usage.Lane, uint64) (usage.Shipment, error)
	sealed func(usage.Lane) ([]usage.Shipment, error)
	remove func(usage.Lane, usage.Shipment) error
	last   func(usage.Lane) uint64
	len    func(usage.Lane) (int, int64)
}

func (b *bent) Append(l usage.Lane, r usage.Record) (uint64, error) {
	if b.change != nil {
		b.change(&r)
	}
	if b.append != nil {
		return b.append(l, r)
	}
	return b.Queue.Append(l, r)
}

func (b *bent) Read(l usage.Lane, after uint64, max int) ([]usage.Entry, error) {
	if b.read != nil {
		return b.read(l, after, max)
	}
	return b.Queue.Read(l, after, max)
}

func (b *bent) Seal(l usage.Lane, last uint64) (usage.Shipment, error) {
	if b.seal != nil {
		return b.seal(l, last)
	}
	return b.Queue.Seal(l, last)
}

func (b *bent) Sealed(l usage.Lane) ([]usage.Shipment, error) {
	if b.sealed != nil {
		return b.sealed(l)
	}
	return b.Queue.Sealed(l)
}

func (b *bent) Remove(l usage.Lane, s usage.Shipment) error {
	if b.remove != nil {
		return b.remove(l, s)
	}
	return b.Queue.Remove(l, s)
}

func (b *bent) Last(l usage.Lane) uint64 {
	if b.last != nil {
		return b.last(l)
	}
	return b.Queue.Last(l)
}

func (b *bent) Len(l usage.Lane) (int, int64) {
	if b.len != nil {
		return b.len(l)
	}
	return b.Queue.Len(l)
}
