package main

import (
	"context"

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
	return snapshot(key, s.features, 1), nil
}

func (s inMemory) Subscribe(context.Context, func(entcache.Key) bool) (entcache.Stream, error) {
	return &subscribed{Stream: s.updates}, nil
}

// snapshot is a customer's set as of a moment.
func snapshot(key entcache.Key, features []string, at entitlements.Instant) *entitlements.Snapshot {
	grants := make([]entcache.Grant, len(features))
	for i, id := range features {
		grants[i] = entcache.Grant{
			ID: id, FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterIncremental, IsGranted: true,
			UsageLimit: 1000, HasUsageLimit: true, CurrentUsage: float64(i % 500), EntitlementUpdatedAt: at, UsageUpdatedAt: at,
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
