// Command promotion gives a customer a feature that its plan does not have, for a week, and takes it back.
//
// Usage:
//
//	go run ./examples/promotion
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

func run(ctx context.Context, client *entcache.Client, _ *emulator.Emulator) error {
	if _, err := client.Customers.Provision(ctx, entcache.ProvisionCustomerInput{CustomerId: new("acme")}); err != nil {
		return err
	}
	show := func(when string) error {
		d, err := client.GetEntitlement(ctx, entcache.Query{CustomerID: "acme", FeatureID: "sso"})
		fmt.Println(when, d.HasAccess)
		return err
	}
	if err := show("single sign-on on the plan free:"); err != nil {
		return err
	}
	granted, err := client.Promotions.Grant(ctx, entcache.GrantPromotionalEntitlementsInput{
		CustomerId: "acme",
		PromotionalEntitlements: []entcache.GrantPromotionalEntitlementInput{
			{FeatureId: "sso", Period: entcache.PromotionOneWeek},
		},
	})
	if err != nil {
		return err
	}
	if len(granted) == 0 {
		return errors.New("nothing was granted")
	}
	if err := show(fmt.Sprintf("with a promotion (%s):", granted[0].Status)); err != nil {
		return err
	}
	if err := client.Promotions.Revoke(ctx, "acme", "sso"); err != nil {
		return err
	}
	if err := show("after it was revoked:"); err != nil {
		return err
	}

	fmt.Println("coupons:")
	for coupon, err := range client.Coupons.List(ctx, nil) {
		if err != nil {
			return err
		}
		fmt.Printf("  %s: %s\n", coupon.RefId, coupon.Name)
	}
	return nil
}
