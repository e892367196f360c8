// Package entcache answers Stigg entitlement checks from memory.
//
// Stigg (https://docs.stigg.io) knows which customer may use which feature, up to what limit. A [Client] loads the entitlements of
// the customers that a service sees, follows Stigg's realtime stream or polls, and decides [Client.GetEntitlement] locally, in
// about a tenth of a microsecond and without allocating. Writes (customers, subscriptions, usage) go straight to Stigg, and what
// they did is visible to the next check (docs/operations.md says what of it); [Client].Meter reports usage without waiting for it,
// and [Client.Reserve] takes from what is left.
//
// # Usage
//
//	client, err := entcache.New(apiKey, entcache.WithLogger(slog.Default()))
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	if err := client.Start(ctx); err != nil {
//		log.Print(err) // usable all the same: it keeps trying
//	}
//	d, err := client.GetEntitlement(ctx, entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1})
//	if errors.Is(err, entcache.ErrInvalidQuery) {
//		return err // a bug here: the fallback may grant it
//	}
//	if !d.HasAccess {
//		return fmt.Errorf("no seat left: %s", d.AccessDeniedReason)
//	}
//
// # Calls to Stigg
//
// The services ([Client].Customers, Subscriptions, Usage, Credits, Promotions, Coupons, Catalog, Checkout) take and return
// Stigg's own types, generated from its schema, with its names: CustomerId there, CustomerID in what is ours. In an input a nil
// pointer or list is left out, which Stigg takes for "as it is" or "the default"; new("acme") sets a value, and [Null] and
// [NullList] send null, which clears. JSON, such as dimensions and metadata, is new(json.RawMessage(`{"region":"eu"}`)), a
// moment DateTime{Time: t}. Package gql has the fields, and the types within them that have no name here: gql.Address, say.
// EnvironmentId can be left out everywhere: the API key decides.
//
// Money is in units of its currency with decimals, 9.99 and not 999 (a float64, so round before comparing sums); percentages
// are 20 for 20 %; usage is in units of its feature and credits in credits, both possibly fractions. Moments are sent and read
// in UTC; where the periods they bound begin is Stigg's to say. What a nil field stands for is told with its type here where
// Stigg documents it or its clients show it; of the rest https://docs.stigg.io is the authority, and what it does not say is
// best named.
//
// A call that fails returns an error that says why to errors.Is: [ErrBadInput] (also before anything is sent, naming the field: a
// required text that is empty, however deep in the input, or a DateTime that is zero), [ErrNotFound], [ErrConflict],
// [ErrUnauthenticated], [ErrForbidden], [ErrRateLimited], [ErrMalformed], [ErrOffline], [ErrClosed]. Those of Stigg are an
// [APIError], with Stigg's own code, and OutcomeUnknown where nobody knows whether a write arrived; a code that stands for none of
// the above is an APIError alone. What is not there is [ErrNotFound] from every call that names it, unless the call says otherwise.
//
// # What an answer is worth
//
// Every [Decision] says where it came from. Live: from memory, and followed. Fetched: this call asked Stigg. Stale: from memory,
// while Stigg cannot confirm it; AsOf says from when it is. Fallback: nothing is known; the answer is what the program
// configured, and the error says why. For one customer and feature, an answer from memory never goes back to an older state.
//
// # Concurrency
//
// A Client may be used from any number of goroutines, Close included. New starts no goroutine. From Start on there are eight, or
// seven without a stream (ristretto's two among them, and the meter's two, which its first report starts if Start did not), and up
// to two for each fetch in flight; net/http's for its connections come on top. Close ends and joins them all.
//
// # What it is not
//
// It does not decide what a plan contains, meter events, or talk to a billing provider: Stigg does. It keeps nothing on disk, but
// for usage that waits in a queue which does so: a new process knows no customer until it is asked about one.
package entcache
