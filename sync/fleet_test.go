package syncer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// The stories of this file are about many processes under one API key. Their waits are random, and not from a seed: a bound
// is what is expected and six or more standard deviations, which chance does not exceed in the life of this repository.

// most is a bound on a count whose expectation is mean: independent processes make it no wider than Poisson's.
func most(mean float64) float64 { return mean + 8*math.Sqrt(mean) + 8 }

// fleet is many processes, and the one server they share.
type fleet struct {
	*testing.T
	members []*member

	mu    sync.Mutex // guards the following, and what is said to be guarded by it
	dial  error      // what Subscribe answers
	admit func(k key) error
	cfg   Config
}

// member is one process: a syncer, and its way to the server.
type member struct {
	*Syncer
	fleet   *fleet
	store   *memory
	dials   []time.Time // guarded by fleet.mu
	stream  *stream     // guarded by fleet.mu
	served  int         // guarded by fleet.mu
	refused int         // guarded by fleet.mu
}

func (m *member) Fetch(ctx context.Context, k key) (*entitlements.Snapshot, error) {
	if err := sleep(ctx, 5*time.Millisecond); err != nil {
		return nil, err
	}
	m.fleet.mu.Lock()
	var err error
	if m.fleet.admit != nil {
		err = m.fleet.admit(k)
	}
	if err == nil {
		m.served++
	} else {
		m.refused++
	}
	m.fleet.mu.Unlock()
	if e := sleep(ctx, 5*time.Millisecond); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	return set(k, grant("seats", 1, 10)), nil
}

func (m *member) Subscribe(ctx context.Context, _ func(key) bool) (Stream, error) {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	m.dials = append(m.dials, time.Now())
	if m.fleet.dial != nil {
		return nil, m.fleet.dial
	}
	m.stream = &stream{events: make(chan entitlements.Event, 16), cut: make(chan error, 1)}
	m.stream.events <- entitlements.Event{Kind: entitlements.EventSubscribed}
	return m.stream, nil
}

// inFleet runs story in a bubble with n processes, each with a few keys in memory, all of them Live or polling.
func inFleet(t *testing.T, n, keys int, setup func(*fleet), story func(*fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{T: t}
		if setup != nil {
			setup(f)
		}
		for range n {
			m := &member{fleet: f, store: newMemory()}
			cfg := f.cfg
			cfg.Source, cfg.Store = m, m.store
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			m.Syncer, m.store.gone = s, s.Evicted
			for _, k := range customers(keys) {
				m.store.Insert(k, firstBelief(set(k, grant("seats", 1, 10)), 0, 0, m.arrive()))
			}
			f.members = append(f.members, m)
			s.Start()
			defer s.Close()
		}
		synctest.Wait()
		story(f)
	})
}

func (f *fleet) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (f *fleet) do(g func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g()
}

// falls is the moment at which every stream ends with closed, and the next ones with dial.
func (f *fleet) falls(closed, dial error) time.Time {
	f.do(func() {
		f.dial = dial
		for _, m := range f.members {
			m.dials = nil
			m.stream.cut <- closed
		}
	})
	synctest.Wait()
	return time.Now()
}

func (f *fleet) states(want State) {
	f.Helper()
	synctest.Wait()
	wrong := 0
	for _, m := range f.members {
		if m.Status().State != want {
			wrong++
		}
	}
	if wrong > 0 {
		f.Errorf("%d of %d processes are not %v", wrong, len(f.members), want)
	}
}

// dialed returns, in order, how long after began each dial was.
func (f *fleet) dialed(began time.Time) (all []time.Duration, each [][]time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		var own []time.Duration
		for _, at := range m.dials {
			own = append(own, at.Sub(began))
		}
		all, each = append(all, own...), append(each, own)
	}
	slices.Sort(all)
	return all, each
}

// crowded checks that no second which begins at or after from holds more dials than bound, which is told when it begins. It
// returns the fullest.
func (f *fleet) crowded(all []time.Duration, from time.Duration, bound func(at time.Duration) float64) (fullest int) {
	f.Helper()
	worst := 0.0
	for i, j := 0, 0; i < len(all); i++ {
		for j < len(all) && all[j] < all[i]+time.Second {
			j++
		}
		if all[i] < from {
			continue
		}
		fullest = max(fullest, j-i)
		if b := bound(all[i]); float64(j-i) > b && float64(j-i)/b > worst {
			worst = float64(j-i) / b
			f.Errorf("%d dials within the second from %v, want at most %.0f", j-i, all[i], b)
		}
	}
	return fullest
}

