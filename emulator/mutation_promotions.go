package emulator

import (
	"context"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// GrantPromotionalEntitlements gives a customer entitlements outside any subscription; one of the same feature replaces
// the one before, unless that was granted with a feature group.
func (*mutation) GrantPromotionalEntitlements(ctx context.Context, args wire.MutationGrantPromotionalEntitlementsArgs) ([]*wire.PromotionalEntitlement, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, err := m.e.state.present(args.Input.CustomerID)
	if err != nil {
		return nil, err
	}
	m.e.settle(c)
	for _, in := range args.Input.PromotionalEntitlements {
		if old := c.promotionOf(in.FeatureID, m.e.now()); old != nil && old.group != "" {
			return nil, errorf("CanNotUpdateEntitlementsFeatureGroup", "%q was granted to customer %q with feature group %q: unlink that first", in.FeatureID, c.id, old.group)
		}
	}
	return m.e.promote(c, args.Input.PromotionalEntitlements, "")
}

// RevokePromotionalEntitlement takes a customer's promotion of a feature back. One that was granted with a feature group is taken back
// with it.
func (*mutation) RevokePromotionalEntitlement(ctx context.Context, args wire.MutationRevokePromotionalEntitlementArgs) (*wire.PromotionalEntitlement, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, err := m.e.state.present(args.Input.CustomerID)
	if err != nil {
		return nil, err
	}
	m.e.settle(c)
	p := c.promotionOf(args.Input.FeatureID, m.e.now())
	switch {
	case p == nil:
		return nil, errorf("PromotionalEntitlementNotFoundError", "customer %q has no promotion of %q", c.id, args.Input.FeatureID)
	case p.group != "":
		return nil, errorf("EntitlementBelongsToFeatureGroupError", "%q was granted to customer %q with feature group %q: revoke that, or unlink it first", args.Input.FeatureID, c.id, p.group)
	}
	p.revoked = true
	m.e.recalculate(c)
	return m.e.promotionOf(p), nil
}

// GrantPromotionalEntitlementsGroup gives a customer each feature of a group, by a promotion of its own.
func (*mutation) GrantPromotionalEntitlementsGroup(ctx context.Context, args wire.MutationGrantPromotionalEntitlementsGroupArgs) ([]*wire.PromotionalEntitlement, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := args.Input
	c, err := m.e.state.present(in.CustomerID)
	if err != nil {
		return nil, err
	}
	group := m.e.state.index.groups[in.FeatureGroupID]
	if group == nil {
		return nil, errorf("FeatureGroupNotFoundError", "there is no feature group %q", in.FeatureGroupID)
	}
	given := map[string]bool{}
	for _, p := range in.PromotionalEntitlements {
		switch {
		case m.e.state.index.feature(p.FeatureID) == nil:
			return nil, errorf(codeFeatureNotFound, "there is no feature %q", p.FeatureID)
		case !slices.Contains(group.Features, p.FeatureID):
			return nil, errorf("FeatureNotBelongToFeatureGroupError", "feature %q is not in feature group %q", p.FeatureID, group.ID)
		case given[p.FeatureID]:
			return nil, errorf(codeBadUserInput, "feature %q is given twice", p.FeatureID)
		}
		given[p.FeatureID] = true
	}
	for _, id := range group.Features {
		if !given[id] {
			return nil, errorf("FeatureGroupMissingFeaturesError", "feature group %q has feature %q, too: say what is given of it", group.ID, id)
		}
	}
	m.e.settle(c)
	for _, id := range group.Features {
		if old := c.promotionOf(id, m.e.now()); old != nil && old.group != "" && old.group != group.ID {
			return nil, errorf("CanNotUpdateEntitlementsFeatureGroup", "%q was granted to customer %q with feature group %q: unlink that first", id, c.id, old.group)
		}
	}
	return m.e.promote(c, in.PromotionalEntitlements, group.ID)
}

// RevokePromotionalEntitlementsGroup takes back what was granted with a feature group.
func (*mutation) RevokePromotionalEntitlementsGroup(ctx context.Context, args wire.MutationRevokePromotionalEntitlementsGroupArgs) ([]*wire.PromotionalEntitlement, error) {
	return of(ctx).e.changeGroup(args.Input.CustomerID, args.Input.FeatureGroupID, func(p *promotion) { p.revoked = true })
}

// UnlinkPromotionalEntitlementsGroup makes each promotion that was granted with a feature group stand for itself. It is as it was
// otherwise.
func (*mutation) UnlinkPromotionalEntitlementsGroup(ctx context.Context, args wire.MutationUnlinkPromotionalEntitlementsGroupArgs) ([]*wire.PromotionalEntitlement, error) {
	return of(ctx).e.changeGroup(args.Input.CustomerID, args.Input.FeatureGroupID, func(p *promotion) { p.group = "" })
}

// changeGroup changes the promotions that a customer has of a feature group. The group itself may be in the catalog no more.
func (e *Emulator) changeGroup(customerID, groupID string, change func(*promotion)) ([]*wire.PromotionalEntitlement, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.state.present(customerID)
	if err != nil {
		return nil, err
	}
	e.settle(c)
	list := c.groupOf(groupID, e.now())
	switch {
	case len(list) == 0 && e.state.index.groups[groupID] == nil:
		return nil, errorf("FeatureGroupNotFoundError", "there is no feature group %q", groupID)
	case len(list) == 0:
		return nil, errorf("PromotionalEntitlementNotFoundError", "customer %q has no promotion of feature group %q", c.id, groupID)
	}
	answers := []*wire.PromotionalEntitlement{}
	for _, p := range list {
		change(p)
		answers = append(answers, e.promotionOf(p))
	}
	e.recalculate(c)
	return answers, nil
}

// promotionOf returns the promotion in force that a customer has of a feature by itself or with a group, or nil.
func (c *customer) promotionOf(featureID string, now time.Time) *promotion {
	i := slices.IndexFunc(c.promos, func(p *promotion) bool { return p.active(now) && p.entitlement.Feature == featureID })
	if i < 0 {
		return nil
	}
	return c.promos[i]
}

// groupOf returns the promotions in force that a customer was granted with a feature group.
func (c *customer) groupOf(id string, now time.Time) []*promotion {
	var list []*promotion
	for _, p := range c.promos {
		if p.active(now) && id != "" && p.group == id {
			list = append(list, p)
		}
	}
	return list
}

// promote grants promotions, each in place of the one there was of its feature, and those of a group in place of all there was of the
// group; none when one cannot be granted.
func (e *Emulator) promote(c *customer, list []wire.GrantPromotionalEntitlementInput, group string) ([]*wire.PromotionalEntitlement, error) {
	var granted []*promotion
	now := e.instant()
	for _, in := range list {
		p := &promotion{
			startedAt: now, hidden: !in.IsVisible.Or(true), group: group,
			endsAt: promotionEnd(now, in.Period, in.CustomEndDate.Or(wire.DateTime{}).Time),
			entitlement: Entitlement{
				Feature: in.FeatureID, Limit: in.UsageLimit.Value, Unlimited: in.HasUnlimitedUsage.Or(false),
				SoftLimit: in.HasSoftLimit.Or(false), Values: in.EnumValues.Or(nil), Reset: periodOf(in.ResetPeriod),
				ResetOn: resetOnOf(in.MonthlyResetPeriodConfiguration, in.WeeklyResetPeriodConfiguration),
			},
		}
		if e.state.index.feature(in.FeatureID) == nil {
			return nil, errorf(codeFeatureNotFound, "there is no feature %q", in.FeatureID)
		}
		if err := e.state.index.check(p.entitlement); err != nil {
			return nil, err
		}
		if in.Period == wire.PromotionalEntitlementPeriodCustom && !p.endsAt.After(now) {
			return nil, errorf(codeBadUserInput, "a CUSTOM period needs a customEndDate in the future")
		}
		granted = append(granted, p)
	}
	for _, old := range c.groupOf(group, now) {
		old.revoked = true
	}
	answers := []*wire.PromotionalEntitlement{}
	for _, p := range granted {
		p.id = e.state.newID("promotion")
		for _, old := range c.promos {
			old.revoked = old.revoked || old.entitlement.ref() == p.entitlement.ref()
		}
		c.promos = append(c.promos, p)
		answers = append(answers, e.promotionOf(p))
	}
	e.recalculate(c)
	return answers, nil
}
