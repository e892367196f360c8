// Command estimate shows a customer what a plan will cost before it is bought, and what changing it in the middle of a period will.
// Neither changes anything.
//
// Usage:
//
//	go run ./examples/estimate
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/examples/internal/tour"
)

func main() { tour.Main(run) }

func run(ctx context.Context, client *entcache.Client, stigg *emulator.Emulator) error {
	if _, err := client.Customers.Provision(ctx, entcache.ProvisionCustomerInput{CustomerId: new("acme")}); err != nil {
		return err
	}
	first, err := client.Subscriptions.Estimate(ctx, entcache.EstimateSubscriptionInput{
		CustomerId: "acme", PlanId: "starter", BillingPeriod: new(entcache.BillingMonthly),
		Addons: []entcache.SubscriptionAddonInput{{AddonId: "extra-seats", Quantity: new(2)}},
	})
	if err != nil {
		return err
	}
	fmt.Printf("starter with ten more seats: %.2f %s a month\n", first.Total.Amount, first.Total.Currency)

	// Half of the period later, with one add-on more: what is left of the period is credited and charged anew.
	if err := stigg.Provision("acme", "", "starter"); err != nil {
		return err
	}
	if err := stigg.AdvanceClock(14 * 24 * time.Hour); err != nil {
		return err
	}
	active, err := client.Subscriptions.ActiveList(ctx, "acme")
	if err != nil {
		return err
	}
	update, err := client.Subscriptions.EstimateUpdate(ctx, entcache.EstimateSubscriptionUpdateInput{
		SubscriptionId: active[0].SubscriptionId,
		Addons:         []entcache.SubscriptionAddonInput{{AddonId: "extra-seats", Quantity: new(1)}},
	})
	if err != nil {
		return err
	}
	if p := update.Proration; p != nil {
		fmt.Println("five seats more from today on costs more than nothing:", p.NetAmount.Amount > 0)
		fmt.Println("and less than the price of the add-on:", p.NetAmount.Amount < update.Subscription.Total.Amount)
	}
	return nil
}
