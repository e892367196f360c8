package usage

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reporting runs a story in a bubble, with a reporter on a server that is well.
func reporting(t *testing.T, cfg Config, story func(t *testing.T, s *server, r *Reporter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		cfg := cfg
		cfg.Sender = s
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = r.Close(ctx) // what a story leaves behind is its own affair
		}()
		story(t, s, r)
	})
}

var keys int

// report is a delta of acme, or of another customer.
func report(feature string, value float64, customer ...string) Record {
	keys++
	r := Record{Kind: Delta, CustomerID: "acme", FeatureID: feature, Value: value, Key: fmt.Sprint("key-", keys), At: time.Now()}
	if len(customer) > 0 {
		r.CustomerID = customer[0]
	}
	return r
}

func event(name string) Record {
	keys++
	return Record{Kind: Event, CustomerID: "acme", EventName: name, Key: fmt.Sprint("key-", keys), At: time.Now()}
}

func accept(t *testing.T, r *Reporter, list ...Record) {
	t.Helper()
	for _, rec := range list {
		if err := r.Accept(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
}

func flushed(t *testing.T, r *Reporter) {
	t.Helper()
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// eventually waits, in the bubble's time, until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 10_000 {
		if cond() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("never: " + what)
}

func TestAWindowOfReportsGoesOutTogether(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		for range 50 {
			accept(t, r, report("api-calls", 1), report("seats", 2))
		}
		time.Sleep(DefaultWindow - 1)
		synctest.Wait()
		if n := s.number(); n != 0 {
			t.Fatalf("%d calls before the window is over", n)
		}
		time.Sleep(time.Second)
		if n := s.number(); n != 1 || s.total("acme", "api-calls") != "50" || s.total("acme", "seats") != "100" {
			t.Errorf("%d calls, %s api-calls", n, s.total("acme", "api-calls"))
		}
		if got := r.Stats(); got.Accepted != 100 || got.Sent != 100 || got.Merged != 98 || got.Calls != 1 || got.Waiting != 0 || got.Oldest != 0 || got.Err != nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestAFullCallDoesNotWait(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		for i := range MaxReports {
			accept(t, r, report("api-calls", 1, fmt.Sprint("customer-", i)))
		}
		time.Sleep(time.Millisecond)
		if n := s.number(); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestAMeterThatIsBusyIsOneLine: a thousand reports to one meter within the window do not fill ten calls.
func TestAMeterThatIsBusyIsOneLine(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		for range 1000 {
			accept(t, r, report("api-calls", 1))
		}
		flushed(t, r)
		if n := s.number(); n != 1 || s.total("acme", "api-calls") != "1000" {
			t.Errorf("%d calls, %s", n, s.total("acme", "api-calls"))
		}
	})
}

// TestAFullCallTakesWhateverJoinsItsLines: a backlog of as many meters as a call has lines is not sent a hundred reports at a time.
func TestAFullCallTakesWhateverJoinsItsLines(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		for range 50 {
			for i := range MaxReports {
				accept(t, r, report("api-calls", 1, fmt.Sprint("customer-", i)))
			}
		}
		accept(t, r, report("api-calls", 1, "one more"))
		flushed(t, r)
		if n := s.number(); n > 4 { // what was there when the first was full, what came while that was on its way, and the one more
			t.Errorf("%d calls", n)
		}
		for _, customer := range []string{"customer-0", "customer-99"} {
			if got := s.total(customer, "api-calls"); got != "50" {
				t.Errorf("%s: %s", customer, got)
			}
		}
	})
}

// TestCallsAreBoundedInBytes: a backlog of large events goes in several calls, and one that is larger than a call goes alone.
func TestCallsAreBoundedInBytes(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		large := func(n int) Record {
			e := event("upload")
			e.Dimensions = []byte(`{"name":"` + strings.Repeat("x", n) + `"}`)
			return e
		}
		for range 6 {
			accept(t, r, large(200<<10))
		}
		accept(t, r, large(600<<10))
		flushed(t, r)
		if len(s.events) != 7 {
			t.Errorf("%d events", len(s.events))
		}
		for i, call := range s.calls {
			var bytes int64
			for _, rec := range call {
				bytes += rec.Size()
			}
			if bytes > maxCallBytes && len(call) > 1 {
				t.Errorf("call %d: %d events of %d bytes", i, len(call), bytes)
			}
		}
	})
}

