package entcache

import (
	"context"
	"iter"
	"slices"

	"github.com/entcache/entcache/gql"
)

// Coupons lists coupons. It is [Client].Coupons.
type Coupons struct{ c *Client }

// List yields the coupons that filter lets through, all of them and each once, whatever number Stigg answers at a time. A nil
// filter lets the active ones through. It asks for more when the loop comes to it. An error is yielded once, and is the last.
//
// Stigg's list of coupons has no cursors to go on from. List goes on by asking for those it has not yielded yet: coupons that are
// made or archived meanwhile confuse it no more than that they may be missing. An answer that repeats a full page is the error
// [ErrMalformed].
func (s *Coupons) List(ctx context.Context, filter *CouponFilter) iter.Seq2[Coupon, error] {
	if filter == nil {
		filter = &CouponFilter{Status: &gql.CouponStatusFilterComparison{Eq: new(CouponActive)}}
	}
	return func(yield func(Coupon, error) bool) {
		var seen []string
		for {
			rest := filter
			if len(seen) > 0 {
				rest = &CouponFilter{And: []CouponFilter{*filter, {RefId: &gql.StringFieldComparison{NotIn: seen}}}}
			}
			reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCouponsResponse, error) {
				return gql.GetCoupons(ctx, s.c.api, rest, &gql.CursorPaging{First: new(pageSize)})
			})
			if err != nil {
				yield(Coupon{}, err)
				return
			}
			page, fresh := reply.Coupons.Edges, 0
			for _, e := range page {
				if slices.Contains(seen, e.Node.RefId) {
					continue // a server that does not know the filter
				}
				seen, fresh = append(seen, e.Node.RefId), fresh+1
				if !yield(e.Node, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			if fresh == 0 {
				yield(Coupon{}, endless("list coupons", "repeats the same page, so that the rest cannot be had"))
				return
			}
		}
	}
}
