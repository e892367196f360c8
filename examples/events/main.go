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
	if err := stigg.Provision("acme", "", "growth"); err != nil {
		return err
	}
	users := entcache.Query{CustomerID: "acme", FeatureID: "active-users"}
	d, err := client.GetEntitlement(ctx, users)
	if err != nil {
		return err
	}
	fmt.Println("active users before:", d.Entitlement.CurrentUsage())

	// Three people sign in, one of them twice. An event that is sent again under the same key counts once.
	var events []entcache.UsageEvent
	for i, user := range []string{"ann", "ben", "ann", "eve"} {
		events = append(events, entcache.UsageEvent{
			CustomerId: "acme", EventName: "signed-in", IdempotencyKey: fmt.Sprint("sign-in-", i),
			Dimensions: new(json.RawMessage(fmt.Sprintf(`{"user": %q}`, user))),
		})
	}
	for range 2 {
		if err := client.Usage.ReportEvents(ctx, events); err != nil {
			return err
		}
	}

	// Stigg counts events a moment after it has taken them, and the stream brings the result.
	for {
		d, err := client.GetEntitlement(ctx, users)
		if err != nil {
			return err
		}
		if d.Entitlement.CurrentUsage() == 3 {
			fmt.Println("active users after:", d.Entitlement.CurrentUsage())
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the usage did not arrive: %w", context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
}
