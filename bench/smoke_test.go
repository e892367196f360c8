package bench

import (
	"flag"
	"testing"
)

// TestBenchmarksRun runs every benchmark once, so that none rots between two measurements.
func TestBenchmarksRun(t *testing.T) {
	benchtime := flag.Lookup("test.benchtime").Value.String()
	if err := flag.Set("test.benchtime", "1x"); err != nil {
		t.Fatal(err)
	}
	defer flag.Set("test.benchtime", benchtime) // for the benchmarks that this run may have been asked for
	for name, run := range map[string]func(*testing.B){
		"EventToReader": BenchmarkEventToReader,
		"UsageToReader": BenchmarkUsageToReader,
		"ColdCheck":     BenchmarkColdCheck,
		"Prefetch":      BenchmarkPrefetch,
		"HotCheck":      BenchmarkHotCheck,
	} {
		t.Run(name, func(t *testing.T) {
			if r := testing.Benchmark(run); r.N == 0 {
				t.Errorf("%s fails: run it with go test -run '^$' -bench %s", name, name)
			}
		})
	}
}
