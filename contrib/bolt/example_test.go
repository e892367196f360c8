package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/emulator"
)

// A report outlives the client that accepted it: the next one on the same file delivers it.
func Example() {
	dir, err := os.MkdirTemp("", "usage")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	stigg, err := emulator.New(emulator.Config{}) // stands for the real one
	if err != nil {
		panic(err)
	}
	defer stigg.Close()
	if err := stigg.Start(); err != nil {
		panic(err)
	}
	if err := stigg.Provision("acme", "", "growth"); err != nil {
		panic(err)
	}
	client := func() *entcache.Client {
		queue, err := bolt.Open(filepath.Join(dir, "usage.db"))
		if err != nil {
			panic(err)
		}
		c, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(stigg.URL()), entcache.WithUsageQueue(queue), entcache.WithCloseTimeout(0))
		if err != nil {
			panic(err)
		}
		return c
	}
	ctx := context.Background()

	stigg.Faults().Refuse(true) // an outage
	first := client()
	if err := first.Meter.Report(ctx, entcache.UsageReport{CustomerId: "acme", FeatureId: "api-calls", Value: 3}); err != nil {
		panic(err)
	}
	first.Close()
	stigg.Faults().Refuse(false)

	second := client()
	defer second.Close()
	fmt.Println("waiting:", second.Meter.Stats().Waiting)
	if err := second.Meter.Flush(ctx); err != nil {
		panic(err)
	}
	fmt.Println("waiting:", second.Meter.Stats().Waiting)
	// Output:
	// waiting: 1
	// waiting: 0
}
