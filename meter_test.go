package entcache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

func calls(customer string, n float64) entcache.UsageReport {
	return entcache.UsageReport{CustomerId: customer, FeatureId: "api-calls", Value: n}
}

func apiCalls(customer string) entcache.Query {
	return entcache.Query{CustomerID: customer, FeatureID: "api-calls"}
}

// sees checks what a check shows: the usage in all, and how much of it is pending.
func (w *world) sees(customer string, current, pending float64) {
	w.Helper()
	d, err := w.client.GetEntitlement(w.Context(), apiCalls(customer))
	if err != nil || d.Entitlement.CurrentUsage() != current || d.Entitlement.PendingUsage() != pending {
		w.Errorf("%s shows %v, of it %v pending (%v); want %v and %v",
			customer, d.Entitlement.CurrentUsage(), d.Entitlement.PendingUsage(), err, current, pending)
	}
}

// counted checks what Stigg has counted.
func (w *world) counted(customer string, want float64) {
	w.Helper()
	e, _ := w.stigg.Snapshot(customer, "").Find("api-calls")
	if e.Usage != want {
		w.Errorf("Stigg has counted %v of %s, want %v", e.Usage, customer, want)
	}
}

func (w *world) report(list ...entcache.UsageReport) {
	w.Helper()
	for _, r := range list {
		if err := w.client.Meter.Report(w.Context(), r); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) flush() {
	w.Helper()
	if err := w.client.Meter.Flush(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// TestMeterCountsAtOnce: a report counts in the next check, before Stigg has heard of it, and once when Stigg has.
func TestMeterCountsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := started(t)
		w.sees("acme", 0, 0)
		w.report(calls("acme", 3), calls("acme", 4))
		w.sees("acme", 7, 7)
		w.counted("acme", 0)
		w.flush()
		w.counted("acme", 7)
		w.sees("acme", 7, 0)
		w.report(calls("acme", -2))
		w.sees("acme", 5, -2)
		time.Sleep(2 * time.Second)
		w.sees("acme", 5, 0)
		if st := w.client.Meter.Stats(); st.Accepted != 3 || st.Sent != 3 || st.Merged != 1 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestABurstStopsAtTheLimit, although Stigg hears of none of it before the burst is over.
func TestABurstStopsAtTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		granted := 0
		for range 150 {
			q := apiCalls("acme") // 100 a month
			q.RequestedUsage = 1
			d, err := w.client.GetEntitlement(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if d.HasAccess {
				granted++
				w.report(calls("acme", 1))
			}
		}
		if granted != 100 {
			t.Errorf("%d were granted, of 100", granted)
		}
		w.flush()
		w.counted("acme", 100)
	})
}

// TestASetDoesNotCountBeforeStiggHasCountedIt, nor is it overtaken by what was reported after it.
func TestASetDoesNotCountBeforeStiggHasCountedIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.report(calls("acme", 8))
		w.flush()
		set := calls("acme", 3)
		set.UpdateBehavior = new(entcache.UsageSet)
		w.report(set, calls("acme", 2))
		w.sees("acme", 10, 2)
		w.flush()
		w.counted("acme", 5)
		w.sees("acme", 5, 0)
	})
}

// TestAnEventCountsWhenStiggHasCountedIt, and once, however often it is told.
func TestAnEventCountsWhenStiggHasCountedIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("initech", "growth")
		users := func() float64 {
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "initech", FeatureID: "active-users"})
			if err != nil {
				t.Fatal(err)
			}
			return d.Entitlement.CurrentUsage()
		}
		users()
		for _, user := range []string{`"ada"`, `"bob"`, `"ada"`} {
			dimensions := json.RawMessage(`{"user":` + user + `}`)
			if err := w.client.Meter.Event(t.Context(), entcache.UsageEvent{CustomerId: "initech", EventName: "signed-in", Dimensions: &dimensions}); err != nil {
				t.Fatal(err)
			}
			dimensions[9] = '?' // the caller's again
		}
		if got := users(); got != 0 {
			t.Errorf("%v users before Stigg has heard of any", got)
		}
		w.flush()
		w.after(15 * time.Second) // Stigg counts events in its own time
		if got := users(); got != 2 {
			t.Errorf("%v users, want 2", got)
		}
	})
}