// covered checks that waits are spread over the whole of an interval: none is outside, and no quarter holds too few or too many.
func (f *fleet) covered(what string, waits []time.Duration, low, high time.Duration) {
	f.Helper()
	var quarters [4]int
	for _, w := range waits {
		if w < low || w > high {
			f.Errorf("%s: a wait of %v, want between %v and %v", what, w, low, high)
			continue
		}
		quarters[min(3, int(4*(w-low)/(high-low+1)))]++
	}
	n := float64(len(waits))
	for i, q := range quarters {
		// Binomial: a quarter of n, and a variance of 3n/16.
		if math.Abs(float64(q)-n/4) > 6*math.Sqrt(3*n/16) {
			f.Errorf("%s: %d of %d waits in quarter %d of %v to %v, want about %.0f in each", what, q, len(waits), i+1, low, high, n/4)
		}
	}
}

const processes = 100

// waits returns how long each process waited before its dial of that number, from what dialed returned.
func waits(each [][]time.Duration, step int) []time.Duration {
	list := make([]time.Duration, len(each))
	for i, own := range each {
		list[i] = own[step]
		if step > 0 {
			list[i] -= own[step-1]
		}
	}
	return list
}

// A wait is uniform between 0.25 s and a ceiling that doubles from 0.5 s to 30 s. Over a doubling of the time since the cut, a
// process dials about once: N/(t·ln 2) dials a second in the mean, in waves of no more than twice that, and, once every ceiling
// is at the cap, N/15.125 s.
func TestFleetReconnectsSpread(t *testing.T) {
	inFleet(t, processes, 3, nil, func(f *fleet) {
		f.wait(10 * time.Second)
		f.states(Live)
		began := f.falls(errCut, errDown)
		f.states(Interrupted)
		const outage = 10 * time.Minute
		f.wait(outage)
		all, each := f.dialed(began)
		settled := processes / ((DefaultReconnectMin/2 + DefaultReconnectMax) / 2).Seconds()
		fullest := f.crowded(all, time.Second, func(at time.Duration) float64 {
			return most(2 * max(processes/(at.Seconds()*math.Ln2), settled))
		})
		late := f.crowded(all, time.Minute, func(time.Duration) float64 { return most(2 * settled) })

		ceiling := DefaultReconnectMin
		for step := range 9 {
			f.covered(fmt.Sprintf("step %d", step+1), waits(each, step), DefaultReconnectMin/2, ceiling)
			ceiling = min(2*ceiling, DefaultReconnectMax)
		}

		n := 0
		for _, at := range all {
			if at > 2*time.Minute {
				n++
			}
		}
		rate := float64(n) / (outage - 2*time.Minute).Seconds()
		if math.Abs(rate/settled-1) > 0.1 {
			t.Errorf("%.2f dials a second after two minutes, want about %.2f", rate, settled)
		}
		t.Logf("%d dials in %v; at most %d in a second after the first, %d after a minute; %.2f a second after two minutes", len(all), outage, fullest, late, rate)

		f.do(func() { f.dial = nil })
		f.wait(DefaultReconnectMax + time.Second) // and the pass of a few keys
		f.states(Live)
		all, _ = f.dialed(began.Add(outage))
		all = slices.DeleteFunc(all, func(at time.Duration) bool { return at < 0 })
		if len(all) != processes {
			t.Errorf("%d dials after the server was back, want one from each of %d", len(all), processes)
		}
		f.crowded(all, 0, func(time.Duration) float64 { return most(2 * settled) })
	})
}

func TestFleetToldToGoAwayComesBackSlowlyAndSpread(t *testing.T) {
	inFleet(t, processes, 3, nil, func(f *fleet) {
		f.wait(10 * time.Second)
		began := f.falls(failing{text: "going away", slow: true}, nil)
		f.wait(DefaultReconnectMax + time.Second)
		f.states(Live)
		all, _ := f.dialed(began)
		low, high := DefaultReconnectMax*3/4*7/10, DefaultReconnectMax*3/4*13/10
		f.covered("slow", all, low, high)
		f.crowded(all, 0, func(time.Duration) float64 { return most(processes / (high - low).Seconds()) })
	})
}

// The wait was the longer of Retry-After and the backoff, which at first is shorter: the whole fleet came back at the very moment
// that the server had named.
func TestFleetComesBackAfterRetryAfterAndSpread(t *testing.T) {
	const alone = 20 * time.Second
	inFleet(t, processes, 3, nil, func(f *fleet) {
		f.wait(10 * time.Second)
		began := f.falls(errCut, failing{text: "503", retryAfter: alone})
		f.wait(5 * time.Minute)
		all, each := f.dialed(began)
		for step := 1; step <= 4; step++ { // while the backoff's own waits are below Retry-After
			var waits []time.Duration
			for _, own := range each {
				waits = append(waits, own[step]-own[step-1])
			}
			f.covered(fmt.Sprintf("after refusal %d", step), waits, alone, 2*alone)
		}
		f.crowded(all, time.Second, func(time.Duration) float64 { return most(processes / alone.Seconds()) })

		f.do(func() { f.dial = nil })
		f.wait(alone + DefaultReconnectMax + time.Second)
		f.states(Live)
	})
}

