package queuetest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entcache/entcache/usage"
	"github.com/entcache/entcache/usage/queuetest"
)

// A queue that stands for one of yours: it forgets that a report has a time of its own.
type forgetful struct{ usage.Queue }

func (q forgetful) Append(l usage.Lane, r usage.Record) (uint64, error) {
	r.Alone = false
	return q.Queue.Append(l, r)
}

func Example() {
	err := queuetest.Check(func(dir string) (usage.Queue, error) {
		return forgetful{usage.NewMemory()}, nil
	})
	problem, _, _ := strings.Cut(err.Error(), "\n")
	fmt.Println(problem)
	// Output:
	// RecordsComeBackAsTheyWere: Read(reports, 0, 74): the record numbered 2 is not what was accepted: Alone is false, want true
}

// In a test, each promise is a subtest.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestQueue(t *testing.T)
		queuetest.Run(t, func(dir string) (usage.Queue, error) { return usage.NewMemory(), nil })
	}
}