// TestAKeyOfTheProgramsOwnCountsOnce, also when the report is accepted twice.
func TestAKeyOfTheProgramsOwnCountsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		r := calls("acme", 5)
		r.IdempotencyKey, r.CreatedAt = new("invoice-17"), &entcache.DateTime{Time: time.Now()}
		w.report(r, r)
		w.flush()
		w.counted("acme", 5)
		w.sees("acme", 5, 0)
	})
}

// TestUsageWaitsForStigg as long as it takes, and is counted once, whether or not it was before.
func TestUsageWaitsForStigg(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.sees("acme", 0, 0)
		f := w.stigg.Faults()
		f.ReplaceReply("reportUsageBulk", emulator.Reply{Status: 502, Body: "<html>"}) // counted, and not answered
		w.report(calls("acme", 5))
		w.after(time.Minute)
		w.sees("acme", 5, 5)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var rest *entcache.UndeliveredError
		if err := w.client.Meter.Flush(ctx); !errors.As(err, &rest) || rest.Waiting != 1 || !strings.Contains(err.Error(), "502") {
			t.Errorf("Flush while Stigg does not answer: %v", err)
		}
		if st := w.client.Meter.Stats(); st.Waiting != 1 || st.Err == nil || st.Oldest < time.Minute || st.Retried == 0 {
			t.Errorf("while Stigg does not answer: %+v", st)
		}
		f.RestoreReply("reportUsageBulk")
		w.flush()
		w.counted("acme", 5)
		w.sees("acme", 5, 0)
		if st := w.client.Meter.Stats(); st.Waiting != 0 || st.Err != nil || st.Oldest != 0 || st.SetAside != 0 {
			t.Errorf("afterwards: %+v", st)
		}
	})
}

// TestUsageThatStiggRefusesIsHandedBack, holds up nobody, and counts no more.
func TestUsageThatStiggRefusesIsHandedBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var aside []entcache.SetAside
		w := started(t, entcache.WithSetAside(2, func(s entcache.SetAside) { aside = append(aside, s) }))
		w.provision("initech", "growth")
		users := entcache.UsageReport{CustomerId: "initech", FeatureId: "active-users", Value: 1} // is counted from events
		w.report(users, calls("acme", 4))
		if d := w.check("initech", "active-users", 0); d.Entitlement.PendingUsage() != 1 {
			t.Errorf("%v pending", d.Entitlement.PendingUsage())
		}
		w.flush()
		w.counted("acme", 4)
		if len(aside) != 1 || aside[0].Tries != 2 || len(aside[0].Records) != 1 || aside[0].Records[0].FeatureID != "active-users" ||
			!strings.Contains(aside[0].Err.Error(), "CannotReportUsageForEntitlementWithMeterError") {
			t.Errorf("handed back: %+v", aside)
		}
		if d := w.check("initech", "active-users", 0); d.Entitlement.PendingUsage() != 0 || d.Entitlement.CurrentUsage() != 0 {
			t.Errorf("%v pending after it was refused", d.Entitlement.PendingUsage())
		}
		if st := w.client.Meter.Stats(); st.SetAside != 1 || st.Sent != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestUsageThatStiggRefusesIsLogged when nobody takes it.
func TestUsageThatStiggRefusesIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		w := started(t, entcache.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), entcache.WithSetAside(1, nil))
		w.report(entcache.UsageReport{CustomerId: "acme", FeatureId: "no-such-feature", Value: 2})
		w.flush()
		w.client.Close() // nobody logs any more
		for _, want := range []string{"set aside", "feature=no-such-feature", "value=2", "customer=acme"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, &log)
			}
		}
	})
}

// ownDefault makes h the handler of slog's default logger until the returned function is called.
func ownDefault(h slog.Handler) func() {
	logger, out, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(h))
	return func() {
		slog.SetDefault(logger)
		log.SetOutput(out) // which slog.SetDefault has redirected, and does not take back
		log.SetFlags(flags)
	}
}

