// Command events reports raw events, which Stigg filters and aggregates into the usage of a feature, and watches the usage come
// back over the stream.
//
// Usage:
//
//	go run ./examples/events
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/examples/internal/tour"
)

func main() { tour.Main(run) }

func run(ctx context.Context, client *entcache.Client, stigg *emulator.Emulator) error {
	if err := sell(stigg); err != nil {
		return err
	}
	people := entcache.Query{CustomerID: "acme", FeatureID: "active-users"}
	signIns := entcache.Query{CustomerID: "acme", FeatureID: "sign-ins"}
	if err := show(ctx, client, "before", people, signIns); err != nil {
		return err
	}

	// Three people sign in, one of them twice. Stigg tells events apart by their key and by their time, among others: an event that is
	// sent again with both counts once. Without a time each call would give it another, and with it another event.
	now := &entcache.DateTime{Time: time.Now()}
	var events []entcache.UsageEvent
	for i, user := range []string{"ann", "ben", "ann", "eve"} {
		events = append(events, entcache.UsageEvent{
			CustomerId: "acme", EventName: "signed-in", IdempotencyKey: fmt.Sprint("sign-in-", i), Timestamp: now,
			Dimensions: new(json.RawMessage(fmt.Sprintf(`{"user": %q}`, user))),
		})
	}
	for range 2 {
		if err := client.Usage.ReportEvents(ctx, events); err != nil {
			return err
		}
	}
	// And Kim, to see that those before it have been counted, both times that they were sent.
	if err := client.Usage.ReportEvents(ctx, []entcache.UsageEvent{{
		CustomerId: "acme", EventName: "signed-in", Dimensions: new(json.RawMessage(`{"user": "kim"}`)),
	}}); err != nil {
		return err
	}

	// Stigg counts events a moment after it has taken them, and the stream brings the result.
	for {
		p, s, err := counted(ctx, client, people, signIns)
		if err != nil {
			return err
		}
		if p >= 4 && s >= 5 {
			return show(ctx, client, "after", people, signIns)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the usage did not arrive: %w", context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
}

// sell gives acme a plan with two features that are counted from the same events: how many people signed in, and how often.
func sell(stigg *emulator.Emulator) error {
	catalog := emulator.DemoCatalog()
	catalog.Features = append(catalog.Features, emulator.Feature{
		ID: "sign-ins", Type: emulator.Number, Meter: emulator.Incremental,
		Events: &emulator.EventMeter{Name: "signed-in", Aggregate: emulator.Count},
	})
	for i := range catalog.Plans {
		if p := &catalog.Plans[i]; p.ID == "growth" {
			p.Entitlements = append(p.Entitlements, emulator.Entitlement{Feature: "sign-ins", Unlimited: true, Reset: emulator.Month})
		}
	}
	if err := stigg.UpdateCatalog(catalog, emulator.NewCustomers); err != nil {
		return err
	}
	return stigg.Provision("acme", "", "growth")
}

func show(ctx context.Context, client *entcache.Client, when string, people, signIns entcache.Query) error {
	p, s, err := counted(ctx, client, people, signIns)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %v people, %v sign-ins\n", when, p, s)
	return nil
}

func counted(ctx context.Context, client *entcache.Client, people, signIns entcache.Query) (p, s float64, err error) {
	d, err := client.GetEntitlement(ctx, people)
	if err != nil {
		return 0, 0, err
	}
	e, err := client.GetEntitlement(ctx, signIns)
	return d.Entitlement.CurrentUsage(), e.Entitlement.CurrentUsage(), err
}
