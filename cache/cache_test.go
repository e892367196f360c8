package cache

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

func open(t testing.TB, cfg Config) *Cache {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func customer(n int) entitlements.Key {
	return entitlements.Key{CustomerID: fmt.Sprintf("customer-%d", n)}
}

// belief is a belief about key that takes about size bytes more than the least.
func belief(key entitlements.Key, size int) *entitlements.Belief {
	return &entitlements.Belief{
		// Like no other key's, so that nothing is shared, and the cost is the same each time.
		Snapshot: entitlements.NewSnapshot(key, "", []entitlements.Grant{{ID: "seats", DisplayName: key.String() + strings.Repeat("x", size)}}),
	}
}

// settle waits until ristretto has done everything it was told.
func settle(c *Cache) { c.index.Wait() }

// agree checks that every listed cell is either in ristretto or in the room and nothing else is in either, that each can be found,
// that the bytes are the sums of the costs, and that all of it keeps to its bounds.
func agree(t *testing.T, c *Cache) {
	t.Helper()
	settle(c)
	queued := map[*cell]bool{}
	var before *cell
	for cl := c.registry.room.first; cl != nil; before, cl = cl, cl.newer {
		if cl.older != before {
			t.Errorf("%v waits behind %p, and says %p", cl.key, before, cl.older)
		}
		queued[cl] = true
	}
	if c.registry.room.last != before {
		t.Errorf("the last that waits is %p, the queue ends with %p", c.registry.room.last, before)
	}
	listed := map[*cell]bool{}
	var bytes, waiting int64
	for _, cl := range c.registry.all() {
		listed[cl] = true
		bytes += cl.cost.Load()
		if held, ok := c.index.Get(cl.hash); ok == queued[cl] || (ok && held != cl) {
			t.Errorf("%v is listed and waits (%v), ristretto holds %v", cl.key, queued[cl], held)
		}
		if queued[cl] {
			waiting += cl.cost.Load()
		}
		if cl.waiting != queued[cl] {
			t.Errorf("%v waits: %v; is in the queue: %v", cl.key, cl.waiting, queued[cl])
		}
		if found := c.registry.table.findKey(cl.key); found != cl {
			t.Errorf("find(%v) = %p, want the listed cell %p", cl.key, found, cl)
		}
		if cl.key.ResourceID != "" && !contains(c.Resources(cl.key.CustomerID), cl.key) {
			t.Errorf("%v is listed, and not among its customer's resources", cl.key)
		}
	}
	held := len(queued)
	c.index.IterValues(func(cl *cell) bool {
		held++
		if !listed[cl] {
			t.Errorf("ristretto holds %v, which is not listed", cl.key)
		}
		return false
	})
	if n, waits, total := c.registry.size(); n != held || waits != len(queued) || total != bytes || c.registry.room.bytes != waiting {
		t.Errorf("size = %d keys, %d waiting, %d bytes, %d waiting; want %d, %d, %d, %d",
			n, waits, total, c.registry.room.bytes, held, len(queued), bytes, waiting)
	}
	if waiting > c.registry.room.max || bytes > c.maxBytes {
		t.Errorf("%d bytes, %d of them waiting; want at most %d and %d", bytes, waiting, c.maxBytes, c.registry.room.max)
	}
	found := 0
	for i := range c.registry.table.buckets {
		for cl := c.registry.table.buckets[i].Load(); cl != nil; cl = cl.next.Load() {
			found++
		}
	}
	if found != held {
		t.Errorf("the table has %d cells, want %d", found, held)
	}
}

func contains(keys []entitlements.Key, key entitlements.Key) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}

func TestConfigIsChecked(t *testing.T) {
	if c, err := New(Config{MaxBytes: -1}); err == nil {
		c.Close()
		t.Error("New accepted a negative MaxBytes")
	}
	if got := open(t, Config{}).Stats().MaxBytes; got != DefaultMaxBytes {
		t.Errorf("MaxBytes = %d by default, want %d", got, DefaultMaxBytes)
	}
}