// TestUsageThatIsLostIsNeverLostInSilence: with no option at all, Report and Flush are content and Stats has no error; so what Stigg
// refuses is in the log of the program, whichever that is by then.
func TestUsageThatIsLostIsNeverLostInSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		refused := func(opts ...entcache.Option) string {
			w := started(t, opts...)
			var log bytes.Buffer
			defer ownDefault(slog.NewTextHandler(&log, nil))()
			w.report(entcache.UsageReport{CustomerId: "nobody", FeatureId: "seats", Value: 2})
			w.flush()
			if st := w.client.Meter.Stats(); st.SetAside != 1 || st.Err != nil {
				t.Errorf("%+v", st)
			}
			w.client.Close() // nobody logs any more
			return log.String()
		}
		for name, opts := range map[string][]entcache.Option{"no options": nil, "nil ones": {entcache.WithLogger(nil), entcache.WithSetAside(0, nil)}} {
			got := refused(opts...)
			for _, want := range []string{"level=ERROR", "set aside", "customer=nobody", "feature=seats", "value=2", "CustomerNotFound"} {
				if !strings.Contains(got, want) {
					t.Errorf("with %s, the program's log lacks %q:\n%s", name, want, got)
				}
			}
		}
		if got := refused(entcache.WithLogger(slog.New(slog.DiscardHandler))); got != "" {
			t.Errorf("with a logger of the client's own, the program's has\n%s", got)
		}
		if got := refused(entcache.WithSetAside(0, func(entcache.SetAside) {})); got != "" {
			t.Errorf("with somebody who is told, the log has\n%s", got)
		}
	})
}

// TestUsageCountsInTheEmulatorsNewMonth: the emulator's clock is moved, and the meter stamps usage by this machine's.
func TestUsageCountsInTheEmulatorsNewMonth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.report(calls("acme", 3))
		if err := w.stigg.AdvanceClock(40 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.report(calls("acme", 4))
		w.flush()
		w.counted("acme", 4+3) // the three at the very moment
		w.report(calls("acme", 1))
		w.flush()
		w.counted("acme", 8)
	})
}

func TestMeterRefusesBadInput(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		sums := json.RawMessage(`[1]`)
		torn := json.RawMessage(`{"a":`)
		latin := json.RawMessage("{\"a\":\"\xe4\"}")
		for says, r := range map[string]entcache.UsageReport{
			"CustomerId":     {FeatureId: "seats", Value: 1},
			"FeatureId":      {CustomerId: "acme", Value: 1},
			"Value":          {CustomerId: "acme", FeatureId: "seats", Value: math.NaN()},
			"UpdateBehavior": {CustomerId: "acme", FeatureId: "seats", UpdateBehavior: new(entcache.UsageUpdateBehavior("ADD"))},
			"Dimensions":     {CustomerId: "acme", FeatureId: "seats", Dimensions: &sums},
			"JSON":           {CustomerId: "acme", FeatureId: "seats", Dimensions: &torn},
			"time is zero":   {CustomerId: "acme", FeatureId: "seats", CreatedAt: &entcache.DateTime{}},
			"UTF-8":          {CustomerId: "ac\xff", FeatureId: "seats"},
			"IdempotencyKey": {CustomerId: "acme", FeatureId: "seats", IdempotencyKey: new("\xff\x01")},
			"FeatureId \"s":  {CustomerId: "acme", FeatureId: "seats\xff"},
			"not UTF-8":      {CustomerId: "acme", FeatureId: "seats", Dimensions: &latin},
			"year":           {CustomerId: "acme", FeatureId: "seats", CreatedAt: &entcache.DateTime{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		} {
			if err := w.client.Meter.Report(t.Context(), r); !errors.Is(err, entcache.ErrBadInput) || !strings.Contains(err.Error(), says) {
				t.Errorf("a report with a bad %s: %v", says, err)
			}
		}
		for says, e := range map[string]entcache.UsageEvent{
			"CustomerId": {EventName: "signed-in"}, "EventName": {CustomerId: "acme"}, "EventName \"s": {CustomerId: "acme", EventName: "signed\xff"},
			"Dimensions":     {CustomerId: "acme", EventName: "signed-in", Dimensions: &sums},
			"IdempotencyKey": {CustomerId: "acme", EventName: "signed-in", IdempotencyKey: "\xff\x01"},
		} {
			if err := w.client.Meter.Event(t.Context(), e); !errors.Is(err, entcache.ErrBadInput) || !strings.Contains(err.Error(), says) {
				t.Errorf("an event with a bad %s: %v", says, err)
			}
		}
		if st := w.client.Meter.Stats(); st != (entcache.MeterStats{}) {
			t.Errorf("%+v", st)
		}
	})
}

