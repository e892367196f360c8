package emulator

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// The methods here are the dashboard of the emulated account: what an operator would do while clients are connected.

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
	now := time.Now()
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
			!slices.EqualFunc(previous.granted[p.ID], next.granted[p.ID], equalEntitlements) {
			if old != nil && p.Version <= old.Version {
				p.Version = old.Version + 1
			}
			e.emitPackage("Plan", p.ID, p.Version, m)
		}
	}
	for i := range next.catalog.Addons {
		a := &next.catalog.Addons[i]
		if old := previous.addons[a.ID]; old == nil || !slices.EqualFunc(old.Entitlements, a.Entitlements, equalEntitlements) {
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
	next, err := c.index()
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

// Provision makes sure the customer exists and, unless planID is empty, subscribes it to the plan, without a trial. With
// a resourceID the subscription is that resource's. It is what provisionCustomer and provisionSubscriptionV2 do, for tests
// that are not about those.
func (e *Emulator) Provision(customerID, resourceID, planID string) error {
	if customerID == "" {
		return errorf("MissingEntityIdError", "give a customer id")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if planID != "" && e.state.index.plans[planID] == nil {
		return errorf(wirePlanNotFound, "there is no plan %q", planID)
	}
	c, created := e.upsert(customerID)
	if c.archived {
		return errorf("EntityIsArchivedError", "customer %q is archived", customerID)
	}
	e.settle(c)
	if planID == "" {
		if created {
			e.recalculate(c)
		}
		return nil
	}
	_, err := e.subscribe(c, order{planID: planID, resourceID: resourceID, skipTrial: true})
	return err
}

// Report counts usage as reportUsage with DELTA does and returns the usage after it.
func (e *Emulator) Report(customerID, resourceID, featureID string, delta float64) (float64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	answer, err := e.reportUsage(usageReport{customerID: customerID, resourceID: resourceID, featureID: featureID, value: delta})
	if err != nil {
		return 0, err
	}
	return *answer.CurrentUsage, nil
}

// ArchiveCustomer archives a customer as the mutation does.
func (e *Emulator) ArchiveCustomer(customerID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.state.present(customerID)
	if err != nil {
		return err
	}
	e.archive(c)
	return nil
}

// GrantPromotional gives a customer an entitlement outside any subscription, until the given time; zero means for life.
func (e *Emulator) GrantPromotional(customerID string, ent Entitlement, until time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.state.present(customerID)
	if err != nil {
		return err
	}
	if err := e.state.index.check(ent); err != nil {
		return err
	}
	e.settle(c)
	now := time.Now().UTC().Truncate(time.Millisecond)
	c.promos = append(c.promos, &promotion{
		id: e.state.newID("promotion"), entitlement: ent, startedAt: now, endsAt: until.UTC().Truncate(time.Millisecond),
	})
	if until.IsZero() {
		c.promos[len(c.promos)-1].endsAt = time.Time{}
	}
	e.recalculate(c)
	return nil
}

// SetEntitlement fixes what one key has of a feature or currency, whatever its subscriptions say. Without a resourceID it
// holds for the customer and all its resources.
func (e *Emulator) SetEntitlement(customerID, resourceID string, ent Entitlement) error {
	return e.override(customerID, resourceID, ent, "")
}

// DenyEntitlement keeps a feature or currency in the set and denies it with that reason, such as "Revoked" or
// "BudgetExceeded". Ent says which one, and what else the set shows of it.
func (e *Emulator) DenyEntitlement(customerID, resourceID string, ent Entitlement, reason string) error {
	return e.override(customerID, resourceID, ent, cmp.Or(reason, "Revoked"))
}

func (e *Emulator) override(customerID, resourceID string, ent Entitlement, denied string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.state.present(customerID)
	if err != nil {
		return err
	}
	if err := e.state.index.check(ent); err != nil {
		return err
	}
	e.settle(c)
	c.overrides[overrideKey{resourceID, ent.ref()}] = override{ent, denied, time.Now().UTC().Truncate(time.Millisecond)}
	e.recalculateFor(c, resourceID)
	return nil
}

// ClearEntitlement takes SetEntitlement or DenyEntitlement back. Give one of featureID and currencyID.
func (e *Emulator) ClearEntitlement(customerID, resourceID, featureID, currencyID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.state.present(customerID)
	if err != nil {
		return err
	}
	e.settle(c)
	ent := Entitlement{Feature: featureID, Currency: currencyID}
	delete(c.overrides, overrideKey{resourceID, ent.ref()})
	e.recalculateFor(c, resourceID)
	return nil
}

// check applies the catalog's rules to an entitlement granted outside of it.
func (ix *index) check(ent Entitlement) error {
	ck := &checker{ix: ix}
	ck.entitlements("", []Entitlement{ent})
	if len(ck.errs) > 0 {
		return errorf(codeBadUserInput, "%s", ck.errs[0].Error())
	}
	return nil
}

// Recalculate calculates every set of the customer anew, with new stamps and an event for each key, and changes nothing.
func (e *Emulator) Recalculate(customerID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.state.customers[customerID]
	if c == nil {
		return errorf(wireCustomerNotFound, "there is no customer %q", customerID)
	}
	e.settle(c)
	e.recalculate(c)
	return nil
}

// AddAPIKey accepts one more key.
func (e *Emulator) AddAPIKey(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.keys, key) {
		e.keys = append(e.keys, key)
	}
}

// RevokeAPIKey accepts the key no longer and closes the sockets that came with it, with reason "Invalid API key".
func (e *Emulator) RevokeAPIKey(key string) {
	e.mu.Lock()
	e.keys = slices.DeleteFunc(e.keys, func(k string) bool { return k == key })
	e.mu.Unlock()
	e.sockets.each(func(s *socket) {
		s.mu.Lock()
		same := s.key == key
		s.mu.Unlock()
		if same {
			s.close(e.config.InvalidKeyCloseCode, reasonInvalidKey)
		}
	})
}

// Snapshot is what a key has, as a test can compare it with what a client believes.
type Snapshot struct {
	AccessDeniedReason string // of the whole set: "CustomerNotFound", "CustomerIsArchived", "NoActiveSubscription" or ""
	Entitlements       []EntitlementState
}

// Find returns the entitlement to a feature, and whether there is one.
func (s Snapshot) Find(featureID string) (EntitlementState, bool) {
	for _, ent := range s.Entitlements {
		if ent.FeatureID == featureID {
			return ent, true
		}
	}
	return EntitlementState{}, false
}

// EntitlementState is one entitlement of a snapshot.
type EntitlementState struct {
	FeatureID          string // this, or
	CurrencyID         string // this
	AccessDeniedReason string // "" when granted
	Limit              *float64
	Unlimited          bool
	SoftLimit          bool
	Values             []string
	Usage              float64
	PeriodStart        time.Time // zero when usage does not reset
	PeriodEnd          time.Time
	EntitlementStamp   time.Time // entitlementUpdatedAt on the wire
	UsageStamp         time.Time // usageUpdatedAt on the wire
}

// Snapshot returns what the key has now: what entitlementsState would answer. Like it, it brings the customer to the
// present first, which may emit events.
func (e *Emulator) Snapshot(customerID, resourceID string) Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.state.customers[customerID]
	if c == nil {
		return Snapshot{AccessDeniedReason: string(wire.EntitlementsStateAccessDeniedReasonCustomerNotFound)}
	}
	s := e.look(c, resourceID)
	snap := Snapshot{AccessDeniedReason: s.denied}
	for _, ent := range s.set {
		state := EntitlementState{
			AccessDeniedReason: ent.denied, Limit: ent.limit, Unlimited: ent.unlimited, SoftLimit: ent.soft,
			Values: slices.Clone(ent.values), EntitlementStamp: s.updatedAt, UsageStamp: s.updatedAt,
		}
		if ent.ref.credit {
			state.CurrencyID = ent.ref.id
		} else {
			state.FeatureID = ent.ref.id
		}
		if m := s.meters[ent.ref]; m != nil {
			state.Usage, state.PeriodStart, state.PeriodEnd = m.used.InexactFloat64(), m.start, m.end
			state.UsageStamp = m.updatedAt
		}
		snap.Entitlements = append(snap.Entitlements, state)
	}
	return snap
}
