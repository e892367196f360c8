package entcache

import (
	"context"
	"fmt"
	"iter"

	"github.com/entcache/entcache/gql"
)

// Catalog shows what is sold: products, and plans with what they grant and cost. It is [Client].Catalog. Each call asks Stigg; nothing
// of it is kept in memory, and nothing changes.
type Catalog struct{ c *Client }

// Products yields every product, each once, in Stigg's order. An error is yielded once, and is the last.
//
// Stigg's list of products has no cursors to go on from, takes no filter, and does not say how many there are. Products asks for 25, and
// while the answer is as long as what was asked for, for twice as many from the beginning, yielding those that are new. Three things
// follow. A product that is made or archived meanwhile may be missing. A Stigg that refuses so many at once is the error, after those that
// could be had. And where it answers fewer than were asked for, but a number that could be as many as it gives at once (20 or more, and a
// multiple of ten or 25, or a power of two; or no more than before), nobody can tell whether there are others: that is an error, too,
// [ErrMalformed], after all that were answered.
func (s *Catalog) Products(ctx context.Context) iter.Seq2[Product, error] {
	return func(yield func(Product, error) bool) {
		seen := map[string]bool{}
		before := 0
		for first := pageSize; ; first *= 2 {
			reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetProductsResponse, error) {
				return gql.GetProducts(ctx, s.c.api, &gql.CursorPaging{First: &first})
			})
			if err != nil {
				yield(Product{}, err)
				return
			}
			for _, e := range reply.Products.Edges {
				if seen[e.Node.RefId] {
					continue
				}
				seen[e.Node.RefId] = true
				if !yield(e.Node, nil) {
					return
				}
			}
			n := len(reply.Products.Edges)
			if n < first {
				if n <= before && before > 0 || mayBeLimit(n) {
					yield(Product{}, endless("list products", fmt.Sprintf("has %d of %d that were asked for: these may be all, or as many as Stigg gives at once", n, first)))
				}
				return
			}
			before = first
		}
	}
}

// certainProducts is how many products the official client asks for, and so what Stigg certainly gives.
const certainProducts = 20

// mayBeLimit reports whether somebody may have chosen n as the most products that are given at once.
func mayBeLimit(n int) bool {
	return n >= certainProducts && (n%10 == 0 || n%25 == 0 || n&(n-1) == 0)
}

// Paywall returns what a customer, or somebody who is none yet, can choose from: the plans of ProductId, or of all products, with
// their prices, add-ons and entitlements, inherited ones apart; the price each plan begins at; and, with CustomerId, the customer and
// the subscriptions it has there, those of ResourceId when that is given.
//
// Nothing is required. BillingCountryCode (ISO 3166, such as DE) chooses the prices that are shown; without it they are those for
// any country, and FetchAllCountriesPrices asks for all there are. IncludeHiddenPlans asks for plans that are hidden from the widget
// that Context names, by default the paywall. Amounts are in units of their currency, such as dollars. What is named and does not
// exist: [ErrNotFound].
func (s *Catalog) Paywall(ctx context.Context, in PaywallInput) (*Paywall, error) {
	if err := checkPaywall("get paywall", &in); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetPaywallResponse, error) {
		return gql.GetPaywall(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.Paywall, nil
}

// MockPaywall returns the same plans as [Catalog.Paywall] for nobody in particular: entitlements are shown as a customer would have
// them who has used nothing, and there is no customer, no subscription and no calculated price. It is made for showing what a paywall
// will look like.
func (s *Catalog) MockPaywall(ctx context.Context, in PaywallInput) (*MockPaywall, error) {
	if err := checkPaywall("get mock paywall", &in); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetMockPaywallResponse, error) {
		return gql.GetMockPaywall(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.MockPaywall, nil
}

// checkPaywall refuses a resource of nobody: whose it is, Stigg could not know.
func checkPaywall(call string, in *PaywallInput) error {
	if deref(in.ResourceId) != "" {
		return required(call, "CustomerId (ResourceId is one of its)", deref(in.CustomerId))
	}
	return nil
}
