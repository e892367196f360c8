package emulator

import (
	"fmt"
	"maps"
	"slices"
)

// newID returns an id that no other thing of the account has.
func (a *account) newID(kind string) string {
	a.lastID++
	return fmt.Sprintf("%s-%06d", kind, a.lastID)
}

// present returns a customer that exists and is not archived.
func (a *account) present(customerID string) (*customer, error) {
	c := a.customers[customerID]
	if c == nil {
		return nil, errorf(codeCustomerNotFound, "there is no customer %q", customerID)
	}
	if c.archived {
		return nil, errorf("EntityIsArchivedError", "customer %q is archived", customerID)
	}
	return c, nil
}

// subscription finds a subscription and whose it is, or nothing.
func (a *account) subscription(id string) (*customer, *subscription) {
	for _, c := range a.customers {
		if s := c.subscription(id); s != nil {
			return c, s
		}
	}
	return nil, nil
}

// each returns the customers in order of id.
func (a *account) each() []*customer {
	list := make([]*customer, 0, len(a.customers))
	for _, id := range slices.Sorted(maps.Keys(a.customers)) {
		list = append(list, a.customers[id])
	}
	return list
}

// upsert returns the customer of that id, made if there is none; an archived one comes back.
func (e *Emulator) upsert(id string) (c *customer, created bool) {
	now := e.instant()
	c = e.state.customers[id]
	if c == nil {
		c = &customer{id: id, createdAt: now, updatedAt: now, overrides: map[overrideKey]override{}, scopes: map[string]*scope{}}
		c.scope("")
		e.state.customers[id] = c
		return c, true
	}
	return c, false
}
