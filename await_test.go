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
	inMemory(t, func(c *Client, acme Key, _ Ref, _ func() float64) {
		e := c.running.Load()
		before := e.sync.Now()
		c.awaitRefresh(acme, acme)
		held, _ := e.cache.Peek(acme)
		if n := held.Belief.QuestionSeq - before; n != 1 {
			t.Errorf("%d questions, want 1", n)
		}
	})
}
