package entcache_test

import (
	"context"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// BenchmarkMeterReport is what a report costs the request that makes it: accepted, counted in the checks, and delivered by another
// goroutine over a pipe in memory to an emulator in this process, whose work is in the figure.
func BenchmarkMeterReport(b *testing.B) {
	client := metering(b)
	ctx, report := context.Background(), calls("acme", 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := client.Meter.Report(ctx, report); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReserve takes a unit of what is left, and gives it back.
func BenchmarkReserve(b *testing.B) {
	client := metering(b)
	ctx, unit := context.Background(), someCalls("acme", 1)
	b.ReportAllocs()
	for b.Loop() {
		r, err := client.Reserve(ctx, unit)
		if err != nil {
			b.Fatal(err)
		}
		r.Cancel()
	}
}

// BenchmarkCheckWithPendingUsageNoAlloc is a hit on a customer whose reports are on their way: as any hit, and a short sum.
func BenchmarkCheckWithPendingUsageNoAlloc(b *testing.B) {
	client := metering(b, entcache.WithUsageWindow(time.Hour))
	ctx, q := context.Background(), apiCalls("acme")
	if err := client.Meter.Report(ctx, calls("acme", 1)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if d, err := client.GetEntitlement(ctx, q); err != nil || d.Entitlement.PendingUsage() != 1 {
			b.Fatal(d.Origin, err)
		}
	}
}

// metering is a client that is Live, with acme in memory, who may call as often as they like.
func metering(b *testing.B, opts ...entcache.Option) *entcache.Client {
	b.Helper()
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stigg.Close() })
	if err := stigg.Provision("acme", "", "enterprise"); err != nil {
		b.Fatal(err)
	}
	pipe := stigg.Pipe()
	client, err := entcache.New(emulator.DefaultAPIKey, append([]entcache.Option{
		entcache.WithBaseURL(pipe.URL()), entcache.WithDialContext(pipe.DialContext), entcache.WithProxy(nil),
		entcache.WithUsageBound(1<<20, 1<<30, entcache.Block),
	}, opts...)...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := client.Start(ctx); err != nil {
		b.Fatal(err)
	}
	if _, err := client.GetEntitlement(ctx, apiCalls("acme")); err != nil {
		b.Fatal(err)
	}
	return client
}
