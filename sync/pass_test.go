package syncer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// The stories of this file are about a pass over very many keys while reads and questions go on.

// many are n customers in memory, all of them Live.
func (w *world) many(n int) []key {
	keys := make([]key, n)
	for i := range keys {
		keys[i].CustomerID = fmt.Sprintf("c%05d", i)
		w.store.Insert(keys[i], firstBelief(w.server.set(keys[i], grant("seats", 1, 10)), 0, 0, w.arrive()))
	}
	return keys
}

// inBudget is within, for very many requests: the bucket that starts full must never be empty.
func inBudget(t *testing.T, at []request, perMinute, burst int) {
	t.Helper()
	rate := float64(perMinute) / 60
	tokens := float64(burst)
	for i, r := range at {
		if i > 0 {
			tokens = min(float64(burst), tokens+rate*r.at.Sub(at[i-1].at).Seconds())
		}
		if tokens--; tokens < -1e-6 {
			t.Fatalf("request %d, at %v, is beyond %d a minute with a burst of %d", i, r.at, perMinute, burst)
		}
	}
}

// readEach reads keys, and checks that no time passes meanwhile.
func (w *world) readEach(keys []key) {
	w.t.Helper()
	began := time.Now()
	for _, k := range keys {
		w.read(k)
	}
	if d := time.Since(began); d != 0 {
		w.t.Fatalf("reads of %d keys took %v, want no waiting", len(keys), d)
	}
}

// after returns what was fetched from began on.
func (w *world) after(began time.Time) []request {
	var list []request
	for _, r := range w.server.requests() {
		if !r.at.Before(began) {
			list = append(list, r)
		}
	}
	return list
}

// The reads of an outage were heard as they came, in the order of the keys, and went before the pass when the stream was back.
func TestHotKeysAreFetchedBeforeColdOnes(t *testing.T) {
	const (
		customers, hot = 2000, 200
		perMinute      = 1200
	)
	for _, row := range []struct {
		name      string
		outage    time.Duration
		reads     bool // of all keys, hot and cold, while the pass goes on
		questions int  // a second
	}{
		{"quiet", 0, false, 0},
		{"after an outage with reads", 2 * time.Minute, false, 0},
		{"while reads go on", 0, true, 0},
		{"while reads and questions go on", time.Minute, true, 5},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, func(c *Config, _ *server) { c.RequestsPerMinute, c.Burst = perMinute, 10 }, func(w *world) {
				keys := w.many(customers)
				rnd := rand.New(rand.NewPCG(1, 2))
				rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
				isHot := map[key]bool{}
				for _, k := range keys[:hot] {
					isHot[k] = true
				}
				// Hot ones are read each second, cold ones about once in twenty.
				inOrder := slices.SortedFunc(slices.Values(keys), func(a, b key) int { return strings.Compare(a.CustomerID, b.CustomerID) })
				read := func() {
					for _, k := range inOrder {
						if isHot[k] || rnd.IntN(20) == 0 {
							w.readEach([]key{k})
						}
					}
				}
				for range 30 {
					w.wait(time.Second)
					read()
				}
				w.server.do(func() {
					if row.outage > 0 {
						w.server.dial, w.server.fail = errDown, func(key) error { return errDown }
					}
				})
				w.server.cut(errCut)
				for end := time.Now().Add(row.outage); time.Now().Before(end); {
					w.wait(time.Second)
					read()
				}
				w.server.do(func() { w.server.dial, w.server.fail = nil, nil })
				for n := 0; w.Stats().Connects < 2; n++ {
					if w.wait(10 * time.Millisecond); row.outage > 0 && n%100 == 99 {
						read()
					}
				}
				dials := w.server.dialed()
				began := dials[len(dials)-1]
				questioned := map[key]bool{}
				for w.Status().State != Live && time.Since(began) < 10*time.Minute {
					for range row.questions {
						k := keys[hot+rnd.IntN(customers-hot)]
						questioned[k] = true
						w.server.send(entitlements.Event{Kind: entitlements.EventUnreadable, Key: k})
					}
					if w.wait(time.Second); row.reads {
						read()
					}
				}
				w.state(Live)
				list := w.after(began)
				inBudget(t, list, perMinute, 10)
				var lastHot, firstCold, cold int
				seen := map[key]bool{}
				firstCold = -1
				// What left in the very instant of the dial may not have known of the stream yet: it is of the turn before, and the pass
				// makes it again; but for a few, which may have learned of the stream on their way. The pass has ten at once.
				early := 0
				before := func(i int) bool {
					again := slices.ContainsFunc(list[i+1:], func(r request) bool { return r.key == list[i].key })
					return list[i].at.Equal(began) && (again || early < 3)
				}
				for n, r := range list {
					i := n - early
					switch {
					case isHot[r.key] && !seen[r.key]:
						lastHot = i
					case !isHot[r.key] && before(n):
						early++
						continue
					case !isHot[r.key] && !questioned[r.key]:
						if cold++; firstCold < 0 {
							firstCold = i
						}
					}
					seen[r.key] = true
				}
				if firstCold >= 0 && firstCold < lastHot {
					t.Errorf("request %d is for a cold key, %v after the dial, and the last hot one is request %d", firstCold, list[firstCold+early].at.Sub(began), lastHot)
				}
				if len(seen) != customers {
					t.Errorf("%d keys fetched, want all %d", len(seen), customers)
				}
				// Questions take their share, and no more.
				if most := hot * passShare / (passShare - 1) * 2; row.questions == 0 && lastHot >= hot || lastHot > most {
					t.Errorf("the last hot key is request %d, want the first %d, or up to %d with questions", lastHot, hot, most)
				}
				t.Logf("%d requests in %v; the last of %d hot keys is number %d, the first cold one %d", len(list), time.Since(began), hot, lastHot, firstCold)
			})
		})
	}
}

