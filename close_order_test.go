package entcache_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/entcache/entcache"
)

// TestEverythingAgainstCloseInEveryOrder lets each method meet Close, Start and all the others on real processors, in thousands
// of orders: each begins after a few yields, drawn anew in every round. The race detector and the panics of what is below are what
// it is about; beyond that, a read that Close was late for is answered, and one that was late for Close says so.
func TestEverythingAgainstCloseInEveryOrder(t *testing.T) {
	customers, features := names("customer", 3), names("feature", 2)
	keys := []entcache.Key{{CustomerID: customers[0]}, {CustomerID: customers[1]}, {CustomerID: "another"}}
	ctx := context.Background()
	unreachable := errors.New("there is no network here")
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, unreachable }
	const rounds = 2000
	for round := range uint64(rounds) {
		r := rand.New(rand.NewPCG(round, 3))
		opts := []entcache.Option{
			entcache.WithSource(residentSource{features}), entcache.WithMaxMemory(64 << 10), entcache.WithDialContext(dial), entcache.WithProxy(nil),
			entcache.WithCloseTimeout(0),
		}
		c, err := entcache.New("key", opts...)
		if err != nil {
			t.Fatal(err)
		}
		started := r.IntN(4) > 0 // else Start takes part
		if started {
			if err := c.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if err := c.Prefetch(ctx, keys[:1], nil); err != nil {
				t.Fatal(err)
			}
		}
		over := func(what string, err error) { // an error of a read
			if err != nil && !errors.Is(err, entcache.ErrClosed) && !(errors.Is(err, entcache.ErrNotStarted) && !started) {
				t.Errorf("round %d: %s: %v", round, what, err)
			}
		}
		check := func(customer string) {
			q := entcache.Query{CustomerID: customer, FeatureID: features[0], RequestedUsage: 1}
			d, err := c.GetEntitlement(ctx, q)
			over("GetEntitlement", err)
			if (d.Origin == entcache.Fallback) != (err != nil) || err == nil && !d.HasAccess {
				t.Errorf("round %d: %v (%v), %v", round, d.HasAccess, d.Origin, err)
			}
		}
		var accepted atomic.Int32
		took := func(what string, err error) { // usage that Close was late for is accepted, and never delivered
			if err == nil {
				accepted.Add(1)
			} else if !errors.Is(err, entcache.ErrClosed) {
				t.Errorf("round %d: %s: %v", round, what, err)
			}
		}
		parts := []func(){
			func() {
				for range 20 {
					took("Meter.Report", c.Meter.Report(ctx, entcache.UsageReport{CustomerId: customers[0], FeatureId: features[0], Value: 1}))
				}
			},
			func() {
				took("Meter.Event", c.Meter.Event(ctx, entcache.UsageEvent{CustomerId: "another", EventName: "e"}))
			},
			func() {
				for n := range 20 {
					q := entcache.Query{CustomerID: customers[0], FeatureID: features[0], RequestedUsage: 1}
					res, err := c.Reserve(ctx, q)
					switch {
					case err != nil:
						over("Reserve", errors.Unwrap(err))
					case n%2 == 0:
						took("Commit", res.Commit(ctx, 1))
					default:
						res.Cancel()
					}
				}
			},
			func() {
				ended, cancel := context.WithCancel(ctx)
				cancel()
				c.Meter.Flush(ended)
				c.Meter.Stats()
			},
			func() { c.Close() },
			func() { c.Close() },
			func() {
				for range 200 { // enough to flush ristretto's ring into the channel that its Close closes
					check(customers[0]) // a hit
				}
			},
			func() { check(customers[1]); check("another") }, // a miss, at first
			func() {
				for range 20 {
					c.Peek(entcache.Query{CustomerID: customers[0], FeatureID: features[1]})
				}
			},
			func() { _, err := c.Entitlements(ctx, keys[0]); over("Entitlements", err) },
			func() { _, err := c.Reload(ctx, keys[1]); over("Reload", err) },
			func() { over("Prefetch", c.Prefetch(ctx, keys, nil)) },
			func() {
				if err := c.SetAPIKey("another"); err != nil {
					t.Error(err)
				}
			},
			func() { c.Status(); c.Stats(); c.Status() },
			func() {
				if _, err := c.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: customers[0], FeatureId: features[0], Value: 1}); err == nil {
					t.Errorf("round %d: a report succeeded without a network", round)
				}
			},
			func() {
				if _, err := c.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{CustomerId: customers[0], PlanId: "p"}); err == nil {
					t.Errorf("round %d: a subscription was provisioned without a network", round)
				}
			},
			func() {
				if err := c.Start(ctx); err == nil && started {
					t.Errorf("round %d: a second Start succeeded", round)
				} else if err != nil && !started {
					over("Start", err)
				}
			},
		}
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for _, part := range parts {
			yields := r.IntN(12)
			wg.Go(func() {
				<-begin
				for range yields {
					runtime.Gosched()
				}
				part()
			})
		}
		close(begin)
		wg.Wait()
		if _, err := c.GetEntitlement(ctx, entcache.Query{CustomerID: customers[0], FeatureID: features[0]}); !errors.Is(err, entcache.ErrClosed) {
			t.Fatalf("round %d: after Close: %v", round, err)
		}
		rest := &entcache.UndeliveredError{}
		if err := c.Close(); (err != nil || accepted.Load() > 0) && (!errors.As(err, &rest) || rest.Waiting != int(accepted.Load()) || len(rest.Records) != rest.Waiting) {
			t.Fatalf("round %d: %d were accepted: %v", round, accepted.Load(), err)
		}
		if s := c.Status(); s.Resident != 0 {
			t.Fatalf("round %d: %d resident after Close", round, s.Resident)
		}
	}
}
