package cache_test

import (
	"fmt"

	"github.com/entcache/entcache/cache"
	"github.com/entcache/entcache/entitlements"
)

func Example() {
	c, err := cache.New(cache.Config{MaxBytes: 64 << 20})
	if err != nil {
		panic(err)
	}
	defer c.Close()

	acme := entitlements.Key{CustomerID: "acme"}
	seats := []entitlements.Grant{{ID: "seats", FeatureType: entitlements.FeatureNumber, IsGranted: true}}
	c.Insert(acme, &entitlements.Belief{Snapshot: entitlements.NewSnapshot(acme, "", seats)})

	b, _ := c.Lookup("acme", "", 1)
	fmt.Println(b.Snapshot)
	b, _ = c.Lookup("nobody", "", 1)
	fmt.Println(b == nil)
	// Output:
	// customer "acme", feature "seats"
	// true
}
