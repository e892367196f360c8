package entcache_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache"
)

func TestAfterCloseChecksAnswerTheFallback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithFallback(entcache.FallbackValue{HasAccess: true}))
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		for range 2 { // twice is once
			if err := w.client.Close(); err != nil {
				t.Error(err)
			}
		}
		d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "acme", FeatureID: "sso"})
		w.want(d, true, entcache.Fallback)
		if !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("check: %v", err)
		}
		if _, ok := w.client.Peek(entcache.Query{CustomerID: "acme", FeatureID: "sso"}); ok {
			t.Error("Peek finds something")
		}
		key := entcache.Key{CustomerID: "acme"}
		if _, err := w.client.Entitlements(t.Context(), key); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("Entitlements: %v", err)
		}
		if _, err := w.client.Reload(t.Context(), key); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("Reload: %v", err)
		}
		if err := w.client.Prefetch(t.Context(), []entcache.Key{key}, nil); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("Prefetch: %v", err)
		}
		if _, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1}); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("Report: %v", err)
		}
		if err := w.client.Start(t.Context()); !errors.Is(err, entcache.ErrClosed) {
			t.Errorf("Start: %v", err)
		}
		if s := w.client.Status(); s.State != entcache.StateInitializing || s.Resident != 0 {
			t.Errorf("status %+v", s)
		}
		if s := w.client.Stats(); s.Fetches != 1 {
			t.Errorf("the counters are gone: %+v", s)
		}
	})
}

func TestCloseFreesWhoeverWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.stigg.Faults().HangHTTP(true)
		var wg sync.WaitGroup
		wg.Go(func() {
			d, err := w.client.GetEntitlement(context.Background(), entcache.Query{CustomerID: "acme", FeatureID: "sso"})
			if d.Origin != entcache.Fallback || err == nil {
				t.Errorf("check: %v, %v", d.Origin, err)
			}
		})
		wg.Go(func() {
			_, err := w.client.Usage.Report(context.Background(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1})
			if err == nil {
				t.Error("a report without an answer succeeded")
			}
		})
		wg.Go(func() {
			if err := w.client.Prefetch(context.Background(), []entcache.Key{{CustomerID: "globex"}}, nil); err == nil {
				t.Error("a prefetch without an answer succeeded")
			}
		})
		w.settle()
		began := time.Now()
		w.client.Close()
		wg.Wait()
		if took := time.Since(began); took > 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestCloseEndsAPrefetchThatWaitsForTheBudget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithRequestBudget(1, 1))
		done := make(chan error)
		go func() {
			done <- w.client.Prefetch(context.Background(), []entcache.Key{{CustomerID: "acme"}, {CustomerID: "globex"}, {CustomerID: "third"}}, nil)
		}()
		w.after(time.Second)
		began := time.Now()
		w.client.Close()
		if err := <-done; !errors.Is(err, entcache.ErrClosed) || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestCloseAtAnyMoment closes a client in whatever it happens to be doing, and wants every goroutine gone: a bubble does not end
// before its goroutines do.
func TestCloseAtAnyMoment(t *testing.T) {
	for seed := range uint64(60) {
		bubble(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t)
			if r.IntN(3) == 0 {
				w.stigg.Faults().Delay(time.Duration(r.IntN(3000)) * time.Millisecond)
			}
			if r.IntN(4) == 0 {
				w.stigg.Faults().Refuse(true)
			}
			if r.IntN(4) == 0 {
				w.stigg.Faults().HangHTTP(true)
			}
			if r.IntN(8) == 0 {
				w.stigg.RevokeAPIKey("server-emulator-key")
			}
			var wg sync.WaitGroup
			wg.Go(func() { w.client.Start(context.Background()) })
			for range 4 {
				pause, id := time.Duration(r.IntN(4000))*time.Millisecond, []string{"acme", "globex", "nobody"}[r.IntN(3)]
				wg.Go(func() {
					time.Sleep(pause)
					w.client.GetEntitlement(context.Background(), entcache.Query{CustomerID: id, FeatureID: "seats"})
				})
				wg.Go(func() {
					time.Sleep(pause / 2)
					w.client.Meter.Report(context.Background(), calls(id, 1))
					w.client.Reserve(context.Background(), someCalls(id, 1)) // and abandon it
				})
			}
			time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
			if r.IntN(3) == 0 {
				w.stigg.Faults().CutSockets()
			}
			for range 1 + r.IntN(2) {
				wg.Go(func() { w.client.Close() })
			}
			wg.Wait()
			w.client.Close()
			synctest.Wait()
		})
	}
}

// TestReadsAgainstClose runs on real processors: the race detector and ristretto's own panics are what it is about.
func TestReadsAgainstClose(t *testing.T) {
	customers, features := names("customer", 4), names("feature", 3)
	for range 200 {
		c := resident(t, customers, features)
		var wg sync.WaitGroup
		ready := make(chan struct{})
		for i := range 2 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				<-ready
				for n := range 300 {
					q := entcache.Query{CustomerID: customers[(i+n)%4], FeatureID: features[n%3]}
					if d, err := c.GetEntitlement(context.Background(), q); d.Origin == entcache.Fallback && !errors.Is(err, entcache.ErrClosed) {
						t.Errorf("fallback while closing: %v", err)
					}
					c.Peek(q)
					c.Status()
				}
			})
		}
		wg.Go(func() {
			<-ready
			c.Close()
		})
		close(ready)
		wg.Wait()
	}
}

func TestStartTwiceIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		if err := w.client.Start(t.Context()); err == nil {
			t.Error("a second Start succeeded")
		}
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
	})
}

func TestNewStartsNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	c, err := entcache.New("k")
	if err != nil {
		t.Fatal(err)
	}
	if after := runtime.NumGoroutine(); after > before { // fewer when one of an earlier test has come to its end meanwhile
		t.Errorf("%d goroutines before New, %d after", before, after)
	}
	c.Close()
}
