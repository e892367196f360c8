package emulator

import (
	"context"
	"slices"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// EntitlementsState answers the whole set of a key and, when it is empty for a reason, the reason.
func (*query) EntitlementsState(ctx context.Context, args wire.QueryEntitlementsStateArgs) (*wire.EntitlementsState, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	return q.e.stateOf(args.Query.CustomerID, args.Query.ResourceID.Or("")), nil
}

// CachedEntitlements is the older read of a set; it cannot tell why one is empty.
func (*query) CachedEntitlements(ctx context.Context, args wire.QueryCachedEntitlementsArgs) ([]*wire.Entitlement, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	return *q.e.stateOf(args.Query.CustomerID, args.Query.ResourceID.Or("")).Entitlements, nil
}

// stateOf reads one key. A customer that does not exist is an answer, not an error.
func (e *Emulator) stateOf(customerID, resourceID string) *wire.EntitlementsState {
	v1, v2 := []*wire.Entitlement{}, []*wire.EntitlementUnion{}
	denied := string(wire.EntitlementsStateAccessDeniedReasonCustomerNotFound)
	if c := e.state.customers[customerID]; c != nil {
		s := e.look(c, resourceID)
		v1, v2 = e.sets(c, s)
		denied = s.denied
	}
	state := &wire.EntitlementsState{Entitlements: &v1, EntitlementsV2: &v2}
	if denied != "" {
		state.AccessDeniedReason = new(wire.EntitlementsStateAccessDeniedReason(denied))
	}
	return state
}

// Entitlement decides about one feature, on the server. What is denied is answered with the reason, never as an error.
func (*query) Entitlement(ctx context.Context, args wire.QueryEntitlementArgs) (*wire.Entitlement, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Query
	c, s, ent := q.e.decide(in.CustomerID, in.ResourceID.Or(""), ref{id: in.FeatureID}, in.Options.Or(wire.EntitlementOptions{}))
	w := q.e.entitlementV1(c, s, ent)
	options := in.Options.Or(wire.EntitlementOptions{})
	w.RequestedUsage = options.RequestedUsage.Value
	w.RequestedValues = options.RequestedValues.Value
	if ent.feature.Name == "" {
		w.Feature = nil
	}
	return w, nil
}

// EntitlementV2 decides about one feature or currency, on the server.
func (*query) EntitlementV2(ctx context.Context, args wire.QueryEntitlementV2Args) (*wire.EntitlementUnion, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Query
	featureID, currencyID := in.FeatureID.Or(""), in.CurrencyID.Or("")
	if (featureID == "") == (currencyID == "") {
		return nil, errorf(codeBadUserInput, "give exactly one of featureId and currencyId")
	}
	r := ref{id: featureID}
	if currencyID != "" {
		r = ref{id: currencyID, credit: true}
	}
	_, s, ent := q.e.decide(in.CustomerID, in.ResourceID.Or(""), r, in.Options.Or(wire.EntitlementOptions{}))
	w := q.e.entitlementV2(s, ent)
	if f, ok := w.ToFeatureEntitlement(); ok && ent.feature.Name == "" {
		f.Feature = nil
	}
	return w, nil
}

// decide finds one entitlement and judges the request for it. What is not there is made up, denied: a feature without a
// name when the environment has none of that id.
func (e *Emulator) decide(customerID, resourceID string, r ref, options wire.EntitlementOptions) (*customer, *scope, *entitled) {
	c := e.state.customers[customerID]
	s, reason := &scope{resourceID: resourceID}, string(wire.AccessDeniedReasonCustomerNotFound)
	var found *entitled
	if c == nil {
		c = &customer{id: customerID}
	} else {
		s = e.look(c, resourceID)
		found = s.find(r)
		switch {
		case s.denied != "":
			reason = s.denied
		case r.credit:
			reason = string(wire.AccessDeniedReasonEntitlementNotFound)
		case e.state.index.feature(r.id) == nil:
			reason = string(wire.AccessDeniedReasonFeatureNotFound)
		default:
			reason = string(wire.AccessDeniedReasonNoFeatureEntitlementInSubscription)
		}
	}
	if found == nil {
		s, ent := e.missing(s, r, reason)
		return c, s, ent
	}
	judged := *found
	if judged.denied == "" {
		judged.denied = judge(s, found, options)
	}
	return c, s, &judged
}

// judge returns why a granted entitlement does not cover the request, or "".
func judge(s *scope, ent *entitled, options wire.EntitlementOptions) string {
	for _, v := range options.RequestedValues.Or(nil) {
		if !ent.ref.credit && ent.feature.Type == Enum && !slices.Contains(ent.values, v) {
			return string(wire.AccessDeniedReasonRequestedValuesMismatch)
		}
	}
	if !ent.metered() || ent.unlimited || ent.soft {
		return ""
	}
	if s.meters[ent.ref].used.InexactFloat64()+options.RequestedUsage.Or(0) > deref(ent.limit) {
		return string(wire.AccessDeniedReasonRequestedUsageExceedingLimit)
	}
	return ""
}

// missing is an entitlement that is not there, for answers that must have one, in a scope made for it.
func (e *Emulator) missing(s *scope, r ref, reason string) (*scope, *entitled) {
	s = &scope{resourceID: s.resourceID, updatedAt: s.updatedAt, meters: map[ref]*meter{}}
	ent := &entitled{ref: r, denied: reason, updatedAt: s.updatedAt}
	if r.credit {
		if ent.currency = e.state.index.currencies[r.id]; ent.currency == nil {
			ent.currency = &Currency{ID: r.id}
		}
		s.meters[r] = &meter{}
	} else if ent.feature = e.state.index.feature(r.id); ent.feature == nil {
		ent.feature = &Feature{ID: r.id, Type: Boolean}
	}
	return s, ent
}

// SdkConfiguration answers what clients ask to check their key.
func (*query) SdkConfiguration(context.Context) (*wire.SdkConfiguration, error) {
	return &wire.SdkConfiguration{IsWidgetWatermarkEnabled: new(false), ShowWatermark: new(false)}, nil
}

// GetCustomerByRefID answers a customer, or null.
func (*query) GetCustomerByRefID(ctx context.Context, args wire.QueryGetCustomerByRefIDArgs) (*wire.Customer, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	c := q.e.state.customers[args.Input.CustomerID]
	if c == nil {
		return nil, nil
	}
	q.e.settle(c)
	return q.e.customerOf(c), nil
}

// GetActiveSubscriptions lists what is in force for a customer, of the given resources or of all. An unknown resourceId
// is an error and an unknown one among resourceIds is not, as in the real API.
func (*query) GetActiveSubscriptions(ctx context.Context, args wire.QueryGetActiveSubscriptionsArgs) ([]*wire.CustomerSubscription, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Input
	c := q.e.state.customers[in.CustomerID]
	if c == nil {
		return nil, errorf(codeCustomerNotFound, "there is no customer %q", in.CustomerID)
	}
	q.e.settle(c)
	resources := in.ResourceIds.Or(nil)
	if id := in.ResourceID.Or(""); id != "" {
		if c.scopes[id] == nil {
			return nil, errorf("CustomerResourceNotFound", "Customer resource not found: %q", id)
		}
		resources = append(resources, id)
	}
	w := q.e.customerOf(c)
	list := []*wire.CustomerSubscription{}
	for _, s := range c.live(q.e.now()) {
		if len(resources) == 0 || slices.Contains(resources, s.resourceID) {
			list = append(list, q.e.subscriptionOf(c, s, w))
		}
	}
	return list, nil
}

// GetSubscription answers one subscription, ended ones included.
func (*query) GetSubscription(ctx context.Context, args wire.QueryGetSubscriptionArgs) (*wire.CustomerSubscription, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	c, s := q.e.state.subscription(args.Input.SubscriptionID)
	if s == nil {
		return nil, errorf(codeSubscriptionNotFound, "there is no subscription %q", args.Input.SubscriptionID)
	}
	q.e.settle(c)
	return q.e.subscriptionOf(c, s, nil), nil
}