func TestFleetWithARefusedKeyProbesSpreadAndReturnsWithTheNewOne(t *testing.T) {
	inFleet(t, processes, 3, nil, func(f *fleet) {
		f.wait(10 * time.Second)
		began := f.falls(errRefused, errRefused)
		f.states(Off)
		f.wait(time.Hour)
		all, each := f.dialed(began)
		low, high := keyProbe*8/10, keyProbe*12/10
		for step := range 8 {
			f.covered(fmt.Sprintf("probe %d", step+1), waits(each, step), low, high)
		}
		f.crowded(all, 0, func(time.Duration) float64 { return most(processes / (high - low).Seconds()) })

		// Replaced by hand: one dial each, at once. Whoever replaces it everywhere at once has asked for that.
		f.do(func() {
			f.dial = nil
			for _, m := range f.members {
				m.dials = nil
			}
		})
		replaced := time.Now()
		for _, m := range f.members {
			m.KeyChanged()
		}
		f.wait(time.Second)
		f.states(Live)
		f.wait(time.Minute)
		if all, _ = f.dialed(replaced); len(all) != processes || all[len(all)-1] != 0 {
			t.Errorf("%d dials, the last after %v; want one from each of %d, at once", len(all), all[len(all)-1], processes)
		}

		// Accepted again without a word to the processes: the probes find it, each in its time.
		began = f.falls(errRefused, errRefused)
		f.wait(time.Minute)
		f.do(func() { f.dial = nil })
		f.wait(high)
		f.states(Live)
		all, _ = f.dialed(began)
		f.covered("return", all, low, high)
	})
}

// limited is a way in which a server holds a fleet to 6,000 requests a minute.
type limited struct {
	name  string
	admit func() func(key) error
	// wasted is how many requests may be refused for one that is served: what it costs to find out that there is no more.
	wasted float64
	// uneven is how much more than another a process may get.
	uneven int
}

const allowed = 6000 // a minute

// bucket fills by a hundred a second, which is all it holds.
func bucket(after time.Duration) func() func(key) error {
	return func() func(key) error {
		tokens, last := allowed/60.0, time.Now()
		return func(key) error {
			now := time.Now()
			tokens = min(allowed/60, tokens+now.Sub(last).Seconds()*allowed/60)
			if last = now; tokens < 1 {
				return failing{text: "429", limited: true, retryAfter: after}
			}
			tokens--
			return nil
		}
	}
}

// minutes counts by the minutes of the clock, and says when the next one begins.
func minutes() func(key) error {
	n, minute := 0, time.Now().Truncate(time.Minute)
	return func(key) error {
		now := time.Now()
		if now.Sub(minute) >= time.Minute {
			n, minute = 0, now.Truncate(time.Minute)
		}
		if n++; n > allowed {
			return failing{text: "429", limited: true, retryAfter: minute.Add(time.Minute).Sub(now)}
		}
		return nil
	}
}

// Four times what the server allows is wanted, by each process alike, and each could ask for half of the limit. The first minute
// is for finding the share. The server is used to the full, nobody starves, and of what is asked in vain there is no
// more than stated. Where a minute is counted, that is what each process had in the air when it was over.
//
// A process that came back from Retry-After with the tokens of its duration asked 570 times in vain each minute where 100 is
// once for each, and the first few dozen took what there was: 0 to 201 in a minute.
func TestFleetFindsItsShareOfALimit(t *testing.T) {
	for _, server := range []limited{
		{"by the second", bucket(time.Second), 0.5, 3},
		// Who is told nothing finds out by the brake, whose waits are random and up to 30 s.
		{"by the second, without a word", bucket(0), 1.2, 6},
		{"by the minute", minutes, processes * workers / float64(allowed), 2},
	} {
		t.Run(server.name, func(t *testing.T) {
			inFleet(t, processes, 40, func(f *fleet) {
				f.dial = ErrNoStream
				f.cfg.PollInterval = 10 * time.Second
				f.admit = server.admit()
			}, func(f *fleet) {
				const minutes = 4
				var first, sum [processes]int
				refused := 0
				f.wait(time.Minute)
				f.do(func() {
					for i, m := range f.members {
						first[i], refused = m.served, refused-m.refused
					}
				})
				f.wait(minutes * time.Minute)
				f.do(func() {
					for i, m := range f.members {
						sum[i], refused = m.served-first[i], refused+m.refused
					}
				})
				served := 0
				for _, n := range sum {
					served += n
				}
				least, top := slices.Min(sum[:]), slices.Max(sum[:])
				t.Logf("%d of %d served, %d to %d each; %d refused", served, minutes*allowed, least, top, refused)
				if served < minutes*allowed*98/100 {
					t.Errorf("%d requests served in %d minutes, want nearly the %d that are allowed", served, minutes, minutes*allowed)
				}
				if least*server.uneven < top {
					t.Errorf("between %d and %d requests served to each, want a share for everybody", least, top)
				}
				if float64(refused) > server.wasted*float64(served) {
					t.Errorf("%d requests refused for %d served, want at most %.2f for one", refused, served, server.wasted)
				}
			})
		})
	}
}
