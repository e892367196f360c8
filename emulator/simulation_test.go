package emulator

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSubscribersSeeChangesInOrderAndEndWithTheTruth lets several operators change a few customers at random, all at
// once, while subscribers listen and some sockets are cut. Whoever listened to the end has heard, for every key, stamps
// that only grow, and at last exactly what Snapshot says.
func TestSubscribersSeeChangesInOrderAndEndWithTheTruth(t *testing.T) {
	for range 2 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	b := newBench(t, Config{SocketQueue: 1 << 14})
	customers := []string{"a", "b", "c"}
	resources := []string{"", "r"}

	listeners := make([]*listener, 3)
	var hearing sync.WaitGroup
	for i := range listeners {
		ws := b.connect()
		ws.subscribe("e", onEntitlements)
		ws.subscribe("u", onUsage)
		listeners[i] = &listener{ws: ws, sets: map[string]heardSet{}, usage: map[string]heardUsage{}}
		hearing.Go(listeners[i].run)
	}
	victim := b.connect()
	victim.subscribe("e", onEntitlements)
	hearing.Go(func() { // reads until it is cut
		for {
			if _, err := victim.next(24 * 365 * time.Hour); err != nil {
				return
			}
		}
	})

	var working sync.WaitGroup
	for worker := range 4 {
		rng := rand.New(rand.NewPCG(seed, uint64(worker)))
		working.Go(func() {
			for range 40 {
				c, r := customers[rng.IntN(len(customers))], resources[rng.IntN(len(resources))]
				switch rng.IntN(8) {
				case 0:
					b.Provision(c, r, []string{"free", "starter", "growth", "enterprise"}[rng.IntN(4)])
				case 1:
					b.DenyEntitlement(c, r, Entitlement{Feature: "sso"}, "Revoked")
				case 2:
					b.ClearEntitlement(c, r, "sso", "")
				case 3:
					b.GrantPromotional(c, Entitlement{Feature: "audit-log"}, time.Now().Add(time.Duration(rng.IntN(100))*time.Hour))
				case 4:
					time.Sleep(time.Duration(rng.IntN(48)) * time.Hour)
				default:
					b.Report(c, r, []string{"seats", "api-calls", "ai-answers"}[rng.IntN(3)], float64(rng.IntN(60)-10))
				}
			}
		})
	}
	working.Go(func() {
		time.Sleep(10 * time.Hour)
		b.sockets.each(func(s *socket) {
			if s.conn.RemoteAddr() != nil && len(s.live()) == 1 {
				s.cut() // the victim: the one with a single subscription
			}
		})
	})
	working.Wait()
	for _, c := range customers { // whatever is due takes effect, and is told; periods that are over are, by a report
		for _, r := range resources {
			for _, ent := range b.Snapshot(c, r).Entitlements {
				b.Report(c, r, ent.FeatureID, 0)
			}
		}
	}
	synctest.Wait()
	b.Faults().CloseSockets(1000, "done")
	hearing.Wait()

	for i, l := range listeners {
		if l.err != nil {
			t.Fatalf("listener %d: %v", i, l.err)
		}
		for key, set := range l.sets {
			var c, r string
			fmt.Sscanf(key, "%1s/%s", &c, &r)
			snap := b.Snapshot(c, r)
			if got, want := fmt.Sprint(set.reason, len(set.features)), fmt.Sprint(snap.AccessDeniedReason, len(snap.Entitlements)); got != want {
				t.Errorf("listener %d, %s: heard %s, truth is %s", i, key, got, want)
			}
			for _, ent := range snap.Entitlements {
				id := ent.FeatureID + ent.CurrencyID
				if !set.features[id] {
					t.Errorf("listener %d, %s: never heard of %s", i, key, id)
				}
				if !set.stamp.Equal(ent.EntitlementStamp) {
					t.Errorf("listener %d, %s: last set heard is of %s, truth of %s", i, key, set.stamp, ent.EntitlementStamp)
				}
				u, ok := l.usage[key+"/"+id]
				if ok && ent.FeatureID != "" && (!u.stamp.Equal(ent.UsageStamp) || u.value != ent.Usage) {
					t.Errorf("listener %d, %s: usage of %s heard %v of %s, truth is %v of %s", i, key, id, u.value, u.stamp, ent.Usage, ent.UsageStamp)
				}
			}
		}
		if len(l.sets) == 0 {
			t.Errorf("listener %d heard nothing", i)
		}
	}
}

type heardSet struct {
	reason   string
	stamp    time.Time
	features map[string]bool
}

