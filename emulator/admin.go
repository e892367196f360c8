package emulator

import (
	"cmp"
	"slices"
	"time"
)

// The methods here are the dashboard of the emulated account: what an operator would do while clients are connected.

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
		return errorf(codePlanNotFound, "there is no plan %q", planID)
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

// UnarchiveCustomer brings a customer back as the mutation does, without its former subscriptions.
func (e *Emulator) UnarchiveCustomer(customerID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.state.customers[customerID]
	if c == nil {
		return errorf(codeCustomerNotFound, "there is no customer %q", customerID)
	}
	e.unarchive(c)
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
	now := e.instant()
	c.promos = append(c.promos, &promotion{
		id: e.state.newID("promotion"), entitlement: ent.clone(), startedAt: now, endsAt: until.UTC().Truncate(time.Millisecond),
	})
	if until.IsZero() {
		c.promos[len(c.promos)-1].endsAt = time.Time{}
	}
	e.recalculate(c)
	return nil
}

// Unexplained is the reason for [Emulator.DenyEntitlement] to deny and give none: isGranted is false, and that is all.
const Unexplained = "Unexplained"

// SetEntitlement fixes what one key has of a feature or currency, whatever its subscriptions say. Without a resourceID it
// holds for the customer and all its resources.
func (e *Emulator) SetEntitlement(customerID, resourceID string, ent Entitlement) error {
	return e.override(customerID, resourceID, ent, "")
}

// DenyEntitlement keeps a feature or currency in the set and denies it with that reason, such as "Revoked" or
// "BudgetExceeded". Ent says which one, and what else the set shows of it. [Unexplained] is no reason.
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
	c.overrides[overrideKey{resourceID, ent.ref()}] = override{ent.clone(), denied, e.instant()}
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
		return errorf(codeCustomerNotFound, "there is no customer %q", customerID)
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
