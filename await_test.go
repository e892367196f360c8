package entcache

import (
	"slices"
	"testing"
)

// TestAWriteAsksAboutEachKeyOnce: what is asked about while the fetch that the first question led to is on its way is fetched again.
func TestAWriteAsksAboutEachKeyOnce(t *testing.T) {
	acme, globex := Key{CustomerID: "acme"}, Key{CustomerID: "globex"}
	site, shop := Key{CustomerID: "acme", ResourceID: "site"}, Key{CustomerID: "globex", ResourceID: "shop"}
	for _, c := range []struct{ keys, want []Key }{
		{nil, nil},
		{[]Key{site}, []Key{site}},
		{[]Key{acme, globex, acme}, []Key{acme, globex}},
		{[]Key{acme, site, site}, []Key{acme}},
		{[]Key{site, shop, acme}, []Key{shop, acme}},
		{[]Key{site, shop, site}, []Key{site, shop}},
	} {
		if got := concerned(c.keys); !slices.Equal(got, c.want) {
			t.Errorf("of %v these are asked about: %v, want %v", c.keys, got, c.want)
		}
	}
}
