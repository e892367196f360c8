package syncer

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// nearby is a server with somebody near, who answers what the server does, or fails.
type nearby struct {
	*server
	mu    sync.Mutex // guards the following
	fails error
	near  []key
}

func (n *nearby) FetchNear(ctx context.Context, k key) (*entitlements.Snapshot, error) {
	n.mu.Lock()
	n.near = append(n.near, k)
	fails := n.fails
	n.mu.Unlock()
	if err := sleep(ctx, time.Millisecond); err != nil {
		return nil, err
	}
	if fails != nil {
		return nil, fails
	}
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	if s := n.sets[k]; s != nil {
		return s, nil
	}
	return entitlements.NewSnapshot(k, entitlements.CustomerNotFound, nil), nil
}

// asked returns how often k was asked of nearby.
func (n *nearby) asked(k key) (times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range n.near {
		if x == k {
			times++
		}
	}
	return times
}

// inNearbyWorld is inWorld with somebody near.
func inNearbyWorld(t *testing.T, story func(*world, *nearby)) {
	t.Helper()
	var n *nearby
	inWorld(t, func(cfg *Config, s *server) {
		n = &nearby{server: s}
		cfg.Source = n
	}, func(w *world) { story(w, n) })
}

// TestOnlyTheUnknownAreAskedOfNearby: of what was answered before, nearby may show less, whatever has become of it in memory.
func TestOnlyTheUnknownAreAskedOfNearby(t *testing.T) {
	for name, gone := range map[string]func(*world, *nearby){
		"evicted": func(w *world, n *nearby) {
			n.set(acme, grant("seats", 1, 10))
			w.load(acme)
			w.wait(time.Second)
			w.store.evict(acme)
		},
		"evicted, without entitlements and so without a stamp": func(w *world, _ *nearby) {
			w.load(acme)
			w.wait(time.Second)
			w.store.evict(acme)
		},
		"for whom there was no room": func(w *world, n *nearby) {
			n.set(acme, grant("seats", 1, 10))
			w.store.full = true
			w.load(acme)
			w.store.full = false
		},
		"evicted, and as many others as take every slot of the stamps": func(w *world, n *nearby) {
			n.set(acme, grant("seats", 1, 10))
			w.load(acme)
			w.wait(time.Second)
			w.store.evict(acme)
			for i := range 4 * stampSlots {
				w.ledger.stamps.note(key{CustomerID: fmt.Sprint(i)}, 7, 7)
			}
		},
		"who was reloaded": func(w *world, n *nearby) {
			n.set(acme, grant("seats", 1, 10))
			w.store.full = true
			if _, err := w.Reload(w.t.Context(), acme); err != nil {
				w.t.Fatal(err)
			}
			w.store.full = false
		},
	} {
		t.Run(name, func(t *testing.T) {
			inNearbyWorld(t, func(w *world, n *nearby) {
				gone(w, n)
				before := n.asked(acme)
				w.load(acme)
				if again := n.asked(acme); again != before || before > 1 {
					t.Errorf("asked of nearby %d times, and again: %d", before, again-before)
				}
				other := key{CustomerID: "globex"}
				if w.load(other); n.asked(other) != 1 {
					t.Error("of somebody else nobody near is asked")
				}
			})
		})
	}
}

// TestMoreWritesThanAreRememberedKeepEverybodyFromNearby, for as long as it may be behind what there was no room for.
func TestMoreWritesThanAreRememberedKeepEverybodyFromNearby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNear(&nearby{})
		may := func(id string, want bool) {
			t.Helper()
			if got := n.may(key{CustomerID: id}); got != want {
				t.Errorf("%s may be asked of nearby: %v, want %v", id, got, want)
			}
		}
		for i := range maxWritten {
			n.wrote(key{CustomerID: fmt.Sprint("written", i)})
		}
		may("written7", false)
		may("nobody", true)
		time.Sleep(59 * time.Second)
		n.wrote(key{CustomerID: "written7"}) // whom there is room for: again
		may("nobody", true)
		n.wrote(key{CustomerID: "last"})
		may("last", false)
		may("nobody", false)
		time.Sleep(2 * time.Second) // those before are shown everywhere
		may("last", false)
		may("nobody", false)
		n.wrote(key{CustomerID: "newest"}) // for whom there is room again
		time.Sleep(58 * time.Second)
		may("last", false)
		may("written7", false)
		time.Sleep(time.Millisecond)
		may("last", true)
		may("nobody", true)
		may("written7", true)
		may("newest", false)
		if len(n.written) > maxWritten {
			t.Errorf("%d writes are remembered", len(n.written))
		}
	})
}

// TestANearAnswerConfirmsWhatWasSoBefore: by as much as it may be behind.
func TestANearAnswerConfirmsWhatWasSoBefore(t *testing.T) {
	inNearbyWorld(t, func(w *world, n *nearby) {
		n.set(acme, grant("seats", 1, 10))
		began := entitlements.InstantOf(time.Now())
		release := n.hold(acme)
		defer release()
		b := w.load(acme)
		if n.asked(acme) != 1 || !b.Suspect || b.ConfirmedAt != began.Add(-NearBehind) {
			t.Errorf("suspect %v, confirmed at %v; want %v before %v", b.Suspect, b.ConfirmedAt, NearBehind, began)
		}
	})
}

// TestFailuresTogetherCountOnce: a burst that finds nobody near used to put the next question off by the longest wait.
func TestFailuresTogetherCountOnce(t *testing.T) {
	inNearbyWorld(t, func(w *world, n *nearby) {
		n.fails = errDown
		var wg sync.WaitGroup
		for _, k := range customers(100) {
			wg.Go(func() { w.load(k) })
		}
		wg.Wait()
		if off := time.Until(w.near.until); off > time.Second {
			t.Errorf("put off for %v, want a second at most: it is the first failure", off)
		}
		if c := w.Stats(); c.RateLimited != 0 || c.Halvings != 0 {
			t.Errorf("%+v", c)
		}
		w.wait(time.Second)
		asked := len(n.near)
		w.load(acme)
		if len(n.near) != asked+1 {
			t.Error("not asked again after that")
		}
	})
}

// TestNearbyIsLeftAloneAsItAsks, and the budget hears of it: the server counts both kinds of question together.
func TestNearbyIsLeftAloneAsItAsks(t *testing.T) {
	inNearbyWorld(t, func(w *world, n *nearby) {
		n.fails = failing{text: "too many", limited: true, retryAfter: 3 * time.Second}
		began := time.Now()
		w.load(acme)
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("the server was asked after %v, want the 3 s that it asked for", took)
		}
		if c := w.Stats(); c.RateLimited != 1 || c.Halvings != 1 {
			t.Errorf("rate limited %d times, halved %d; want 1 and 1", c.RateLimited, c.Halvings)
		}
		n.fails = failing{text: "closed", retryAfter: 2 * time.Minute}
		w.load(key{CustomerID: "globex"})
		if off := time.Until(w.near.until); off < 119*time.Second || off > 2*time.Minute {
			t.Errorf("put off for %v, want the 2 m that it asked for", off)
		}
		n.fails = failing{text: "closed", retryAfter: 24 * time.Hour}
		w.wait(2 * time.Minute)
		w.load(key{CustomerID: "initech"})
		if off := time.Until(w.near.until); off > maxRetryAfter {
			t.Errorf("put off for %v, want %v at most", off, maxRetryAfter)
		}
	})
}
