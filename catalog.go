package entcache

import (
	"context"
	"iter"

	"github.com/entcache/entcache/gql"
)

// Catalog shows what is sold: products, and plans with what they grant and cost. It is [Client].Catalog. Each call asks Stigg; nothing
// of it is kept in memory, and nothing changes.
type Catalog struct{ c *Client }

// Products yields every product, each once, in Stigg's order. An error is yielded once, and is the last.
//
// Stigg's list of products has no cursors to go on from, and takes no filter. Products asks for 25, and while the answer is as long as
// what was asked for, for twice as many from the beginning, yielding those that are new. Two things follow. A product that is made
// or archived meanwhile may be missing. And a Stigg that refuses so many at once is the error, after those that could be had.
func (s *Catalog) Products(ctx context.Context) iter.Seq2[Product, error] {
	return func(yield func(Product, error) bool) {
		seen := map[string]bool{}
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
			if len(reply.Products.Edges) < first {
				return
			}
		}
	}
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
