package main

import (
	"context"
	"fmt"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/bench/internal/measure"
	"github.com/entcache/entcache/bench/internal/raw"
)

// connect returns a client that has loaded the data from a server, over sockets.
func connect(url string, data measure.Data) (*entcache.Client, error) {
	size := measure.Size{Customers: len(data.Customers), Features: len(data.Features)}
	client, err := entcache.New("key", entcache.WithBaseURL(url), entcache.WithRequestBudget(1<<30, 1<<30), entcache.WithMaxMemory(room(size)))
	if err != nil {
		return nil, err
	}
	if err := start(client, data); err != nil {
		_ = client.Close()
		return nil, err
	}
	return client, nil
}

// eventToReader is how long it takes from the server's write to the socket until a reader, who keeps asking, is answered differently.
// The server is in this process, to have the same clock. Updates are a millisecond apart, so that each finds everything at rest.
//
// The reader lets others have its processor after each check, as everybody does who has anything else to do. One that does not makes the
// kernel let the client's thread wait, now and then, for the end of the reader's slice: 3 ms at the 99th percentile, whatever the client.
func eventToReader(o measure.Options) (map[string]measure.Values, error) {
	o.Customers = min(o.Customers, 1000)
	data := measure.NewData(o.Size)
	server, err := raw.Listen(data.Features)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	client, err := connect(server.URL(), data)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	time.Sleep(100 * time.Millisecond) // what happens within a millisecond of a fetch is a question
	feature := data.Features[len(data.Features)*2/3]
	found := map[string]measure.Values{}
	full := false
	for _, kind := range []string{"set", "usage"} {
		var took []int64
		fetches := client.Stats().Fetches
		for begun, i := time.Now(), 0; time.Since(begun) < 4*o.Time || i%len(data.Customers) != 0; i++ { // to the end of a round
			if i%len(data.Customers) == 0 {
				full = !full
			}
			u := raw.Update{Customer: data.Customers[i%len(data.Customers)], Usage: 1}
			if full {
				u.Usage = raw.Limit
			}
			if kind == "usage" {
				u.Feature = feature
			}
			sent, err := server.Send(u)
			if err != nil {
				return nil, err
			}
			q := entcache.Query{CustomerID: u.Customer, FeatureID: feature, RequestedUsage: 1}
			for {
				if d, _ := client.GetEntitlement(context.Background(), q); d.HasAccess != full {
					break
				}
				yield()
				if time.Since(sent) > 10*time.Second {
					return nil, fmt.Errorf("update %d (%+v) is not seen after 10 s: %+v", i, u, client.Stats())
				}
			}
			took = append(took, int64(time.Since(sent)))
			time.Sleep(time.Millisecond)
		}
		if more := client.Stats().Fetches - fetches; more > 0 {
			return nil, fmt.Errorf("%d fetches for %d updates: the events were to carry it all", more, len(took))
		}
		found[kind] = measure.Values{"p50-us": quantile(took, 0.5) / 1e3, "p99-us": quantile(took, 0.99) / 1e3, "updates": float64(len(took))}
	}
	return found, nil
}

// updates is a random check while so many updates of usage a second arrive over a socket.
func updates(o measure.Options) (map[string]measure.Values, error) {
	server, err := startChild(o.Size)
	if err != nil {
		return nil, err
	}
	defer server.close()
	data := measure.NewData(o.Size)
	client, err := connect(server.url, data)
	if err != nil {
		return nil, err
	}
	store := ours{client}
	defer store.Close()
	if err := server.rate(o.Rate); err != nil {
		return nil, err
	}
	before, begun := client.Stats(), time.Now()
	v, err := measure.Time(store, data, "random", o.Time, 1)
	if err != nil {
		return nil, err
	}
	took, after := time.Since(begun), client.Stats()
	v["updates/s"] = float64(after.Events-before.Events) / took.Seconds()
	v["fetches"] = float64(after.Fetches - before.Fetches)
	if after.Unreadable > 0 {
		return nil, fmt.Errorf("%d updates could not be read", after.Unreadable)
	}
	return map[string]measure.Values{"random": v}, nil
}
