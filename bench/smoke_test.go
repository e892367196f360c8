package bench

import (
	"flag"
	"os"
	"regexp"
	"testing"
)

var benchmarks = map[string]func(*testing.B){
	"EventToReader": BenchmarkEventToReader,
	"UsageToReader": BenchmarkUsageToReader,
	"ColdCheck":     BenchmarkColdCheck,
	"Prefetch":      BenchmarkPrefetch,
	"HotCheck":      BenchmarkHotCheck,
	"Drain":         BenchmarkDrain,
	"ColdCheckEdge": BenchmarkColdCheckEdge,
}

// TestBenchmarksRun runs every benchmark once, so that none rots between two measurements.
func TestBenchmarksRun(t *testing.T) {
	var text []byte
	for _, file := range []string{"end_to_end_test.go", "usage_test.go"} {
		more, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, more...)
	}
	for _, m := range regexp.MustCompile(`(?m)^func Benchmark(\w+)\(`).FindAllSubmatch(text, -1) {
		if benchmarks[string(m[1])] == nil {
			t.Errorf("Benchmark%s is missing from the table: it would rot", m[1])
		}
	}
	benchtime := flag.Lookup("test.benchtime").Value.String()
	if err := flag.Set("test.benchtime", "1x"); err != nil {
		t.Fatal(err)
	}
	defer flag.Set("test.benchtime", benchtime) // for the benchmarks that this run may have been asked for
	for name, run := range benchmarks {
		t.Run(name, func(t *testing.T) {
			if r := testing.Benchmark(run); r.N == 0 {
				t.Errorf("%s fails: run it with go test -run '^$' -bench %s", name, name)
			}
		})
	}
}
