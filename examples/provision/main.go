// Command provision registers a customer: with its first plan in one operation, then a change of one field, and what Stigg
// knows of it afterwards.
//
// Usage:
//
//	go run ./examples/provision
package main

import (
	"context"
	"fmt"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/examples/internal/tour"
)

func main() { tour.Main(run) }

func run(ctx context.Context, client *entcache.Client, _ *emulator.Emulator) error {
	// At registration. Without SubscriptionParams the customer journey in Stigg decides on the first plan; safe to repeat, and the client
	// does so when an answer is lost. Then the plan is there already, and there is no subscription in the answer.
	made, err := client.Customers.Provision(ctx, entcache.ProvisionCustomerInput{
		CustomerId: new("acme"), Name: new("Acme Ltd"), Email: new("it@acme.test"),
	})
	if err != nil {
		return err
	}
	fmt.Print("acme: ", made.SubscriptionDecisionStrategy)
	if s := made.Subscription; s != nil {
		fmt.Print(" ", s.Plan.RefId)
	}
	fmt.Println()

	// Somebody who is to have no plan yet: null, where leaving it out would mean "as the journey says".
	made, err = client.Customers.Provision(ctx, entcache.ProvisionCustomerInput{
		CustomerId: new("visitor"), SubscriptionParams: entcache.Null[entcache.ProvisionCustomerSubscriptionInput](),
	})
	if err != nil {
		return err
	}
	fmt.Println("visitor:", made.SubscriptionDecisionStrategy)

	// One field changes; what is left out stays as it is.
	if _, err := client.Customers.Update(ctx, entcache.UpdateCustomerInput{CustomerId: new("acme"), Email: new("ops@acme.test")}); err != nil {
		return err
	}
	acme, err := client.Customers.Get(ctx, "acme")
	if err != nil {
		return err
	}
	fmt.Println(*acme.Name, "at", *acme.Email)

	active, err := client.Subscriptions.ActiveList(ctx, "acme")
	if err != nil {
		return err
	}
	for _, s := range active {
		fmt.Println("active:", s.Plan.RefId, s.Status)
	}
	return nil
}
