package entcache

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/entcache/entcache/gql"
)

// Coupons makes and lists coupons. It is [Client].Coupons.
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

// Create makes a coupon that subscriptions, or customers, can then be given: PercentOff takes a percentage off (more than 0, at most
// 100), AmountsOff an amount in each of the currencies that it lists; give exactly one of the two. Without DurationInMonths it holds
// for ever.
//
// RefId and Name are required. Nothing that a check sees changes. It is not repeated when its outcome is unknown; a program can do
// that, since Stigg makes no second coupon of the same RefId: [ErrConflict] then says that the first had arrived.
func (s *Coupons) Create(ctx context.Context, in CreateCouponInput) (*Coupon, error) {
	const call = "create coupon"
	if err := required(call, "RefId", in.RefId); err != nil {
		return nil, err
	}
	if err := required(call, "Name", in.Name); err != nil {
		return nil, err
	}
	switch percent, amounts, value := in.PercentOff != nil, len(in.AmountsOff) > 0, in.DiscountValue != nil; {
	case percent && amounts:
		return nil, badInput(call, "PercentOff and AmountsOff are both set: give only one")
	case !percent && !amounts && !value:
		return nil, badInput(call, "nothing is taken off: give PercentOff or AmountsOff")
	case percent && !(*in.PercentOff > 0 && *in.PercentOff <= 100):
		return nil, badInput(call, fmt.Sprintf("PercentOff is %v: give more than 0 and at most 100", *in.PercentOff))
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.CreateCouponResponse, error) {
		return gql.CreateCoupon(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.CreateOneCoupon, nil
}
