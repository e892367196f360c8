package bolt_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/usage"
)

// TestALongLife: no file that bbolt wrote is taken for a corrupt one, whatever grew and went in it.
func TestALongLife(t *testing.T) {
	const seed = 4
	random := rand.New(rand.NewPCG(seed, seed))
	path := filepath.Join(t.TempDir(), "usage.db")
	var q *bolt.Queue
	for range 60 {
		q = opened(t, path, bolt.WithoutSync())
		for range 1 + random.IntN(4) {
			filled(t, q, 1+random.IntN(3000))
			for range random.IntN(5) {
				sealed, _ := q.Sealed(usage.Reports)
				if last := q.Last(usage.Reports); len(sealed) == 0 || random.IntN(2) == 0 {
					if s, err := q.Seal(usage.Reports, last-min(last-1, random.Uint64N(500))); err == nil {
						sealed = append(sealed, s)
					}
				}
				for range random.IntN(4) {
					if len(sealed) == 0 {
						break
					}
					i := random.IntN(len(sealed))
					if err := q.Remove(usage.Reports, sealed[i]); err != nil {
						t.Fatal(err)
					}
					sealed = append(sealed[:i:i], sealed[i+1:]...)
				}
			}
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	records, _ := q.Len(usage.Reports)
	t.Logf("%d of %d records are left", records, q.Last(usage.Reports))
}
