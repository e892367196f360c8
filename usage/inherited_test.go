package usage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatAnotherProcessLeftIsFlushedToo: Flush and Close say so when it is not delivered.
func TestWhatAnotherProcessLeftIsFlushedToo(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, memory := newServer(t), NewMemory()
			for range 3 {
				if _, err := memory.Append(Reports, report("seats", 1)); err != nil {
					t.Fatal(err)
				}
			}
			if sealed {
				if _, err := memory.Seal(Reports, 3); err != nil {
					t.Fatal(err)
				}
			}
			s.fail = func(int, []Record) *failing { return &failing{Failure: Failure{Err: errAway, Means: Away}} }
			r, err := New(Config{Sender: s, Queue: &queue{Queue: memory, durable: true}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if u, ok := errors.AsType[*UndeliveredError](r.Flush(ctx)); !ok || u.Waiting != 3 {
				t.Errorf("sealed %v: Flush says %v", sealed, u)
			}
			ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if u, ok := errors.AsType[*UndeliveredError](r.Close(ctx)); !ok || u.Waiting != 3 {
				t.Errorf("sealed %v: Close says %v", sealed, u)
			}
		})
	}
}

// TestWhatAnotherProcessLeftHasItsAge: a process that is restarted again and again in an outage does not look young.
func TestWhatAnotherProcessLeftHasItsAge(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, memory := newServer(t), NewMemory()
			own := report("seats", 1) // reported late: the time is the program's
			own.At, own.Alone = time.Now().Add(-24*time.Hour), true
			left := report("seats", 1)
			left.At = time.Now()
			for _, rec := range []Record{left, own} {
				if _, err := memory.Append(Reports, rec); err != nil {
					t.Fatal(err)
				}
			}
			if sealed {
				if _, err := memory.Seal(Reports, 2); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Hour)
			s.fail = func(int, []Record) *failing { return &failing{Failure: Failure{Err: errAway, Means: Away}} }
			r, err := New(Config{Sender: s, Queue: &queue{Queue: memory, durable: true}})
			if err != nil {
				t.Fatal(err)
			}
			r.Resume()
			time.Sleep(time.Minute)
			if st := r.Stats(); st.Oldest < time.Hour || st.Oldest > 2*time.Hour {
				t.Errorf("sealed %v: the oldest has waited for %v, want an hour and a minute", sealed, st.Oldest)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, ok := errors.AsType[*UndeliveredError](r.Close(ctx)); !ok {
				t.Error("Close says nothing of what it leaves")
			}
		})
	}
}

// TestAQueueThatHadRecordsOnce, and has none, has nothing to flush.
func TestAQueueThatHadRecordsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, memory := newServer(t), NewMemory()
		for range 2 {
			r, err := New(Config{Sender: s, Queue: &queue{Queue: memory, durable: true}})
			if err != nil {
				t.Fatal(err)
			}
			flushed(t, r)
			accept(t, r, report("seats", 1), event("login"))
			flushed(t, r)
			if err := r.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestAFullQueueFromBefore is delivered, and makes room, although nothing new fits.
func TestAFullQueueFromBefore(t *testing.T) {
	for _, block := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, memory := newServer(t), NewMemory()
			for range 3 {
				if _, err := memory.Append(Reports, report("seats", 1)); err != nil {
					t.Fatal(err)
				}
			}
			r, err := New(Config{Sender: s, Queue: memory, MaxRecords: 3, Block: block})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close(t.Context())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = r.Accept(ctx, report("seats", 1))
			if block != (err == nil) {
				t.Errorf("block %v: %v", block, err)
			}
			time.Sleep(time.Minute)
			if err := r.Accept(t.Context(), report("seats", 1)); err != nil {
				t.Errorf("block %v, a minute later: %v", block, err)
			}
		})
	}
}
