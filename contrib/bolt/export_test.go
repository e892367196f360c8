package bolt

import (
	"hash/crc32"
	"os"

	"go.etcd.io/bbolt"

	"github.com/entcache/entcache/usage"
)

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

// Load checks a file as Open does, without bbolt.
func Load(f *os.File) error {
	var state [len(usage.Lanes)]laneState
	return load(f, &state)
}

// Encode and Decode are those of a record in its place.
func Encode(r usage.Record, l usage.Lane, number uint64) ([]byte, error) {
	b, text, err := encode(&r)
	if err == nil {
		place(b, text, l, key(number))
	}
	return b, err
}

func Decode(b []byte, l usage.Lane, number uint64) (usage.Record, error) {
	return decode(b, l, key(number))
}

// Reseal gives a text that was tampered with the checksum that it would have had.
func Reseal(b []byte, l usage.Lane, number uint64) {
	if len(b) >= sumSize {
		place(b, crc32.Checksum(b[sumSize:], castagnoli), l, key(number))
	}
}
