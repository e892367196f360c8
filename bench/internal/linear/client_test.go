package linear

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
)

const (
	changes = 200 // by this client and by others, each
	readers = 3
)

// recorder notes what one goroutine does.
type recorder struct {
	began time.Time
	list  []porcupine.Operation
}

func (r *recorder) now() int64 { return int64(time.Since(r.began)) }

// TestClientIsARegister has checks, fills, events and writes of one key meet on a real client and real sockets, while events are
// doubled, reordered, delayed and lost, and the socket is cut.
func TestClientIsARegister(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			stigg, err := emulator.New(emulator.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer stigg.Close()
			if err := stigg.Start(); err != nil {
				t.Fatal(err)
			}
			if err := stigg.Provision("acme", "", "starter"); err != nil {
				t.Fatal(err)
			}
			client, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(stigg.URL()), entcache.WithRequestBudget(1<<30, 1<<30))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := client.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			history := record(t, stigg, client, seed)
			began := time.Now()
			if got := judge(history); got != porcupine.Ok {
				t.Errorf("%d operations are %v: no order explains them; %s", len(history), got, contradictions(history))
			}
			s := client.Stats()
			t.Logf("%d operations judged in %v; %d fetches, %d events, %d questions, %d streams", len(history), time.Since(began), s.Fetches, s.Events, s.Questions, s.Connects)
			if s.Connects < 2 || s.Events < changes/2 || s.Fetches < 10 {
				t.Errorf("%+v: the history tests nothing", s)
			}
		})
	}
}

// record has everybody at work until all changes are made, and returns what they did and saw.
func record(t *testing.T, stigg *emulator.Emulator, client *entcache.Client, seed uint64) []porcupine.Operation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seats := entcache.Query{CustomerID: "acme", FeatureID: "seats"}
	began := time.Now()
	var over atomic.Bool
	var writing, reading sync.WaitGroup
	var all [readers + 3]recorder
	check := func(r *recorder) {
		at := r.now()
		d, err := client.GetEntitlement(ctx, seats)
		if err != nil || !d.Entitlement.Exists() {
			t.Errorf("check: %v, %v (%s)", err, d.Origin, d.AccessDeniedReason)
			return
		}
		r.list = append(r.list, read(int(d.Entitlement.CurrentUsage()), at, r.now()))
	}
	for i := range all {
		all[i].began = began
	}
	for i := range readers {
		reading.Go(func() {
			tick := time.NewTicker(time.Duration(500+100*i) * time.Microsecond)
			defer tick.Stop()
			for !over.Load() {
				check(&all[i])
				<-tick.C
			}
		})
	}
	reading.Go(func() { // fills, whatever else is going on
		r := &all[readers]
		tick := time.NewTicker(7 * time.Millisecond)
		defer tick.Stop()
		for !over.Load() {
			at := r.now()
			set, err := client.Reload(ctx, entcache.Key{CustomerID: seats.CustomerID})
			if err != nil {
				t.Errorf("reload: %v", err)
				return
			}
			if e, ok := set.Find(entitlements.Feature(seats.FeatureID)); ok {
				r.list = append(r.list, read(int(e.CurrentUsage()), at, r.now()))
			}
			<-tick.C
		}
	})
	writing.Go(func() { // this client
		r := &all[readers+1]
		tick := time.NewTicker(4 * time.Millisecond)
		defer tick.Stop()
		for range changes {
			<-tick.C
			at := r.now()
			out, err := client.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: seats.CustomerID, FeatureId: seats.FeatureID, Value: 1})
			if err != nil {
				t.Errorf("report: %v", err)
				return
			}
			r.list = append(r.list, write(int(*out.CurrentUsage), at, r.now()))
			check(r)
		}
	})
	writing.Go(func() { // somebody else, and the weather
		r := &all[readers+2]
		rnd := rand.New(rand.NewPCG(seed, 7))
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		faults := stigg.Faults()
		for i := range changes {
			switch rnd.IntN(8) {
			case 0:
				faults.DuplicateEvents(1 + rnd.IntN(4))
			case 1:
				faults.ReorderEvents(1 + rnd.IntN(4))
			case 2:
				faults.DropEvents(1 + rnd.IntN(3))
			case 3:
				faults.DelayEvents(time.Duration(rnd.IntN(5)) * time.Millisecond)
			case 4:
				faults.ReorderEvents(0)
			}
			if i == changes/4 {
				faults.CutSockets() // the next stream is there before the last change is made
			}
			at := r.now()
			n, err := stigg.Report(seats.CustomerID, "", seats.FeatureID, 1)
			if err != nil {
				t.Errorf("change: %v", err)
				return
			}
			r.list = append(r.list, write(int(n), at, never))
			<-tick.C
		}
	})
	writing.Wait()
	over.Store(true)
	reading.Wait()
	var history []porcupine.Operation
	for i := range all {
		for _, op := range all[i].list {
			op.ClientId = i
			history = append(history, op)
		}
	}
	return history
}
