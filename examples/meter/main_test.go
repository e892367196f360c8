package main

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The example itself, against an emulator of its own: what it prints is what it promises.
func Example() {
	main()
	// Output:
	// before anything is reported: 0 used
	// reported 40: 40 used
	// 10 more, and Stigg is away: 50 used
	// Stigg is back, and has counted 50
	// jobs that ran: 50 denied: 30
	// ok
}
