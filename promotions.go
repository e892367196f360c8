package entcache

import (
	"context"
	"fmt"

	"github.com/entcache/entcache/gql"
)

// Promotions grants and revokes entitlements outside any subscription. It is [Client].Promotions.
type Promotions struct{ c *Client }

// Grant gives a customer features that its subscriptions do not, or more of them, for a period or for life. Of several sources of
// a feature the most generous wins. A promotion of a feature replaces the one there was.
//
// CustomerId and at least one promotion, each with FeatureId and Period, are required; Period [PromotionCustom] needs a
// CustomEndDate. When Grant returns, the next check of the customer by this client waits for what it did. It is not repeated when
// its outcome is unknown.
func (s *Promotions) Grant(ctx context.Context, in GrantPromotionalEntitlementsInput) ([]PromotionalEntitlement, error) {
	const call = "grant promotional entitlements"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if len(in.PromotionalEntitlements) == 0 {
		return nil, badInput(call, "PromotionalEntitlements is empty: say which features")
	}
	for i := range in.PromotionalEntitlements {
		p, call := &in.PromotionalEntitlements[i], fmt.Sprintf("%s: promotion %d", call, i)
		if err := required(call, "FeatureId", p.FeatureId); err != nil {
			return nil, err
		}
		if err := required(call, "Period", string(p.Period)); err != nil {
			return nil, err
		}
		if p.Period == PromotionCustom && p.CustomEndDate == nil {
			return nil, badInput(call, "CustomEndDate is missing: the period CUSTOM needs it")
		}
	}
	keys := []Key{{CustomerID: in.CustomerId}}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.GrantPromotionalEntitlementsResponse, error) {
		return gql.GrantPromotionalEntitlements(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return reply.GrantPromotionalEntitlements, nil
}

// Revoke takes the promotion of a feature back from a customer. There is none: [ErrNotFound]. When Revoke returns, the next check
// of the customer by this client waits for what it did. It is not repeated when its outcome is unknown.
func (s *Promotions) Revoke(ctx context.Context, customerID, featureID string) error {
	const call = "revoke promotional entitlement"
	if err := required(call, "customerID", customerID); err != nil {
		return err
	}
	if err := required(call, "featureID", featureID); err != nil {
		return err
	}
	keys := []Key{{CustomerID: customerID}}
	_, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.RevokePromotionalEntitlementResponse, error) {
		return gql.RevokePromotionalEntitlement(ctx, s.c.api, gql.RevokePromotionalEntitlementInput{CustomerId: customerID, FeatureId: featureID})
	})
	if err != nil {
		return err
	}
	s.c.awaitRefresh(keys...)
	return nil
}
