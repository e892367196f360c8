// Command estimate shows a customer what a plan will cost before it is bought, and what an upgrade in the middle of a period will:
// what is left of the old plan is credited, and what is left of the period is charged by the price of the new one. Neither changes
// anything.
//
// Usage:
//
//	go run ./examples/estimate
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/examples/internal/tour"
)

func main() { tour.Main(run) }

func run(ctx context.Context, client *entcache.Client, stigg *emulator.Emulator) error {
	// A month of thirty days, so that half of it is half of the price.
	if err := stigg.SetClock(time.Date(2100, time.April, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		return err
	}
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
	fmt.Printf("starter with ten more seats: %.2f %s a month\n", first.Subscription.Total.Amount, first.Subscription.Total.Currency)

	// It is bought without the seats, and half a month goes by.
	if err := stigg.Provision("acme", "", "starter"); err != nil {
		return err
	}
	if err := stigg.AdvanceClock(15 * 24 * time.Hour); err != nil {
		return err
	}
	upgrade, err := client.Subscriptions.Estimate(ctx, entcache.EstimateSubscriptionInput{
		CustomerId: "acme", PlanId: "growth", BillingPeriod: new(entcache.BillingMonthly), SkipTrial: new(true),
	})
	if err != nil {
		return err
	}
	if err := show("growth instead", upgrade); err != nil {
		return err
	}

	// Or five seats more on the plan that is there.
	active, err := client.Subscriptions.ActiveList(ctx, "acme")
	if err != nil {
		return err
	}
	if len(active) == 0 {
		return errors.New("acme has no subscription")
	}
	update, err := client.Subscriptions.EstimateUpdate(ctx, entcache.EstimateSubscriptionUpdateInput{
		SubscriptionId: active[0].SubscriptionId,
		Addons:         []entcache.SubscriptionAddonInput{{AddonId: "extra-seats", Quantity: new(1)}},
	})
	if err != nil {
		return err
	}
	return show("five more seats", update)
}

// show prints what a change costs: for the rest of the period that is paid for, and in each after it.
func show(what string, cost *entcache.SubscriptionPreview) error {
	p := cost.Proration
	if p == nil {
		return fmt.Errorf("%s: nothing is prorated: %+v", what, cost)
	}
	fmt.Printf("%s: %.2f credited, %.2f charged, so %.2f %s now\n", what, p.Credit.Amount, p.Debit.Amount, p.NetAmount.Amount, p.NetAmount.Currency)
	fmt.Printf("  and %.2f a month after that\n", cost.Subscription.Total.Amount)
	return nil
}
