package main

import (
	"context"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/bench/internal/measure"
	"github.com/entcache/entcache/entitlements"
)

// ours is the client as programs use it: the whole public call, its counters included.
type ours struct{ client *entcache.Client }

func openEntcache(data measure.Data) (measure.Store, error) {
	client, err := load(data, quiet{})
	if err != nil {
		return nil, err
	}
	return ours{client}, nil
}

func (s ours) Ask(walk []measure.Question, from, n int) int {
	ctx := context.Background()
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		q := entcache.Query{CustomerID: p.Customer, FeatureID: p.Feature, RequestedUsage: 1}
		if d, _ := s.client.GetEntitlement(ctx, q); d.HasAccess && d.Origin == entcache.Live {
			yes++
		}
	}
	return yes
}

func (s ours) Close() { _ = s.client.Close() }

// load returns a client that holds the data, and whose stream is updates.
func load(data measure.Data, updates entcache.Stream) (*entcache.Client, error) {
	size := measure.Size{Customers: len(data.Customers), Features: len(data.Features)}
	client, err := entcache.New("key", entcache.WithSource(inMemory{data.Features, updates}),
		entcache.WithRequestBudget(1<<30, 1<<30), entcache.WithMaxMemory(room(size)))
	if err != nil {
		return nil, err
	}
	if err := start(client, data); err != nil {
		_ = client.Close()
		return nil, err
	}
	return client, nil
}

// room is the bound on memory for everybody to have room, at four to five kilobytes for a customer of twenty features, and not much
// more: the tables of a client are as large as its bound asks for.
func room(s measure.Size) int64 { return int64(s.Customers)*int64(200*s.Features+800) + 16<<20 }

func start(client *entcache.Client, data measure.Data) error {
	ctx := context.Background()
	if err := client.Start(ctx); err != nil {
		return err
	}
	keys := make([]entcache.Key, len(data.Customers))
	for i, id := range data.Customers {
		keys[i].CustomerID = id
	}
	return client.Prefetch(ctx, keys, nil)
}

// inMemory is a source without a network: every customer has the same entitlements.
type inMemory struct {
	features []string
	updates  entcache.Stream
}

func (s inMemory) Fetch(_ context.Context, key entcache.Key) (*entitlements.Snapshot, error) {
	return snapshot(key, s.features, began), nil
}

// began is when the sets that are loaded came about.
var began = time.Now().Add(-time.Hour)

func (s inMemory) Subscribe(context.Context, func(entcache.Key) bool) (entcache.Stream, error) {
	return &subscribed{Stream: s.updates}, nil
}

// snapshot is a customer's set as of a moment. Everybody is on the same plan; what was used, when, and in which month is everybody's own.
func snapshot(key entcache.Key, features []string, at time.Time) *entitlements.Snapshot {
	own := 0
	for i := range len(key.CustomerID) {
		own = (own*31 + int(key.CustomerID[i])) % 10_007
	}
	now := entitlements.InstantOf(at)
	month := entitlements.InstantOf(began) - entitlements.Instant(24+own)*entitlements.Instant(time.Minute)
	grants := make([]entcache.Grant, len(features))
	for i, id := range features {
		grants[i] = entcache.Grant{
			ID: id, FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true,
			DisplayName: "Calls of the service", Description: "How often it may be called in a month", Units: "call", UnitsPlural: "calls",
			UsageLimit: 1000, HasUsageLimit: true, CurrentUsage: float64((own + 13*i) % 900), ResetPeriod: entitlements.ResetMonth,
			UsagePeriodAnchor: month, UsagePeriodStart: month, UsagePeriodEnd: month + entitlements.Instant(30*24*time.Hour),
			// By the plan, by an addon, and by hand; and used at a moment of its own.
			EntitlementUpdatedAt: now - entitlements.Instant(i%3)*entitlements.Instant(time.Second),
			UsageUpdatedAt:       now - entitlements.Instant(own+i)*entitlements.Instant(time.Microsecond),
		}
	}
	return entitlements.NewSnapshot(key, "", grants)
}

// subscribed says first that the stream is open.
type subscribed struct {
	entcache.Stream
	told bool
}

func (s *subscribed) Next(ctx context.Context) (entitlements.Event, error) {
	if !s.told {
		s.told = true
		return entitlements.Event{Kind: entitlements.EventSubscribed}, nil
	}
	return s.Stream.Next(ctx)
}

// quiet is a stream on which nothing happens.
type quiet struct{}

func (quiet) Next(ctx context.Context) (entitlements.Event, error) {
	<-ctx.Done()
	return entitlements.Event{}, ctx.Err()
}

func (quiet) Close() error { return nil }
