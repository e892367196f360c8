package entitlements_test

import (
	"fmt"
	"testing"

	. "github.com/entcache/entcache/entitlements"
)

func twentyGrants() []Grant {
	list := make([]Grant, 20)
	for i := range list {
		list[i] = metered(fmt.Sprintf("feature-%02d", i), 1000, float64(i))
		list[i].EntitlementUpdatedAt = noon
	}
	return list
}

func BenchmarkDecideNoAlloc(b *testing.B) {
	s := NewSnapshot(acme, "", twentyGrants())
	id := "feature-13"
	b.ReportAllocs()
	for b.Loop() {
		q := Query{CustomerID: "acme", FeatureID: id, RequestedUsage: 1}
		if d := Decide(s, &q, noon); !d.HasAccess {
			b.Fatal("denied")
		}
	}
}

func BenchmarkNewSnapshot(b *testing.B) {
	list := twentyGrants()
	b.ReportAllocs()
	for b.Loop() {
		if NewSnapshot(acme, "", list).Len() != 20 {
			b.Fatal("short")
		}
	}
}
