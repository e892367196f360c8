package cache

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// leavers counts what OnEvict was told of each key.
type leavers struct {
	mu   sync.Mutex // guards the following
	told map[entitlements.Key][]*entitlements.Belief
}

func (l *leavers) gone(k entitlements.Key, b *entitlements.Belief) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told == nil {
		l.told = map[entitlements.Key][]*entitlements.Belief{}
	}
	l.told[k] = append(l.told[k], b)
}

func (l *leavers) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, b := range l.told {
		n += len(b)
	}
	return n
}

// Ristretto's queue drops what it has no room for, a newcomer's second value, and a good part of whatever comes in a tight loop.
func TestBulkLoadLosesNothingWhenThereIsRoom(t *testing.T) {
	n := 200_000
	if raceDetector {
		n = 20_000
	}
	b := belief(customer(n), 0) // one for all: what a set weighs is not the point
	for name, bound := range map[string]int64{
		"twice the room":              2 * int64(n) * costOf(b),
		"no more than what is needed": int64(n+10) * costOf(b), // ristretto's part is full, and who comes last waits
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{MaxBytes: bound})
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					for i := w; i < n; i += 8 {
						if got, ok := c.Insert(customer(i), b); got != b || !ok {
							t.Errorf("Insert(%d) = %p, %v with room to spare", i, got, ok)
						}
					}
				})
			}
			wg.Wait()
			for i := range n {
				if b, _ := c.Lookup(customer(i).CustomerID, "", 1); b == nil {
					t.Fatalf("customer %d of %d is missing", i, n)
				}
			}
			if s := c.Stats(); s.Resident != n || s.Evicted != 0 || s.Refused != 0 {
				t.Errorf("Stats = %+v, want %d resident, none evicted or refused", s, n)
			}
			agree(t, c)
		})
	}
}

func TestEveryKeyThatLeavesIsToldOnce(t *testing.T) {
	const n = 2000
	var l leavers
	one := costOf(belief(customer(1000), 0))
	c := open(t, Config{MaxBytes: 100 * one, OnEvict: l.gone})
	for i := range n {
		if b, ok := c.Insert(customer(i), belief(customer(i), 0)); b == nil || !ok {
			t.Errorf("Insert(%d) = %v, %v; want it resident, in the waiting room if need be", i, b, ok)
		}
	}
	settle(c)
	for i := range n {
		_, resident := c.Peek(customer(i))
		if told := len(l.told[customer(i)]); (resident && told != 0) || (!resident && told != 1) {
			t.Errorf("customer %d: resident %v, OnEvict called %d times", i, resident, told)
		}
	}
	s := c.Stats()
	if s.Resident+int(s.Evicted)+int(s.Refused) != n || s.Waiting == 0 {
		t.Errorf("Stats = %+v; want %d resident, evicted or refused, and some resident ones waiting", s, n)
	}
	if s.Bytes > s.MaxBytes {
		t.Errorf("%d bytes resident, want at most %d", s.Bytes, s.MaxBytes)
	}
	agree(t, c)
}

func TestOversizedBeliefIsRefused(t *testing.T) {
	var l leavers
	c := open(t, Config{MaxBytes: 10_000, OnEvict: l.gone})
	if b, ok := c.Insert(customer(1), belief(customer(1), 20_000)); b != nil || ok {
		t.Errorf("Insert of more than MaxBytes = %v, %v; want nil, false", b, ok)
	}
	if s := c.Stats(); s.Refused != 1 || s.Resident != 0 || s.Bytes != 0 {
		t.Errorf("Stats = %+v, want one refused and nothing resident", s)
	}
	if n := len(l.told[customer(1)]); n != 1 {
		t.Errorf("OnEvict told %d times, want once", n)
	}
	agree(t, c)
}

