//go:build race

package syncer

// raceDetector: everything takes several times as long, so that some tests do less. go test work does the whole.
const raceDetector = true