// TestMeterWithoutStart delivers all the same, and keeps nothing of customers nobody asks for.
func TestMeterWithoutStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.report(calls("acme", 5))
		w.flush()
		w.counted("acme", 5)
	})
}

func TestUsageWindowIsWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithUsageWindow(10*time.Second))
		w.report(calls("acme", 5))
		w.after(9 * time.Second)
		w.counted("acme", 0)
		w.after(2 * time.Second)
		w.counted("acme", 5)
	})
}

func TestUsageBoundRejects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithUsageBound(2, 1<<20, entcache.Reject))
		w.report(calls("acme", 1), calls("acme", 2))
		w.check("acme", "api-calls", 0)
		if err := w.client.Meter.Report(t.Context(), calls("acme", 4)); !errors.Is(err, entcache.ErrQueueFull) {
			t.Errorf("the third of two: %v", err)
		}
		w.sees("acme", 3, 3) // what was not accepted does not count
		if st := w.client.Meter.Stats(); st.Rejected != 1 || st.Waiting != 2 || st.WaitingBytes == 0 {
			t.Errorf("%+v", st)
		}
		w.flush()
		w.report(calls("acme", 4))
	})
}

func TestUsageBoundBlocks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithUsageBound(1, 1<<20, entcache.Block))
		w.stigg.Faults().HangHTTP(true)
		w.report(calls("acme", 1))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		err := w.client.Meter.Report(ctx, calls("acme", 2))
		if took := time.Since(begin); !errors.Is(err, entcache.ErrQueueFull) || !errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second {
			t.Errorf("no room for three seconds: %v, after %v", err, took)
		}
		w.stigg.Faults().Clear()
		w.report(calls("acme", 4)) // waits for room, and gets it
		w.flush()
		w.counted("acme", 5)
	})
}

func TestLocalUsageCanBeOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithLocalUsage(false))
		w.report(calls("acme", 5))
		w.sees("acme", 0, 0)
		w.flush()
		w.sees("acme", 5, 0)
	})
}

// TestCloseDeliversUsage, and names what it could not deliver in time.
func TestCloseDeliversUsage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.report(calls("acme", 5))
		if err := w.client.Close(); err != nil {
			t.Error(err)
		}
		w.counted("acme", 5)
		for what, err := range map[string]error{
			"Report": w.client.Meter.Report(t.Context(), calls("acme", 1)),
			"Event":  w.client.Meter.Event(t.Context(), entcache.UsageEvent{CustomerId: "acme", EventName: "signed-in"}),
			"Flush":  w.client.Meter.Flush(t.Context()),
		} {
			if !errors.Is(err, entcache.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
	})
	for _, timeout := range []time.Duration{0, 3 * time.Second} {
		bubble(t, func(t *testing.T) {
			w := started(t, entcache.WithCloseTimeout(timeout))
			w.stigg.Faults().HangHTTP(true)
			w.report(calls("acme", 5), calls("globex", 1))
			begin := time.Now()
			err := w.client.Close()
			if took := time.Since(begin); took != timeout {
				t.Errorf("Close took %v, want %v", took, timeout)
			}
			var rest *entcache.UndeliveredError
			if !errors.As(err, &rest) || rest.Waiting != 2 || rest.Durable || len(rest.Records) != 2 || rest.Records[0].Value != 5 {
				t.Errorf("Close: %v", err)
			}
			if again := w.client.Close(); again != err {
				t.Errorf("Close again: %v", again)
			}
		})
	}
}

