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
	if err := checkPromotions(call, in.PromotionalEntitlements); err != nil {
		return nil, err
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

func checkPromotions(call string, list []GrantPromotionalEntitlementInput) error {
	if len(list) == 0 {
		return badInput(call, "PromotionalEntitlements is empty: say which features")
	}
	for i := range list {
		p, call := &list[i], fmt.Sprintf("%s: promotion %d", call, i)
		if err := required(call, "FeatureId", p.FeatureId); err != nil {
			return err
		}
		if err := required(call, "Period", string(p.Period)); err != nil {
			return err
		}
		if p.Period == PromotionCustom && p.CustomEndDate == nil {
			return badInput(call, "CustomEndDate is missing: the period CUSTOM needs it")
		}
	}
	return nil
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

// GrantGroup gives a customer the features of a feature group, each with a promotion of its own, which belong together from then on:
// RevokeGroup takes them back together, and UnlinkGroup makes each stand for itself. A promotion of a feature replaces the one there
// was.
//
// CustomerId, FeatureGroupId and a promotion for each feature of the group are required; see Grant for what each needs. When
// GrantGroup returns, the next check of the customer by this client waits for what it did. It is not repeated when its outcome is
// unknown.
func (s *Promotions) GrantGroup(ctx context.Context, in GrantPromotionalEntitlementsGroupInput) ([]PromotionalEntitlement, error) {
	const call = "grant promotional entitlements of a group"
	if err := requiredGroup(call, in.CustomerId, in.FeatureGroupId, "CustomerId", "FeatureGroupId"); err != nil {
		return nil, err
	}
	if err := checkPromotions(call, in.PromotionalEntitlements); err != nil {
		return nil, err
	}
	keys := []Key{{CustomerID: in.CustomerId}}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.GrantPromotionalEntitlementsGroupResponse, error) {
		return gql.GrantPromotionalEntitlementsGroup(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return reply.GrantPromotionalEntitlementsGroup, nil
}

// RevokeGroup takes the promotions of a feature group back from a customer, and returns them. There are none: [ErrNotFound]. When
// RevokeGroup returns, the next check of the customer by this client waits for what it did. It is not repeated when its outcome is
// unknown.
func (s *Promotions) RevokeGroup(ctx context.Context, customerID, featureGroupID string) ([]PromotionalEntitlement, error) {
	if err := requiredGroup("revoke promotional entitlements of a group", customerID, featureGroupID, "customerID", "featureGroupID"); err != nil {
		return nil, err
	}
	keys := []Key{{CustomerID: customerID}}
	in := gql.RevokePromotionalEntitlementsGroupInput{CustomerId: customerID, FeatureGroupId: featureGroupID}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.RevokePromotionalEntitlementsGroupResponse, error) {
		return gql.RevokePromotionalEntitlementsGroup(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return reply.RevokePromotionalEntitlementsGroup, nil
}

// UnlinkGroup makes each promotion that a customer has of a feature group stand for itself: the features stay granted, and are revoked
// one by one. There are none: [ErrNotFound]. When UnlinkGroup returns, the next check of the customer by this client waits for what
// Stigg says then. It is not repeated when its outcome is unknown.
func (s *Promotions) UnlinkGroup(ctx context.Context, customerID, featureGroupID string) ([]PromotionalEntitlement, error) {
	if err := requiredGroup("unlink promotional entitlements of a group", customerID, featureGroupID, "customerID", "featureGroupID"); err != nil {
		return nil, err
	}
	keys := []Key{{CustomerID: customerID}}
	in := gql.UnlinkPromotionalEntitlementsGroupInput{CustomerId: customerID, FeatureGroupId: featureGroupID}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.UnlinkPromotionalEntitlementsGroupResponse, error) {
		return gql.UnlinkPromotionalEntitlementsGroup(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return reply.UnlinkPromotionalEntitlementsGroup, nil
}

func requiredGroup(call, customerID, groupID, customerField, groupField string) error {
	if err := required(call, customerField, customerID); err != nil {
		return err
	}
	return required(call, groupField, groupID)
}
