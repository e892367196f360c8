// Command quickstart shows the main job of entcache in a few seconds: entitlement checks answered from memory, following Stigg
// live, and what they answer when Stigg is slow to reach, cut off, or gone.
//
// Usage:
//
//	go run ./examples/quickstart
//	STIGG_API_KEY=... go run ./examples/quickstart -customer ID -feature ID
//
// The first runs against an emulator of Stigg on this machine and needs nothing else. The second asks Stigg itself, and only
// reads. The last line starts with "ok:" when everything went as promised; else the exit code is 1, and what did not is named.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Getenv("STIGG_API_KEY"), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with everything it touches given; it returns the exit code.
func run(ctx context.Context, args []string, apiKey string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	customer := flags.String("customer", "", "`id` of a customer to ask Stigg about; needs STIGG_API_KEY and -feature")
	feature := flags.String("feature", "", "`id` of a feature to ask Stigg about; needs STIGG_API_KEY and -customer")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var err error
	switch asked := *customer != "" || *feature != ""; {
	case !asked:
		err = tour(ctx, stdout)
	case apiKey == "" || *customer == "" || *feature == "":
		fmt.Fprintln(stderr, "quickstart: to ask Stigg itself, set STIGG_API_KEY and give both -customer and -feature")
		return 2
	default:
		err = ask(ctx, stdout, apiKey, entcache.Query{CustomerID: *customer, FeatureID: *feature})
	}
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	return 0
}

