package entcache_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entcache/entcache"
)

func (w *world) reserve(q entcache.Query) *entcache.Reservation {
	w.Helper()
	r, err := w.client.Reserve(w.Context(), q)
	if err != nil {
		w.Fatalf("Reserve(%+v): %v", q, err)
	}
	return r
}

func (w *world) commit(r *entcache.Reservation, actual float64) {
	w.Helper()
	if err := r.Commit(w.Context(), actual); err != nil {
		w.Fatal(err)
	}
}

func someCalls(customer string, n float64) entcache.Query {
	return entcache.Query{CustomerID: customer, FeatureID: "api-calls", RequestedUsage: n}
}

// TestAsManyReservationsAsThereAreUnits: of fifty who race for the last seven units, seven win, and Stigg counts seven.
func TestAsManyReservationsAsThereAreUnits(t *testing.T) {
	for _, resident := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			w := started(t)
			if _, err := w.stigg.Report("acme", "", "api-calls", 93); err != nil { // of 100
				t.Fatal(err)
			}
			if resident {
				w.check("acme", "api-calls", 0)
			}
			var won, denied atomic.Int32
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					r, err := w.client.Reserve(context.Background(), someCalls("acme", 1))
					var why *entcache.DeniedError
					switch {
					case err == nil:
						won.Add(1)
						if err := r.Commit(context.Background(), 1); err != nil {
							t.Error(err)
						}
					case errors.As(err, &why) && errors.Is(err, entcache.ErrDenied) && why.Decision.AccessDeniedReason == entcache.RequestedUsageExceedingLimit:
						denied.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 7 || denied.Load() != 43 {
				t.Errorf("%d won and %d were denied; 7 units were left for 50 (in memory before: %v)", won.Load(), denied.Load(), resident)
			}
			w.flush()
			w.counted("acme", 100)
			w.sees("acme", 100, 0)
		})
	}
}

// TestAReservationCountsUntilItIsSettled: by what was really used, or by being given back.
func TestAReservationCountsUntilItIsSettled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		r := w.reserve(someCalls("acme", 60))
		if e := r.Decision.Entitlement; !r.Decision.HasAccess || e.CurrentUsage() != 0 {
			t.Errorf("what granted it: access %v, %v used", r.Decision.HasAccess, e.CurrentUsage())
		}
		w.sees("acme", 60, 60)
		if _, err := w.client.Reserve(t.Context(), someCalls("acme", 60)); !errors.Is(err, entcache.ErrDenied) {
			t.Errorf("60 of the 40 that are left: %v", err)
		}
		other := w.reserve(someCalls("acme", 40))
		w.sees("acme", 100, 100)
		other.Cancel()
		other.Cancel() // does nothing
		w.sees("acme", 60, 60)
		if err := other.Commit(t.Context(), 1); !errors.Is(err, entcache.ErrSettled) {
			t.Errorf("committed after it was cancelled: %v", err)
		}
		w.commit(r, 45)
		w.sees("acme", 45, 45)
		r.Cancel() // as a deferred one does
		if err := r.Commit(t.Context(), 45); !errors.Is(err, entcache.ErrSettled) {
			t.Errorf("committed twice: %v", err)
		}
		w.flush()
		w.counted("acme", 45)
		w.sees("acme", 45, 0)

		free := w.reserve(someCalls("acme", 5))
		w.commit(free, 0) // nothing was used: nothing is reported
		w.sees("acme", 45, 0)
		more := w.reserve(someCalls("acme", 5))
		w.commit(more, 80) // it happened, limit or no limit
		w.flush()
		w.counted("acme", 125)
		if st := w.client.Meter.Stats(); st.Accepted != 2 {
			t.Errorf("%d reports, want 2: that of nothing is none", st.Accepted)
		}
	})
}

// TestAnAbandonedReservationExpires, and what was used all the same can still be committed.
func TestAnAbandonedReservationExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithReservationTimeout(time.Minute))
		abandoned, slow := w.reserve(someCalls("acme", 30)), w.reserve(someCalls("acme", 30))
		w.after(time.Minute - time.Second)
		w.sees("acme", 60, 60)
		w.after(2 * time.Second)
		w.sees("acme", 0, 0)
		w.commit(slow, 30)
		w.sees("acme", 30, 30)
		if err := slow.Commit(t.Context(), 30); !errors.Is(err, entcache.ErrSettled) {
			t.Errorf("committed twice: %v", err)
		}
		abandoned.Cancel()
		w.sees("acme", 30, 30)
		w.flush()
		w.counted("acme", 30)
	})
}

// TestWhatHasNoHardLimitIsReservedAlways: a soft limit, and none.
func TestWhatHasNoHardLimitIsReservedAlways(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("initech", "enterprise")
		for _, q := range []entcache.Query{
			{CustomerID: "globex", FeatureID: "exports", RequestedUsage: 11}, // of 10, soft
			someCalls("initech", 1e6),
		} {
			for range 3 {
				w.reserve(q)
			}
		}
	})
}