// TestANewKeyEndsTheWait of usage that Stigg refused to take under the old one; none of it is set aside.
func TestANewKeyEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.stigg.RevokeAPIKey(emulator.DefaultAPIKey)
		w.stigg.AddAPIKey("server-new")
		w.report(calls("acme", 5))
		w.after(10 * time.Minute)
		if st := w.client.Meter.Stats(); st.Waiting != 1 || !errors.Is(st.Err, entcache.ErrUnauthenticated) {
			t.Errorf("under a key that was revoked: %+v", st)
		}
		if err := w.client.SetAPIKey("server-new"); err != nil {
			t.Fatal(err)
		}
		w.after(time.Second)
		w.counted("acme", 5)
	})
}

func TestMeterOffline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, entcache.WithOffline())
		w.start(w.client)
		w.report(calls("acme", 5))
		w.flush()
		w.counted("acme", 0)
		if st := w.client.Meter.Stats(); st != (entcache.MeterStats{}) {
			t.Errorf("%+v", st)
		}
		if err := w.client.Close(); err != nil {
			t.Error(err)
		}
		if err := w.client.Meter.Report(t.Context(), calls("acme", 5)); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestPendingUsageOutlivesItsPeriod: it was used before the period ended, and the new one does not show it once Stigg has counted it.
func TestPendingUsageOutlivesItsPeriod(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.stigg.Report("acme", "", "api-calls", 5); err != nil {
			t.Fatal(err)
		}
		e, _ := w.stigg.Snapshot("acme", "").Find("api-calls")
		time.Sleep(time.Until(e.PeriodEnd) - time.Second)
		w.start(w.client)
		w.sees("acme", 5, 0)
		w.stigg.Faults().HangHTTP(true)
		w.report(calls("acme", 7))
		w.after(2 * time.Second)
		w.stigg.Faults().Clear()
		w.flush()
		w.after(time.Minute)
		w.sees("acme", 0, 0)
	})
}

// TestUsageBeyondAnyNumber: what no float can hold, and Stigg refuses, does not count for ever.
func TestUsageBeyondAnyNumber(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithSetAside(1, func(entcache.SetAside) {}))
		w.want(w.check("acme", "api-calls", 1), true, entcache.Fetched)
		w.stigg.Faults().FailOperation("ReportUsageBulk", "BadUserInput")
		w.report(calls("acme", math.MaxFloat64), calls("acme", math.MaxFloat64))
		w.flush()
		w.stigg.Faults().FailOperation("ReportUsageBulk", "")
		w.sees("acme", 0, 0)
		w.report(calls("acme", 3))
		w.sees("acme", 3, 3)
		w.flush()
		w.sees("acme", 3, 0)
	})
}

// TestReadersOnOtherProcessorsSeeEachReportOnce: the simulation has one processor at a time; here readers look while an answer is being
// applied.
func TestReadersOnOtherProcessorsSeeEachReportOnce(t *testing.T) {
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer stigg.Close()
	w := &world{T: t, stigg: stigg, pipe: stigg.Pipe()}
	w.provision("acme", "enterprise")
	w.client = w.newClient(entcache.WithUsageWindow(time.Millisecond))
	defer w.client.Close()
	w.start(w.client)
	w.check("acme", "api-calls", 0)
	var begun, done atomic.Int64
	var over atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			last := int64(0)
			for !over.Load() && !t.Failed() {
				least := done.Load()
				d, err := w.client.GetEntitlement(context.Background(), apiCalls("acme"))
				most := begun.Load()
				got := int64(d.Entitlement.CurrentUsage())
				if err != nil || got < max(least, last) || got > most {
					t.Errorf("a check shows %d, of it %v pending (%v); one before it has shown %d, and reported were %d to %d",
						got, d.Entitlement.PendingUsage(), err, last, least, most)
				}
				last = got
			}
		})
	}
	for range 500 {
		begun.Add(1)
		w.report(calls("acme", 1))
		done.Add(1)
		runtime.Gosched()
	}
	w.flush()
	over.Store(true)
	readers.Wait()
	w.counted("acme", 500)
	w.sees("acme", 500, 0)
}
