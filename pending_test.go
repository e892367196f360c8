package entcache

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/entcache/entcache/emulator"
)

// TestNothingIsKeptOfStrangers: of customers who are not in memory, once their usage is counted, or nothing could be reserved.
func TestNothingIsKeptOfStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stigg, err := emulator.New(emulator.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer synctest.Wait()
		defer stigg.Close()
		pipe := stigg.Pipe()
		c, err := New(emulator.DefaultAPIKey, WithBaseURL(pipe.URL()), WithDialContext(pipe.DialContext), WithProxy(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		kept := func() (n int) {
			for i := range c.pending.shards {
				n += len(c.pending.shards[i].accounts)
			}
			return n
		}
		for n := range 20 {
			id := fmt.Sprint("customer-", n)
			if err := stigg.Provision(id, "", "free"); err != nil {
				t.Fatal(err)
			}
			if err := c.Meter.Report(t.Context(), UsageReport{CustomerId: id, FeatureId: "api-calls", Value: 1}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Reserve(t.Context(), Query{CustomerID: fmt.Sprint("nobody-", n), FeatureID: "api-calls", RequestedUsage: 1}); err == nil {
				t.Error("reserved by a client that is not started")
			}
		}
		if n := kept(); n != 20 {
			t.Errorf("%d accounts of 20 customers whose usage waits", n)
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Meter.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := kept(); n != 0 {
			t.Errorf("%d accounts are kept of customers who are not in memory", n)
		}
	})
}