// P7, in full size: 3,000 a minute for 50,000 customers is a quarter of an hour.
func TestFiftyThousandAfterAReconnectStayInsideTheBudget(t *testing.T) {
	const customers = 50_000
	inWorld(t, nil, func(w *world) {
		keys := w.many(customers)
		w.store.mu.Lock()
		for i, k := range keys {
			w.store.cells[k].Reads = uint32(customers - i) // the earlier the hotter
		}
		w.store.mu.Unlock()
		w.wait(time.Minute) // the burst is full
		w.server.cut(errCut)
		for w.Stats().Connects < 2 {
			w.wait(10 * time.Millisecond)
		}
		dials := w.server.dialed()
		began := dials[len(dials)-1]
		rate := DefaultRequestsPerMinute / time.Minute.Seconds()
		if got, want := w.Status().Bound, 10*DefaultPollInterval*15/16+time.Duration(customers/rate*float64(time.Second)); got != want {
			t.Errorf("Bound = %v, want %v: until they are due, and what the budget needs for all of them", got, want)
		}
		pending, misses := customers, 0
		for s := 0; w.Status().State != Live; s++ {
			if time.Since(began) > time.Hour {
				t.Fatalf("%d of %d pending after an hour", w.Status().Pending, customers)
			}
			// Checks go on, of everybody in turn, and now and then of somebody new.
			w.readEach(keys[s%100*(customers/100) : s%100*(customers/100)+500])
			if s%10 == 0 {
				asked := time.Now()
				w.load(key{CustomerID: fmt.Sprintf("new %d", s)})
				misses++
				if d := time.Since(asked); d > 100*time.Millisecond {
					t.Errorf("a miss waited %v during the pass, want the next token", d)
				}
			}
			w.wait(time.Second)
			st := w.Status()
			if st.Pending > pending || st.Pending == pending && st.State != Live {
				t.Errorf("%d pending after %v, and %d a second before: want fewer", st.Pending, time.Since(began), pending)
			}
			pending = st.Pending
		}
		took := time.Since(began)
		if want := time.Duration(float64(customers+misses-DefaultBurst) / rate * float64(time.Second)); took < want || took > want*102/100+2*time.Second {
			t.Errorf("live after %v, want about %v", took, want)
		}
		list := w.after(began)
		inBudget(t, w.server.requests(), DefaultRequestsPerMinute, DefaultBurst)
		rank := make(map[key]int, customers)
		for i, k := range keys {
			rank[k] = i
		}
		next := 0
		for _, r := range list {
			i, resident := rank[r.key]
			if !resident {
				continue
			}
			// The burst goes at once, and afterwards what is in the air together does, in any order.
			if ahead := i - next; next >= DefaultBurst && (ahead > workers || ahead < -workers) {
				t.Fatalf("fetch %d is for customer %d, want the hottest that is left", next, i)
			}
			next++
		}
		// Once each, but for those whose fetch was in the air when the stream began: they may have missed something, and are fetched again.
		if next < customers || next > customers+workers || pending != 0 {
			t.Errorf("%d fetches of customers in memory, %d pending at the end; want %d or little more, 0", next, pending, customers)
		}
		for _, k := range keys {
			w.live(k, true)
		}
		t.Logf("live after %v, with %d misses on the way", took, misses)
	})
}

