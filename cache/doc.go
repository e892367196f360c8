// Package cache knows who is resident and what we believe of them, readable without locks.
//
// It is built over ristretto, and its only importer. Ristretto decides who stays, never which value is current: its Set only
// ever inserts a cell, and every later change is a compare-and-swap inside that cell ([Cache.Update]). So none of the ways in
// which ristretto loses or reorders values (a second Set before the first is applied, Del against a queued insert, an update of a
// key being evicted) can lose or reorder a belief. Ristretto's TTL, Clear and per-hit metrics are not used, and Del only to have a
// cell that grew past the bound apply again.
//
// # Where a read finds its cell
//
// Question: where does [Cache.Lookup] look? Choices: in ristretto, and in the registry's table for what waits; in the table alone,
// which lists all that is resident. **Decision**: in the table, a hash and one pointer of a chain to follow; ristretto's Get is a
// lock, a map and a lossy buffer, and was more than half of a hit (53 of 93 ns). Ristretto hears of a key when it is asked for and
// not resident, and of one that is resident at its first read in each tick of the readers' clock: its counters go to 15, and a key
// that is read in every tick gets there as fast as one that is read a thousand times in each. What is lost: which of two keys that
// are both read in nearly every tick is read more. The hit ratio is the same within its noise (BenchmarkHitRatio, which has a
// hundred reads in a tick).
//
// What it is not: it does not know which of two beliefs is newer, when one is too old, or how to get another. That is package
// syncer, which supplies the function that [Cache.Update] applies.
//
// # The waiting room
//
// A key is resident while its one cell is listed in the registry, be it in ristretto or in the waiting room, and every method
// treats both alike. The room has an eighth of MaxBytes and ristretto the rest. Who comes when ristretto is full waits, and so
// does who gave way to another. When the room is full, those that have waited longest come to the door: a key that was read
// meanwhile applies to ristretto, which has counted its reads all along, and waits anew when it is refused; a key that was not
// leaves. So a key that is read once in the time that a newcomer takes to get to the door stays resident, whatever ristretto
// thinks of it; what is read more than others gets in; and a scan passes through the room without touching what is read.
//
// Question: who waits? Choices: nobody (whom ristretto refuses is fetched for each read, and it refuses in error, too: it counts
// reads in a sketch and loses some); those whom it refuses; all who come when it is full. **Decision**: all, see
// BenchmarkHitRatio. It also spares ristretto, and whoever fetched, the handling of keys that are read once. What is lost:
// popularity that moves on quickly, where frequency is slow to forget (bench/results: "shifting" at 10 %, where an LRU is better).
// Traffic that does that would change the decision.
//
// Question: who leaves it? Choices: first in, first out; the least recently read; second chance. **Decision**: second chance, by
// whether a key was read since it last came to the door: readers write nothing that they do not write anyhow.
//
// # Concurrency
//
// All methods may be called from any number of goroutines, Close included. [Cache.Lookup] takes no lock of ours, does not
// allocate, and writes only to a counter striped by goroutine and, once per tick of the caller's clock, to the cell it found.
// That holds for a key that waits as well: it is found in a table of chains that readers follow without a lock. Who inserts moves
// cells in and out of the room; readers never do.
//
// # Close against readers
//
// Ristretto panics when Get meets Close. Readers are not ours to join, so each announces itself in a striped counter before it
// calls Get, and Close waits until those already inside have left. A read that has nothing to tell ristretto does not get there.
// Alternatives that lost: recovering from the panic (the race detector rightly objects to a send that meets a close), and never
// closing (two goroutines stay behind).
package cache
