package usage

import (
	"context"
	"strconv"
	"testing"
	"time"
)

// BenchmarkMemoryAppendNoAlloc is what a record costs in the queue in memory, taken up and removed again: one shipment of a hundred.
func BenchmarkMemoryAppendNoAlloc(b *testing.B) {
	q := NewMemory()
	rec := Record{Kind: Delta, CustomerID: "acme", FeatureID: "api-calls", Value: 1, Key: "key", At: time.Now()}
	for b.Loop() {
		n, err := q.Append(Reports, rec)
		if err != nil {
			b.Fatal(err)
		}
		if n%MaxReports == 0 {
			s, err := q.Seal(Reports, n)
			if err != nil {
				b.Fatal(err)
			}
			if err := q.Remove(Reports, s); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkAccept is what a record costs whoever reports it, while a sender that answers at once takes everything away: alone, and
// from every processor at once.
func BenchmarkAccept(b *testing.B) {
	for _, parallel := range []bool{false, true} {
		b.Run("parallel="+strconv.FormatBool(parallel), func(b *testing.B) {
			r, err := New(Config{Sender: taking{}, Window: time.Millisecond, Block: true})
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			rec := Record{Kind: Delta, CustomerID: "acme", FeatureID: "api-calls", Value: 1, Key: "key", At: time.Now()}
			b.ReportAllocs()
			if parallel {
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						if err := r.Accept(ctx, rec); err != nil {
							b.Error(err)
						}
					}
				})
			} else {
				for b.Loop() {
					if err := r.Accept(ctx, rec); err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := r.Close(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// taking is a sender that takes everything.
type taking struct{}

func (taking) Send(context.Context, Lane, []Line) error { return nil }
