package bolt_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/usage"
	"github.com/entcache/entcache/usage/queuetest"
)

// FuzzRecord: whatever stands for a record is one that comes back as it was, or an error.
func FuzzRecord(f *testing.F) {
	for _, r := range queuetest.Records() {
		b, err := bolt.Encode(r, usage.Reports, 7)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 1000 {
			f.Add(b)
		}
		if got, err := bolt.Decode(b, usage.Reports, 7); err != nil || queuetest.Differ(got, r) != "" {
			f.Fatalf("%v, %s", err, queuetest.Differ(got, r))
		}
		for _, other := range []struct {
			l usage.Lane
			n uint64
		}{{usage.Events, 7}, {usage.Reports, 8}} {
			if _, err := bolt.Decode(b, other.l, other.n); err == nil {
				f.Fatal("a record is taken for one of another place")
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bolt.Reseal(b, usage.Reports, 7) // or nothing else would be met
		r, err := bolt.Decode(b, usage.Reports, 7)
		if err != nil {
			return
		}
		again, err := bolt.Encode(r, usage.Reports, 7)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := bolt.Decode(again, usage.Reports, 7); err != nil || queuetest.Differ(same, r) != "" {
			t.Errorf("%v, %s", err, queuetest.Differ(same, r))
		}
	})
}

// FuzzFile: no file ends the process.
func FuzzFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "usage.db")
	q := opened(f, path)
	filled(f, q, 30)
	if _, err := q.Seal(usage.Reports, 20); err != nil {
		f.Fatal(err)
	}
	if err := q.Close(); err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint(0), []byte(nil))
	f.Add(uint(4096*3), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, at uint, over []byte) {
		torn := append([]byte(nil), text...)
		copy(torn[at%uint(len(torn)):], over)
		file, err := os.Create(filepath.Join(t.TempDir(), "torn.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.Write(torn); err != nil {
			t.Fatal(err)
		}
		_ = bolt.Load(file)
	})
}
