// Package usage delivers reports of usage and raw events to Stigg without making anybody wait: a record is accepted into a queue,
// goes out with others in a call, and is sent again, under the key it was accepted with, until Stigg has counted it.
//
// A [Reporter] works on a [Queue] and hands calls to a [Sender]. Programs use it through the client's Meter, which is the Sender
// that speaks to Stigg; docs/usage.md says what "accepted" guarantees and what happens at each limit.
//
// # Merging
//
// Reports to one meter, which is a customer, a resource and a feature, that were accepted within a second of each other become one
// line of a call, where that cannot change the total: what a reader of Stigg sees is the same as after one call for each. A report
// whose key or time the program gave stays alone. The line takes its key from its first record and its time from the last.
//
// # Order
//
// The lines of one meter arrive in the order of their acceptance, whatever is sent again or refused between them; but those that
// may change places without anybody noticing, all deltas of one sign, share calls. Raw events have no order: Stigg puts them in
// that of their times.
//
// # Delivery
//
// Each lane has a goroutine, and one call under way at a time. See [Meaning] for what each kind of failure leads to.
package usage
