package bolt_test

import (
	"path/filepath"
	"testing"

	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/usage"
	"github.com/entcache/entcache/usage/queuetest"
)

func open(dir string) (usage.Queue, error) { return bolt.Open(filepath.Join(dir, "usage.db")) }

// TestQueue: it keeps what any queue promises, and what a durable one does.
func TestQueue(t *testing.T) { queuetest.Run(t, open) }
