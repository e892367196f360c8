package usage_test

import (
	"testing"

	"github.com/entcache/entcache/usage"
	"github.com/entcache/entcache/usage/queuetest"
)

// TestTheQueueInMemory keeps the promises of a queue, but for that of durability, which it does not make.
func TestTheQueueInMemory(t *testing.T) {
	queuetest.Run(t, func(string) (usage.Queue, error) { return usage.NewMemory(), nil })
}