func TestInsertIsVisibleWhenItReturns(t *testing.T) {
	c := open(t, Config{})
	for n := range 1000 {
		want := belief(customer(n), 0)
		if b, ok := c.Insert(customer(n), want); b != want || !ok {
			t.Fatalf("Insert(%d) = %p, %v; want %p, true", n, b, ok, want)
		}
		if got, _ := c.Lookup(customer(n).CustomerID, "", 1); got != want {
			t.Fatalf("Lookup(%d) = %p right after Insert, want %p", n, got, want)
		}
	}
	agree(t, c)
}

func TestSecondInsertDoesNothing(t *testing.T) {
	c := open(t, Config{})
	first, second := belief(customer(1), 0), belief(customer(1), 5000)
	c.Insert(customer(1), first)
	if b, ok := c.Insert(customer(1), second); b != first || ok {
		t.Errorf("second Insert = %p, %v; want the first belief %p, false", b, ok, first)
	}
	if got, _ := c.Lookup("customer-1", "", 1); got != first {
		t.Errorf("Lookup = %p, want the first belief %p", got, first)
	}
	if n := c.Len(); n != 1 {
		t.Errorf("Len = %d, want 1", n)
	}
	agree(t, c)
}

func TestConcurrentInsertsOfOneKeyKeepOne(t *testing.T) {
	c := open(t, Config{})
	for n := range 200 {
		var wg sync.WaitGroup
		var inserted [8]*entitlements.Belief
		var stands [8]*entitlements.Belief
		for i := range inserted {
			wg.Go(func() {
				mine := belief(customer(n), 0)
				b, ok := c.Insert(customer(n), mine)
				if stands[i] = b; ok {
					inserted[i] = mine
				}
			})
		}
		wg.Wait()
		won := 0
		got, _ := c.Lookup(customer(n).CustomerID, "", 1)
		for i := range inserted {
			if inserted[i] != nil {
				won++
			}
			if stands[i] != got {
				t.Fatalf("an Insert of %d returned %p, Lookup finds %p", n, stands[i], got)
			}
		}
		if won != 1 {
			t.Fatalf("%d inserts of one key succeeded, want 1", won)
		}
	}
	agree(t, c)
}

func TestUpdateLosesNothingUnderContention(t *testing.T) {
	const goroutines, rounds = 8, 2000
	c := open(t, Config{})
	c.Insert(customer(1), belief(customer(1), 0))
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				c.Update(customer(1), func(b *entitlements.Belief) *entitlements.Belief {
					n := *b
					n.GrantSeq++
					return &n
				})
			}
		})
	}
	wg.Wait()
	if b, _ := c.Peek(customer(1)); b.Belief.GrantSeq != goroutines*rounds {
		t.Errorf("%d updates left a mark, want %d", b.Belief.GrantSeq, goroutines*rounds)
	}
}

func TestUpdateSaysWhatStands(t *testing.T) {
	c := open(t, Config{})
	first := belief(customer(1), 0)
	if b := c.Update(customer(1), func(*entitlements.Belief) *entitlements.Belief { panic("called for an absent key") }); b != nil {
		t.Errorf("Update of an absent key = %p, want nil", b)
	}
	c.Insert(customer(1), first)
	for name, next := range map[string]func(*entitlements.Belief) *entitlements.Belief{
		"nil":    func(*entitlements.Belief) *entitlements.Belief { return nil },
		"itself": func(b *entitlements.Belief) *entitlements.Belief { return b },
	} {
		if b := c.Update(customer(1), next); b != first {
			t.Errorf("Update to %s = %p, want what stood, %p", name, b, first)
		}
	}
	second := belief(customer(1), 0)
	if b := c.Update(customer(1), func(*entitlements.Belief) *entitlements.Belief { return second }); b != second {
		t.Errorf("Update = %p, want the new belief %p", b, second)
	}
}

