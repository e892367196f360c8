package entcache

import (
	"sync"
	"testing"
)

// unstarted is a client of no Stigg, whose accounts are forgotten as soon as nothing is open.
func unstarted(t *testing.T) *Client {
	t.Helper()
	c, err := New("a key of no Stigg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// accounts is how many keys have something pending.
func (c *Client) accounts() (n int) {
	for i := range c.pending.shards {
		n += len(c.pending.shards[i].accounts)
	}
	return n
}

// TestReportsThatLandTogether: of those that wait for one another, the last settles all, and nothing stays pending.
func TestReportsThatLandTogether(t *testing.T) {
	c := unstarted(t)
	for range 20_000 {
		var ready, wg sync.WaitGroup
		ready.Add(2)
		for range 2 {
			wg.Go(func() {
				d := c.directly([]line{directLine("acme", nil, "api-calls", 1, nil, "key")})
				ready.Done()
				ready.Wait()
				five := 5.0
				d.answered(answersOf([]ReportedUsage{{CustomerId: "acme", FeatureId: "api-calls", CurrentUsage: &five}}))
				d.land()
			})
		}
		wg.Wait()
		if n := c.accounts(); n != 0 {
			t.Fatal("everything is answered, and something is pending")
		}
	}
}
