// Command meter reports usage without waiting for Stigg, through an outage, and lets parallel jobs race for what is left of a limit.
//
// Usage:
//
//	go run ./examples/meter
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/examples/internal/tour"
)

func main() { tour.Main(run) }

func run(ctx context.Context, client *entcache.Client, stigg *emulator.Emulator) error {
	if err := stigg.Provision("acme", "", "free"); err != nil { // 100 API calls a month
		return err
	}
	if err := used(ctx, client, "before anything is reported:"); err != nil {
		return err
	}

	// Each report returns at once, and the next check counts it, before Stigg has heard of it.
	for range 40 {
		if err := report(ctx, client); err != nil {
			return err
		}
	}
	if err := used(ctx, client, "reported 40:"); err != nil {
		return err
	}

	// Stigg is away. Reports wait for it, and are counted once when it is back, however often they were sent.
	stigg.Faults().Refuse(true)
	stigg.Faults().CutSockets()
	for range 10 {
		if err := report(ctx, client); err != nil {
			return err
		}
	}
	if err := used(ctx, client, "10 more, and Stigg is away:"); err != nil {
		return err
	}
	stigg.Faults().Clear()
	if err := client.Meter.Flush(ctx); err != nil {
		return err
	}
	counted, _ := stigg.Snapshot("acme", "").Find("api-calls")
	fmt.Println("Stigg is back, and has counted", counted.Usage)

	// 80 jobs at once, of one call each, and 50 calls are left: a reservation is the check and the use of it in one step.
	var ran, denied, failed atomic.Int32
	var jobs sync.WaitGroup
	for range 80 {
		jobs.Go(func() {
			switch err := job(ctx, client); {
			case err == nil:
				ran.Add(1)
			case errors.Is(err, entcache.ErrDenied):
				denied.Add(1)
			default:
				failed.Add(1)
			}
		})
	}
	jobs.Wait()
	fmt.Println("jobs that ran:", ran.Load(), "denied:", denied.Load())
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d jobs failed", n)
	}
	return nil
}

func report(ctx context.Context, client *entcache.Client) error {
	return client.Meter.Report(ctx, entcache.UsageReport{CustomerId: "acme", FeatureId: "api-calls", Value: 1})
}

func used(ctx context.Context, client *entcache.Client, when string) error {
	d, err := client.GetEntitlement(ctx, entcache.Query{CustomerID: "acme", FeatureID: "api-calls"})
	if err != nil {
		return err
	}
	fmt.Println(when, d.Entitlement.CurrentUsage(), "used")
	return nil
}

// job takes a call of what is left, makes it, and says what it really used.
func job(ctx context.Context, client *entcache.Client) error {
	r, err := client.Reserve(ctx, entcache.Query{CustomerID: "acme", FeatureID: "api-calls", RequestedUsage: 1})
	if err != nil {
		return err
	}
	defer r.Cancel() // gives it back, unless it was committed
	return r.Commit(ctx, 1)
}
