package emulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// freezing turns what is live into what is written. It shares nothing with the live state that is ever changed in place.
type freezing struct {
	catalogs []*index // the one in force, then the others as they are met
	err      error    // the first
}

// freeze returns the state as it is written. The caller holds e.mu.
func (e *Emulator) freeze() (*savedState, error) {
	a := &e.state
	f := &freezing{catalogs: []*index{a.index}}
	saved := &savedState{
		Format: stateFormat, Version: stateVersion,
		Now: e.Now(), Began: e.began.UTC(), LastStamp: a.lastStamp.UTC(), LastID: a.lastID,
		APIKeys: append([]string{}, e.keys...), Customers: []savedCustomer{},
		Reports: savedReports{frozenReports(a.reports.young), frozenReports(a.reports.old)},
	}
	if ahead := time.Duration(a.clock.ahead.Load()); ahead != 0 {
		saved.ClockAhead = ahead.String()
	}
	for _, c := range a.each() {
		saved.Customers = append(saved.Customers, f.customer(c))
	}
	for _, m := range a.made {
		saved.Coupons = append(saved.Coupons, savedCoupon{m.Coupon, m.metadata, m.createdAt.UTC()})
	}
	saved.Checks = slices.Clone(a.checks[max(0, len(a.checks)-maxChecks):])
	for _, ev := range a.events.pending {
		saved.Events = append(saved.Events, savedEvent{
			ev.customerID, ev.resourceID, ev.name, ev.currencyID, ev.key, ev.amount, ev.dimensions, ev.at.UTC(), ev.due.UTC(),
		})
	}
	for _, ix := range f.catalogs {
		saved.Catalogs = append(saved.Catalogs, ix.catalog)
	}
	return saved, f.err
}

// catalog returns the place of a catalog in the list.
func (f *freezing) catalog(ix *index) int {
	i := slices.Index(f.catalogs, ix)
	if i < 0 {
		i = len(f.catalogs)
		f.catalogs = append(f.catalogs, ix)
	}
	return i
}

func (f *freezing) customer(c *customer) savedCustomer {
	out := savedCustomer{
		ID: c.id, Name: c.name, Email: c.email, BillingID: c.billingID, MarketplaceID: c.marketplaceID, Coupon: c.coupon, CouponAt: c.couponAt.UTC(), PaymentMethod: c.paymentMethod,
		Metadata: c.metadata, CreatedAt: c.createdAt.UTC(), UpdatedAt: c.updatedAt.UTC(), Archived: c.archived,
	}
	for _, s := range c.subs {
		out.Subscriptions = append(out.Subscriptions, f.subscription(s))
	}
	for _, p := range c.promos {
		out.Promotions = append(out.Promotions, savedPromotion{p.id, p.entitlement, p.startedAt.UTC(), p.endsAt.UTC(), p.revoked, p.hidden, p.group})
	}
	for _, k := range c.checkouts {
		out.Checkouts = append(out.Checkouts, savedCheckout{k.Checkout, k.productID, frozenOrder(&k.order)})
	}
	for key, o := range c.overrides {
		out.Overrides = append(out.Overrides, savedOverride{key.resourceID, o.entitlement, o.denied, o.setAt.UTC()})
	}
	slices.SortFunc(out.Overrides, func(a, b savedOverride) int {
		return cmp.Or(cmp.Compare(a.ResourceID, b.ResourceID), compareRefs(a.Entitlement.ref(), b.Entitlement.ref()))
	})
	out.Recharges = frozenRecharges(c.recharges)
	for _, id := range slices.Sorted(maps.Keys(c.scopes)) {
		out.Scopes = append(out.Scopes, f.scope(c.scopes[id]))
	}
	return out
}

func (f *freezing) subscription(s *subscription) savedSubscription {
	out := savedSubscription{
		ID: s.id, PlanID: s.planID, ProductID: s.productID, ResourceID: s.resourceID, Catalog: f.catalog(s.index),
		Addons: frozenAddons(s.addons), Custom: s.custom, Quantities: s.quantities, Period: s.period,
		PriceOverrides: frozenPrices(s.priceOverrides), Coupon: s.coupon, CouponAt: s.couponAt.UTC(), Country: s.country, Metadata: s.metadata,
		BillingID: s.billingID, Collection: string(s.collection), Payer: s.payer, MinimumSpend: s.minimumSpend,
		CreatedAt: s.createdAt.UTC(), StartAt: s.startAt.UTC(), Anchor: s.anchor.UTC(), Billed: s.billed.UTC(), TrialEnd: s.trialEnd.UTC(), Convert: s.convert,
		savedEnding: savedEnding{s.endAt.UTC(), s.cancelled, s.follow},
		Successor:   s.successor, Before: savedEnding{s.before.at.UTC(), s.before.cancelled, s.before.follow},
	}
	for i := range s.changes {
		out.Changes = append(out.Changes, f.change(&s.changes[i]))
	}
	return out
}

func (f *freezing) change(ch *change) savedChange {
	out := savedChange{At: ch.at.UTC(), Period: ch.period, Custom: ch.custom, Latest: ch.latest}
	if ch.addons != nil {
		out.Addons = new(orEmpty(frozenAddons(*ch.addons)))
	}
	if ch.quantities != nil {
		out.Quantities = new(maps.Clone(*ch.quantities))
		if *out.Quantities == nil {
			*out.Quantities = map[string]float64{}
		}
	}
	if ch.priceOverrides != nil {
		out.PriceOverrides = new(orEmpty(frozenPrices(*ch.priceOverrides)))
	}
	if ch.coupon != nil {
		out.Coupon, out.CouponOff = *ch.coupon, *ch.coupon == nil
	}
	if ch.minimumSpend != nil {
		out.MinimumSpend, out.MinimumOff = *ch.minimumSpend, *ch.minimumSpend == nil
	}
	if ch.metadata != nil {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(*ch.metadata); err != nil && f.err == nil {
			f.err = fmt.Errorf("metadata of a scheduled change: %w", err)
		}
		out.Metadata = bytes.TrimSpace(text.Bytes())
	}
	return out
}

