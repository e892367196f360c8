package usage

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The same histories each time, unless asked otherwise: go test ./usage -args -rapid.checks 100000 -rapid.seed 0
	for name, value := range map[string]string{"rapid.checks": "3000", "rapid.seed": "20261123"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}
