package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
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
// The server is in this process, to have the same clock.
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
		fetches := client.Stats().Fetches
		var q entcache.Query
		v, err := untilSeen(o.Time, len(data.Customers), func(i int) (time.Time, error) {
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
			q = entcache.Query{CustomerID: u.Customer, FeatureID: feature, RequestedUsage: 1}
			return server.Send(u)
		}, func(int) bool {
			d, _ := client.GetEntitlement(context.Background(), q)
			return d.HasAccess != full
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %+v", err, client.Stats())
		}
		if more := client.Stats().Fetches - fetches; more > 0 {
			return nil, fmt.Errorf("%d fetches for %v updates: the events were to carry it all", more, v["updates"])
		}
		found[kind] = v
	}
	return found, nil
}

// untilSeen is how long it takes from a send until it is seen. They are a millisecond apart, so that each finds everything at rest.
func untilSeen(budget time.Duration, round int, send func(i int) (time.Time, error), seen func(i int) bool) (measure.Values, error) {
	var took []int64
	for begun, i := time.Now(), 0; time.Since(begun) < 4*budget || i%round != 0; i++ { // to the end of a round
		sent, err := send(i)
		if err != nil {
			return nil, err
		}
		for !seen(i) {
			yield()
			if time.Since(sent) > 10*time.Second {
				return nil, fmt.Errorf("update %d is not seen after 10 s", i)
			}
		}
		took = append(took, int64(time.Since(sent)))
		time.Sleep(time.Millisecond)
	}
	return measure.Values{"p50-us": quantile(took, 0.5) / 1e3, "p99-us": quantile(took, 0.99) / 1e3, "updates": float64(len(took))}, nil
}

// bareSocket is the floor of eventToReader: as many bytes, from a write to a socket until a reader who keeps looking sees that somebody has
// read them all. Nothing is made of them.
func bareSocket(o measure.Options) (map[string]measure.Values, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	found := map[string]measure.Values{}
	data := measure.NewData(o.Size)
	set := raw.Update{Customer: data.Customers[0], Usage: raw.Limit}
	usage := set
	usage.Feature = data.Features[0]
	if found["set"], err = overSocket(o, listener, raw.Frame(data.Features, set)); err != nil {
		return nil, err
	}
	if found["usage"], err = overSocket(o, listener, raw.Frame(data.Features, usage)); err != nil {
		return nil, err
	}
	return found, nil
}

func overSocket(o measure.Options, listener net.Listener, message []byte) (measure.Values, error) {
	out, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	defer out.Close()
	in, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer in.Close() // and so the reader ends
	var read atomic.Int64
	reading.Go(func() {
		whole := bufio.NewReaderSize(in, 32<<10)
		for buf := make([]byte, len(message)); ; read.Add(1) {
			if _, err := io.ReadFull(whole, buf); err != nil {
				return
			}
		}
	})
	return untilSeen(o.Time, 1, func(int) (time.Time, error) {
		sent := time.Now()
		_, err := out.Write(message)
		return sent, err
	}, func(i int) bool { return read.Load() > int64(i) })
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
