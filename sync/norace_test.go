//go:build !race

package syncer

const raceDetector = false
