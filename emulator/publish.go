package emulator

import (
	"fmt"
	"slices"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// Migration says whom a published package concerns.
type Migration string

// The migrations.
const (
	AllCustomers Migration = "ALL_CUSTOMERS" // existing subscriptions change at once
	NewCustomers Migration = "NEW_CUSTOMERS" // they keep what they were sold
)

// UpdateCatalog replaces the catalog and publishes it: subscribers of packagePublished hear of every plan and add-on that
// differs, and with AllCustomers every existing subscription moves over and every set is calculated anew. An unusable
// catalog changes nothing and is the error.
func (e *Emulator) UpdateCatalog(c *Catalog, m Migration) error {
	next, err := c.clone().index()
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.publishCatalog(next, m)
}

func (e *Emulator) publishCatalog(next *index, m Migration) error {
	e.settleAll()
	now := e.now()
	for _, cust := range e.state.each() {
		for _, s := range cust.live(now) {
			if m == AllCustomers && next.plans[s.planID] == nil {
				return &CatalogError{Field: "plans", Problem: fmt.Sprintf("plan %q is in use by customer %q", s.planID, cust.id)}
			}
		}
	}
	previous := e.state.index
	e.state.index = next
	for i := range next.catalog.Plans {
		p := &next.catalog.Plans[i]
		if old := previous.plans[p.ID]; old == nil || old.Version != p.Version ||
			!slices.EqualFunc(previous.granted[p.ID], next.granted[p.ID], equalEntitlements) ||
			!equalPrices(old.Prices, p.Prices) || !equalSpends(old.MinimumSpend, p.MinimumSpend) {
			if old != nil && p.Version <= old.Version {
				p.Version = old.Version + 1
			}
			e.emitPackage("Plan", p.ID, p.Version, m)
		}
	}
	for i := range next.catalog.Addons {
		a := &next.catalog.Addons[i]
		if old := previous.addons[a.ID]; old == nil || !slices.EqualFunc(old.Entitlements, a.Entitlements, equalEntitlements) || !equalPrices(old.Prices, a.Prices) {
			e.emitPackage("Addon", a.ID, 1, m)
		}
	}
	if m == AllCustomers {
		for _, cust := range e.state.each() {
			for _, s := range cust.subs {
				if next.plans[s.planID] != nil {
					s.index = next
				}
			}
			e.recalculate(cust)
		}
	}
	return nil
}

// PublishPlan adds or replaces one plan of the catalog; see [Emulator.UpdateCatalog].
func (e *Emulator) PublishPlan(p Plan, m Migration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.state.index.catalog.clone()
	i := slices.IndexFunc(c.Plans, func(old Plan) bool { return old.ID == p.ID })
	if i < 0 {
		c.Plans = append(c.Plans, p)
	} else {
		p.Version = max(p.Version, c.Plans[i].Version+1)
		c.Plans[i] = p
	}
	next, err := c.clone().index() // p's parts are still the caller's
	if err != nil {
		return err
	}
	return e.publishCatalog(next, m)
}

func (e *Emulator) emitPackage(kind, id string, version int, m Migration) {
	e.publish(&event{
		Event: Event{Kind: EventPackage},
		payloads: map[string]any{"packagePublished": &wire.PackagePublished{
			AccountID: "emulator", EnvironmentID: "emulator",
			MigrationType: wire.PublishMigrationType(m),
			PackageType:   kind, PackageRefID: id, PackageVersion: int32(version),
		}},
	})
}

func equalEntitlements(a, b Entitlement) bool {
	rate := func(e Entitlement) CreditRate {
		if e.CreditRate == nil {
			return CreditRate{}
		}
		return *e.CreditRate
	}
	return a.ref() == b.ref() && (a.Limit == nil) == (b.Limit == nil) && deref(a.Limit) == deref(b.Limit) &&
		a.Unlimited == b.Unlimited && a.SoftLimit == b.SoftLimit && slices.Equal(a.Values, b.Values) &&
		a.Reset == b.Reset && a.ResetOn == b.ResetOn && rate(a) == rate(b)
}
