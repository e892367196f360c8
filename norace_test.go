//go:build !race

package entcache_test

const bulk = 200_000 // customers
