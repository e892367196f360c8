package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
)

// BenchmarkEventToReader: a plan changes in Stigg, the socket brings the new set, a reader that keeps asking sees it. The clock
// runs from before the change, so the emulator's calculation of the new set is in the figure.
func BenchmarkEventToReader(b *testing.B) {
	stigg, keys := listen(b, 1)
	client := connect(b, stigg)
	defer client.Close()
	sso := entcache.Query{CustomerID: keys[0].CustomerID, FeatureID: "sso"}
	until(b, client, sso, false)
	fetches := client.Stats().Fetches
	access := false
	for b.Loop() {
		access = !access
		if err := stigg.Provision(sso.CustomerID, "", map[bool]string{true: "growth", false: "starter"}[access]); err != nil {
			b.Fatal(err)
		}
		until(b, client, sso, access)
	}
	// Two changes that follow one another within the jitter of the way cannot be ordered without asking.
	if more := client.Stats().Fetches - fetches; more > uint64(b.N/50+1) {
		b.Fatalf("%d fetches for %d changes: the events were to carry it all", more, b.N)
	}
}

// BenchmarkUsageToReader: another client reports usage, the socket brings the new count, a reader sees the limit reached.
func BenchmarkUsageToReader(b *testing.B) {
	stigg, keys := listen(b, 1)
	client := connect(b, stigg)
	defer client.Close()
	all := entcache.Query{CustomerID: keys[0].CustomerID, FeatureID: "seats", RequestedUsage: 5}
	until(b, client, all, true)
	access := true
	for b.Loop() {
		access = !access
		delta := map[bool]float64{true: -1, false: 1}[access]
		if _, err := stigg.Report(all.CustomerID, "", all.FeatureID, delta); err != nil {
			b.Fatal(err)
		}
		until(b, client, all, access)
	}
}

// BenchmarkColdCheck: the first check of a customer, which asks Stigg over a warm connection.
func BenchmarkColdCheck(b *testing.B) { coldCheck(b) }

// BenchmarkColdCheckEdge is the same with Edge asked first, and GraphQL after it: what it is on loopback, where both are as near.
func BenchmarkColdCheckEdge(b *testing.B) {
	coldCheck(b, func(stigg *emulator.Emulator) entcache.Option { return entcache.WithEdge(stigg.URL()) })
}

func coldCheck(b *testing.B, options ...func(*emulator.Emulator) entcache.Option) {
	const customers = 1000
	stigg, keys := listen(b, customers)
	var opts []entcache.Option
	for _, option := range options {
		opts = append(opts, option(stigg))
	}
	client := connect(b, stigg, opts...)
	defer func() { client.Close() }()
	ctx := context.Background()
	next := 0
	b.ReportAllocs()
	for b.Loop() {
		if next == customers { // everybody is known: start over with a client that knows nobody
			b.StopTimer()
			client.Close()
			client, next = connect(b, stigg, opts...), 0
			b.StartTimer()
		}
		d, err := client.GetEntitlement(ctx, entcache.Query{CustomerID: keys[next].CustomerID, FeatureID: "seats", RequestedUsage: 1})
		if err != nil || !d.HasAccess || d.Origin == entcache.Live {
			b.Fatalf("%v (%v): %v", d.HasAccess, d.Origin, err)
		}
		next++
	}
}

// BenchmarkPrefetch: a client that knows nobody loads many customers, as a service does at its start.
func BenchmarkPrefetch(b *testing.B) {
	for _, customers := range []int{100, 1000} {
		b.Run(fmt.Sprintf("customers=%d", customers), func(b *testing.B) {
			stigg, keys := listen(b, customers)
			for b.Loop() {
				b.StopTimer()
				client := connect(b, stigg)
				b.StartTimer()
				if err := client.Prefetch(context.Background(), keys, nil); err != nil {
					b.Error(err)
				}
				b.StopTimer()
				if n := client.Status().Resident; n != customers {
					b.Errorf("%d resident, want %d", n, customers)
				}
				client.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N*customers)/b.Elapsed().Seconds(), "customers/s")
		})
	}
}

// BenchmarkHotCheck: a check from memory without a Stigg in the process: a source that has answered and is quiet from then on.
// It is the figure to set the others against; hit_bench_test.go in the root measures the hit in detail.
func BenchmarkHotCheck(b *testing.B) {
	client, err := entcache.New("key", entcache.WithSource(quiet{}))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	if err := client.Start(ctx); err != nil {
		b.Fatal(err)
	}
	q := entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1}
	until(b, client, q, true)
	b.ReportAllocs()
	for b.Loop() {
		if d, _ := client.GetEntitlement(ctx, q); !d.HasAccess || d.Origin != entcache.Live {
			b.Fatalf("%v (%v)", d.HasAccess, d.Origin)
		}
	}
}

// quiet is a source that knows one entitlement of everybody, and on whose stream nothing happens.
type quiet struct{}

func (quiet) Fetch(_ context.Context, key entcache.Key) (*entitlements.Snapshot, error) {
	return entitlements.NewSnapshot(key, "", []entcache.Grant{{
		ID: "seats", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterFluctuating,
		IsGranted: true, UsageLimit: 5, HasUsageLimit: true, EntitlementUpdatedAt: 1,
	}}), nil
}

func (quiet) Subscribe(context.Context, func(entcache.Key) bool) (entcache.Stream, error) {
	subscribed := make(chan entitlements.Event, 1)
	subscribed <- entitlements.Event{Kind: entitlements.EventSubscribed}
	return stream(subscribed), nil
}

type stream chan entitlements.Event

func (s stream) Next(ctx context.Context) (entitlements.Event, error) {
	select {
	case e := <-s:
		return e, nil
	case <-ctx.Done():
		return entitlements.Event{}, ctx.Err()
	}
}

func (s stream) Close() error { return nil }
