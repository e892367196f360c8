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

func TestBulkLoadLosesNothingWhenThereIsRoom(t *testing.T) {
	const n = 50_000
	c := open(t, Config{MaxBytes: 1 << 30})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < n; i += 4 {
				if _, ok := c.Insert(customer(i), belief(customer(i), 0)); !ok {
					t.Errorf("Insert(%d) refused with room to spare", i)
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
}

func TestEveryKeyThatLeavesIsToldOnce(t *testing.T) {
	const n = 2000
	var l leavers
	one := costOf(belief(customer(1000), 0))
	c := open(t, Config{MaxBytes: 100 * one, OnEvict: l.gone})
	admitted, refused := 0, 0
	for i := range n {
		if _, ok := c.Insert(customer(i), belief(customer(i), 0)); ok {
			admitted++
		} else {
			refused++
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
	if s.Resident+int(s.Evicted) != admitted || int(s.Refused) != refused {
		t.Errorf("Stats = %+v; want %d admitted (resident or evicted), %d refused", s, admitted, refused)
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

// The key was inserted again after ristretto had let go of its old cell, and before the registry heard of that: striking off
// the old cell must leave the new one findable, or no event would ever reach it.
func TestLateFarewellLeavesTheNextResidenceFindable(t *testing.T) {
	var r registry
	key := entitlements.Key{CustomerID: "c", ResourceID: "r"}
	before, after := &cell{key: key, slot: -1}, &cell{key: key, slot: -1}
	r.add(before)
	r.add(after)
	r.remove(before)
	if got := r.find(key); got != after {
		t.Errorf("find = %p, want the new cell %p", got, after)
	}
	if got := r.resources("c"); len(got) != 1 {
		t.Errorf("resources = %v, want one", got)
	}
	r.remove(after)
	if got := r.find(key); got != nil || len(r.byHash) != 0 || len(r.byCustomer) != 0 {
		t.Errorf("find = %p, %d and %d map entries left; want none", got, len(r.byHash), len(r.byCustomer))
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
