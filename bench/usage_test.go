package bench

import (
	"context"
	"testing"

	"github.com/entcache/entcache"
)

// BenchmarkDrain is how fast what waits is delivered, over loopback, to an emulator in this process: reports to as many meters as
// there are reports, so that none are merged; reports to a hundred meters; and raw events. The clock stands while they are accepted.
func BenchmarkDrain(b *testing.B) {
	const records = 10_000
	for _, row := range []struct {
		name   string
		accept func(context.Context, *entcache.Meter, []entcache.Key, int) error
	}{
		{"reports/meters=10000", func(ctx context.Context, m *entcache.Meter, keys []entcache.Key, n int) error {
			return m.Report(ctx, entcache.UsageReport{CustomerId: keys[n].CustomerID, FeatureId: "api-calls", Value: 1})
		}},
		{"reports/meters=100", func(ctx context.Context, m *entcache.Meter, keys []entcache.Key, n int) error {
			return m.Report(ctx, entcache.UsageReport{CustomerId: keys[n%100].CustomerID, FeatureId: "api-calls", Value: 1})
		}},
		{"events", func(ctx context.Context, m *entcache.Meter, keys []entcache.Key, n int) error {
			return m.Event(ctx, entcache.UsageEvent{CustomerId: keys[n].CustomerID, EventName: "signed-in"})
		}},
	} {
		b.Run(row.name, func(b *testing.B) {
			stigg, keys := listen(b, records)
			client := connect(b, stigg)
			defer client.Close()
			ctx := context.Background()
			for b.Loop() {
				b.StopTimer()
				for n := range records {
					if err := row.accept(ctx, client.Meter, keys, n); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if err := client.Meter.Flush(ctx); err != nil {
					b.Fatal(err)
				}
			}
			if st := client.Meter.Stats(); st.SetAside > 0 || st.Sent != st.Accepted {
				b.Fatalf("%+v", st)
			}
			b.ReportMetric(float64(records*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
