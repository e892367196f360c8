package entcache_test

import (
	"errors"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// One client is not another: each has its key, and a key that is replaced is used from the next call on.
func TestClientsOfSeveralKeysInOneProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.stigg.AddAPIKey("server-second-key")
		second, err := entcache.New("server-second-key", entcache.WithBaseURL(w.pipe.URL()), entcache.WithDialContext(w.pipe.DialContext), entcache.WithProxy(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		w.start(second)
		w.stigg.RevokeAPIKey("server-second-key")
		if _, err := second.Customers.Get(t.Context(), "acme"); !errors.Is(err, entcache.ErrUnauthenticated) {
			t.Errorf("with the key that was revoked: %v", err)
		}
		if _, err := w.client.Customers.Get(t.Context(), "acme"); err != nil {
			t.Errorf("the other client: %v", err)
		}
		w.stigg.AddAPIKey("server-third-key")
		if err := second.SetAPIKey("server-third-key"); err != nil {
			t.Fatal(err)
		}
		if _, err := second.Customers.Get(t.Context(), "acme"); err != nil {
			t.Errorf("with the key that replaced it: %v", err)
		}
	})
}

// Two accounts that both have an acme: what a client has in memory, reads and writes is its own account's.
func TestAccountsAreKeptApartInOneProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ours, theirs := started(t), started(t)
		theirs.provision("acme", "growth")
		theirs.settle()
		shows := func(w *world, seats, used float64, sso bool) {
			t.Helper()
			d := w.check("acme", "seats", 0)
			if limit, _ := d.Entitlement.UsageLimit(); limit != seats || d.Entitlement.CurrentUsage() != used {
				t.Errorf("%v of %v seats, want %v of %v", d.Entitlement.CurrentUsage(), limit, used, seats)
			}
			if d := w.check("acme", "sso", 0); d.HasAccess != sso {
				t.Errorf("sso: %v, want %v", d.HasAccess, sso)
			}
			w.believesWhatStiggDoes(entcache.Key{CustomerID: "acme"})
		}
		shows(ours, 2, 0, false)
		shows(theirs, 25, 0, true)

		// A write, and what the stream brings.
		if _, err := theirs.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 3}); err != nil {
			t.Fatal(err)
		}
		if _, err := ours.stigg.Report("acme", "", "seats", 1); err != nil {
			t.Fatal(err)
		}
		ours.settle()
		shows(ours, 2, 1, false)
		shows(theirs, 25, 3, true)
		ours.provision("acme", "starter")
		ours.settle()
		shows(ours, 5, 1, false)
		shows(theirs, 25, 3, true)

		// One account is away, and the other notices nothing.
		theirs.stigg.Faults().Refuse(true)
		theirs.stigg.Faults().CutSockets()
		ours.after(time.Second)
		ours.want(ours.check("acme", "seats", 0), true, entcache.Live)
		theirs.want(theirs.check("acme", "seats", 0), true, entcache.Stale)
		ours.wantState(entcache.StateLive)
	})
}

// A key is rotated without a gap: the next one is accepted, the client takes it, and the old one is revoked. Stigg ends the stream that
// came with the old one then, and it is opened again with the next at once. All the while what is in memory is Live, and writes succeed.
func TestAKeyIsRotatedWithoutAGap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.check("acme", "seats", 0)
		live := func(when string) {
			t.Helper()
			for range 50 {
				if d, s := w.check("acme", "seats", 0), w.client.Status().State; d.Origin != entcache.Live || s != entcache.StateLive {
					t.Fatalf("%s: a check is %v, the client %v", when, d.Origin, s)
				}
				w.after(100 * time.Millisecond)
			}
			if _, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 0}); err != nil {
				t.Errorf("%s: a report: %v", when, err)
			}
		}
		live("with the first key")
		w.stigg.AddAPIKey("server-next")
		if err := w.client.SetAPIKey("server-next"); err != nil {
			t.Fatal(err)
		}
		live("with the next key")
		before := w.stigg.Requests()["entitlementsUpdatedV2"]
		w.stigg.RevokeAPIKey(emulator.DefaultAPIKey)
		w.settle()
		live("without the first key")
		if n := w.stigg.Requests()["entitlementsUpdatedV2"] - before; n != 1 {
			t.Errorf("subscribed %d times since the first key was revoked, want once", n)
		}
		w.provision("acme", "growth")
		w.settle()
		w.want(w.check("acme", "sso", 0), true, entcache.Live) // the stream brings it
	})
}
