// Package cache knows who is resident and what we believe of them, readable without locks.
//
// It is an index over ristretto, and its only importer. Ristretto decides who is resident, never which value is current: its
// Set only ever inserts a cell, and every later change is a compare-and-swap inside that cell ([Cache.Update]). So none of the
// ways in which ristretto loses or reorders values (a second Set before the first is applied, Del against a queued insert, an
// update of a key being evicted) can lose or reorder a belief. Ristretto's TTL, Clear and per-hit metrics are not used, and Del
// only to have a cell that grew past the bound apply again.
//
// What it is not: it does not know which of two beliefs is newer, when one is too old, or how to get another. That is package
// syncer, which supplies the function that [Cache.Update] applies.
//
// # Concurrency
//
// All methods may be called from any number of goroutines, Close included. [Cache.Lookup] takes no lock of ours, does not
// allocate, and writes only to a counter striped by goroutine and, once per tick of the caller's clock, to the cell it found.
//
// # Close against readers
//
// Ristretto panics when Get meets Close. Readers are not ours to join, so each announces itself in its striped counter before
// it calls Get, and Close waits until those already inside have left. Alternatives that lost: recovering from the panic (the
// race detector rightly objects to a send that meets a close), and never closing (two goroutines stay behind).
package cache
