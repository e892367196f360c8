// Package entitlements holds what a customer may do, as immutable values, and the pure decision over them.
//
// A [Snapshot] is everything Stigg said about one [Key] (a customer, or a customer's resource). [Decide] answers a [Query]
// from a snapshot and a moment, and nothing else: no clock, no I/O, no lock, no allocation. The rules are Stigg's own, in
// the order in which its Node SDK applies them; where this package differs on purpose, the line that does so says it.
//
// What the package is not: it does not know where a snapshot came from, how old it is, or whether a newer one exists. That
// is [Belief], which package cache holds and package syncer orders.
//
// # Concurrency
//
// Every value is immutable once it is built; any number of goroutines may read one without synchronization. An
// [Entitlement] is a small handle into its snapshot and keeps it alive.
//
// # Time
//
// Moments are [Instant]s, nanoseconds since the Unix epoch in UTC; zero means unknown. A usage period that has ended reads
// as zero usage, and its successor is computed in UTC from the anchor and the reset period, with the end of the month
// clamped. An end equal to the moment of the question still belongs to the old period.
package entitlements
