package entcache_test

import (
	"errors"
	"testing"

	"github.com/entcache/entcache"
)

// TestArchivedCustomers: Get does not tell them from others and a check does; Provision brings one back, and so does Unarchive, which is
// content with one that is there. All of it works without Start, but for the checks.
func TestArchivedCustomers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		c, ctx := w.client, t.Context()
		if _, err := c.GetEntitlement(ctx, entcache.Query{CustomerID: "acme", FeatureID: "seats"}); !errors.Is(err, entcache.ErrNotStarted) {
			t.Errorf("a check before Start: %v", err)
		}
		reason := func() entcache.Reason {
			s := w.stigg.Snapshot("acme", "")
			return entcache.Reason(s.AccessDeniedReason)
		}
		for name, back := range map[string]func() error{
			"provision": func() error {
				return discard(c.Customers.Provision(ctx, entcache.ProvisionCustomerInput{CustomerId: new("acme")}))
			},
			"unarchive": func() error { return discard(c.Customers.Unarchive(ctx, "acme")) },
		} {
			if err := c.Customers.Archive(ctx, "acme"); err != nil || reason() != entcache.CustomerIsArchived {
				t.Errorf("archive: %v; denied with %q", err, reason())
			}
			if got, err := c.Customers.Get(ctx, "acme"); err != nil || got.CustomerId != "acme" {
				t.Errorf("get of an archived one: %+v, %v", got, err)
			}
			if err := back(); err != nil || reason() == entcache.CustomerIsArchived {
				t.Errorf("%s: %v; denied with %q", name, err, reason())
			}
		}
		if _, err := c.Customers.Unarchive(ctx, "acme"); err != nil {
			t.Errorf("unarchive of one that is not archived: %v", err)
		}
		if err := c.Meter.Report(ctx, calls("globex", 1)); err != nil {
			t.Error(err)
		}
		w.flush()
		w.counted("globex", 1)
	})
}

// TestThereHasToBeAWallet to consume credits of.
func TestThereHasToBeAWallet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		_, err := w.client.Credits.Consume(t.Context(), entcache.ConsumeCreditInput{CustomerId: "acme", CurrencyId: "ai-credits", Amount: 1})
		if e, ok := errors.AsType[*entcache.APIError](err); !ok || !errors.Is(err, entcache.ErrNotFound) || e.Code != "NoFeatureEntitlementError" {
			t.Errorf("%v", err)
		}
	})
}
