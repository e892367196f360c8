//go:build race

package entcache_test

const bulk = 20_000 // customers
