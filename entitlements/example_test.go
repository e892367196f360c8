package entitlements_test

import (
	"fmt"
	"time"

	"github.com/entcache/entcache/entitlements"
)

func ExampleDecide() {
	now := entitlements.InstantOf(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	key := entitlements.Key{CustomerID: "acme"}
	snapshot := entitlements.NewSnapshot(key, "", []entitlements.Grant{{
		ID: "seats", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterFluctuating,
		IsGranted: true, UsageLimit: 5, HasUsageLimit: true, CurrentUsage: 5,
	}})

	d := entitlements.Decide(snapshot, &entitlements.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1}, now)
	fmt.Println(d.HasAccess, d.AccessDeniedReason)
	// Output: false RequestedUsageExceedingLimit
}
