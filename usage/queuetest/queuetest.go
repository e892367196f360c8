// Package queuetest tests that an implementation of [usage.Queue] does what the interface promises. [Run] is a test with one part for
// each promise; [Check] is the same without a test around it. Both open queues in directories that are new and empty, and, where a
// queue says that it is durable, close them and open them again. [Records] are the records that they use, for the tests of an encoding.
//
// What it cannot see is left to the tests of the implementation: that a record survives the end of the process rather than a Close,
// and what becomes of a store that is full, or torn.
//
// It finds data races only under the race detector: run it with go test -race as well.
package queuetest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/entcache/entcache/usage"
)

// Open opens the queue that is kept in a directory, which is empty the first time. A queue that is not kept in files takes the name of
// the directory for the name of its store, or ignores it when it is not durable.
type Open func(dir string) (usage.Queue, error)

// Run tests a queue, in a subtest for each promise.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) { s.play(t, open, t.TempDir()) })
	}
}

// Check returns every promise that the queue breaks, as one error; nil when there is none.
func Check(open Open) error { return check(open, stories) }

func check(open Open, stories []story) error {
	var broken []error
	for _, s := range stories {
		dir, err := os.MkdirTemp("", "queuetest")
		if err != nil {
			return fmt.Errorf("queuetest: %w", err)
		}
		r := &record{}
		done := make(chan struct{})
		go func() { // joined below: a goroutine of its own, so that Fatalf can end it
			defer close(done)
			s.play(r, open, dir)
		}()
		<-done
		for _, problem := range r.problems {
			broken = append(broken, fmt.Errorf("%s: %s", s.name, problem))
		}
		if err := os.RemoveAll(dir); err != nil {
			broken = append(broken, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(broken...)
}

// teller is what a story reports to: a test, or a record.
type teller interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// record keeps what a story reports. A story reports from its own goroutine.
type record struct{ problems []string }

func (r *record) Helper() {}

func (r *record) Errorf(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *record) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// story is what one promise comes to.
type story struct {
	name    string
	tell    func(s *stage)
	durable bool // it is promised by a queue that says it is durable
}

var stories = []story{
	{"NumbersCountAcceptance", numbers, false},
	{"RecordsComeBackAsTheyWere", roundTrip, false},
	{"ReadGoesThroughPages", pages, false},
	{"WhatWasReadStaysAsItWas", stays, false},
	{"SealMakesShipments", seals, false},
	{"RemoveTakesAnyOrder", removes, false},
	{"LastOutlivesTheRecords", lasts, false},
	{"LenCountsRecordsAndBytes", lengths, false},
	{"AppendWhileOthersRun", crowd, false},
	{"AppendAfterCloseFails", closes, false},
	{"AppendDuringCloseIsKeptOrFails", closing, false},
	{"DurableIsFoundAgain", found, true},
	{"DurableGoesOnWhereItWas", goesOn, true},
	{"DurableOfManyIsFoundAgain", manyFound, true},
}

// stage is where a story is told: one directory, and the queue that is open in it.
type stage struct {
	teller
	usage.Queue
	open   Open
	dir    string
	isOpen bool
}

func (s story) play(t teller, open Open, dir string) {
	t.Helper()
	st := &stage{teller: t, open: open, dir: dir}
	st.reopen()
	defer func() {
		if st.isOpen {
			_ = st.Queue.Close() // the story was broken off, and said why
		}
	}()
	if s.durable && !st.Durable() {
		return
	}
	s.tell(st)
	if st.isOpen {
		st.closed()
	}
}

// reopen closes the queue, if it is open, and opens it again.
func (s *stage) reopen() {
	s.Helper()
	if s.isOpen {
		s.closed()
	}
	q, err := s.open(s.dir)
	if err != nil {
		s.Fatalf("open: %v", err)
	}
	if q == nil {
		s.Fatalf("open: neither a queue nor an error")
	}
	s.Queue, s.isOpen = q, true
}

func (s *stage) closed() {
	s.Helper()
	s.isOpen = false
	if err := s.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
}
