package gql

import (
	"context"
	"sync/atomic"

	"github.com/entcache/entcache/entitlements"
)

// Client speaks Stigg's GraphQL API. Make one with New; it is safe for concurrent use.
type Client struct {
	cfg   Config
	net   network
	names *interner

	unknown atomic.Uint64
}

// New checks the configuration. It does no I/O and starts no goroutine. The key is looked at when it is first used; see
// [ValidateAPIKey] for looking earlier.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, net: newNetwork(cfg), names: newInterner()}, nil
}

// CheckKey asks for something small, to learn whether the key is accepted: errors.Is(err, ErrUnauthenticated) when it is not.
func (c *Client) CheckKey(ctx context.Context) error {
	_, err := GetSdkConfiguration(ctx, c)
	return err
}

// Usages says what the answer tells about the key it was reported for: the feature's usage, unless the server left it out, and
// that of the wallet which pays for it, if one does.
func (r *ReportedUsage) Usages() (entitlements.Key, []entitlements.Usage) {
	key := entitlements.Key{CustomerID: r.CustomerId}
	if r.ResourceId != nil {
		key.ResourceID = *r.ResourceId
	}
	var list []entitlements.Usage
	if r.CurrentUsage != nil {
		list = append(list, entitlements.Usage{
			Ref:         entitlements.Feature(r.FeatureId),
			Current:     *r.CurrentUsage,
			UpdatedAt:   r.Timestamp.Instant(),
			PeriodStart: r.UsagePeriodStart.Instant(),
			PeriodEnd:   r.UsagePeriodEnd.Instant(),
		})
	}
	if w := r.Credit; w != nil {
		list = append(list, entitlements.Usage{
			Ref:       entitlements.Currency(w.CurrencyId),
			Current:   w.CurrentUsage,
			UpdatedAt: w.Timestamp.Instant(),
			PeriodEnd: w.UsagePeriodEnd.Instant(),
		})
	}
	return key, list
}

// Usages says what the answer tells about the key whose credits were consumed: the usage of the wallet, unless the server left it out.
func (r *CreditConsumption) Usages() (entitlements.Key, []entitlements.Usage) {
	key := entitlements.Key{CustomerID: r.CustomerId}
	if r.ResourceId != nil {
		key.ResourceID = *r.ResourceId
	}
	w := r.Credit
	if w == nil {
		return key, nil
	}
	return key, []entitlements.Usage{{
		Ref:       entitlements.Currency(w.CurrencyId),
		Current:   w.CurrentUsage,
		UpdatedAt: w.Timestamp.Instant(),
		PeriodEnd: w.UsagePeriodEnd.Instant(),
	}}
}

// UnknownEntitlements returns how many entitlements were passed over because their kind is not known to this version, or because
// they name no feature. Growth means that Stigg has something new and this library should be updated.
func (c *Client) UnknownEntitlements() uint64 { return c.unknown.Load() }

// Close closes the idle connections of a transport that New made. Streams and calls under way are not affected.
func (c *Client) Close() {
	if c.net.owned != nil {
		c.net.owned.CloseIdleConnections()
	}
}