// TestOneLaneDoesNotWaitForTheOther: events that hang do not hold up reports.
func TestOneLaneDoesNotWaitForTheOther(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		s.fail = func(_ int, records []Record) *failing {
			if records[0].Kind == Event {
				return &failing{hangs: true}
			}
			return nil
		}
		accept(t, r, event("login"), report("seats", 1))
		time.Sleep(2 * time.Second)
		if s.total("acme", "seats") != "1" {
			t.Error("the report waits")
		}
	})
}

// TestStiggAwayForAnHour: nothing is lost, nothing is set aside, and what is sent later says when it happened.
func TestStiggAwayForAnHour(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		back := time.Now().Add(time.Hour)
		s.fail = func(n int, _ []Record) *failing {
			switch {
			case time.Now().After(back):
				return nil
			case n%2 == 0:
				return &failing{Failure: Failure{Err: errFailed}}
			default:
				return &failing{Failure: Failure{Err: errAway, Means: Away}}
			}
		}
		begin := time.Now()
		for range 60 {
			accept(t, r, report("api-calls", 1))
			time.Sleep(time.Minute)
		}
		if st := r.Stats(); st.Waiting != 60 || st.Oldest < 59*time.Minute || st.Err == nil || st.Retried < 30 || st.Retried > 600 {
			t.Errorf("at the end of the hour: %+v", st)
		}
		flushed(t, r)
		if got := s.total("acme", "api-calls"); got != "60" {
			t.Errorf("counted %s", got)
		}
		if st := r.Stats(); st.SetAside != 0 || st.Err != nil || st.Waiting != 0 {
			t.Errorf("afterwards: %+v", st)
		}
		first := s.calls[len(s.calls)-1][0]
		for _, rec := range s.keys {
			if rec.At.Before(first.At) {
				first = rec
			}
		}
		if !first.At.Equal(begin) {
			t.Errorf("the first is dated %v, and was accepted at %v", first.At, begin)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		s.fail = func(n int, _ []Record) *failing {
			if n == 1 {
				return &failing{Failure: Failure{Err: errAway, Means: Away, RetryAfter: time.Minute}}
			}
			return nil
		}
		accept(t, r, report("seats", 1))
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.number(); n != 1 {
			t.Errorf("%d calls within the minute", n)
		}
		r.Hurry() // a new key, say
		synctest.Wait()
		time.Sleep(time.Second)
		if s.total("acme", "seats") != "1" {
			t.Error("Hurry did not end the pause")
		}
	})
}

