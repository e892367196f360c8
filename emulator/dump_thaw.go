package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// StateError is what is wrong with a text given to [Emulator.Load].
type StateError struct {
	Field   string // such as "customers[3].subscriptions[0].planId"; empty when it is the text as a whole
	Problem string
}

// Error names field and problem.
func (e *StateError) Error() string {
	if e.Field == "" {
		return "state: " + e.Problem
	}
	return "state: " + e.Field + ": " + e.Problem
}

func wrong(field, format string, args ...any) error {
	return &StateError{field, fmt.Sprintf(format, args...)}
}

// parseState reads a document as strictly as it can be read: this version, whole, alone, and nothing that is not known.
func parseState(text []byte) (*savedState, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, wrong("", "there is nothing in it: it was not written by Dump, or was cut short; begin without it")
	}
	var head struct {
		Format  *string `json:"format"`
		Version *int    `json:"version"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&head); err != nil {
		return nil, unreadable(text, err)
	}
	end := d.InputOffset()
	switch {
	case head.Format == nil:
		return nil, wrong("format", "is missing: this JSON was not written by Dump; give a text that was")
	case *head.Format != stateFormat:
		return nil, wrong("format", "is %q, not %q: this was not written by Dump; give a text that was", *head.Format, stateFormat)
	case head.Version == nil:
		return nil, wrong("version", "is missing: the text was changed by hand; dump the state again")
	case *head.Version > stateVersion:
		return nil, wrong("version", "is %d, and this emulator reads up to %d: use the newer emulator that wrote it", *head.Version, stateVersion)
	case *head.Version < 1:
		return nil, wrong("version", "is %d: versions count from 1; dump the state again", *head.Version)
	}
	saved := &savedState{}
	d = json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(saved); err != nil {
		return nil, unreadable(text, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, wrong("", "line %d: something follows the state: take it away, or dump the state again", lineAt(text, end))
	}
	return saved, nil
}

// unreadable says in words why a text could not be decoded, and what to do.
func unreadable(text []byte, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return wrong("", "it ends in line %d, in the middle: it was cut short; take an older copy, or begin without it", lineAt(text, int64(len(text))))
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return wrong("", "line %d is not JSON (%v): give a text that Dump wrote", lineAt(text, e.Offset), e)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return wrong(e.Field, "line %d: JSON %s stands where %s belongs: dump the state again", lineAt(text, e.Offset), e.Value, anObject(kindOf(e.Type)))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return wrong(strings.Trim(name, `"`), "version %d has no such field: use the emulator that wrote it, or take the field away", stateVersion)
	}
	return wrong("", "%v: dump the state again", err)
}

func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n"))
}

// restored is a state that was built aside, ready to be put in place of another.
type restored struct {
	index     *index
	began     time.Time
	keys      []string
	now       time.Time // of the dump; zero for none
	ahead     time.Duration
	customers map[string]*customer
	made      []*madeCoupon
	checks    []EntitlementCheck
	reports   reportMemory
	pending   []usageEvent
	lastStamp time.Time
	lastID    uint64
}

// thawing turns what was written into what is live. Its first error ends it: the state is one thing, and of use whole or not at all.
type thawing struct {
	catalogs []*index
	owners   map[string]string // of subscriptions, by id
}

