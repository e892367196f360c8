//go:build race

package cache

// Under the race detector everything takes ten times as long, and sync.Pool forgets at random, and with it ristretto the reads
// that it had not counted yet.
const raceDetector = true
