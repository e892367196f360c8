//go:build race

package entcache_test

// simSeeds is how many seeds TestSim runs unless it is told otherwise. Fewer under the race detector, which makes
// them several times as slow; go test work runs the 200 as well.
const simSeeds = 40