// Whatever somebody asked for went before the pass, without end: as long as questions kept the budget busy, nothing else was
// fetched, nothing that had become due was drawn up, and the state was never Live again.
func TestQuestionsWithoutEndDoNotStarveTheRest(t *testing.T) {
	const (
		customers, noisy = 800, 80
		perMinute        = 600
	)
	for _, row := range []struct {
		name    string
		perTurn int // questions every 100 ms, in which the budget has one token
	}{
		{"just above the budget", 2},
		{"far above the budget", 8},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, func(c *Config, _ *server) { c.RequestsPerMinute, c.Burst = perMinute, 10 }, func(w *world) {
				keys := w.many(customers)
				asking, n := true, 0
				turn := func() { // 100 ms
					if asking {
						for range row.perTurn {
							w.server.send(entitlements.Event{Kind: entitlements.EventUnreadable, Key: keys[n%noisy]})
							n++
						}
					}
					w.wait(100 * time.Millisecond)
				}
				everything := func(what string, done func() bool) {
					t.Helper()
					var bound time.Duration
					began := time.Now()
					for !done() && time.Since(began) < time.Hour {
						turn()
						bound = max(bound, w.Status().Bound)
					}
					t.Logf("%s took %v, of %v", what, time.Since(began), bound)
					if d := time.Since(began); d > bound {
						t.Errorf("%s took %v, and Bound was never more than %v", what, d, bound)
					}
				}
				w.server.cut(errCut)
				for w.Stats().Connects < 2 {
					turn()
				}
				everything("becoming live", func() bool { return w.Status().State == Live })
				for _, k := range keys[noisy:] {
					w.live(k, true)
				}
				if b, want := w.Status().Bound, 10*DefaultPollInterval*15/16+passShare*customers*time.Minute/perMinute; b != want {
					t.Errorf("Bound = %v while questions wait, want %v: when it is due, and a quarter of the budget for everything", b, want)
				}

				// Changes of which no event tells are found by the passes that follow, though there is no idle moment.
				for _, k := range keys {
					w.server.set(k, grant("seats", 2, 20))
				}
				turns := 0
				everything("finding out what the stream lost", func() bool {
					if turns++; turns%20 != 0 { // every two seconds
						return false
					}
					for _, k := range keys {
						w.read(k)
						if r, _ := w.store.Peek(k); limitOf(r.Belief, "seats") != 20 {
							return false
						}
					}
					return true
				})
				inBudget(t, w.server.requests(), perMinute, 10)

				asking = false
				w.wait(2 * time.Minute)
				if b, want := w.Status().Bound, 10*DefaultPollInterval*15/16+customers*time.Minute/perMinute; b != want {
					t.Errorf("Bound = %v when nothing is asked any more, want %v", b, want)
				}
			})
		})
	}
}