// Ristretto's own bound holds for newcomers only: an update past it stays until the next insert.
func TestUpdatesKeepToTheMemoryBound(t *testing.T) {
	var l leavers
	one := costOf(belief(customer(1000), 0))
	c := open(t, Config{MaxBytes: 100 * one, OnEvict: l.gone})
	for i := range 90 {
		c.Insert(customer(i), belief(customer(i), 0))
	}
	for i := range 90 {
		k := customer(i)
		c.Update(k, func(*entitlements.Belief) *entitlements.Belief { return belief(k, int(one)*9) })
	}
	settle(c)
	s := c.Stats()
	if s.Bytes > s.MaxBytes {
		t.Errorf("%d bytes resident after updates, want at most %d", s.Bytes, s.MaxBytes)
	}
	if s.Resident == 0 || s.Resident+l.count() != 90 {
		t.Errorf("%d resident and %d told of, want 90 together and some resident", s.Resident, l.count())
	}
	agree(t, c)
}

func TestBytesFollowGrowthAndShrinkage(t *testing.T) {
	c := open(t, Config{})
	k := customer(1)
	c.Insert(k, belief(k, 0))
	for _, size := range []int{5000, 5100, 100, 50_000, 0} {
		c.Update(k, func(*entitlements.Belief) *entitlements.Belief { return belief(k, size) })
		want := costOf(belief(k, size))
		if got := c.Stats().Bytes; got*10 < want*9 || got*10 > want*11 {
			t.Errorf("Bytes = %d with a belief of %d, want within a tenth", got, want)
		}
		agree(t, c)
	}
}

// A table's chains outlive whatever is taken out of them, at the head, in the middle or at the end.
func TestTableFindsWhatIsListed(t *testing.T) {
	for gone := range 4 {
		r := registry{table: newTable(1)}
		r.table.buckets, r.table.shift = r.table.buckets[:1], 64 // one chain
		var cells [4]*cell
		for i := range cells {
			cells[i] = newCell(customer(i), hashKey(customer(i)), belief(customer(i), 0))
			r.add(cells[i], 1<<20)
		}
		if !r.remove(cells[gone]) || r.remove(cells[gone]) {
			t.Error("a listed cell is struck off once")
		}
		for c := cells[gone]; c != cells[0]; c = c.next.Load() { // the first to be added is the end of the chain
			if c == nil {
				t.Fatalf("a reader who stands on %d when it leaves does not reach the rest", gone)
			}
		}
		for i := range cells {
			want := cells[i]
			if i == gone {
				want = nil
			}
			if got := r.table.findKey(customer(i)); got != want {
				t.Errorf("after %d has left: find(%d) = %p, want %p", gone, i, got, want)
			}
			if i != gone && !r.remove(cells[i]) {
				t.Errorf("after %d has left: %d is not listed", gone, i)
			}
		}
		if r.table.buckets[0].Load() != nil {
			t.Error("all have left, and the chain is not empty")
		}
	}
}

func TestRegistryAgreesWithRistrettoUnderPressure(t *testing.T) {
	const workers, rounds, keys = 4, 4000, 60
	var l leavers
	one := costOf(belief(customer(10), 0))
	c := open(t, Config{MaxBytes: 25 * one, OnEvict: l.gone})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(w)))
			for range rounds {
				k := customer(rnd.IntN(keys))
				if rnd.IntN(3) == 0 {
					k.ResourceID = fmt.Sprint("r", rnd.IntN(2))
				}
				switch rnd.IntN(6) {
				case 0, 1:
					c.Insert(k, belief(k, rnd.IntN(int(one))))
				case 2:
					size := rnd.IntN(4 * int(one))
					c.Update(k, func(*entitlements.Belief) *entitlements.Belief { return belief(k, size) })
				case 3:
					if b, _ := c.Lookup(k.CustomerID, k.ResourceID, entitlements.Instant(rnd.IntN(1000))); b != nil && b.Snapshot.Key() != k {
						t.Errorf("Lookup(%v) = the belief about %v", k, b.Snapshot.Key())
					}
				case 4:
					c.Peek(k)
				case 5:
					c.Resources(k.CustomerID)
				}
			}
		})
	}
	wg.Wait()
	agree(t, c)
	if s := c.Stats(); s.Evicted == 0 {
		t.Error("nothing was evicted: this tested no pressure")
	}
}