// TestARecordThatIsRefused is sent as often as was said, holds up nobody, and is handed back as it was accepted.
func TestARecordThatIsRefused(t *testing.T) {
	var mu sync.Mutex
	var aside []SetAside
	cfg := Config{OnSetAside: func(a SetAside) { mu.Lock(); defer mu.Unlock(); aside = append(aside, a) }}
	reporting(t, cfg, func(t *testing.T, s *server, r *Reporter) {
		s.refuse = func(rec Record) bool { return rec.CustomerID == "nobody" }
		for i := range 40 {
			accept(t, r, report("seats", 1, fmt.Sprint("customer-", i)))
		}
		accept(t, r, report("seats", 1, "nobody"), report("seats", 2, "nobody"))
		time.Sleep(1500 * time.Millisecond) // the window, and the calls that follow from the refusal
		for i := range 40 {
			if got := s.total(fmt.Sprint("customer-", i), "seats"); got != "1" {
				t.Fatalf("customer %d waits for nobody: %s", i, got)
			}
		}
		flushed(t, r)
		mu.Lock()
		defer mu.Unlock()
		if len(aside) != 1 || aside[0].Tries != DefaultTries || !errors.Is(aside[0].Err, errRefused) ||
			len(aside[0].Records) != 2 || aside[0].Records[0].Value != 1 || aside[0].Records[1].Value != 2 {
			t.Errorf("set aside: %+v", aside)
		}
		if st := r.Stats(); st.SetAside != 2 || st.Sent != 40 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestARecordThatIsRefusedAndThenTaken: its customer was provisioned a moment later. What followed of its meter did not overtake it.
func TestARecordThatIsRefusedAndThenTaken(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		there := time.Now().Add(3 * time.Second)
		s.refuse = func(rec Record) bool { return time.Now().Before(there) }
		first := report("seats", 5)
		first.Alone = true
		last := report("seats", 7)
		last.Kind = Set
		accept(t, r, first)
		time.Sleep(1500 * time.Millisecond)
		accept(t, r, last)
		flushed(t, r)
		if s.total("acme", "seats") != "7" {
			t.Errorf("seats: %s", s.total("acme", "seats"))
		}
	})
}

// TestARecordThatMakesStiggFail is found, sent alone while others go on, and set aside in the end.
func TestARecordThatMakesStiggFail(t *testing.T) {
	var aside []SetAside
	cfg := Config{OnSetAside: func(a SetAside) { aside = append(aside, a) }}
	reporting(t, cfg, func(t *testing.T, s *server, r *Reporter) {
		s.fail = func(_ int, records []Record) *failing {
			for _, rec := range records {
				if rec.CustomerID == "poison" {
					return &failing{Failure: Failure{Err: errFailed}}
				}
			}
			return nil
		}
		accept(t, r, report("seats", 1, "poison"))
		for i := range 20 {
			accept(t, r, report("seats", 1, fmt.Sprint("customer-", i)))
		}
		time.Sleep(time.Minute)
		if s.total("customer-0", "seats") != "1" || s.total("customer-19", "seats") != "1" {
			t.Fatal("the others wait for the poison")
		}
		for range 600 { // others come and go
			accept(t, r, report("seats", 1, "customer-0"))
			time.Sleep(time.Second)
		}
		if len(aside) != 1 || aside[0].Records[0].CustomerID != "poison" || aside[0].Tries != failuresAlone {
			t.Errorf("set aside: %+v", aside)
		}
	})
}

// TestAnOutageSetsNothingAside: one meter alone, every call fails for a day.
func TestAnOutageSetsNothingAside(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		back := time.Now().Add(24 * time.Hour)
		s.fail = func(int, []Record) *failing {
			if time.Now().Before(back) {
				return &failing{Failure: Failure{Err: errFailed}}
			}
			return nil
		}
		accept(t, r, report("seats", 1), report("seats", 1, "beta"))
		flushed(t, r)
		if st := r.Stats(); st.SetAside != 0 || st.Sent != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// TestAnOutageIsTwoLinesInTheLog, however many calls fail in it, and a single call that fails is none.
func TestAnOutageIsTwoLinesInTheLog(t *testing.T) {
	var log strings.Builder
	reporting(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, s *server, r *Reporter) {
		began, last := time.Now(), time.Duration(0)
		s.fail = func(call int, _ []Record) *failing {
			if call == 1 || time.Since(began) < last {
				return &failing{Failure: Failure{Err: errFailed}}
			}
			return nil
		}
		accept(t, r, report("seats", 1))
		flushed(t, r)
		if log.Len() != 0 {
			t.Errorf("one failure:\n%s", &log)
		}
		for range 2 {
			began, last = time.Now(), time.Hour
			accept(t, r, report("seats", 1))
			flushed(t, r)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 2 {
			t.Errorf("%d warnings in two outages:\n%s", n, &log)
		}
		if n := strings.Count(log.String(), "delivered again"); n != 2 {
			t.Errorf("%d recoveries from two outages:\n%s", n, &log)
		}
	})
}

// TestWhatIsSetAsideIsLogged: to the reporter's logger or, without one, to the program's, so that it is not lost in silence.
func TestWhatIsSetAsideIsLogged(t *testing.T) {
	var own, program strings.Builder
	logger, out, flags := slog.Default(), log.Writer(), log.Flags()
	defer func() {
		slog.SetDefault(logger)
		log.SetOutput(out) // which slog.SetDefault has redirected, and does not take back
		log.SetFlags(flags)
	}()
	slog.SetDefault(slog.New(slog.NewTextHandler(&program, nil)))
	for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&own, nil)), nil} {
		reporting(t, Config{Tries: 1, Logger: l}, func(t *testing.T, s *server, r *Reporter) {
			s.refuse = func(Record) bool { return true }
			accept(t, r, report("seats", 2))
			flushed(t, r)
		})
	}
	for whose, got := range map[string]string{"the reporter's": own.String(), "the program's": program.String()} {
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "feature=seats") || !strings.Contains(got, "value=2") {
			t.Errorf("%s logger has %q", whose, got)
		}
	}
}

// TestARefusalEndsTheTrouble: a Stigg that refuses a record is there.
func TestARefusalEndsTheTrouble(t *testing.T) {
	reporting(t, Config{Tries: 1, OnSetAside: func(SetAside) {}}, func(t *testing.T, s *server, r *Reporter) {
		s.refuse = func(Record) bool { return true }
		s.fail = func(call int, _ []Record) *failing {
			if call == 1 {
				return &failing{Failure: Failure{Err: errFailed}}
			}
			return nil
		}
		accept(t, r, report("seats", 1))
		flushed(t, r)
		if err := r.Stats().Err; err != nil {
			t.Errorf("nothing waits, and the trouble is still %v", err)
		}
	})
}

