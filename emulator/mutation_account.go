package emulator

import (
	"context"
	"fmt"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// ArchiveCustomer hides a customer and ends its subscriptions.
func (*mutation) ArchiveCustomer(ctx context.Context, args wire.MutationArchiveCustomerArgs) (*wire.Customer, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, err := m.e.state.present(args.Input.CustomerID)
	if err != nil {
		return nil, err
	}
	m.e.archive(c)
	return m.e.customerOf(c), nil
}

// UnarchiveCustomer brings a customer back, without its former subscriptions.
func (*mutation) UnarchiveCustomer(ctx context.Context, args wire.MutationUnarchiveCustomerArgs) (*wire.Customer, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c := m.e.state.customers[args.Input.CustomerID]
	if c == nil {
		return nil, errorf(codeCustomerNotFound, "there is no customer %q", args.Input.CustomerID)
	}
	m.e.unarchive(c)
	return m.e.customerOf(c), nil
}

func (e *Emulator) archive(c *customer) {
	e.settle(c)
	now := e.instant()
	for _, s := range c.subs {
		if s.endAt.IsZero() || s.endAt.After(now) {
			s.endAt, s.cancelled, s.follow = now, true, false
		}
	}
	c.archived = true
	c.updatedAt = e.state.stamp()
	e.recalculate(c)
}

func (e *Emulator) unarchive(c *customer) {
	if c.archived {
		c.archived = false
		c.updatedAt = e.state.stamp()
		e.recalculate(c)
	}
}

// DetachCustomerPaymentMethod takes a customer's payment method away. Subscriptions go on.
func (*mutation) DetachCustomerPaymentMethod(ctx context.Context, args wire.MutationDetachCustomerPaymentMethodArgs) (*wire.Customer, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, err := m.e.state.present(args.Input.CustomerID)
	if err != nil {
		return nil, err
	}
	c.paymentMethod = false
	c.updatedAt = m.e.state.stamp()
	return m.e.customerOf(c), nil
}

// UpdateOneCustomer changes what is given of a customer; null clears.
func (*mutation) UpdateOneCustomer(ctx context.Context, args wire.MutationUpdateOneCustomerArgs) (*wire.Customer, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := args.Input
	id, err := oneID(in.CustomerID, in.RefID)
	if err != nil {
		return nil, err
	}
	c, err := m.e.state.present(id)
	if err != nil {
		return nil, err
	}
	coupon, err := m.e.couponOfCustomer(in.CouponRefID)
	if err != nil {
		return nil, err
	}
	if in.CouponRefID.Set {
		c.coupon, c.couponAt = coupon, m.e.instant()
	}
	setIf(&c.name, in.Name)
	setIf(&c.email, in.Email)
	setIf(&c.billingID, in.BillingID)
	setIf(&c.marketplaceID, in.AwsMarketplaceCustomerID)
	if in.AdditionalMetaData.Set {
		c.metadata = in.AdditionalMetaData.Or(wire.JSON{}).Value
	}
	c.updatedAt = m.e.state.stamp()
	return m.e.customerOf(c), nil
}

// ImportOneCustomer makes or updates a customer without giving it a subscription. An archived one is refused.
func (*mutation) ImportOneCustomer(ctx context.Context, args wire.MutationImportOneCustomerArgs) (*wire.Customer, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	c, err := m.e.importCustomer(args.Input)
	if err != nil {
		return nil, err
	}
	return m.e.customerOf(c), nil
}

// ImportCustomersBulk imports customers in order. The first that fails ends the call; those before it are imported.
func (*mutation) ImportCustomersBulk(ctx context.Context, args wire.MutationImportCustomersBulkArgs) (*string, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	if n := len(args.Input.Customers); n > maxImported {
		return nil, errorf(codeBadUserInput, "%d customers are more than %d", n, maxImported)
	}
	for i, in := range args.Input.Customers {
		if _, err := m.e.importCustomer(in); err != nil {
			return nil, fmt.Errorf("customers[%d]: %w", i, err)
		}
	}
	return nil, nil
}

func (e *Emulator) importCustomer(in wire.ImportCustomerInput) (*customer, error) {
	id, err := oneID(in.CustomerID, in.RefID)
	if err != nil {
		return nil, err
	}
	if c := e.state.customers[id]; c != nil && c.archived {
		return nil, errorf("EntityIsArchivedError", "customer %q is archived", id)
	}
	c, created := e.upsert(id)
	setIf(&c.name, in.Name)
	setIf(&c.email, in.Email)
	setIf(&c.billingID, in.BillingID)
	if in.PaymentMethodID.Set {
		c.paymentMethod = in.PaymentMethodID.Or("") != ""
	}
	if in.AdditionalMetaData.Set {
		c.metadata = in.AdditionalMetaData.Or(wire.JSON{}).Value
	}
	c.updatedAt = e.state.stamp()
	if created {
		e.recalculate(c)
	}
	return c, nil
}

// oneID takes an id from either of its two names.
func oneID(customerID, refID wire.Opt[string]) (string, error) {
	a, b := customerID.Or(""), refID.Or("")
	switch {
	case a == "" && b == "":
		return "", errorf("MissingEntityIdError", "give customerId")
	case a != "" && b != "" && a != b:
		return "", errorf("EntityIdDifferentFromRefIdError", "customerId %q and refId %q differ", a, b)
	case a != "":
		return a, nil
	}
	return b, nil
}

// setIf changes dst when the input was given; null clears it.
func setIf[T any](dst *T, in wire.Opt[T]) {
	if in.Set {
		var zero T
		*dst = in.Or(zero)
	}
}
