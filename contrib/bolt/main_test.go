package bolt_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if plan := os.Getenv(childEnv); plan != "" {
		os.Exit(child(plan)) // this process is one that TestKilledAtAnyMoment kills
	}
	// The same histories each time, unless asked otherwise: go test ./contrib/bolt -args -rapid.checks 10000 -rapid.seed 0
	for name, value := range map[string]string{"rapid.checks": "100", "rapid.seed": "20261128"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
