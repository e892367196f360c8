package entcache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// A local Stigg stands in for the real one; without WithBaseURL the client talks to https://api.stigg.io.
func Example() {
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer stigg.Close()
	if err := stigg.Start(); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	client, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(stigg.URL()))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.Start(ctx); err != nil {
		log.Print(err) // usable all the same: it keeps trying
	}
	if _, err := client.Customers.Provision(ctx, entcache.ProvisionCustomerInput{
		CustomerId:         new("acme"),
		SubscriptionParams: &entcache.ProvisionCustomerSubscriptionInput{PlanId: "free"},
	}); err != nil {
		log.Fatal(err)
	}

	seat := entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1}
	for range 3 {
		d, err := client.GetEntitlement(ctx, seat)
		if err != nil {
			log.Print(err) // explains a fallback; d is usable
		}
		if !d.HasAccess {
			fmt.Println("no seat:", d.AccessDeniedReason)
			break
		}
		if _, err := client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1}); err != nil {
			log.Fatal(err)
		}
		fmt.Println("one more seat taken")
	}
	// Output:
	// one more seat taken
	// one more seat taken
	// no seat: RequestedUsageExceedingLimit
}

// A handler behind a feature. What is not known is not the customer's fault, and has a status of its own.
func ExampleClient_GetEntitlement() {
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer stigg.Close()
	if err := errors.Join(stigg.Start(), stigg.Provision("acme", "", "growth"), stigg.Provision("hooli", "", "free")); err != nil {
		log.Fatal(err)
	}
	client, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(stigg.URL()))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.Start(context.Background()); err != nil {
		log.Print(err) // usable all the same: it keeps trying
	}

	behind := func(feature string, next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			customer := r.Header.Get("X-Customer") // as your authentication says
			d, err := client.GetEntitlement(r.Context(), entcache.Query{CustomerID: customer, FeatureID: feature})
			switch {
			case errors.Is(err, entcache.ErrInvalidQuery): // no customer, whatever the fallback says
				http.Error(w, "who are you?", http.StatusUnauthorized)
			case d.HasAccess:
				next(w, r)
			case d.Origin == entcache.Fallback: // err says why
				http.Error(w, "try again later", http.StatusServiceUnavailable)
			default:
				http.Error(w, string(d.AccessDeniedReason), http.StatusForbidden)
			}
		}
	}
	login := behind("sso", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "welcome") })

	for _, customer := range []string{"acme", "hooli", "initech", ""} {
		r := httptest.NewRequest("GET", "/login", nil)
		r.Header.Set("X-Customer", customer)
		w := httptest.NewRecorder()
		login(w, r)
		fmt.Printf("%q: %d %s", customer, w.Code, w.Body)
	}
	// Output:
	// "acme": 200 welcome
	// "hooli": 403 NoFeatureEntitlementInSubscription
	// "initech": 403 CustomerNotFound
	// "": 401 who are you?
}

// A question that is asked for each item of a long job: bound once, and as live as ever.
func ExampleClient_Bind() {
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer stigg.Close()
	if err := errors.Join(stigg.Start(), stigg.Provision("acme", "", "free")); err != nil {
		log.Fatal(err)
	}
	client, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(stigg.URL()))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	if err := client.Start(ctx); err != nil {
		log.Print(err) // usable all the same: it keeps trying
	}
	q := entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1}
	if err := q.Validate(); err != nil {
		log.Fatal(err) // Check would answer the fallback, for ever
	}
	seat := client.Bind(q)
	for _, user := range []string{"ada", "grace", "edsger"} {
		d := seat.Check()
		if !d.HasAccess() {
			fmt.Printf("%s: %s\n", user, d.Decision().AccessDeniedReason)
			continue
		}
		if err := client.Meter.Report(ctx, entcache.UsageReport{CustomerId: "acme", FeatureId: "seats", Value: 1}); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: a seat\n", user)
	}
	// Output:
	// ada: a seat
	// grace: a seat
	// edsger: RequestedUsageExceedingLimit
}

// The subscriptions of a customer that are in force, trials included: its own first, then those of its resources by their ids.
func ExampleSubscriptions_List() {
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer stigg.Close()
	if err := errors.Join(stigg.Start(), stigg.Provision("acme", "", "free"), stigg.Provision("acme", "", "starter"),
		stigg.Provision("acme", "paris", "starter"), stigg.Provision("acme", "berlin", "growth"), stigg.Provision("hooli", "", "starter")); err != nil {
		log.Fatal(err)
	}
	client, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(stigg.URL()))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	inForce := &entcache.SubscriptionFilter{
		CustomerId: &entcache.StringFilter{Eq: new("acme")},
		Status:     &entcache.SubscriptionStatusFilter{In: []entcache.SubscriptionStatus{entcache.SubscriptionActive, entcache.SubscriptionInTrial}},
	}
	byResource := entcache.SubscriptionSort{Field: entcache.SortByResourceID, Direction: entcache.SortAscending, Nulls: new(entcache.NullsFirst)}
	for s, err := range client.Subscriptions.List(context.Background(), inForce, byResource) {
		if err != nil {
			log.Fatal(err)
		}
		of := "itself"
		if s.Resource != nil {
			of = s.Resource.ResourceId
		}
		fmt.Println(of, s.Plan.RefId, s.Status)
	}
	// Output:
	// itself starter ACTIVE
	// berlin growth ACTIVE
	// paris starter ACTIVE
}

func ExampleClient_Entitlements() {
	client, err := entcache.New("", entcache.WithOffline())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	set, err := client.Entitlements(context.Background(), entcache.Key{CustomerID: "acme"})
	for e := range set.All() {
		limit, limited := e.UsageLimit()
		fmt.Println(e.Ref(), limit, limited)
	}
	fmt.Println(set.Origin, err)
	// Output: fallback entcache: client is offline
}

func ExampleWithFeatureFallback() {
	// When nothing is known, let people sign in and keep the costly things closed.
	client, err := entcache.New("server-key",
		entcache.WithFeatureFallback("sso", entcache.FallbackValue{HasAccess: true}),
		entcache.WithFallback(entcache.FallbackValue{HasAccess: false}),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for _, feature := range []string{"sso", "render-farm"} {
		d, _ := client.GetEntitlement(context.Background(), entcache.Query{CustomerID: "acme", FeatureID: feature})
		fmt.Println(feature, d.HasAccess, d.Origin)
	}
	// Output:
	// sso true fallback
	// render-farm false fallback
}
