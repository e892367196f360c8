package main

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/bench/internal/measure"
	"github.com/entcache/entcache/entitlements"
)

// The tail: how long a single random check takes, most of the time and at worst, when nothing happens and while one goroutine
// replaces the sets of all customers, one after the other, as fast as entcache can. The clock that is read around each check, some 50 ns,
// is in the figures.

func tail(o measure.Options) (map[string]measure.Values, error) {
	data := measure.NewData(o.Size)
	updates := &storm{data: data, blows: make(chan struct{})}
	client, err := load(data, updates)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ask := func(q *entcache.Query) bool {
		d, _ := client.GetEntitlement(context.Background(), *q)
		return d.HasAccess
	}
	idle, err := latencies(data, o, ask)
	if err != nil {
		return nil, err
	}
	before, begun := client.Stats(), time.Now()
	close(updates.blows)
	refreshing, err := latencies(data, o, ask)
	if err != nil {
		return nil, err
	}
	took, after := time.Since(begun), client.Stats()
	refreshing["refreshes/s"] = float64(after.Events-before.Events) / took.Seconds()
	refreshing["questions"] = float64(after.Questions - before.Questions)
	return map[string]measure.Values{"idle": idle, "refreshing": refreshing}, nil
}

// storm is a stream that brings a new set of everybody, again and again, once it blows.
type storm struct {
	data  measure.Data
	blows chan struct{}
	pause time.Duration // between two
	next  int
}

func (s *storm) Next(ctx context.Context) (entitlements.Event, error) {
	select {
	case <-s.blows:
	case <-ctx.Done():
		return entitlements.Event{}, ctx.Err()
	}
	if s.pause > 0 {
		select {
		case <-time.After(s.pause):
		case <-ctx.Done():
			return entitlements.Event{}, ctx.Err()
		}
	}
	key := entcache.Key{CustomerID: s.data.Customers[s.next%len(s.data.Customers)]}
	s.next++
	set := snapshot(key, s.data.Features, time.Now())
	return entitlements.Event{Kind: entitlements.EventEntitlements, Key: key, Snapshot: set}, nil
}

func (*storm) Close() error { return nil }

// mostRefreshes is how many bundles are replaced in a second: about as many as entcache replaces flat out. It is slower at that than a
// store that orders nothing, and who replaces more often disturbs his readers more.
const mostRefreshes = 90_000

func tailOfBundles(o measure.Options) (map[string]measure.Values, error) {
	data := measure.NewData(o.Size)
	store, err := newBundles(data)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	idle, err := latencies(data, o, store.ask)
	if err != nil {
		return nil, err
	}
	var over atomic.Bool
	var storming sync.WaitGroup
	replaced, begun := 0, time.Now()
	storming.Go(func() {
		for ; !over.Load(); replaced++ {
			for time.Since(begun) < time.Duration(replaced)*time.Second/mostRefreshes {
				runtime.Gosched() // not asleep: the processor is as busy as with ours
			}
			customer := data.Customers[replaced%len(data.Customers)]
			put(store.held, z.MemHashString(customer), &customerBundle{customer, newBundle(customer, data.Features)})
		}
	})
	refreshing, err := latencies(data, o, store.ask)
	over.Store(true)
	storming.Wait()
	if err != nil {
		return nil, err
	}
	refreshing["refreshes/s"] = float64(replaced) / time.Since(begun).Seconds()
	return map[string]measure.Values{"idle": idle, "refreshing": refreshing}, nil
}

// latencies times single checks for four times as long as a shape: the last of a thousand needs many.
func latencies(data measure.Data, o measure.Options, ask func(*entcache.Query) bool) (measure.Values, error) {
	const most = 1 << 22
	walk := data.Random()
	took := make([]int64, 0, most)
	for i, begun := 0, time.Now(); len(took) < most && time.Since(begun) < 4*o.Time; {
		for range 1024 {
			p := &walk[i&(len(walk)-1)]
			i++
			q := entcache.Query{CustomerID: p.Customer, FeatureID: p.Feature, RequestedUsage: 1}
			t := time.Now()
			yes := ask(&q)
			took = append(took, int64(time.Since(t)))
			if !yes {
				return nil, errors.New("a check is answered with no: the subject is not set up")
			}
		}
	}
	return measure.Values{
		"p50-ns": quantile(took, 0.5), "p99-ns": quantile(took, 0.99), "p99.9-ns": quantile(took, 0.999), "checks": float64(len(took)),
	}, nil
}
