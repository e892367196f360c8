package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unbounded is a request budget that measures the client, not its manners.
var unbounded = entcache.WithRequestBudget(1<<30, 1<<30)

// listen starts an emulator on loopback with n customers on the plan starter.
func listen(tb testing.TB, n int) (*emulator.Emulator, []entcache.Key) {
	tb.Helper()
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { stigg.Close() })
	if err := stigg.Start(); err != nil {
		tb.Fatal(err)
	}
	keys := make([]entcache.Key, n)
	for i := range keys {
		keys[i].CustomerID = fmt.Sprintf("customer-%05d", i)
		if err := stigg.Provision(keys[i].CustomerID, "", "starter"); err != nil {
			tb.Fatal(err)
		}
	}
	return stigg, keys
}

// connect returns a client that is Live. The caller closes it.
func connect(tb testing.TB, stigg *emulator.Emulator, opts ...entcache.Option) *entcache.Client {
	tb.Helper()
	opts = append([]entcache.Option{entcache.WithBaseURL(stigg.URL()), unbounded}, opts...)
	client, err := entcache.New(emulator.DefaultAPIKey, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := client.Start(ctx); err != nil {
		client.Close()
		tb.Fatal(err)
	}
	return client
}

// until asks, every 50 µs, until the answer about access is as wanted. A reader that spins would take the processor that the
// emulator and the client need to bring the news.
func until(tb testing.TB, client *entcache.Client, q entcache.Query, access bool) {
	tb.Helper()
	ctx := context.Background()
	look := time.NewTicker(50 * time.Microsecond)
	defer look.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for {
		d, err := client.GetEntitlement(ctx, q)
		if err == nil && d.HasAccess == access {
			return
		}
		if now := <-look.C; now.After(deadline) {
			tb.Fatalf("%+v is %v (%v, %v) after 10s, want %v", q, d.HasAccess, d.Origin, err, access)
		}
	}
}
