package entcache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// TestMeterIsExact: whatever the network does to a client that alone reports to a meter, each check shows what it has reported so far,
// all of it and none of it twice; and in the end Stigg has counted the same. A seed fixes the choices, each at its own instant.
func TestMeterIsExact(t *testing.T) {
	seeds := uint64(100)
	if raceDetector {
		seeds = 20
	}
	for seed := range seeds {
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { meterSim(t, seed) }) }) {
			return
		}
	}
}

func meterSim(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 77))
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, stigg: stigg, pipe: stigg.Pipe()}
	way := &network{pipe: w.pipe, seed: seed}
	w.provision("acme", "growth")
	crowded := r.IntN(4) == 0
	opts := []entcache.Option{entcache.WithDialContext(way.dial), entcache.WithPollInterval(10 * time.Second), entcache.WithCloseTimeout(time.Hour)}
	if crowded {
		opts = append(opts, entcache.WithMaxMemory(8<<10))
		for n := range 5 {
			w.provision(fmt.Sprint("other-", n), "free")
		}
	}
	if r.IntN(4) == 0 {
		opts = append(opts, entcache.WithoutRealtime())
	}
	w.client = w.newClient(opts...)
	defer stigg.Close()
	defer time.Sleep(2 * longestWay) // what is on its way
	defer w.client.Close()
	w.start(w.client)

	var mu sync.Mutex
	var begun, done float64 // what has been handed to the meter, and what the meter has taken
	total := func(x *float64) float64 { mu.Lock(); defer mu.Unlock(); return *x }
	var trace []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if t.Failed() {
			return
		}
		trace = append(trace, fmt.Sprintf("%v  ", time.Now().Format("04:05.000"))+fmt.Sprintf(format, args...))
	}
	var failed sync.Once
	check := func() {
		least := total(&done)
		d, _ := w.client.GetEntitlement(context.Background(), apiCalls("acme"))
		most := total(&begun)
		if d.Origin == entcache.Fallback {
			return
		}
		got := d.Entitlement.CurrentUsage()
		ok := got >= least && got <= most
		if crowded && got > most {
			ok = got <= 2*most // a set that is fetched while a report is on its way may show it, and count it until its answer
		}
		if !ok {
			failed.Do(func() {
				note("%v: %v, of it %v pending; reported were %v to %v", d.Origin, got, d.Entitlement.PendingUsage(), least, most)
				t.Fail()
			})
		}
	}

	check() // loaded before anything is reported
	ctx, quiet := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	act := func(n uint64, pause time.Duration, do func(*rand.Rand)) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, n))
			for {
				time.Sleep(time.Duration(r.Int64N(int64(pause))))
				if ctx.Err() != nil {
					return
				}
				do(r)
			}
		})
	}
	act(1, 400*time.Millisecond, func(r *rand.Rand) {
		v := float64(1 + r.IntN(5))
		mu.Lock()
		begun += v
		mu.Unlock()
		if err := w.client.Meter.Report(t.Context(), calls("acme", v)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		done += v
		mu.Unlock()
		note("reported %v", v)
		check()
	})
	act(2, 50*time.Millisecond, func(*rand.Rand) { check() })
	act(3, 3*time.Second, func(r *rand.Rand) { // what others do to the customer
		switch r.IntN(3) {
		case 0:
			_, _ = stigg.Report("acme", "", "seats", float64(r.IntN(5)-2))
		case 1:
			w.client.Reload(context.Background(), entcache.Key{CustomerID: "acme"})
		case 2:
			_ = stigg.SetEntitlement("acme", "", emulator.Entitlement{Feature: "upload-size", Limit: new(float64(r.IntN(100)))})
		}
		if crowded {
			for n := range 5 {
				w.client.GetEntitlement(context.Background(), apiCalls(fmt.Sprint("other-", n)))
			}
		}
	})
	f := stigg.Faults()
	act(4, 4*time.Second, func(r *rand.Rand) {
		n := r.IntN(11)
		note("sabotage %d", n)
		switch n {
		case 0:
			f.CutSockets()
		case 1:
			f.Delay(time.Duration(r.IntN(3000)) * time.Millisecond)
		case 2:
			f.FailNext(1+r.IntN(3), emulator.Reply{Status: 502, Body: "<html>"})
		case 3:
			f.FailNext(1+r.IntN(3), emulator.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}})
		case 4: // counted, and the answer lost
			f.ReplaceReply("reportUsageBulk", emulator.Reply{Status: 502, Body: "<html>"})
			time.Sleep(time.Duration(r.IntN(8)) * time.Second)
			f.RestoreReply("reportUsageBulk")
		case 5:
			f.HangHTTP(true)
			time.Sleep(time.Duration(r.IntN(40)) * time.Second)
			f.HangHTTP(false)
		case 6:
			f.Refuse(true)
			way.cut()
			time.Sleep(time.Duration(r.IntN(20)) * time.Second)
			f.Refuse(false)
		case 7:
			f.DuplicateEvents(3)
		case 8:
			f.ReplayEvents(1+r.IntN(4), r.IntN(8))
		case 9:
			f.DelayEvents(time.Duration(r.IntN(4000)) * time.Millisecond)
		case 10:
			f.Clear()
		}
	})
	time.Sleep(2 * time.Minute)
	quiet()
	wg.Wait()
	f.Clear()
	if err := w.client.Meter.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Minute)
	check()
	if e, _ := stigg.Snapshot("acme", "").Find("api-calls"); e.Usage != done {
		note("Stigg has counted %v of %v", e.Usage, done)
		t.Fail()
	}
	if d, _ := w.client.GetEntitlement(t.Context(), apiCalls("acme")); d.Entitlement.PendingUsage() != 0 || d.Entitlement.CurrentUsage() != done {
		note("in the end: %v, of it %v pending; %v", d.Entitlement.CurrentUsage(), d.Entitlement.PendingUsage(), d.Origin)
		t.Fail()
	}
	if t.Failed() {
		for _, line := range trace[max(0, len(trace)-60):] {
			t.Log(line)
		}
	}
}