// TestAReservationTakesFromTheWallet that pays for the feature, which another feature could draw on as well.
func TestAReservationTakesFromTheWallet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("initech", "growth")
		answers := entcache.Query{CustomerID: "initech", FeatureID: "ai-answers", RequestedUsage: 200} // at 2 of 500 credits each
		credits := func() float64 {
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "initech", CurrencyID: "ai-credits"})
			if err != nil {
				t.Fatal(err)
			}
			left, _ := d.Entitlement.Remaining()
			return left
		}
		r := w.reserve(answers)
		if left := credits(); left != 100 {
			t.Errorf("%v credits are left of 500 when 400 are reserved", left)
		}
		if _, err := w.client.Reserve(t.Context(), answers); !errors.Is(err, entcache.ErrDenied) {
			t.Errorf("200 answers at 2 of the 100 credits that are left: %v", err)
		}
		w.commit(r, 150)
		if left := credits(); left != 200 {
			t.Errorf("%v credits are left of 500 when 300 are to be reported", left)
		}
		w.flush()
		if left := credits(); left != 200 {
			t.Errorf("%v credits are left of 500 when 300 were reported", left)
		}
	})
}

func TestWhatCannotBeReserved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithFeatureFallback("emails", entcache.FallbackValue{HasAccess: true}))
		for _, row := range []struct {
			q    entcache.Query
			is   error
			says string
		}{
			{entcache.Query{CustomerID: "acme", FeatureID: "themes", RequestedUsage: 1}, entcache.ErrNotMetered, "enum"},
			{entcache.Query{CustomerID: "acme", FeatureID: "upload-size", RequestedUsage: 1}, entcache.ErrNotMetered, "numeric"},
			{entcache.Query{CustomerID: "acme", FeatureID: "exports", RequestedUsage: 1}, entcache.ErrDenied, "NoFeatureEntitlementInSubscription"},
			{entcache.Query{CustomerID: "nobody", FeatureID: "seats", RequestedUsage: 1}, entcache.ErrDenied, "CustomerNotFound"},
			{entcache.Query{CustomerID: "acme", CurrencyID: "ai-credits", RequestedUsage: 1}, entcache.ErrInvalidQuery, "the feature that draws on it"},
			{entcache.Query{CustomerID: "acme", RequestedUsage: 1}, entcache.ErrInvalidQuery, "FeatureID"},
			{someCalls("acme", 0), entcache.ErrInvalidQuery, "RequestedUsage"},
			{someCalls("acme", -1), entcache.ErrInvalidQuery, "RequestedUsage"},
			{someCalls("acme", math.NaN()), entcache.ErrInvalidQuery, "RequestedUsage"},
			{someCalls("acme", math.Inf(1)), entcache.ErrInvalidQuery, "RequestedUsage"},
			{someCalls("a\xffb", 1), entcache.ErrInvalidQuery, "UTF-8"},
		} {
			r, err := w.client.Reserve(t.Context(), row.q)
			if r != nil || !errors.Is(err, row.is) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("Reserve(%+v) = %v, %v; want %v that says %q", row.q, r, err, row.is, row.says)
			}
		}
		w.sees("acme", 0, 0)
		r := w.reserve(someCalls("acme", 1))
		for _, actual := range []float64{-1, math.NaN(), math.Inf(1)} {
			if err := r.Commit(t.Context(), actual); !errors.Is(err, entcache.ErrBadInput) {
				t.Errorf("Commit(%v): %v", actual, err)
			}
		}
		w.commit(r, 1)
	})
}

// TestReservingWithoutStigg: the fallback decides, and a denial says that it is one, and why.
func TestReservingWithoutStigg(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithFeatureFallback("api-calls", entcache.FallbackValue{HasAccess: true}))
		w.stigg.Faults().Refuse(true)
		w.stigg.Faults().CutSockets()
		r := w.reserve(someCalls("acme", 5))
		if r.Decision.Origin != entcache.Fallback {
			t.Errorf("granted by %v", r.Decision.Origin)
		}
		var why *entcache.DeniedError
		_, err := w.client.Reserve(t.Context(), entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1})
		if !errors.As(err, &why) || why.Err == nil || !strings.Contains(err.Error(), "fallback") || why.Decision.Origin != entcache.Fallback {
			t.Errorf("denied by a fallback: %v", err)
		}
		w.commit(r, 5)
		w.stigg.Faults().Clear()
		w.flush()
		w.counted("acme", 5)
	})
}

// TestReserveEndsWithItsContext when another who reserves for the same customer takes long.
func TestReserveEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.stigg.Faults().HangHTTP(true)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.client.Reserve(ctx, someCalls("acme", 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestReservationsAndClose: nothing of a reservation runs after Close, whatever became of it, and none is made.
func TestReservationsAndClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithReservationTimeout(time.Hour))
		r := w.reserve(someCalls("acme", 5))
		if err := w.client.Close(); err != nil {
			t.Error(err)
		}
		if err := r.Commit(t.Context(), 5); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("committed after Close: %v", err)
		}
		r.Cancel()
		if _, err := w.client.Reserve(t.Context(), someCalls("acme", 5)); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("reserved after Close: %v", err)
		}
	})
}

// TestReservingWithoutLocalUsage: what is reserved counts all the same, and what is reported does not before Stigg has counted it.
func TestReservingWithoutLocalUsage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithLocalUsage(false))
		r := w.reserve(someCalls("acme", 60))
		w.sees("acme", 60, 60)
		w.commit(r, 50)
		w.sees("acme", 0, 0)
		w.flush()
		w.sees("acme", 50, 0)
	})
}

// TestAReservationThatIsNone has nothing to settle: the zero value, and what comes with an error.
func TestAReservationThatIsNone(t *testing.T) {
	var zero entcache.Reservation
	if err := zero.Commit(t.Context(), 1); !errors.Is(err, entcache.ErrSettled) {
		t.Errorf("the zero value is committed: %v", err)
	}
	zero.Cancel()
	var none *entcache.Reservation
	none.Cancel()
}
