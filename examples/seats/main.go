// Command seats invites people until the seats of a plan are used up, buys more of them, and cancels at the end of the period.
//
// Usage:
//
//	go run ./examples/seats
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/examples/internal/tour"
)

func main() { tour.Main(run) }

func run(ctx context.Context, client *entcache.Client, stigg *emulator.Emulator) error {
	if err := stigg.Provision("acme", "", "starter"); err != nil { // 5 seats
		return err
	}
	subscriptions, err := client.Subscriptions.ActiveList(ctx, "acme")
	if err != nil {
		return err
	}
	if len(subscriptions) == 0 {
		return errors.New("acme has no subscription")
	}
	subscription := subscriptions[0].SubscriptionId

	people, err := invite(ctx, client, 8)
	if err != nil {
		return err
	}
	fmt.Println("seats taken:", people)

	// Add-ons replace the list there was. The next check sees the new limit.
	if _, err := client.Subscriptions.Update(ctx, entcache.UpdateSubscriptionInput{
		SubscriptionId: &subscription,
		Addons:         []entcache.SubscriptionAddonInput{{AddonId: "extra-seats", Quantity: new(1)}},
	}); err != nil {
		return err
	}
	people, err = invite(ctx, client, 3)
	if err != nil {
		return err
	}
	fmt.Println("more seats taken:", people)

	// Somebody leaves: a negative report.
	left, err := client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: -1})
	if err != nil {
		return err
	}
	fmt.Println("seats in use:", *left.CurrentUsage)

	cancelled, err := client.Subscriptions.Cancel(ctx, entcache.SubscriptionCancellationInput{SubscriptionRefId: subscription})
	if err != nil {
		return err
	}
	fmt.Println("cancelled, and until the period ends:", cancelled.Status)
	return nil
}

// invite takes a seat for each of n people, as long as there is one.
func invite(ctx context.Context, client *entcache.Client, n int) (taken int, err error) {
	for ; taken < n; taken++ {
		d, err := client.GetEntitlement(ctx, entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1})
		if err != nil || !d.HasAccess {
			return taken, err
		}
		if _, err := client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1}); err != nil {
			return taken, err
		}
	}
	return taken, nil
}
