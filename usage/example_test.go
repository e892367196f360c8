package usage_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/entcache/entcache/usage"
)

// printer takes calls to standard output instead of to Stigg. Its first call is lost on the way.
type printer struct{ calls int }

func (p *printer) Send(_ context.Context, lane usage.Lane, lines []usage.Line) error {
	if p.calls++; p.calls == 1 {
		fmt.Println("no answer")
		return &usage.Failure{Err: errors.New("connection refused"), Means: usage.Away}
	}
	for _, line := range lines {
		fmt.Printf("%s: %s %v of %s for %s, key %s, from %d records\n",
			lane, line.Kind, line.Value, line.FeatureID, line.CustomerID, line.Key, line.Accepted)
	}
	return nil
}

func Example() {
	reporter, err := usage.New(usage.Config{Sender: &printer{}})
	if err != nil {
		panic(err)
	}
	at := time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC)
	for i, feature := range []string{"api-calls", "seats", "api-calls", "api-calls"} {
		err := reporter.Accept(context.Background(), usage.Record{
			Kind: usage.Delta, CustomerID: "acme", FeatureID: feature, Value: float64(i + 1), Key: fmt.Sprint("key-", i), At: at,
		})
		if err != nil {
			panic(err)
		}
	}
	fmt.Println("accepted")
	if err := reporter.Close(context.Background()); err != nil { // delivers what waits
		panic(err)
	}
	// Output:
	// accepted
	// no answer
	// reports: delta 8 of api-calls for acme, key key-0, from 3 records
	// reports: delta 2 of seats for acme, key key-1, from 1 records
}