// When the budget needs a good part of the interval for all that is resident, an entry that is due waits for the others.
func TestBoundHoldsWhenThePassIsAsLongAsTheInterval(t *testing.T) {
	const n = 250 // at one request a second: 250 of the 300 seconds of the interval
	inWorld(t, func(c *Config, s *server) { c.RequestsPerMinute, c.Burst = 60, 1 }, func(w *world) {
		keys := w.many(n)
		rnd := rand.New(rand.NewPCG(1, 1))
		longest := time.Duration(0)
		for round := range 6 {
			// At first all of them were confirmed at once, and become due at once; later one by one.
			end := time.Now().Add(time.Duration(round*rnd.IntN(300)) * time.Second)
			for time.Now().Before(end) {
				w.readEach(keys)
				w.wait(5 * time.Second)
			}
			stamp := entitlements.InstantOf(time.Now())
			for _, k := range keys {
				w.server.set(k, grant("seats", stamp, float64(20+round))) // and nobody tells
			}
			changed, bound, behind := time.Now(), w.Status().Bound, n
			for ; behind > 0; w.wait(time.Second) {
				behind = 0
				for _, k := range keys {
					if b, _ := w.read(k); limitOf(b, "seats") != float64(20+round) {
						behind++
					}
				}
				if took := time.Since(changed); behind > 0 && took > bound {
					t.Fatalf("round %d: %d of %d are behind after the bound of %v", round, behind, n, bound)
				}
			}
			longest = max(longest, time.Since(changed))
		}
		t.Logf("the longest took %v of %v", longest, w.Status().Bound)
	})
}

// Somebody who knows nothing goes before somebody who knows what was so a while ago: misses without end leave nothing for the
// rest. What is held is served meanwhile, says that it is Stale, and is made up for once they let up.
func TestMissesThatUseUpTheBudgetLeaveWhatIsHeldStaleAndServed(t *testing.T) {
	inWorld(t, func(c *Config, s *server) {
		polling(c, s)
		c.RequestsPerMinute, c.Burst = 60, 1
	}, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.server.set(acme, grant("seats", 2, 20))
		for i := range 300 { // five times the budget, for a minute
			go w.Load(w.t.Context(), key{CustomerID: fmt.Sprint(i)}, 0) // joined by the bubble
			w.wait(200 * time.Millisecond)
			w.readEach([]key{acme})
			w.limit(acme, "seats", 10)
		}
		w.live(acme, false)
		flood := time.Now()
		for time.Since(flood) < DefaultFetchTimeout+w.Status().Bound { // those that wait for their turn go first
			w.wait(time.Second)
			w.read(acme)
		}
		w.live(acme, true)
		w.limit(acme, "seats", 20)
	})
}

// A stream that is lost again and again, before the pass is through that follows, makes what is hot Stale again each time. What is
// cold comes round all the same: it has a share of each pass.
func TestPassesThatAreCutShortReachTheColdKeys(t *testing.T) {
	const n, perMinute = 300, 60 // five minutes
	inWorld(t, func(c *Config, _ *server) { c.RequestsPerMinute, c.Burst = perMinute, 1 }, func(w *world) {
		keys := w.many(n)
		cold := keys[0]
		w.server.set(cold, grant("seats", 2, 20)) // and nobody tells
		began := time.Now()
		for limit := 10.0; limit != 20; {
			if took := time.Since(began); took > passShare*n*time.Minute/perMinute+DefaultPollInterval*safetyFactor {
				t.Fatalf("behind after %v, asked for %d times", took, w.server.asked(cold))
			}
			w.server.cut(errCut)
			for range 12 { // two minutes
				w.readEach(keys[1:])
				w.wait(10 * time.Second)
			}
			b, _ := w.read(cold)
			limit = limitOf(b, "seats")
		}
	})
}

// The budget is not all that limits a pass: so do the fetches that may be in the air at once, when each takes its time.
func TestBoundKnowsHowLongAFetchTakes(t *testing.T) {
	const n = 6000
	inWorld(t, func(_ *Config, s *server) { s.latency = 8 * time.Second }, func(w *world) {
		keys := w.many(n)
		w.load(acme)
		bound := w.Status().Bound
		if least := n * 8 * time.Second / workers; bound < least {
			t.Errorf("Bound = %v, and %d fetches of 8s take %v with %d at once", bound, n, least, workers)
		}
		w.server.cut(errCut)
		began := time.Now()
		w.wait(time.Second)
		for w.Status().State != Live {
			w.readEach(keys[:10])
			if took := time.Since(began); took > bound {
				t.Fatalf("not live after the bound of %v", bound)
			}
			w.wait(time.Second)
		}
		t.Logf("live after %v of %v", time.Since(began), bound)
	})
}