// thaw builds the state that a document describes. It checks all that the emulator takes for granted: a state that it accepts is one
// that an emulator can have.
func thaw(saved *savedState) (*restored, error) {
	t := &thawing{owners: map[string]string{}}
	r := &restored{
		began: saved.Began, keys: saved.APIKeys, now: saved.Now, lastStamp: saved.LastStamp, lastID: saved.LastID,
		customers: make(map[string]*customer, len(saved.Customers)), checks: saved.Checks,
	}
	if saved.Now.IsZero() {
		return nil, wrong("now", "is missing: the text was changed by hand; dump the state again")
	}
	if saved.ClockAhead != "" {
		var err error
		if r.ahead, err = time.ParseDuration(saved.ClockAhead); err != nil || r.ahead < 0 {
			return nil, wrong("clockAhead", "%q is not a duration such as \"720h0m0s\"", saved.ClockAhead)
		}
	}
	if len(saved.Catalogs) == 0 {
		return nil, wrong("catalogs", "there is none: the first is the one in force")
	}
	for i, c := range saved.Catalogs {
		at := fmt.Sprintf("catalogs[%d]", i)
		if c == nil {
			return nil, wrong(at, "is null: give a catalog")
		}
		ix, err := c.index()
		if err != nil {
			return nil, catalogWrong(at+".", err)
		}
		t.catalogs = append(t.catalogs, ix)
	}
	r.index = t.catalogs[0]
	for i := range saved.Customers {
		in, at := &saved.Customers[i], fmt.Sprintf("customers[%d]", i)
		c, err := t.customer(at, in)
		if err != nil {
			return nil, err
		}
		if r.customers[c.id] != nil {
			return nil, wrong(at+".id", "%q is the id of a customer before it, too", c.id)
		}
		r.customers[c.id] = c
	}
	for i := range saved.Coupons {
		in, at := &saved.Coupons[i], fmt.Sprintf("coupons[%d]", i)
		if in.ID == "" || slices.ContainsFunc(r.made, func(m *madeCoupon) bool { return m.ID == in.ID }) {
			return nil, wrong(at+".id", "%q is missing, or that of a coupon before it", in.ID)
		}
		if err := checkCoupon(at, &in.Coupon); err != nil {
			return nil, err
		}
		r.made = append(r.made, &madeCoupon{in.Coupon, in.Metadata, in.CreatedAt.UTC()})
	}
	for i := range r.checks {
		if c := &r.checks[i]; c.CustomerID == "" || c.FeatureID == "" {
			return nil, wrong(fmt.Sprintf("checks[%d]", i), "has no customerId, or no featureId")
		}
	}
	var err error
	if r.reports.young, err = thawedReports("reports.young", saved.Reports.Young); err != nil {
		return nil, err
	}
	if r.reports.old, err = thawedReports("reports.old", saved.Reports.Old); err != nil {
		return nil, err
	}
	for i, ev := range saved.Events {
		if ev.CustomerID == "" || (ev.Name == "") == (ev.CurrencyID == "") {
			return nil, wrong(fmt.Sprintf("events[%d]", i), "has no customerId, or not one of name and currencyId")
		}
		r.pending = append(r.pending, usageEvent{
			ev.CustomerID, ev.ResourceID, ev.Name, ev.CurrencyID, ev.Key, ev.Amount, ev.Dimensions, ev.At.UTC(), ev.Due.UTC(),
		})
	}
	return r, nil
}

// catalogWrong is the first problem of a catalog, or of a part of one, as a problem of the state.
func catalogWrong(at string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		err = joined.Unwrap()[0]
	}
	if e, ok := errors.AsType[*CatalogError](err); ok {
		return &StateError{at + e.Field, e.Problem}
	}
	return &StateError{strings.TrimSuffix(at, "."), err.Error()}
}

func (t *thawing) customer(at string, in *savedCustomer) (*customer, error) {
	c := &customer{
		id: in.ID, name: in.Name, email: in.Email, billingID: in.BillingID, marketplaceID: in.MarketplaceID, coupon: in.Coupon, couponAt: in.CouponAt.UTC(), paymentMethod: in.PaymentMethod,
		metadata: in.Metadata, createdAt: in.CreatedAt.UTC(), updatedAt: in.UpdatedAt.UTC(), archived: in.Archived,
		overrides: map[overrideKey]override{}, scopes: map[string]*scope{},
	}
	if c.id == "" {
		return nil, wrong(at+".id", "is missing")
	}
	if err := checkCoupon(at+".coupon", c.coupon); err != nil {
		return nil, err
	}
	for i := range in.Subscriptions {
		at := fmt.Sprintf("%s.subscriptions[%d]", at, i)
		s, err := t.subscription(at, &in.Subscriptions[i])
		if err != nil {
			return nil, err
		}
		if owner, taken := t.owners[s.id]; taken || s.id == "" {
			return nil, wrong(at+".id", "%q is missing, or that of another subscription, of customer %q", s.id, owner)
		}
		t.owners[s.id] = c.id
		c.subs = append(c.subs, s)
	}
	for i, p := range in.Promotions {
		if err := checkEntitlement(fmt.Sprintf("%s.promotions[%d].entitlement", at, i), p.Entitlement); err != nil {
			return nil, err
		}
		c.promos = append(c.promos, &promotion{p.ID, p.Entitlement, p.StartedAt.UTC(), p.EndsAt.UTC(), p.Revoked, p.Hidden, p.Group})
	}
	for i := range in.Checkouts {
		k, at := &in.Checkouts[i], fmt.Sprintf("%s.checkouts[%d]", at, i)
		if k.CustomerID != c.id {
			return nil, wrong(at+".customerId", "%q is not the customer that has it, %q", k.CustomerID, c.id)
		}
		o, err := t.order(at+".order", &k.Order)
		if err != nil {
			return nil, err
		}
		k.CreatedAt = k.CreatedAt.UTC()
		c.checkouts = append(c.checkouts, &checkout{k.Checkout, k.ProductID, o})
	}
	for i, o := range in.Overrides {
		at := fmt.Sprintf("%s.overrides[%d]", at, i)
		if err := checkEntitlement(at+".entitlement", o.Entitlement); err != nil {
			return nil, err
		}
		key := overrideKey{o.ResourceID, o.Entitlement.ref()}
		if _, taken := c.overrides[key]; taken {
			return nil, wrong(at, "overrides what another before it does")
		}
		c.overrides[key] = override{o.Entitlement, o.Denied, o.SetAt.UTC()}
	}
	var err error
	if c.recharges, err = thawedRecharges(at, in.Recharges); err != nil {
		return nil, err
	}
	for i := range in.Scopes {
		at := fmt.Sprintf("%s.scopes[%d]", at, i)
		s, err := t.scope(at, &in.Scopes[i])
		if err != nil {
			return nil, err
		}
		if c.scopes[s.resourceID] != nil {
			return nil, wrong(at+".resourceId", "%q is that of another scope before it", s.resourceID)
		}
		c.scopes[s.resourceID] = s
	}
	if c.scopes[""] == nil {
		return nil, wrong(at+".scopes", "the one without resourceId is missing: it is the customer's own")
	}
	return c, nil
}

