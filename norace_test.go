//go:build !race

package entcache_test

const raceDetector = false
