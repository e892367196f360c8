package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/bench/internal/measure"
)

// inFlight is how many fetches a Prefetch has under way.
const inFlight = 16

// prefetch is a service that starts: a client that knows nobody loads everybody, from a server in a process of its own.
func prefetch(o measure.Options) (map[string]measure.Values, error) {
	server, err := startChild(o.Size)
	if err != nil {
		return nil, err
	}
	defer server.close()
	empty := liveHeap()
	watched, collected := watchPeak(), watchCollections()
	begun, spent := time.Now(), processorTime()
	// The names are made within, so that the memory of those that the client keeps is counted as the client's.
	client, err := connect(server.url, measure.NewData(o.Size))
	took, spent := time.Since(begun), processorTime()-spent
	live, objects := watched.end()
	pause, share := collected.end()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	resident := liveHeap() - empty
	status, n := client.Status(), float64(o.Customers)
	if status.Resident != o.Customers {
		return nil, fmt.Errorf("%d customers are resident, want %d", status.Resident, o.Customers)
	}
	v := measure.Values{
		"cpu-ns/customer": float64(spent.Nanoseconds()) / n,
		"customers/s":     n / took.Seconds(),
		"B/customer":      float64(resident) / n,
		"estimate-B":      float64(status.MemoryBytes) / n, // what WithMaxMemory takes it for
		"resident-MB":     float64(resident) / 1e6,
		"gc-cpu-share":    share,
		"gc-pause-us":     float64(pause.Microseconds()),
	}
	// What is reachable at most, and what the heap holds with its garbage, which follows GOGC.
	v["live-peak/resident"] = max(float64(live)-float64(empty), float64(resident)) / float64(resident)
	v["heap-peak/resident"] = (float64(objects) - float64(empty)) / float64(resident)
	return map[string]measure.Values{"load": v}, nil
}

// barePost is the floor of a fetch: the same number of POSTs under way, to the same server, whose replies are read and thrown away.
func barePost(o measure.Options) (map[string]measure.Values, error) {
	server, err := startChild(o.Size)
	if err != nil {
		return nil, err
	}
	defer server.close()
	transport := &http.Transport{MaxIdleConnsPerHost: inFlight, DisableCompression: true}
	defer transport.CloseIdleConnections()
	body := strings.Repeat("x", 1230) // as long as a fetch
	client := &http.Client{Transport: transport}
	var (
		next   atomic.Int64
		failed atomic.Pointer[error]
		posts  sync.WaitGroup
	)
	spent := processorTime()
	for range inFlight {
		posts.Go(func() {
			var reply bytes.Buffer
			for next.Add(1) <= int64(o.Customers) && failed.Load() == nil {
				if err := post(client, server.url, body, &reply); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	posts.Wait()
	spent = processorTime() - spent
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return map[string]measure.Values{"load": {"cpu-ns/customer": float64(spent.Nanoseconds()) / float64(o.Customers)}}, nil
}

func post(client *http.Client, url, body string, reply *bytes.Buffer) error {
	req, err := http.NewRequest(http.MethodPost, url+"/graphql", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-API-KEY", "key")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	reply.Reset()
	_, err = io.Copy(reply, res.Body)
	return errors.Join(err, res.Body.Close())
}

// resident is a large client: how it loads, how quick a check is when few customers are popular, and what the garbage collector does
// while a thousand sets a second are replaced. The source is in memory: the network is prefetch's question.
func resident(o measure.Options) (map[string]measure.Values, error) {
	empty := liveHeap()
	data := measure.NewData(o.Size)
	names := liveHeap() - empty
	sets := &storm{data: data, blows: make(chan struct{}), pause: time.Millisecond}
	begun := time.Now()
	client, err := load(data, sets)
	took := time.Since(begun)
	if err != nil {
		return nil, err
	}
	store := ours{client}
	defer store.Close()
	held := liveHeap() - empty
	status := client.Status()
	if status.Resident != o.Customers {
		return nil, fmt.Errorf("%d customers are resident, want %d", status.Resident, o.Customers)
	}
	loaded := measure.Values{
		"s": took.Seconds(), "customers/s": float64(o.Customers) / took.Seconds(), "resident-MB": float64(held) / 1e6,
		"B/customer": float64(held-names) / float64(o.Customers), "estimate-B": float64(status.MemoryBytes) / float64(o.Customers),
	}
	skewed, err := measure.Time(store, data, measure.Skewed, 4*o.Time, 1)
	if err != nil {
		return nil, err
	}
	collected := watchCollections()
	close(sets.blows)
	refreshed, err := measure.Time(store, data, measure.Skewed, 4*o.Time, 1)
	if err != nil {
		return nil, err
	}
	pause, share := collected.end()
	refreshed["gc-pause-us"], refreshed["gc-cpu-share"] = float64(pause.Microseconds()), share
	delete(refreshed, "allocs/op") // the updates'
	delete(refreshed, "B/op")
	return map[string]measure.Values{"load": loaded, measure.Skewed: skewed, "refreshing": refreshed}, nil
}
