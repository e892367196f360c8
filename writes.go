package entcache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/entcache/entcache/gql"
	syncer "github.com/entcache/entcache/sync"
)

// The inputs and results of writes are Stigg's own, generated from its schema. A pointer or slice that is nil is left out of the
// request, which Stigg takes for "as it is" or "the default".
type (
	// DateTime is a moment in an input or a result: DateTime{Time: t} for a time.Time t.
	DateTime = gql.DateTime
	// Customer is a customer as Stigg describes one.
	Customer = gql.Customer
	// Subscription is a subscription as Stigg describes one.
	Subscription = gql.Subscription
	// ProvisionCustomerInput names the customer by CustomerId.
	ProvisionCustomerInput = gql.ProvisionCustomerInput
	// ProvisionCustomerSubscriptionInput is the first subscription of a customer.
	ProvisionCustomerSubscriptionInput = gql.ProvisionCustomerSubscriptionInput
	// ProvisionedCustomer is the answer to provisioning a customer.
	ProvisionedCustomer = gql.ProvisionedCustomer
	// ProvisionSubscriptionInput names the customer and the plan.
	ProvisionSubscriptionInput = gql.ProvisionSubscriptionInput
	// ProvisionedSubscription is the answer to provisioning a subscription; look at Status before anything else.
	ProvisionedSubscription = gql.ProvisionedSubscription
	// ReportUsageInput names the customer, the feature and the usage.
	ReportUsageInput = gql.ReportUsageInput
	// ReportedUsage is the answer to a report.
	ReportedUsage = gql.ReportedUsage
	// UsageUpdateBehavior says whether a report adds to the usage or replaces it.
	UsageUpdateBehavior = gql.UsageUpdateBehavior
	// APIError is what Stigg, or the way to it, answered instead of a result: its code, trace id, and whether a retry is safe.
	// Fields and methods: [gql.Error].
	APIError = gql.Error
)

// How a report changes the usage.
const (
	UsageDelta = gql.UsageUpdateBehaviorDelta // adds Value, which may be negative
	UsageSet   = gql.UsageUpdateBehaviorSet   // replaces what there was
)

// Whether provisioning a subscription needs a payment first.
const (
	ProvisionSuccess         = gql.ProvisionSubscriptionStatusSuccess
	ProvisionPaymentRequired = gql.ProvisionSubscriptionStatusPaymentRequired
)

// writing prepares a write: it fails on a client that cannot write, and gives a ctx that also ends with Close and after
// the write timeout.
func (c *Client) writing(ctx context.Context) (context.Context, context.CancelFunc, error) {
	select {
	case <-c.lifetime.Done():
		return nil, nil, ErrClosed
	default:
	}
	if c.api == nil {
		return nil, nil, ErrOffline
	}
	c.counts.writes.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.lifetime, func() { cancel(ErrClosed) })
	ctx, expire := context.WithTimeoutCause(ctx, c.cfg.writeTimeout, errWriteTimeout)
	return ctx, func() { expire(); stop(); cancel(nil) }, nil
}

var errWriteTimeout = fmt.Errorf("write timeout: %w", context.DeadlineExceeded)

// failed is told of a write that failed: one that may have taken effect all the same is waited for by the next read.
func (c *Client) failed(err error, keys ...Key) error {
	if e, ok := errors.AsType[*gql.Error](err); ok && !e.OutcomeUnknown() {
		return fmt.Errorf("entcache: %w", err)
	}
	c.awaitRefresh(keys...)
	return fmt.Errorf("entcache: %w", err)
}

func (c *Client) awaitRefresh(keys ...Key) {
	if s := c.syncer(); s != nil {
		for _, k := range keys {
			s.AwaitRefresh(k)
		}
	}
}

// wrote applies the set that an answer carried for key. An answer whose set cannot be read is a write that succeeded: the next
// read finds out what it did.
func (c *Client) wrote(key Key, set []json.RawMessage) {
	s := c.syncer()
	if s == nil {
		return
	}
	snapshot, err := gql.SnapshotOf(key, set)
	if err != nil {
		s.AwaitRefresh(key)
		return
	}
	s.Wrote(key, snapshot)
}

func (c *Client) syncer() *syncer.Syncer {
	if e := c.running.Load(); e != nil {
		return e.sync
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
