// Package gql is how Stigg says it: the GraphQL operations, the types they take and give, and the decoding of what comes back.
//
// A [Client] fetches the entitlements of a customer, follows the realtime subscriptions, and passes writes through, over one
// HTTP and WebSocket configuration. It makes exactly one attempt at whatever it is asked. It does not retry, cache, order or
// decide: package syncer retries and orders, package cache holds, package entitlements decides.
//
// # Two decoders
//
// Entitlement sets and events are decoded by hand, straight from the bytes into [entitlements.Grant] (decode.go, event.go). That
// is where the volume is, and where Stigg's dialect must be met with tolerance: unknown kinds of entitlement, enum values and
// fields are passed over; moments arrive as epoch milliseconds, as their string, or as RFC 3339. Everything else goes through
// types that genqlient generates from operations/*.graphql into generated.go.
//
// Tolerance ends where an answer would be incomplete. No data, null data, a missing list or a missing required field is
// [ErrMalformed], never "no entitlements": the caller keeps what it had.
//
// # Errors
//
// Every error of a call is an [*Error], which names the operation, carries Stigg's code and trace id, and knows whether another
// attempt is safe. Outcomes that programs branch on are sentinels for errors.Is. The API key is in none of them.
//
// # Generated code
//
// Adding an operation is adding a .graphql file and running `go generate ./gql`. The generated functions take a Client as their
// graphql.Client. Read the fields of what they answer: the getters, GetX for each field X, are generated beside them for interfaces,
// and panic on a nil pointer, as a field does. The functions of the three subscriptions want genqlient's own WebSocket client, whose faults
// are why this package has another (see internal/graphqlws): use [Client.Subscribe].
//
// # Concurrency
//
// A Client is safe for use by any number of goroutines and owns none. A [Stream] is read by one; its connection owns one
// goroutine, which Close joins.
package gql
