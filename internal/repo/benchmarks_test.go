package repo

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// required lists the benchmarks behind the promise that a check from memory allocates nothing (P1). .ci/run fails when one of
// them, or any other whose name ends in NoAlloc, allocates; this list keeps them from being renamed or deleted away.
var required = map[string]string{ // by name, the directory
	"BenchmarkGetEntitlementHotNoAlloc":      "",
	"BenchmarkGetEntitlementRandomNoAlloc":   "",
	"BenchmarkGetEntitlementParallelNoAlloc": "",
	"BenchmarkDecideNoAlloc":                 "entitlements",
	"BenchmarkLookupNoAlloc":                 "cache",
	"BenchmarkLookupParallelNoAlloc":         "cache",
	// And what those are measured against or beside: README and the issues quote them by name.
	"BenchmarkFloorHot":                       "",
	"BenchmarkFloorRandom":                    "",
	"BenchmarkFloorParallel":                  "",
	"BenchmarkApplySet":                       "sync",
	"BenchmarkApplyUsage":                     "sync",
	"BenchmarkDecodeEntitlementsState20":      "gql",
	"BenchmarkDecodeEntitlementsState20Floor": "gql",
	"BenchmarkDecodeCustomer20":               "gql",
	"BenchmarkDecodeCustomer20Floor":          "gql",
	"BenchmarkCustomer20Event":                "gql",
	"BenchmarkStreamOfALargeEnvironment":      "",
}

func TestNoAllocBenchmarksExist(t *testing.T) {
	missing := maps.Clone(required)
	for _, f := range tree(t) {
		if !f.test {
			continue
		}
		for _, name := range f.functions() {
			if dir, ok := missing[name]; ok && dir == f.dir() {
				delete(missing, name)
			}
			// A helper of that ending would look like a promise that is kept.
			if strings.HasSuffix(name, "NoAlloc") && !strings.HasPrefix(name, "Benchmark") {
				t.Errorf("%s: %s ends in NoAlloc and is no benchmark", f.name, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s is gone from ./%s: P1 rests on it", name, missing[name])
	}
}