// tour tells the whole story, against an emulator.
func tour(ctx context.Context, out io.Writer) error {
	s := &story{out: out}

	s.chapter("A Stigg of our own")
	// The emulator speaks Stigg's protocol over a real port. Its demo catalog sells the plans free, starter and growth.
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		return err
	}
	defer stigg.Close()
	url, err := stigg.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := stigg.Provision("acme", "", "free"); err != nil {
		return err
	}
	s.say("An emulated Stigg listens at %s. Customer acme is on the plan free: 2 seats, no single sign-on.", url)

	// What a service does at start-up: one client for the whole process.
	client, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(url),
		// What to answer about a customer nobody knows while Stigg cannot be asked: calls go through, all else is denied.
		entcache.WithFeatureFallback("api-calls", entcache.FallbackValue{HasAccess: true}))
	if err != nil {
		return err
	}
	defer client.Close()
	s.say("Asking Stigg, for up to ten seconds.")
	began := time.Now()
	starting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.Start(starting); err != nil {
		return err
	}
	s.say("The client is %v after %v: key accepted, subscriptions acknowledged.", client.Status().State, round(time.Since(began)))

	s.chapter("A check, cold and hot")
	seat := entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1}
	d := s.cold(ctx, client, seat)
	s.expect(d.HasAccess, "acme may take a seat")
	s.hot(ctx, client, seat)

	s.chapter("An upgrade made elsewhere")
	// Another process of ours, say the billing service, with a client of its own.
	billing, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(url))
	if err != nil {
		return err
	}
	defer billing.Close()
	sso := entcache.Query{CustomerID: "acme", FeatureID: "sso"}
	d = s.check(ctx, client, sso)
	s.say("Single sign-on for acme: %s.", verdict(d))
	s.expect(!d.HasAccess, "no single sign-on on the plan free")
	fetches := client.Stats().Fetches
	upgraded := make(chan error, 1)
	began = time.Now()
	go func() { // ends when the write is answered, received below
		_, err := billing.Subscriptions.Provision(ctx, entcache.ProvisionSubscriptionInput{
			CustomerId: "acme", PlanId: "growth", SkipTrial: new(true),
		})
		upgraded <- err
	}()
	s.await(ctx, "the upgrade is visible to this client", func() bool { d = s.check(ctx, client, sso); return d.HasAccess })
	took := time.Since(began)
	if err := <-upgraded; err != nil {
		return err
	}
	s.say("The billing service moved acme to growth. Single sign-on here: %s, %v after it sent the request.", verdict(d), round(took))
	s.expect(d.Origin == entcache.Live, "the answer is Live, not %v", d.Origin)
	s.expect(client.Stats().Fetches == fetches, "the socket brought it: no fetch was made")

	s.chapter("Usage, up to the limit")
	limit, _ := s.check(ctx, client, seat).Entitlement.UsageLimit()
	for taken := 0.0; taken <= limit && s.check(ctx, client, seat).HasAccess; taken++ {
		if _, err := client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1}); err != nil {
			return err
		}
	}
	d = s.check(ctx, client, seat)
	s.say("growth has %v seats. After %v were reported in use, one more is: %s.", limit, d.Entitlement.CurrentUsage(), verdict(d))
	s.expect(d.Entitlement.CurrentUsage() == limit, "each report was visible to the next check")
	s.expect(d.AccessDeniedReason == entcache.RequestedUsageExceedingLimit, "seat %v is denied for its limit", limit+1)

	s.chapter("The connection is cut")
	stigg.Faults().Refuse(true)
	stigg.Faults().CutSockets()
	s.await(ctx, "the client notices", func() bool { return client.Status().State == entcache.StateInterrupted })
	if err := stigg.Provision("acme", "", "starter"); err != nil { // in Stigg, meanwhile: a downgrade
		return err
	}
	checks, stale := 0, 0
	s.await(ctx, "the last known answer is half a second old", func() bool {
		d = s.check(ctx, client, sso)
		checks++
		if d.HasAccess && d.Origin == entcache.Stale {
			stale++
		}
		return d.Age() >= 500*time.Millisecond
	})
	s.say("The client is %v. %d checks were answered meanwhile; the last: %s, %v old.", client.Status().State, checks, verdict(d), round(d.Age()))
	s.expect(stale == checks, "all %d answers during the outage, not %d, are the last known one, marked Stale", checks, stale)

	s.chapter("The connection is back")
	began = time.Now()
	stigg.Faults().Refuse(false)
	s.await(ctx, "the client is Live again", func() bool { return client.Status().State == entcache.StateLive })
	s.await(ctx, "the change made meanwhile is visible", func() bool { d = s.check(ctx, client, sso); return !d.HasAccess })
	s.say("Live again after %v. acme was downgraded meanwhile; single sign-on: %s.", round(time.Since(began)), verdict(d))
	s.expect(d.Origin == entcache.Live, "the answer is Live, not %v", d.Origin)

	s.chapter("Stigg is gone")
	if err := stigg.Close(); err != nil {
		return err
	}
	s.await(ctx, "the client notices", func() bool { return client.Status().State == entcache.StateInterrupted })
	d = s.check(ctx, client, sso)
	s.say("acme is known; single sign-on: %s.", verdict(d))
	s.expect(!d.HasAccess && d.Origin == entcache.Stale, "a known customer is answered from memory")
	short, cancel := context.WithTimeout(ctx, 2*time.Second) // as long as this program is ready to wait for one that is not
	defer cancel()
	began = time.Now()
	d, err = client.GetEntitlement(short, entcache.Query{CustomerID: "hooli", FeatureID: "api-calls", RequestedUsage: 1})
	s.say("hooli was never seen; API calls: %s, after %v. Why: %v.", verdict(d), round(time.Since(began)), err)
	s.expect(d.HasAccess && d.Origin == entcache.Fallback && err != nil, "an unknown customer gets the configured fallback, and the reason")

	began = time.Now()
	if err := client.Close(); err != nil {
		return err
	}
	s.say("Closed in %v.", round(time.Since(began)))
	return s.end()
}

// ask is the part of the tour that only reads, against Stigg or whatever the options say.
func ask(ctx context.Context, out io.Writer, apiKey string, q entcache.Query, opts ...entcache.Option) error {
	s := &story{out: out}
	client, err := entcache.New(apiKey, opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	s.say("Asking Stigg, for up to ten seconds.")
	began := time.Now()
	starting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.Start(starting); err != nil {
		return err
	}
	s.say("The client is %v after %v.", client.Status().State, round(time.Since(began)))
	d := s.cold(ctx, client, q)
	if limit, ok := d.Entitlement.UsageLimit(); ok {
		s.say("Usage %v of %v.", d.Entitlement.CurrentUsage(), limit)
	}
	s.hot(ctx, client, q)
	return s.end()
}
