package entcache_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/entcache/entcache"
)

func TestCustomersWhoAreReadStayWhenMemoryIsFull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const bound = 128 << 10
		w := started(t, entcache.WithMaxMemory(bound), entcache.WithPollInterval(time.Hour))
		passers := 0
		pass := func() {
			passers++
			w.check(fmt.Sprintf("passer-by-%d", passers), "seats", 1)
			w.after(200 * time.Millisecond) // another tick of the readers' clock
		}
		for w.client.Status().Waiting == 0 {
			pass()
		}
		popular := passers - 1
		follow := func() {
			for i := range popular {
				w.client.Peek(entcache.Query{CustomerID: fmt.Sprintf("passer-by-%d", i+1), FeatureID: "seats"})
			}
		}
		for range 50 {
			follow()
		}
		for w.client.Stats().Refused == 0 {
			pass()
		}
		w.provision("regular", "free")
		w.want(w.check("regular", "seats", 1), true, entcache.Fetched)
		before := w.client.Stats()
		fetched := 0 // whom to send away when somebody has earned a place is ristretto's choice, which it draws by lot
		for range 100 {
			if d := w.check("regular", "seats", 1); !d.HasAccess || d.Origin != entcache.Live {
				fetched++
			}
			pass()
			pass()
			follow()
		}
		if fetched > 5 {
			t.Errorf("%d of 100 checks of a regular customer were not answered from memory", fetched)
		}
		after := w.client.Stats()
		// One each for the passers-by, and a few for popular ones who stood at the door when enough had applied.
		if n := after.Fetches - before.Fetches; n < 200 || n > 220 {
			t.Errorf("%d fetches for 200 passers-by and 100 checks of a customer who came when memory was full; want 200, or little more", n)
		}
		if n := after.Evicted + after.Refused - before.Evicted - before.Refused; n < 150 {
			t.Errorf("%d gave way to 200 passers-by: memory was not full", n)
		}
		if st := w.client.Status(); st.Waiting == 0 || st.Waiting >= st.Resident || st.MemoryBytes > bound {
			t.Errorf("%+v; want some of the resident waiting, and at most %d bytes", st, bound)
		}
		// It follows events like any other. First it is fetched again, should it have given way to the last passer-by. The event is one of
		// usage: a set that has grown has to apply again, and ristretto draws lots.
		w.check("regular", "seats", 1)
		w.want(w.check("regular", "seats", 1), true, entcache.Live)
		if _, err := w.stigg.Report("regular", "", "seats", 2); err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.want(w.check("regular", "seats", 1), false, entcache.Live)
	})
}

// TestPrefetchOfManyLeavesNoneMissing loads more customers than ristretto's queue takes at a time. The emulator takes its time to
// answer: this many are answered by a function, and a hundredth of them by the emulator.
func TestPrefetchOfManyLeavesNoneMissing(t *testing.T) {
	bulk := 200_000
	if raceDetector {
		bulk = 20_000
	}
	check := func(t *testing.T, c *entcache.Client, ids []string, feature string) {
		t.Helper()
		keys := make([]entcache.Key, len(ids))
		for i, id := range ids {
			keys[i].CustomerID = id
		}
		var last entcache.PrefetchProgress
		if err := c.Prefetch(context.Background(), keys, func(p entcache.PrefetchProgress) { last = p }); err != nil {
			t.Fatal(err)
		}
		if last.Done != len(ids) {
			t.Errorf("progress ends with %+v, want %d done", last, len(ids))
		}
		for _, id := range ids {
			if d, ok := c.Peek(entcache.Query{CustomerID: id, FeatureID: feature}); !ok || d.Origin != entcache.Live {
				t.Fatalf("%s after the prefetch: in memory %v, %v; want Live", id, ok, d.Origin)
			}
		}
		if s := c.Stats(); s.Fetches != uint64(len(ids)) || s.Evicted+s.Refused != 0 {
			t.Errorf("stats %+v, want %d fetches and nobody gone", s, len(ids))
		}
		if n := c.Status().Resident; n != len(ids) {
			t.Errorf("%d resident, want %d", n, len(ids))
		}
	}
	t.Run("function", func(t *testing.T) {
		ids := names("customer", bulk)
		features := names("feature", 1)
		c, err := entcache.New("key", entcache.WithSource(residentSource{features}), entcache.WithRequestBudget(1<<30, 1<<30),
			entcache.WithMaxMemory(1<<30))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(t, c, ids, features[0])
	})
	t.Run("emulator", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, entcache.WithRequestBudget(1<<30, 1<<30))
			ids := names("customer", bulk/100)
			for _, id := range ids {
				w.provision(id, "free")
			}
			w.start(w.client)
			check(t, w.client, ids, "seats")
		})
	})
}
