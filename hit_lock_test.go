package entcache

import (
	"context"
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// oneFeature is a source of one feature, with a stream on which nothing happens.
type oneFeature struct{}

func (oneFeature) Fetch(_ context.Context, key Key) (*entitlements.Snapshot, error) {
	return entitlements.NewSnapshot(key, "", []Grant{{ID: "sso", FeatureType: entitlements.FeatureBoolean, IsGranted: true, EntitlementUpdatedAt: 1}}), nil
}

func (oneFeature) Subscribe(context.Context, func(Key) bool) (Stream, error) {
	return &oneEvent{}, nil
}

type oneEvent struct{ told bool }

func (s *oneEvent) Next(ctx context.Context) (entitlements.Event, error) {
	if !s.told {
		s.told = true
		return entitlements.Event{Kind: entitlements.EventSubscribed}, nil
	}
	<-ctx.Done()
	return entitlements.Event{}, ctx.Err()
}

func (s *oneEvent) Close() error { return nil }

// The client's lock is held, as by a Start or a Close that is slow: hits are answered all the same. (Package sync has the like for
// its locks; cache's gate has none.)
func TestHitTakesNoLockOfTheClient(t *testing.T) {
	c, err := New("key", WithSource(oneFeature{}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	q := Query{CustomerID: "acme", FeatureID: "sso"}
	if _, err := c.GetEntitlement(ctx, q); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answered := make(chan Decision, 1)
	go func() { // joined by the receive below, or leaked by a test that has failed
		for range 1000 {
			c.Peek(q)
			c.GetEntitlement(ctx, q)
		}
		d, _ := c.GetEntitlement(ctx, q)
		answered <- d
	}()
	select {
	case d := <-answered:
		if !d.HasAccess || d.Origin != Live {
			t.Errorf("got %v (%v)", d.HasAccess, d.Origin)
		}
	case <-time.After(20 * time.Second):
		t.Error("a hit waits for the client's lock")
	}
}
