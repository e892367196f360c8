package entcache_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// world is a Stigg and one client of it, joined by a pipe in memory, inside a synctest bubble: time is virtual.
type world struct {
	*testing.T
	stigg  *emulator.Emulator
	pipe   *emulator.Pipe
	client *entcache.Client
}

// newWorld starts an emulator with two customers of the demo catalog, acme on free and globex on starter, and makes a client
// that is not started.
func newWorld(t *testing.T, opts ...entcache.Option) *world {
	t.Helper()
	return newWorldOf(t, emulator.Config{}, opts...)
}

// newWorldOf is newWorld with an emulator that is configured.
func newWorldOf(t *testing.T, config emulator.Config, opts ...entcache.Option) *world {
	t.Helper()
	stigg, err := emulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, stigg: stigg, pipe: stigg.Pipe()}
	w.provision("acme", "free")
	w.provision("globex", "starter")
	w.client = w.newClient(opts...)
	t.Cleanup(func() {
		w.client.Close()
		stigg.Close()
		synctest.Wait()
	})
	return w
}

// started is newWorld with the client started, and Live.
func started(t *testing.T, opts ...entcache.Option) *world {
	t.Helper()
	w := newWorld(t, opts...)
	w.start(w.client)
	return w
}

func (w *world) newClient(opts ...entcache.Option) *entcache.Client {
	w.Helper()
	c, err := entcache.New(emulator.DefaultAPIKey, append([]entcache.Option{
		entcache.WithBaseURL(w.pipe.URL()), entcache.WithDialContext(w.pipe.DialContext), entcache.WithProxy(nil),
	}, opts...)...)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) start(c *entcache.Client) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		w.Fatal(err)
	}
}

func (w *world) provision(customerID, planID string) {
	w.Helper()
	if err := w.stigg.Provision(customerID, "", planID); err != nil {
		w.Fatal(err)
	}
}

// check asks, and wants no error.
func (w *world) check(customerID, featureID string, usage float64) entcache.Decision {
	w.Helper()
	d, err := w.client.GetEntitlement(context.Background(), entcache.Query{CustomerID: customerID, FeatureID: featureID, RequestedUsage: usage})
	if err != nil {
		w.Errorf("GetEntitlement(%s, %s, %v): %v", customerID, featureID, usage, err)
	}
	return d
}

// want checks an answer and where it came from.
func (w *world) want(d entcache.Decision, access bool, origin entcache.Origin) {
	w.Helper()
	if d.HasAccess != access || d.Origin != origin {
		w.Errorf("got access %v (%s), %v; want access %v, %v", d.HasAccess, d.AccessDeniedReason, d.Origin, access, origin)
	}
}

func (w *world) wantState(s entcache.State) {
	w.Helper()
	if got := w.client.Status(); got.State != s {
		w.Errorf("state is %v (last error: %v), want %v", got.State, got.Err, s)
	}
}

// answersSlowly has every answer take longer than no time at all: what is fetched of itself after a write is not there before the test,
// however slow its machine, has read.
func (w *world) answersSlowly() { w.stigg.Faults().Delay(10 * time.Millisecond) }

// settle lets everything that can happen now happen.
func (w *world) settle() { synctest.Wait() }

// after lets virtual time pass, and then everything that can happen.
func (w *world) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// bubble runs a story on virtual time.
func bubble(t *testing.T, story func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, story)
}
