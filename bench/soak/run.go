package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// config is what a soak is told.
type config struct {
	time    time.Duration
	seed    uint64
	readers int
	rate    int
	log     io.Writer

	noArchive bool // see "Leaving things out"
	calendar  bool
}

// The client under test. A poll interval of 200 ms makes a bound of 2 s, as the safety net under a stream is ten times as
// long; the budget lets all that is resident be confirmed that often, and leaves little to spare.
const (
	pollInterval      = 200 * time.Millisecond
	requestsPerMinute = 2400
	burst             = 40
	checkTimeout      = time.Second
	stormTime         = 4 * time.Second
)

// report is what a soak found.
type report struct {
	config
	took       time.Duration
	checks     uint64
	origins    [8]uint64
	slowest    time.Duration
	judged     uint64
	census     int
	states     int
	counts     map[string]int
	story      string
	stats      entcache.Stats
	operations int
	faults     int
	kills      int
	rounds     int
	recovery   time.Duration
	mostFetch  [2]int
	goroutines [2]int // before and after
	heap       [2]uint64
}

// run soaks and reports. An error says why it could not go on.
func run(ctx context.Context, c config) (r *report, err error) {
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	server, err := build(ctx, dir)
	if err != nil {
		return nil, err
	}
	if server.catalog, err = catalog(dir, c.calendar); err != nil {
		return nil, err
	}
	r = &report{config: c}
	r.goroutines[0], r.heap[0] = measure()
	began := time.Now()
	if err := soak(ctx, server, c, r); err != nil {
		return nil, err
	}
	r.took = time.Since(began)
	// Connections that were being closed take a moment.
	for wait := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if r.goroutines[1], r.heap[1] = measure(); r.goroutines[1] <= r.goroutines[0] {
			break
		}
		if time.Since(wait) > 3*time.Second {
			r.counts[leaked] += r.goroutines[1] - r.goroutines[0]
			stacks := make([]byte, 1<<16)
			r.story += fmt.Sprintf("%s: after Close\n%s\n", leaked, stacks[:runtime.Stack(stacks, true)])
			break
		}
	}
	return r, nil
}

// catalog writes what the emulator sells: the demo catalog, its periods counted as told.
func catalog(dir string, calendar bool) (string, error) {
	demo := emulator.DemoCatalog()
	for _, plan := range demo.Plans {
		for i := range plan.Entitlements {
			if e := &plan.Entitlements[i]; e.Reset == emulator.Month {
				e.ResetOn = resetOn(calendar)
			}
		}
	}
	text, err := json.Marshal(demo) // which is YAML
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "catalog.yaml")
	return file, os.WriteFile(file, text, 0o600)
}

func resetOn(calendar bool) emulator.ResetOn {
	if calendar {
		return emulator.Calendar
	}
	return "" // the start of the subscription
}