func TestAFullQueueRejects(t *testing.T) {
	reporting(t, Config{MaxRecords: 2}, func(t *testing.T, s *server, r *Reporter) {
		accept(t, r, report("seats", 1), event("login"))
		if err := r.Accept(t.Context(), report("seats", 1)); !errors.Is(err, ErrFull) {
			t.Errorf("the third of two: %v", err)
		}
		if st := r.Stats(); st.Rejected != 1 || st.Accepted != 2 || st.Waiting != 2 {
			t.Errorf("%+v", st)
		}
		flushed(t, r)
		accept(t, r, report("seats", 1))
	})
	reporting(t, Config{MaxBytes: 1000}, func(t *testing.T, s *server, r *Reporter) {
		for _, size := range []int{2000, 700} {
			e := event("upload")
			e.Dimensions = []byte(strings.Repeat(" ", size) + "{}")
			err := r.Accept(t.Context(), e)
			if size > 1000 && !errors.Is(err, ErrFull) || size < 1000 && err != nil {
				t.Errorf("%d bytes of 1000: %v", size, err)
			}
		}
		if err := r.Accept(t.Context(), report("seats", 1)); !errors.Is(err, ErrFull) {
			t.Errorf("over the bytes: %v", err)
		}
	})
}

func TestAFullQueueBlocks(t *testing.T) {
	reporting(t, Config{MaxRecords: 1, Block: true}, func(t *testing.T, s *server, r *Reporter) {
		accept(t, r, report("seats", 1))
		begin := time.Now()
		accept(t, r, report("seats", 1)) // when the first is delivered
		if waited := time.Since(begin); waited < DefaultWindow {
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := r.Accept(ctx, report("seats", 1)); !errors.Is(err, ErrFull) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no room before the end of ctx: %v", err)
		}
		failed := make(chan error)
		go func() { failed <- r.Accept(t.Context(), report("seats", 1)) }()
		synctest.Wait()
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-failed; !errors.Is(err, ErrClosed) {
			t.Errorf("waiting for room at Close: %v", err)
		}
	})
}

func TestRecordsThatNoLaneCouldDeliver(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, _ *server, r *Reporter) {
		for field, spoil := range map[string]func(*Record){
			"kind":       func(rec *Record) { rec.Kind = 0 },
			"CustomerID": func(rec *Record) { rec.CustomerID = "" },
			"FeatureID":  func(rec *Record) { rec.FeatureID = "" },
			"EventName":  func(rec *Record) { rec.Kind = Event },
			"Key":        func(rec *Record) { rec.Key = "" },
			"At":         func(rec *Record) { rec.At = time.Time{} },
		} {
			rec := report("seats", 1)
			spoil(&rec)
			if err := r.Accept(t.Context(), rec); err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("%s: %v", field, err)
			}
		}
		if st := r.Stats(); st.Accepted+st.Rejected != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestCloseDelivers what waits, and accepts no more.
func TestCloseDelivers(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		accept(t, r, report("seats", 1), event("login"))
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.total("acme", "seats") != "1" || len(s.events) != 1 {
			t.Error("not delivered")
		}
		for what, err := range map[string]error{
			"Accept": r.Accept(t.Context(), report("seats", 1)), "Flush": r.Flush(t.Context()),
		} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
	})
}

// TestCloseSaysWhatRemains, with the records when nobody else has them, the same each time.
func TestCloseSaysWhatRemains(t *testing.T) {
	for _, durable := range []bool{false, true} {
		q := &queue{Queue: NewMemory(), durable: durable}
		reporting(t, Config{Queue: q}, func(t *testing.T, s *server, r *Reporter) {
			s.fail = func(int, []Record) *failing { return &failing{hangs: true} }
			accept(t, r, report("seats", 1), report("seats", 2), event("login"))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			begin := time.Now()
			err := r.Close(ctx)
			if took := time.Since(begin); took != 10*time.Second {
				t.Errorf("Close took %v", took)
			}
			u, ok := errors.AsType[*UndeliveredError](err)
			if !ok || u.Waiting != 3 || u.Durable != durable || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%v", err)
			}
			if want := map[bool]int{false: 3, true: 0}[durable]; len(u.Records) != want {
				t.Errorf("%d records, want %d", len(u.Records), want)
			}
			if again := r.Close(t.Context()); again != err {
				t.Errorf("Close again: %v", again)
			}
		})
	}
}

