//go:build !race

package entcache_test

// simSeeds is how many seeds TestSim runs unless it is told otherwise.
const simSeeds = 200