func (t *thawing) subscription(at string, in *savedSubscription) (*subscription, error) {
	if in.Catalog < 0 || in.Catalog >= len(t.catalogs) {
		return nil, wrong(at+".catalog", "there is no catalogs[%d]", in.Catalog)
	}
	ix := t.catalogs[in.Catalog]
	if ix.plans[in.PlanID] == nil {
		return nil, wrong(at+".planId", "there is no plan %q in catalogs[%d]: add it there, or take the subscription away", in.PlanID, in.Catalog)
	}
	s := &subscription{
		id: in.ID, planID: in.PlanID, productID: in.ProductID, resourceID: in.ResourceID, index: ix,
		addons: thawedAddons(in.Addons), custom: in.Custom, quantities: in.Quantities, period: in.Period, coupon: in.Coupon,
		couponAt: in.CouponAt.UTC(), country: in.Country, billed: in.Billed.UTC(),
		billingID: in.BillingID, collection: wire.PaymentCollectionMethod(in.Collection), payer: in.Payer, minimumSpend: in.MinimumSpend,
		metadata: in.Metadata, createdAt: in.CreatedAt.UTC(), startAt: in.StartAt.UTC(), anchor: in.Anchor.UTC(), trialEnd: in.TrialEnd.UTC(),
		convert: in.Convert, endAt: in.EndAt.UTC(), cancelled: in.Cancelled, follow: in.Follow, successor: in.Successor,
		before: ending{in.Before.EndAt.UTC(), in.Before.Cancelled, in.Before.Follow},
	}
	if s.period != Month && s.period != Year {
		return nil, wrong(at+".period", "%q is not month or year", s.period)
	}
	if err := checkParts(at, s.custom, s.coupon, s.minimumSpend); err != nil {
		return nil, err
	}
	var err error
	if s.priceOverrides, err = thawedPrices(at+".priceOverrides", in.PriceOverrides); err != nil {
		return nil, err
	}
	for i := range in.Changes {
		at := fmt.Sprintf("%s.changes[%d]", at, i)
		ch, err := t.change(at, &in.Changes[i])
		if err != nil {
			return nil, err
		}
		if i > 0 && ch.at.Before(s.changes[i-1].at) {
			return nil, wrong(at+".at", "is before that of the change before it")
		}
		s.changes = append(s.changes, ch)
	}
	return s, nil
}

func (t *thawing) change(at string, in *savedChange) (change, error) {
	ch := change{at: in.At.UTC(), quantities: in.Quantities, period: in.Period, custom: in.Custom, latest: in.Latest}
	if !slices.Contains([]Period{"", Month, Year}, ch.period) {
		return ch, wrong(at+".period", "%q is not month or year", ch.period)
	}
	if in.Coupon != nil && in.CouponOff {
		return ch, wrong(at+".couponOff", "does not go with a coupon")
	}
	if in.MinimumSpend != nil && in.MinimumOff {
		return ch, wrong(at+".minimumOff", "does not go with a minimumSpend")
	}
	if err := checkParts(at, ch.custom, in.Coupon, in.MinimumSpend); err != nil {
		return ch, err
	}
	if in.Addons != nil {
		ch.addons = new(thawedAddons(*in.Addons))
	}
	if in.PriceOverrides != nil {
		list, err := thawedPrices(at+".priceOverrides", *in.PriceOverrides)
		if err != nil {
			return ch, err
		}
		ch.priceOverrides = &list
	}
	if in.Coupon != nil || in.CouponOff {
		ch.coupon = &in.Coupon
	}
	if in.MinimumSpend != nil || in.MinimumOff {
		ch.minimumSpend = &in.MinimumSpend
	}
	if in.Metadata != nil {
		ch.metadata = new(any)
		if err := json.Unmarshal(in.Metadata, ch.metadata); err != nil {
			return ch, wrong(at+".metadata", "%v", err)
		}
	}
	return ch, nil
}

