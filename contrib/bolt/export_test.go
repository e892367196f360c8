package bolt

import "go.etcd.io/bbolt"

// WithoutSync is for tests of what does not depend on the disk, which it makes fast.
func WithoutSync() Option { return func(c *config) error { c.noSync = true; return nil } }

// WithMaxSize is a disk with so many bytes.
func WithMaxSize(bytes int) Option { return func(c *config) error { c.maxSize = bytes; return nil } }

// Finish replaces how transactions are committed, until the function it returns is called.
func Finish(f func(tx *bbolt.Tx) error) (restore func()) {
	before := finish
	finish = f
	return func() { finish = before }
}