// A key that leaves while its update is computed is not resident when the update is done: whoever was told otherwise would wait for
// nothing, and think that what it brought is kept.
func TestUpdateOfAKeyThatLeavesMeanwhileSaysSo(t *testing.T) {
	for name, last := range map[string]func(*entitlements.Belief) *entitlements.Belief{
		"nil":    func(*entitlements.Belief) *entitlements.Belief { return nil },
		"itself": func(b *entitlements.Belief) *entitlements.Belief { return b },
		"new":    func(*entitlements.Belief) *entitlements.Belief { return belief(newcomer(0), 0) },
		"larger": func(*entitlements.Belief) *entitlements.Belief { return belief(newcomer(0), 1000) },
	} {
		t.Run(name, func(t *testing.T) {
			var l leavers
			c := full(t, &l)
			c.read(newcomer(0))
			calls := 0
			b := c.Update(newcomer(0), func(b *entitlements.Belief) *entitlements.Belief {
				calls++
				for n := 1; len(l.told[newcomer(0)]) == 0; n++ { // others come, until it gives way
					c.read(newcomer(n))
				}
				return last(b)
			})
			if b != nil || calls != 1 {
				t.Errorf("Update = %p after %d calls, want nil after one: the key is gone", b, calls)
			}
			if _, ok := c.Peek(newcomer(0)); ok || len(l.told[newcomer(0)]) != 1 {
				t.Errorf("resident: %v, told of %d times; want it gone, once", ok, len(l.told[newcomer(0)]))
			}
			agree(t, c.Cache)
		})
	}
}

// And one that has left and come back is another one: the update is of what came back.
func TestUpdateOfAKeyThatComesBackMeanwhileIsOfWhatIsResident(t *testing.T) {
	var l leavers
	c := full(t, &l)
	c.read(newcomer(0))
	back := belief(newcomer(0), 0)
	var met []*entitlements.Belief
	b := c.Update(newcomer(0), func(b *entitlements.Belief) *entitlements.Belief {
		if met = append(met, b); len(met) == 1 {
			for n := 1; len(l.told[newcomer(0)]) == 0; n++ {
				c.read(newcomer(n))
			}
			c.Insert(newcomer(0), back)
		}
		n := *b
		n.GrantSeq++
		return &n
	})
	if len(met) != 2 || met[1] != back {
		t.Fatalf("the update was applied to %p, want the second time to what came back, %p", met, back)
	}
	if e, _ := c.Peek(newcomer(0)); b == nil || e.Belief != b || b.GrantSeq != 1 {
		t.Errorf("Update = %+v, Peek finds %+v; want what came back, updated once", b, e.Belief)
	}
	agree(t, c.Cache)
}

// A 64-bit collision cannot be had for the asking, so one is planted: a cell of another key under this key's hash.
func TestCollidingKeysAreNeverConfused(t *testing.T) {
	c := open(t, Config{})
	mine, other := customer(1), customer(2)
	planted := newCell(other, hashKey(mine), belief(other, 0))
	c.registry.add(planted, c.placeable)
	for _, where := range []string{"in the room", "in ristretto"} {
		if where == "in ristretto" {
			c.place(planted)
		} else {
			c.registry.wait(planted)
		}
		if _, waiting := c.registry.state(planted); waiting != (where == "in the room") {
			t.Fatalf("the planted cell is not %s", where)
		}
		collide(t, c, mine, other)
	}
}

func collide(t *testing.T, c *Cache, mine, other entitlements.Key) {
	t.Helper()
	if b, _ := c.Lookup(mine.CustomerID, "", 1); b != nil {
		t.Errorf("Lookup(%v) = the belief about %v", mine, b.Snapshot.Key())
	}
	if e, ok := c.Peek(mine); ok {
		t.Errorf("Peek(%v) = the entry of %v", mine, e.Key)
	}
	if b := c.Update(mine, func(b *entitlements.Belief) *entitlements.Belief { return b }); b != nil {
		t.Errorf("Update(%v) reached %v", mine, b.Snapshot.Key())
	}
	if b, ok := c.Insert(mine, belief(mine, 0)); b != nil || ok {
		t.Errorf("Insert(%v) = %v, %v; want nil, false: the place is taken", mine, b, ok)
	}
	if got := c.Stats().Hits; got != 0 {
		t.Errorf("%d hits, want 0", got)
	}
}

func TestCustomerAndResourceAreDifferentKeys(t *testing.T) {
	c := open(t, Config{})
	keys := []entitlements.Key{{CustomerID: "a"}, {CustomerID: "a", ResourceID: "b"}, {CustomerID: "b", ResourceID: "a"}, {CustomerID: "ab"}, {CustomerID: "a", ResourceID: "c"}}
	for _, k := range keys {
		c.Insert(k, belief(k, 0))
	}
	for _, k := range keys {
		if b, _ := c.Lookup(k.CustomerID, k.ResourceID, 1); b == nil || b.Snapshot.Key() != k {
			t.Errorf("Lookup(%v) = %v", k, b)
		}
	}
	if got := c.Resources("a"); len(got) != 2 || !contains(got, keys[1]) || !contains(got, keys[4]) {
		t.Errorf("Resources(a) = %v, want %v and %v", got, keys[1], keys[4])
	}
	if got := c.Resources("ab"); len(got) != 0 {
		t.Errorf("Resources(ab) = %v, want none", got)
	}
	agree(t, c)
}

