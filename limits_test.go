package entcache_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// TestManyWritesUnderRateLimits: Stigg takes 30 mutations a minute of one customer. The client waits as it is told to, so that 35 updates
// all succeed, the last five of them when the minute is over, and no other customer waits for it.
func TestManyWritesUnderRateLimits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorldOf(t, emulator.Config{RateLimits: true}, entcache.WithWriteTimeout(2*time.Minute))
		began := time.Now()
		update := func(customerID string, n int) time.Duration {
			t.Helper()
			_, err := w.client.Customers.Update(context.Background(), entcache.UpdateCustomerInput{CustomerId: &customerID, Name: new(fmt.Sprint("name ", n))})
			if err != nil {
				t.Errorf("update %d of %s, %v after the first: %v", n, customerID, time.Since(began), err)
			}
			return time.Since(began)
		}
		for n := range 30 {
			if at := update("acme", n+1); at > time.Second {
				t.Errorf("update %d took until %v, and may at once", n+1, at)
			}
		}
		if at := update("globex", 1); at > time.Second {
			t.Errorf("an update of another customer took until %v", at)
		}
		for n := range 5 {
			if at := update("acme", 31+n); at < 59*time.Second || at > 75*time.Second {
				t.Errorf("update %d took until %v, want about a minute", 31+n, at)
			}
		}
		if c, err := w.client.Customers.Get(context.Background(), "acme"); err != nil || c == nil || c.Name == nil || *c.Name != "name 35" {
			t.Errorf("the customer is %+v, %v, want the last name", c, err)
		}
	})
}