func frozenOrder(o *order) savedOrder {
	return savedOrder{
		ID: o.id, PlanID: o.planID, ResourceID: o.resourceID, Addons: frozenAddons(o.addons), Custom: o.custom, Quantities: o.quantities,
		Period: o.period, PriceOverrides: frozenPrices(o.priceOverrides), Coupon: o.coupon, Country: o.country, Metadata: o.metadata,
		StartAt: o.startAt.UTC(), EndAt: o.endAt.UTC(), Strategy: string(o.strategy), ResetAnchor: o.resetAnchor, SkipTrial: o.skipTrial,
		BillingID: o.billingID, Collection: string(o.collection), Trial: o.trial, TrialEnd: o.trialEnd.UTC(), TrialConvert: o.trialConvert,
		MinimumSpend: o.minimumSpend, Payer: o.payer,
	}
}

func frozenAddons(list []addonCount) []savedAddon {
	var out []savedAddon
	for _, a := range list {
		out = append(out, savedAddon{a.id, a.quantity})
	}
	return out
}

func frozenPrices(list []wire.PriceOverrideInput) []map[string]any {
	var out []map[string]any
	for i := range list {
		out = append(out, wire.EncodeInput(&list[i]))
	}
	return out
}

func (f *freezing) scope(s *scope) savedScope {
	out := savedScope{
		ResourceID: s.resourceID, Denied: s.denied, UpdatedAt: s.updatedAt.UTC(), RecalcAt: s.recalcAt.UTC(), Past: slices.Clone(s.past),
	}
	for _, ent := range s.set {
		out.Set = append(out.Set, f.entitled(ent))
	}
	for _, r := range slices.SortedFunc(maps.Keys(s.meters), compareRefs) {
		out.Meters = append(out.Meters, frozenMeter(r, s.meters[r]))
	}
	for _, currency := range sortedKeys(s.wallets) {
		out.Wallets = append(out.Wallets, frozenWallet(currency, s.wallets[currency]))
	}
	return out
}

func (f *freezing) entitled(ent *entitled) savedEntitled {
	out := savedEntitled{
		savedRef: frozenRef(ent.ref), Limit: ent.limit, Unlimited: ent.unlimited, SoftLimit: ent.soft, Values: ent.values,
		Reset: ent.reset, ResetOn: ent.resetOn, Since: ent.since.UTC(), Anchor: ent.anchor.UTC(), CreditRate: ent.rate,
		Denied: ent.denied, UpdatedAt: ent.updatedAt.UTC(),
	}
	inForce := f.catalogs[0]
	if !same(ent.feature, inForce.features[ent.ref.id]) && !ent.ref.credit {
		out.FeatureWas = ent.feature
	}
	if !same(ent.currency, inForce.currencies[ent.ref.id]) && ent.ref.credit {
		out.CurrencyWas = ent.currency
	}
	return out
}

// same reports whether two things are one, or alike. Most are one, which costs nothing to see.
func same[T any](a, b *T) bool { return a == b || reflect.DeepEqual(a, b) }

func frozenRef(r ref) savedRef {
	if r.credit {
		return savedRef{Currency: r.id}
	}
	return savedRef{Feature: r.id}
}

func frozenMeter(r ref, m *meter) savedMeter {
	out := savedMeter{
		savedRef: frozenRef(r), Used: m.used.String(), Reset: m.reset, Anchor: m.anchor.UTC(), Start: m.start.UTC(), End: m.end.UTC(),
		UpdatedAt: m.updatedAt.UTC(), Seen: slices.Sorted(maps.Keys(m.seen)),
	}
	for i := range m.measured {
		x := &m.measured[i]
		out.Measured = append(out.Measured, savedMeasurement{x.at.UTC(), x.value.String(), x.set, x.dimensions})
	}
	return out
}

func frozenReports(memory map[reportKey]report) []savedReport {
	var out []savedReport
	for k, r := range memory {
		w := savedReport{CustomerID: k.customerID, ResourceID: k.resourceID, savedRef: frozenRef(k.ref), Key: k.key, Event: k.event, At: k.at}
		if u := r.usage; u != nil {
			w.Usage = &savedUsageAnswer{
				ID: string(u.ID), CurrentUsage: deref(u.CurrentUsage), UsagePeriodStart: momentOf(u.UsagePeriodStart),
				UsagePeriodEnd: momentOf(u.UsagePeriodEnd), Timestamp: u.Timestamp.Time,
			}
			if d := u.Credit; d != nil {
				w.Usage.Credit = &savedDrawnAnswer{d.CurrencyID, d.Consumed, d.CurrentUsage, d.Timestamp.Time, momentOf(d.UsagePeriodEnd)}
			}
		}
		if a := r.credit; a != nil {
			w.Credit = &savedConsumedAnswer{a.Amount, a.Credit.CurrentUsage, a.Credit.UsageLimit, a.Timestamp.Time, momentOf(a.Credit.UsagePeriodEnd)}
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b savedReport) int {
		return cmp.Or(cmp.Compare(a.CustomerID, b.CustomerID), cmp.Compare(a.ResourceID, b.ResourceID), cmp.Compare(a.Feature, b.Feature),
			cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Key, b.Key), cmp.Compare(a.At, b.At), compareBool(a.Event, b.Event))
	})
	return out
}

func momentOf(d *wire.DateTime) time.Time {
	if d == nil {
		return time.Time{}
	}
	return d.Time
}