func TestReadsAreMarkedOncePerTick(t *testing.T) {
	c := open(t, Config{})
	b := belief(customer(1), 0)
	b.ConfirmedAt = 100
	c.Insert(customer(1), b)
	for _, tick := range []struct {
		now   entitlements.Instant
		first []bool
		reads uint32
	}{{200, []bool{true, false, false}, 1}, {300, []bool{true, false}, 2}, {300, []bool{false}, 2}, {400, []bool{true}, 3}} {
		for i, want := range tick.first {
			if _, first := c.Lookup("customer-1", "", tick.now); first != want {
				t.Errorf("Lookup %d at %d: first = %v, want %v", i, int64(tick.now), first, want)
			}
		}
		e, _ := c.Peek(customer(1))
		if e.LastRead != tick.now || e.Reads != tick.reads {
			t.Errorf("after %d: LastRead %d, Reads %d; want %d reads", int64(tick.now), int64(e.LastRead), e.Reads, tick.reads)
		}
	}
	if _, first := c.Lookup("nobody", "", 500); first {
		t.Error("the read of an absent key was the first")
	}
}

func TestOneReaderIsTheFirstOfItsTick(t *testing.T) {
	const readers, ticks = 4, 2000
	c := open(t, Config{})
	c.Insert(customer(1), belief(customer(1), 0))
	for tick := range entitlements.Instant(ticks) {
		var wg sync.WaitGroup
		var firsts [readers]bool
		for i := range firsts {
			wg.Go(func() { _, firsts[i] = c.Lookup("customer-1", "", tick+1) })
		}
		wg.Wait()
		n := 0
		for _, f := range firsts {
			if f {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("tick %d: %d readers were the first, want 1", tick, n)
		}
	}
	if e, _ := c.Peek(customer(1)); e.Reads != ticks {
		t.Errorf("Reads = %d, want %d", e.Reads, ticks)
	}
}

func TestPeekAndRangeMarkNothing(t *testing.T) {
	c := open(t, Config{})
	b := belief(customer(1), 0)
	b.ConfirmedAt = 100
	c.Insert(customer(1), b)
	for range 10 {
		c.Peek(customer(1))
		c.Range(func(Entry) bool { return true })
	}
	if e, ok := c.Peek(customer(1)); !ok || e.LastRead != 100 || e.Reads != 0 {
		t.Errorf("Peek = %+v, %v; want LastRead 100 from the insert, no reads", e, ok)
	}
	if _, first := c.Lookup("customer-1", "", 200); !first {
		t.Error("the first Lookup of a tick was not the first: a Peek was taken for a read")
	}
	if got := c.Stats().Hits; got != 1 {
		t.Errorf("%d hits, want 1: only a Lookup is one", got)
	}
}

func TestHitsAreCountedExactly(t *testing.T) {
	const readers, each = 8, 5000
	c := open(t, Config{})
	c.Insert(customer(1), belief(customer(1), 0))
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for range each {
				c.Lookup("customer-1", "", 1)
				c.Lookup("nobody", "", 1)
			}
		})
	}
	wg.Wait()
	if got := c.Stats().Hits; got != readers*each {
		t.Errorf("%d hits, want %d", got, readers*each)
	}
}

func TestRangeStopsWhenToldAndMayCallTheCache(t *testing.T) {
	c := open(t, Config{})
	for n := range 10 {
		c.Insert(customer(n), belief(customer(n), 0))
	}
	seen := 0
	c.Range(func(e Entry) bool {
		seen++
		c.Insert(customer(100+seen), belief(customer(100+seen), 0))
		c.Update(e.Key, func(b *entitlements.Belief) *entitlements.Belief { return belief(e.Key, 4000) })
		return seen < 5
	})
	if seen != 5 {
		t.Errorf("Range visited %d, want 5", seen)
	}
	agree(t, c)
}