type heardUsage struct {
	stamp time.Time
	value float64
}

// listener keeps what it last heard of every key, and the first thing that went backwards.
type listener struct {
	ws    *wsClient
	sets  map[string]heardSet
	usage map[string]heardUsage
	err   error
}

func (l *listener) run() {
	for {
		m, err := l.ws.next(24 * 365 * time.Hour)
		if err != nil {
			return
		}
		var p struct {
			Data struct {
				EntitlementsUpdatedV2 *struct {
					CustomerID         string
					ResourceID         string
					AccessDeniedReason string
					Entitlements       []struct {
						Feature              struct{ RefID string }
						Currency             struct{ CurrencyID string }
						EntitlementUpdatedAt time.Time
					}
				}
				UsageUpdatedV2 *struct {
					CustomerID           string
					ResourceID           string
					EntitlementReference struct{ ID string }
					Usage                struct {
						CurrentUsage   float64
						UsageUpdatedAt time.Time
					}
				}
			}
		}
		if err := json.Unmarshal(m.Payload, &p); err != nil {
			l.fail("%s: %v", m.Payload, err)
		}
		if e := p.Data.EntitlementsUpdatedV2; e != nil {
			key := e.CustomerID + "/" + e.ResourceID
			set := heardSet{reason: e.AccessDeniedReason, features: map[string]bool{}}
			for _, ent := range e.Entitlements {
				set.features[ent.Feature.RefID+ent.Currency.CurrencyID] = true
				if !set.stamp.IsZero() && !ent.EntitlementUpdatedAt.Equal(set.stamp) {
					l.fail("%s: two stamps in one set", key)
				}
				set.stamp = ent.EntitlementUpdatedAt
			}
			if last := l.sets[key].stamp; !set.stamp.IsZero() && !set.stamp.After(last) {
				l.fail("%s: set stamped %s after %s", key, set.stamp, last)
			}
			l.sets[key] = set
		}
		if u := p.Data.UsageUpdatedV2; u != nil {
			key := u.CustomerID + "/" + u.ResourceID + "/" + u.EntitlementReference.ID
			if last := l.usage[key].stamp; !u.Usage.UsageUpdatedAt.After(last) {
				l.fail("%s: usage stamped %s after %s", key, u.Usage.UsageUpdatedAt, last)
			}
			l.usage[key] = heardUsage{u.Usage.UsageUpdatedAt, u.Usage.CurrentUsage}
		}
	}
}

func (l *listener) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// TestFaultsAreSafeInAnyOrder turns every fault on and off at random while clients come and go; the race detector and
// Close are the judges.
func TestFaultsAreSafeInAnyOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{SocketQueue: 8})
		b.provision("a", "", "growth")
		var all sync.WaitGroup
		for worker := range 6 {
			rng := rand.New(rand.NewPCG(seed, uint64(worker)))
			all.Go(func() {
				f := b.Faults()
				for range 40 {
					switch rng.IntN(16) {
					case 0:
						f.CutSockets()
					case 1:
						f.CloseSockets(1012, "restart")
					case 2:
						f.Refuse(rng.IntN(2) == 0)
					case 3:
						f.HalfOpen(rng.IntN(3) == 0)
					case 4:
						f.DropEvents(rng.IntN(3))
					case 5:
						f.DuplicateEvents(rng.IntN(3))
					case 6:
						f.ReorderEvents(rng.IntN(3))
					case 7:
						f.DelayEvents(time.Duration(rng.IntN(3)) * time.Second)
					case 8:
						f.CompleteSubscriptions()
					case 9:
						f.ErrorSubscriptions("UnexpectedError")
					case 10:
						f.InjectFrame([]byte("{}"))
					case 11:
						f.FailNext(1, Reply{Status: 500})
					case 12:
						f.Clear()
					default:
						if ws, _, err := b.dialWith(subprotocol); err == nil {
							for _, say := range []string{initKey, `{"id":"1","type":"subscribe","payload":{"query":"` + onUsage + `"}}`, `{"id":"1","type":"complete"}`, `{"type":"ping"}`} {
								ws.SetWriteDeadline(time.Now().Add(time.Second))
								ws.WriteMessage(1, []byte(say))
							}
							ws.next(time.Second)
						}
						b.Report("a", "", "api-calls", 1)
					}
					time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
				}
			})
		}
		all.Wait()
		b.Close()
		if n := b.Sockets() + b.Subscriptions(); n != 0 {
			t.Errorf("%d sockets and subscriptions after Close", n)
		}
	})
}