func (t *thawing) order(at string, in *savedOrder) (order, error) {
	o := order{
		id: in.ID, planID: in.PlanID, resourceID: in.ResourceID, addons: thawedAddons(in.Addons), custom: in.Custom, quantities: in.Quantities,
		period: in.Period, coupon: in.Coupon, country: in.Country, metadata: in.Metadata, startAt: in.StartAt.UTC(), endAt: in.EndAt.UTC(),
		strategy: wire.ScheduleStrategy(in.Strategy), resetAnchor: in.ResetAnchor, skipTrial: in.SkipTrial, billingID: in.BillingID, collection: wire.PaymentCollectionMethod(in.Collection),
		trial: in.Trial, trialEnd: in.TrialEnd.UTC(), trialConvert: in.TrialConvert,
		minimumSpend: in.MinimumSpend, payer: in.Payer,
	}
	if !slices.Contains([]Period{"", Month, Year}, o.period) {
		return o, wrong(at+".period", "%q is not month or year", o.period)
	}
	if err := checkParts(at, o.custom, o.coupon, o.minimumSpend); err != nil {
		return o, err
	}
	var err error
	o.priceOverrides, err = thawedPrices(at+".priceOverrides", in.PriceOverrides)
	return o, err
}

func thawedAddons(list []savedAddon) []addonCount {
	var out []addonCount
	for _, a := range list {
		out = append(out, addonCount{a.ID, a.Quantity})
	}
	return out
}

func thawedPrices(at string, list []map[string]any) ([]wire.PriceOverrideInput, error) {
	var out []wire.PriceOverrideInput
	for i, object := range list {
		var in wire.PriceOverrideInput
		if err := in.UnmarshalGraphQL(object); err != nil {
			return nil, wrong(fmt.Sprintf("%s[%d]", at, i), "%v", err)
		}
		out = append(out, in)
	}
	return out, nil
}

// checkParts checks what a subscription, a change of one and an order have in common.
func checkParts(at string, custom []Entitlement, coupon *Coupon, minimum *Amount) error {
	if minimum != nil && (minimum.Amount == nil || minimum.Amount.IsNegative()) {
		return wrong(at+".minimumSpend.amount", "must be a number, zero or more")
	}
	for i, ent := range custom {
		if err := checkEntitlement(fmt.Sprintf("%s.custom[%d]", at, i), ent); err != nil {
			return err
		}
	}
	return checkCoupon(at+".coupon", coupon)
}

// checkEntitlement checks the form of an entitlement outside the catalog. What it is to may be in no catalog any more: it then grants
// nothing, as it does where it was dumped.
func checkEntitlement(at string, ent Entitlement) error {
	if (ent.Feature == "") == (ent.Currency == "") {
		return wrong(at, "give exactly one of feature and currency")
	}
	if ent.Limit != nil && !(*ent.Limit >= 0 && *ent.Limit <= math.MaxFloat64) {
		return wrong(at+".limit", "must be a finite number, zero or more")
	}
	return checkPeriods(at, ent.Reset, ent.ResetOn)
}

func checkPeriods(at string, reset Period, on ResetOn) error {
	if !reset.valid() {
		return wrong(at+".reset", "%q is not hour, day, week, month or year", reset)
	}
	if !on.fits(reset) {
		return wrong(at+".resetOn", "%q does not go with reset %q", on, reset)
	}
	return nil
}

// checkCoupon applies the rules of the catalog to a coupon that was copied from it, or made for one subscription and has no id.
func checkCoupon(at string, c *Coupon) error {
	if c == nil {
		return nil
	}
	checked := cloneCoupons([]Coupon{*c})
	checked[0].ID = orDefault(checked[0].ID, "discount")
	ck := &checker{ix: &index{coupons: map[string]*Coupon{}}}
	if ck.coupons(checked); len(ck.errs) > 0 {
		e, _ := errors.AsType[*CatalogError](ck.errs[0])
		return &StateError{at + strings.TrimPrefix(e.Field, "coupons[0]"), e.Problem}
	}
	return nil
}
