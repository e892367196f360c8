package bolt_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/usage"
)

func report(n int) usage.Record {
	return usage.Record{
		Kind: usage.Delta, CustomerID: fmt.Sprint("customer-", n%1000), FeatureID: "api-calls", Value: 1, Key: fmt.Sprint("0123456789abcdef-", n),
		At: time.Unix(1_800_000_000, int64(n)),
	}
}

func opened(tb testing.TB, path string, opts ...bolt.Option) *bolt.Queue {
	tb.Helper()
	q, err := bolt.Open(path, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := q.Close(); err != nil {
			tb.Error(err)
		}
	})
	return q
}

// filled appends records from many goroutines, so that a disk does not make it slow.
func filled(tb testing.TB, q *bolt.Queue, records int) {
	tb.Helper()
	var wg sync.WaitGroup
	for w := range 256 {
		wg.Go(func() {
			for n := w; n < records; n += 256 {
				if _, err := q.Append(usage.Reports, report(n)); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func drained(tb testing.TB, q *bolt.Queue) {
	tb.Helper()
	s, err := q.Seal(usage.Reports, q.Last(usage.Reports))
	if err == nil {
		err = q.Remove(usage.Reports, s)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkAppend is how many records a second are on the disk, by how many wait for that at once; the time of an operation is what
// each of them costs all, not how long its writer waits. The file has had a backlog before, as that of a program that runs: while it
// grows, the disk has to find room for it as well, which file=new has.
func BenchmarkAppend(b *testing.B) {
	for _, file := range []string{"used", "new"} {
		for _, writers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("file=%s/writers=%d", file, writers), func(b *testing.B) {
				q := opened(b, filepath.Join(b.TempDir(), "usage.db"))
				if file == "used" {
					filled(b, q, 50_000)
					drained(b, q)
				}
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for range writers {
					wg.Go(func() {
						for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
							if _, err := q.Append(usage.Reports, report(int(n))); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepts/s")
			})
		}
	}
}

// BenchmarkDrain is what it costs to read a shipment of ten thousand records, a hundred at a time, to seal it and to remove it.
func BenchmarkDrain(b *testing.B) {
	const shipment = 10_000
	q := opened(b, filepath.Join(b.TempDir(), "usage.db"))
	var after uint64
	for b.Loop() {
		b.StopTimer()
		filled(b, q, shipment)
		b.StartTimer()
		for read := after; read < after+shipment; read += 100 {
			list, err := q.Read(usage.Reports, read, 100)
			if err != nil || len(list) != 100 {
				b.Fatal(len(list), err)
			}
		}
		drained(b, q)
		after += shipment
	}
	b.ReportMetric(float64(after)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkOpen is what it costs to open a file with a hundred thousand records: as many as a client keeps unless told otherwise.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "usage.db")
	q := opened(b, path)
	filled(b, q, 100_000)
	if err := q.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		q, err := bolt.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := q.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
