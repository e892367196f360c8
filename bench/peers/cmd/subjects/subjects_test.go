package main

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entcache/entcache/bench/internal/measure"
)

// Statsig's client leaves goroutines behind that sleep.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/statsig-io/go-sdk.(*TTLSet).StartResetThread.func1"),
		goleak.IgnoreAnyFunction("github.com/statsig-io/go-sdk.(*logger).backgroundFlush"),
		goleak.IgnoreAnyFunction("github.com/statsig-io/go-sdk.(*store).pollForIDListChanges"),
		goleak.IgnoreAnyFunction("github.com/statsig-io/go-sdk.(*store).pollForRulesetChanges"))
}

// TestSubjectsAnswer asks every subject for a moment: one that answers with no is not measured. And it answers for its customer:
// whoever is on no plan is told no by the subjects that know plans.
func TestSubjectsAnswer(t *testing.T) {
	data := measure.NewData(measure.Size{Customers: 40, Features: 3})
	for name, s := range subjects {
		t.Run(name, func(t *testing.T) {
			store, err := s.Open(data)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if _, err := measure.Time(store, data, "random-parallel", time.Millisecond, 0); err != nil {
				t.Error(err)
			}
			if name == "gRPC" || name == "GraphQL" { // whose server knows nobody, and grants everything
				return
			}
			if got := store.Ask([]measure.Question{{Customer: data.Customers[0], Feature: "nothing"}}, 0, 2); got != 0 {
				t.Errorf("a feature that is not is granted %d times of 2", got)
			}
		})
	}
}