func measure() (goroutines int, heap uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

// soak runs emulator, client, readers and operator, and ends them all.
func soak(ctx context.Context, server *server, c config, r *report) (err error) {
	const apiKey = "soak-key-0"
	if err := server.start(apiKey); err != nil {
		return err
	}
	defer server.kill()
	ctrl := newControl(server)
	defer ctrl.http.CloseIdleConnections()
	keys := keys()
	questions := questions(keys)
	budget := &budgetCheck{perSecond: requestsPerMinute / 60.0, burst: burst, slack: 500 * time.Millisecond}
	judge := newJudge(ctrl, keys, questions, budget)

	client, err := entcache.New(apiKey, entcache.WithBaseURL("http://"+server.listen), entcache.WithProxy(nil),
		entcache.WithPollInterval(pollInterval), entcache.WithRequestBudget(requestsPerMinute, burst), entcache.WithEntitlementTimeout(checkTimeout))
	if err != nil {
		return err
	}
	defer client.Close()
	o := &operator{
		server: server, control: ctrl, judge: judge, client: client, keys: keys, rate: c.rate, log: c.log,
		random: rand.New(rand.NewPCG(c.seed, 0)), apiKey: apiKey, noArchive: c.noArchive, resetOn: resetOn(c.calendar),
	}
	if err := o.settle(ctx); err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}

	reading, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	var readers []*reader
	for i := range c.readers {
		readers = append(readers, newReader(client, questions, rand.New(rand.NewPCG(c.seed, uint64(i+1)))))
	}
	judge.watch(readers)
	for _, reader := range readers {
		wg.Go(func() { reader.run(reading) })
	}

	for end := time.Now().Add(c.time); time.Now().Before(end) && !judge.broken(); r.rounds++ {
		if err := o.storm(ctx, min(stormTime, time.Until(end))); err != nil {
			return err
		}
		if judge.broken() {
			break
		}
		if r.rounds%2 == 0 {
			if err := o.kill(ctx); err != nil {
				return err
			}
			if err := o.storm(ctx, min(stormTime/4, c.time/8)); err != nil {
				return err
			}
		}
		if err := o.calm(ctx); err != nil {
			return err
		}
	}
	r.stats = client.Stats()
	client.Close() // while readers read: they get the fallback from here on
	stop()
	wg.Wait()
	if err := judge.sit(ctx); err != nil {
		return err
	}
	for _, reader := range readers {
		r.checks += reader.checks
		r.slowest = max(r.slowest, reader.slowest)
		for i, n := range reader.origins {
			r.origins[i] += n
		}
	}
	for i := range judge.logs {
		r.states += judge.logs[i].grants.end()
		for s := range judge.logs[i].usages {
			r.states += judge.logs[i].usages[s].end()
		}
	}
	r.judged, r.counts, r.story, r.census = judge.judged, judge.counts, judge.first, o.census
	r.operations, r.faults, r.kills, r.recovery, r.mostFetch = o.operations, o.faults, o.kills, o.slowest, budget.most
	return nil
}

func (r *report) violations() int {
	n := 0
	for _, kind := range kinds {
		n += r.counts[kind]
	}
	return n
}

func (r *report) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	line("time", "%v, %d rounds, %d kills", r.took.Round(time.Second/10), r.rounds, r.kills)
	line("operator", "%d changes, %d faults, %d sets and usages in the history", r.operations, r.faults, r.states)
	line("checks", "%d, %.2f million/s", r.checks, float64(r.checks)/r.took.Seconds()/1e6)
	line("answers", "live %d, stale %d, fetched %d, fallback %d, and %d while Close was under way", r.origins[entcache.Live],
		r.origins[entcache.Stale], r.origins[entcache.Fetched], r.stats.Fallbacks, r.origins[entcache.Fallback]-min(r.stats.Fallbacks, r.origins[entcache.Fallback]))
	line("waited for Stigg", "%d reads", r.stats.Misses)
	line("judged", "%d changes of answers, %d answers in quiet times", r.judged, r.census)
	for _, kind := range kinds {
		line(kind, "%d", r.counts[kind])
	}
	line("slowest from memory", "%v for %d checks", r.slowest, batch)
	line("streams", "%d opened; Live at most %v after the last fault", r.stats.Connects, r.recovery.Round(time.Millisecond))
	line("fetches", "%d, %d failed, %d answered 429; at most %d in a second, %d in a minute, of %v + %d",
		r.stats.Fetches, r.stats.Failures, r.stats.RateLimited, r.mostFetch[0], r.mostFetch[1], burst, requestsPerMinute)
	line("events", "%d, %d unreadable, %d questions", r.stats.Events, r.stats.Unreadable, r.stats.Questions)
	line("goroutines", "%d before, %d after", r.goroutines[0], r.goroutines[1])
	line("heap", "%.1f MB before, %.1f MB after", float64(r.heap[0])/1e6, float64(r.heap[1])/1e6)
	t.Flush()
}