func TestFlushSaysWhatRemains(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		s.fail = func(n int, _ []Record) *failing {
			if n < 5 {
				return &failing{Failure: Failure{Err: errAway, Means: Away}}
			}
			return nil
		}
		accept(t, r, report("seats", 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		u, ok := errors.AsType[*UndeliveredError](r.Flush(ctx))
		if !ok || u.Waiting != 1 || u.Records != nil || u.Error() == "" {
			t.Errorf("%+v", u)
		}
		flushed(t, r) // the delivery went on
		if s.total("acme", "seats") != "1" {
			t.Error("not delivered")
		}
	})
}

// TestFlushWaitsForWhatWasAcceptedBefore, and not for what comes after it.
func TestFlushWaitsForWhatWasAcceptedBefore(t *testing.T) {
	reporting(t, Config{}, func(t *testing.T, s *server, r *Reporter) {
		flushed(t, r) // of nothing
		accept(t, r, report("seats", 1))
		done := make(chan error)
		go func() { done <- r.Flush(t.Context()) }()
		synctest.Wait()
		accept(t, r, report("seats", 1)) // while the first is on its way
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := s.total("acme", "seats"); got != "1" {
			t.Errorf("flushed %s", got)
		}
	})
}

// TestADurableQueueIsTakenUp where the last process left it: what was sealed goes again as it went, under the same keys.
func TestADurableQueueIsTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		memory := NewMemory()
		// The first process dies after its call was counted, and before it heard of it.
		s.fail = func(int, []Record) *failing { return &failing{hangs: true, counted: true} }
		first, err := New(Config{Sender: s, Queue: &queue{Queue: memory, durable: true}})
		if err != nil {
			t.Fatal(err)
		}
		accept(t, first, report("seats", 1), report("seats", 2), event("login"))
		time.Sleep(1100 * time.Millisecond)
		accept(t, first, report("seats", 4))
		dead, cancel := context.WithCancel(t.Context())
		cancel()
		if _, ok := errors.AsType[*UndeliveredError](first.Close(dead)); !ok {
			t.Fatal("the first delivered everything")
		}
		s.fail, s.deltas = nil, 0
		second, err := New(Config{Sender: s, Queue: &queue{Queue: memory, durable: true}})
		if err != nil {
			t.Fatal(err)
		}
		if st := second.Stats(); st.Waiting != 4 {
			t.Fatalf("%+v", st)
		}
		accept(t, second, report("seats", 8))
		flushed(t, second)
		if got := s.total("acme", "seats"); got != "15" || len(s.events) != 1 {
			t.Errorf("seats %s, %d events", got, len(s.events))
		}
		if s.deltas != 8 {
			t.Errorf("of what was sent, %v were accepted by who sent it", s.deltas)
		}
		if st := second.Stats(); st.Waiting != 0 || st.Sent != 5 {
			t.Errorf("%+v", st)
		}
		if err := second.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestADurableQueueThatFillsACallExactly: that there is no more is not said by a call with room in it.
func TestADurableQueueThatFillsACallExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, memory := newServer(t), NewMemory()
		for i := range MaxReports {
			if _, err := memory.Append(Reports, report("seats", 1, fmt.Sprint("customer-", i))); err != nil {
				t.Fatal(err)
			}
		}
		r, err := New(Config{Sender: s, Queue: memory})
		if err != nil {
			t.Fatal(err)
		}
		flushed(t, r)
		if n := s.number(); n != 1 || s.total("customer-99", "seats") != "1" {
			t.Errorf("%d calls", n)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestAQueueThatFails: what it does not take is not accepted; what it does not give is asked for again.
func TestAQueueThatFails(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, method := range []string{"Read", "Seal", "Remove", "Sealed"} {
		q := &queue{Queue: NewMemory()}
		q.fails(method, 3, broken)
		reporting(t, Config{Queue: q}, func(t *testing.T, s *server, r *Reporter) {
			accept(t, r, report("seats", 1))
			if method == "Sealed" || method == "Read" || method == "Seal" {
				eventually(t, "the trouble is told", func() bool { return errors.Is(r.Stats().Err, broken) })
			}
			flushed(t, r)
			if got := s.total("acme", "seats"); got != "1" {
				t.Errorf("%s: counted %s", method, got)
			}
			if n, _ := q.Len(Reports); n != 0 {
				t.Errorf("%s: %d left", method, n)
			}
		})
	}
	q := &queue{Queue: NewMemory()}
	q.fails("Append", 1, broken)
	reporting(t, Config{Queue: q, MaxRecords: 1}, func(t *testing.T, s *server, r *Reporter) {
		if err := r.Accept(t.Context(), report("seats", 1)); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		if st := r.Stats(); st.Rejected != 1 || st.Accepted != 0 {
			t.Errorf("%+v", st)
		}
		accept(t, r, report("seats", 1)) // its room was given back
		flushed(t, r)
	})
}

// TestNothingIsSaidToNobody: without a callback, what is set aside is in the log, but for its dimensions.
func TestWithoutACallbackTheLogSaysIt(t *testing.T) {
	var log strings.Builder
	reporting(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Tries: 1}, func(t *testing.T, s *server, r *Reporter) {
		s.refuse = func(Record) bool { return true }
		rec := report("seats", 3)
		rec.Dimensions = []byte(`{"secret":1}`)
		accept(t, r, rec)
		flushed(t, r)
		for _, want := range []string{"customer=acme", "feature=seats", "value=3", "key=" + rec.Key, "refused"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, &log)
			}
		}
		if strings.Contains(log.String(), "secret") {
			t.Errorf("the log has dimensions:\n%s", &log)
		}
	})
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	for name, cfg := range map[string]Config{
		"Sender": {}, "Window": {Sender: &server{}, Window: -1}, "MaxRecords": {Sender: &server{}, MaxRecords: -1},
		"MaxBytes": {Sender: &server{}, MaxBytes: -1}, "Tries": {Sender: &server{}, Tries: -1}, "CallTimeout": {Sender: &server{}, CallTimeout: -1},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyReportersAndClose: whatever was accepted is delivered or named, whoever came first.
func TestManyReportersAndClose(t *testing.T) {
	for range 50 {
		reporting(t, Config{MaxRecords: 64, Block: true}, func(t *testing.T, s *server, r *Reporter) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			accepted := 0
			for g := range 8 {
				wg.Go(func() {
					for i := range 20 {
						rec := Record{Kind: Delta, CustomerID: "acme", FeatureID: "seats", Value: 1, Key: fmt.Sprint(g, "-", i), At: time.Now()}
						if r.Accept(t.Context(), rec) != nil {
							return
						}
						mu.Lock()
						accepted++
						mu.Unlock()
					}
				})
			}
			time.Sleep(time.Second)
			if err := r.Close(t.Context()); err != nil {
				t.Error(err)
			}
			wg.Wait()
			if got := s.total("acme", "seats"); got != fmt.Sprint(accepted) {
				t.Errorf("accepted %d, counted %s", accepted, got)
			}
		})
	}
}

// queue is a queue that can fail, and say that it is durable.
type queue struct {
	Queue
	durable bool

	mu    sync.Mutex
	left  map[string]int
	cause error
}

func (q *queue) fails(method string, times int, cause error) {
	q.left, q.cause = map[string]int{method: times}, cause
}

func (q *queue) broken(method string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left[method] == 0 {
		return nil
	}
	q.left[method]--
	return q.cause
}

func (q *queue) Durable() bool { return q.durable }

func (q *queue) Append(l Lane, r Record) (uint64, error) {
	if err := q.broken("Append"); err != nil {
		return 0, err
	}
	return q.Queue.Append(l, r)
}

func (q *queue) Read(l Lane, after uint64, max int) ([]Entry, error) {
	if err := q.broken("Read"); err != nil {
		return nil, err
	}
	return q.Queue.Read(l, after, max)
}

func (q *queue) Seal(l Lane, last uint64) (Shipment, error) {
	if err := q.broken("Seal"); err != nil {
		return Shipment{}, err
	}
	return q.Queue.Seal(l, last)
}

func (q *queue) Sealed(l Lane) ([]Shipment, error) {
	if err := q.broken("Sealed"); err != nil {
		return nil, err
	}
	return q.Queue.Sealed(l)
}

func (q *queue) Remove(l Lane, s Shipment) error {
	if err := q.broken("Remove"); err != nil {
		return err
	}
	return q.Queue.Remove(l, s)
}

func (q *queue) Close() error { return nil } // so that another reporter can take it up
