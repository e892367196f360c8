package syncer

import (
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// A bubble's clock cannot be set back, so these look from an earlier moment, or move what is held into the future: to the syncer
// it is the same.

func TestClockSetBackIsNotTrusted(t *testing.T) {
	for name, setup := range map[string]func(*Config, *server){"stream": nil, "polling": polling} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, setup, func(w *world) {
				w.server.set(acme, grant("seats", 1, 10))
				b := w.load(acme)
				for back, want := range map[time.Duration]bool{
					0:                             true,
					100 * time.Millisecond:        true, // a reader's coarse clock is that far behind
					time.Duration(clockSlack):     true,
					time.Duration(clockSlack) + 1: false,
					time.Hour:                     false,
					20 * 365 * 24 * time.Hour:     false,
					-time.Second:                  true,
					-DefaultPollInterval * 2:      name == "stream",
				} {
					asOf, live := w.Fresh(b, b.ConfirmedAt-entitlements.Instant(back))
					if live != want || asOf < b.ConfirmedAt {
						t.Errorf("clock %v behind the confirmation: live = %v as of %v, want %v as of %v or later", back, live, asOf, want, b.ConfirmedAt)
					}
				}
			})
		})
	}
}

func TestClockSetBackIsFetchedAgain(t *testing.T) {
	for name, setup := range map[string]func(*Config, *server){"stream": nil, "polling": polling} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, setup, func(w *world) {
				keys := customers(30)
				for _, k := range keys {
					w.server.set(k, grant("seats", 1, 10))
					w.load(k)
				}
				for _, k := range keys { // confirmed, and then the clock went back by an hour
					w.server.set(k, grant("seats", 2, 20)) // no event tells of it
					w.store.Update(k, func(b *entitlements.Belief) *entitlements.Belief {
						ahead := *b
						ahead.ConfirmedAt += entitlements.Instant(time.Hour)
						ahead.LearnedAt += entitlements.Instant(time.Hour)
						return &ahead
					})
					w.live(k, false)
					w.limit(k, "seats", 10)
				}
				w.wait(2 * time.Second)
				for _, k := range keys {
					w.live(k, true)
					w.limit(k, "seats", 20)
					if n := w.server.asked(k); n != 2 {
						t.Errorf("%v was fetched %d times, want once more", k, n)
					}
				}
			})
		})
	}
}
