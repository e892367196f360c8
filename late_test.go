package entcache_test

import (
	"context"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// A fetch has said that the customer is archived. A set from before, which an event brings late, must not bring it back.
func TestLateSetDoesNotUndoArchive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("globex", "seats", 1), true, entcache.Fetched)
		w.stigg.Faults().DelayEvents(time.Second)
		if err := w.stigg.SetEntitlement("globex", "", emulator.Entitlement{Feature: "seats", Limit: new(9.0)}); err != nil {
			t.Fatal(err)
		}
		w.stigg.Faults().DropEvents(1) // the event that would say archived is lost; it only hides the fault sooner
		w.stigg.ArchiveCustomer("globex")
		if _, err := w.client.Reload(context.Background(), entcache.Key{CustomerID: "globex"}); err != nil {
			t.Fatal(err)
		}
		w.want(w.check("globex", "seats", 1), false, entcache.Live)
		w.after(2 * time.Second)
		w.want(w.check("globex", "seats", 1), false, entcache.Live)
		w.after(time.Minute)
		w.want(w.check("globex", "seats", 1), false, entcache.Live)
	})
}

// The period of a resource's usage begins earlier than before when its customer gets a plan that grants the feature, too. A
// usage from before, which an event brings late, must not replace what a fetch has brought.
func TestLateUsageAfterThePeriodMovedBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		p := func(resource, plan string) {
			if err := w.stigg.Provision("globex", resource, plan); err != nil {
				t.Fatal(err)
			}
		}
		w.after(time.Hour)
		p("site", "growth")
		w.start(w.client)
		ctx := context.Background()
		key := entcache.Key{CustomerID: "globex", ResourceID: "site"}
		usage := func() float64 {
			d, err := w.client.GetEntitlement(ctx, entcache.Query{CustomerID: "globex", ResourceID: "site", FeatureID: "ai-answers"})
			if err != nil {
				t.Fatal(err)
			}
			ent := d.Entitlement
			start, _ := ent.UsagePeriod()
			t.Log(d.Origin, "usage", ent.CurrentUsage(), "stamp", ent.UsageUpdatedAt(), "period from", start)
			return ent.CurrentUsage()
		}
		w.stigg.Report("globex", "site", "ai-answers", 1)
		usage()
		w.stigg.Faults().DelayEvents(time.Second)
		w.stigg.Report("globex", "site", "ai-answers", 2) // 3, told in a second
		w.stigg.Faults().DropEvents(1000)                 // the rest is lost, and fetched below
		p("", "growth")                                   // a subscription from an hour ago
		p("site", "growth")
		w.stigg.Report("globex", "site", "ai-answers", 4) // 7
		w.client.Reload(ctx, key)
		if got := usage(); got != 7 {
			t.Errorf("usage = %v, want 7", got)
		}
		w.after(2 * time.Second)
		if got := usage(); got != 7 {
			t.Errorf("usage = %v after an event of a usage from before, want 7", got)
		}
	})
}
