// Command upgrade moves a customer to a paid plan: Stigg answers with a checkout, the customer pays there, and the service hears of
// the new plan over the stream.
//
// Usage:
//
//	go run ./examples/upgrade
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
	exports := entcache.Query{CustomerID: "acme", FeatureID: "exports"}
	if err := show(ctx, client, exports); err != nil {
		return err
	}

	upgrade, err := client.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{
		CustomerId: "acme", PlanId: "starter",
		CheckoutOptions: &entcache.CheckoutOptions{SuccessUrl: "https://acme.test/thanks", CancelUrl: "https://acme.test/plans"},
	})
	if err != nil {
		return err
	}
	fmt.Println("upgrade:", upgrade.Status)
	if upgrade.Status == entcache.ProvisionPaymentRequired {
		// A service redirects to *upgrade.CheckoutUrl. Nothing has changed until the customer has paid.
		if err := show(ctx, client, exports); err != nil {
			return err
		}
		if _, err := stigg.CompleteCheckout(*upgrade.CheckoutBillingId); err != nil { // what the customer does there
			return err
		}
	}
	// The payment is no write of this client: the stream tells of it, some milliseconds later.
	for {
		d, err := client.GetEntitlement(ctx, exports)
		if err != nil {
			return err
		}
		if d.HasAccess {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the upgrade did not arrive: %w", context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
	return show(ctx, client, exports)
}

func show(ctx context.Context, client *entcache.Client, q entcache.Query) error {
	d, err := client.GetEntitlement(ctx, q)
	if err != nil {
		return err
	}
	if d.HasAccess {
		fmt.Printf("%s may use %s\n", q.CustomerID, q.FeatureID)
	} else {
		fmt.Printf("%s may not use %s: %s\n", q.CustomerID, q.FeatureID, d.AccessDeniedReason)
	}
	return nil
}
