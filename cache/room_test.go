package cache

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/entcache/entcache/entitlements"
)

// loader is whoever asks the cache and fetches what is not there, and counts the fetches.
type loader struct {
	*Cache
	now     entitlements.Instant
	fetches map[entitlements.Key]int
	total   int
}

func newLoader(c *Cache) *loader { return &loader{Cache: c, fetches: map[entitlements.Key]int{}} }

// read asks for k, at the next tick.
func (l *loader) read(k entitlements.Key) {
	l.now++
	if b, _ := l.Lookup(k.CustomerID, k.ResourceID, l.now); b == nil {
		l.fetches[k]++
		l.total++
		l.Insert(k, belief(k, 0))
	}
}

// full returns a loader of a cache that can hold 160 customers, of which ristretto holds 0 to 139, read again and again, and 20
// may wait.
func full(t testing.TB, l *leavers) *loader {
	t.Helper()
	one := costOf(belief(newcomer(0), 0))
	cfg := Config{MaxBytes: 160 * one}
	if l != nil {
		cfg.OnEvict = l.gone
	}
	c := newLoader(open(t, cfg))
	for range 64 {
		for i := range 140 {
			c.read(customer(i))
		}
	}
	if s := c.Stats(); s.Resident != 140 || s.Waiting != 0 {
		t.Fatalf("Stats = %+v, want 140 resident and nobody waiting", s)
	}
	return c
}

// newcomer is a customer that nobody has asked for yet, and nobody will again.
func newcomer(n int) entitlements.Key { return customer(100_000 + n) }

func TestRefusedKeyThatIsReadCostsOneFetch(t *testing.T) {
	var l leavers
	c := full(t, &l)
	k := entitlements.Key{CustomerID: "regular"}
	for i := range 100 {
		c.read(k)
		for j := range 10 { // others come, so many that all that wait are at the door every second time
			c.read(newcomer(10*i + j))
		}
	}
	if n := c.fetches[k]; n != 1 {
		t.Errorf("100 reads of a customer that did not get in at once cost %d fetches, want 1", n)
	}
	agree(t, c.Cache)
}

func TestHotNewcomerGetsIntoRistretto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := full(t, nil)
		k := entitlements.Key{CustomerID: "hot"}
		c.read(k)
		cl := c.registry.table.findKey(k)
		if _, waiting := c.registry.state(cl); !waiting {
			t.Fatal("a newcomer to a full cache does not wait")
		}
		for i := range 1000 {
			for range 200 {
				c.read(k)
			}
			synctest.Wait() // ristretto counts reads on a goroutine of its own
			c.read(newcomer(i))
			if _, waiting := c.registry.state(cl); !waiting {
				if held, ok := c.index.Get(cl.hash); !ok || held != cl {
					t.Errorf("it waits no more, and ristretto holds %p, want the same cell %p", held, cl)
				}
				if n := c.fetches[k]; n != 1 {
					t.Errorf("%d fetches, want 1", n)
				}
				agree(t, c.Cache)
				return
			}
		}
		t.Error("200 times as hot as any newcomer, and it still waits after 1,000 of them")
	})
}

// Only so does ristretto's frequency protect what is read from a scan, whatever the scan's length.
func TestKeysThatAreReadOncePassThroughTheRoom(t *testing.T) {
	const scan = 5000
	var l leavers
	c := full(t, &l)
	for i := range scan {
		c.read(newcomer(i))
	}
	for i := range 140 {
		if n := c.fetches[customer(i)]; n != 1 || len(l.told[customer(i)]) != 0 {
			t.Fatalf("customer %d: %d fetches, told of %d times; want it never to have given way to a scan", i, n, len(l.told[customer(i)]))
		}
	}
	s := c.Stats()
	if s.Refused != scan-20 || s.Evicted != 0 || s.Waiting != 20 || s.Resident != 160 {
		t.Errorf("Stats = %+v; want 160 resident, 20 of them waiting, the other %d refused", s, scan-20)
	}
	for i := range scan {
		if told, gone := len(l.told[newcomer(i)]), i < scan-20; told != 0 != gone {
			t.Errorf("newcomer %d: told of %d times; the first to come are the first to leave", i, told)
		}
	}
	agree(t, c.Cache)
}

func TestWaitingKeyIsResidentLikeAnyOther(t *testing.T) {
	var l leavers
	c := full(t, &l)
	k := entitlements.Key{CustomerID: "waiting", ResourceID: "resource"}
	first := belief(k, 0)
	first.ConfirmedAt = 7
	if b, ok := c.Insert(k, first); b != first || !ok {
		t.Fatalf("Insert = %p, %v; want %p, true", b, ok, first)
	}
	cl := c.registry.table.findKey(k)
	if _, waiting := c.registry.state(cl); !waiting || c.Stats().Waiting != 1 {
		t.Fatalf("it does not wait; Stats = %+v", c.Stats())
	}
	if e, ok := c.Peek(k); !ok || e.Belief != first || e.LastRead != 7 || e.Reads != 0 {
		t.Errorf("Peek = %+v, %v", e, ok)
	}
	hits := c.Stats().Hits
	for i, want := range []bool{true, false} {
		if b, tick := c.Lookup(k.CustomerID, k.ResourceID, 10); b != first || tick != want {
			t.Errorf("Lookup %d = %p, %v; want %p, %v", i, b, tick, first, want)
		}
	}
	if n := c.Stats().Hits - hits; n != 2 {
		t.Errorf("%d hits, want 2", n)
	}
	if b, ok := c.Insert(k, belief(k, 0)); b != first || ok {
		t.Errorf("second Insert = %p, %v; want the belief that stands, %p, and false", b, ok, first)
	}
	second := belief(k, 10)
	if b := c.Update(k, func(*entitlements.Belief) *entitlements.Belief { return second }); b != second {
		t.Errorf("Update = %p, want %p", b, second)
	}
	if b, _ := c.Lookup(k.CustomerID, k.ResourceID, 11); b != second {
		t.Errorf("Lookup = %p, want the new belief %p", b, second)
	}
	ranged := 0
	c.Range(func(e Entry) bool {
		if e.Key == k && e.Belief == second {
			ranged++
		}
		return true
	})
	if got := c.Resources("waiting"); ranged != 1 || len(got) != 1 || got[0] != k || c.Len() != 141 {
		t.Errorf("Range met it %d times, Resources = %v, Len = %d; want 1, itself, 141", ranged, got, c.Len())
	}
	if l.count() != 0 {
		t.Errorf("told of %v: nobody has left", l.told)
	}
	agree(t, c.Cache)
}

// The room's bound is not on the number of those that wait.
func TestWaitingCellsThatGrowKeepToTheBound(t *testing.T) {
	var l leavers
	c := full(t, &l)
	one := costOf(belief(newcomer(0), 0))
	for i := range 20 {
		c.read(newcomer(i))
	}
	grow := func(i int, by int64) {
		k := newcomer(i)
		c.Update(k, func(*entitlements.Belief) *entitlements.Belief { return belief(k, int(by)) })
		agree(t, c.Cache)
	}
	grow(0, one/20) // not worth a price
	grow(10, 2*one)
	if _, ok := c.Peek(newcomer(10)); !ok || l.count() != 2 {
		t.Errorf("it grew to three times its size: resident %v, %d left; want it to stay and the two in front of it to leave", ok, l.count())
	}
	for i := 2; i < 20; i++ {
		grow(i, one)
	}
	if n := l.count(); n < 9 || n > 14 {
		t.Errorf("all doubled, and %d of 20 left; want about half", n)
	}
	waiting, left := c.Stats().Waiting, l.count()
	grow(19, 21*one)
	if _, ok := c.Peek(newcomer(19)); ok || l.count() != left+1 || c.Stats().Waiting != waiting-1 {
		t.Errorf("one outgrew the room: resident %v, %d left, %d wait; want it alone to leave", ok, l.count()-left, c.Stats().Waiting)
	}
}

// What fills ristretto with its updates waits, or leaves, and is told of once.
func TestPlacedCellsThatGrowKeepToTheBound(t *testing.T) {
	var l leavers
	c := full(t, &l)
	one := costOf(belief(customer(1000), 0))
	for i := range 140 {
		k := customer(i)
		c.Update(k, func(*entitlements.Belief) *entitlements.Belief { return belief(k, int(one)*2) })
		agree(t, c.Cache)
	}
	if s := c.Stats(); s.Resident+l.count() != 140 || s.Resident < 40 {
		t.Errorf("Stats = %+v, %d told of; want 140 together, and 160 thirds resident", s, l.count())
	}
}

// Whoever outgrew all there is room for goes, and nobody with it.
func TestCellThatOutgrowsEverythingLeavesAlone(t *testing.T) {
	var l leavers
	c := full(t, &l)
	for i := range 20 {
		c.read(newcomer(i))
	}
	size := int(c.placeable)
	if b := c.Update(customer(7), func(*entitlements.Belief) *entitlements.Belief { return belief(customer(7), size) }); b != nil {
		t.Errorf("Update = %p of a key that it made leave, want nil", b)
	}
	if _, ok := c.Peek(customer(7)); ok || len(l.told) != 1 || len(l.told[customer(7)]) != 1 {
		t.Errorf("resident: %v; told of %d keys, %d times of this one; want it gone, once and alone", ok, len(l.told), len(l.told[customer(7)]))
	}
	agree(t, c.Cache)
}

// It cannot wait, so its reads are all that it has to get in with.
func TestNewcomerLargerThanTheRoomApplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := full(t, nil)
		k := newcomer(1)
		b := belief(k, int(c.registry.room.max))
		for range 100 {
			for range 200 {
				c.now++
				c.Lookup(k.CustomerID, "", c.now)
			}
			synctest.Wait() // ristretto counts reads on a goroutine of its own
			if _, ok := c.Insert(k, b); ok {
				if got, _ := c.Lookup(k.CustomerID, "", c.now); got != b {
					t.Errorf("Lookup = %p, want %p", got, b)
				}
				agree(t, c.Cache)
				return
			}
		}
		t.Errorf("asked for 20,000 times, and never got in; Stats = %+v", c.Stats())
	})
}

func TestWhoGivesWayWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l leavers
		c := full(t, &l)
		k := entitlements.Key{CustomerID: "hot"}
		c.read(k)
		cl := c.registry.table.findKey(k)
		for i := 0; ; i++ {
			if i == 1000 {
				t.Fatal("it does not get in")
			}
			for range 200 {
				c.read(k)
			}
			synctest.Wait() // ristretto counts reads on a goroutine of its own
			c.place(cl)
			if _, waiting := c.registry.state(cl); !waiting {
				break
			}
		}
		if s := c.Stats(); s.Resident != 141 || s.Waiting != 1 || l.count() != 0 {
			t.Errorf("Stats = %+v, %d told of; want all 141 resident, and the one that gave way waiting", s, l.count())
		}
		agree(t, c.Cache)
	})
}

// Between ristretto's letting go of a cell and our hearing of it, somebody may have had it apply again, for its new price.
func TestLateFarewellDoesNotUndoAnApplication(t *testing.T) {
	c := full(t, nil)
	k := customer(3)
	cl := c.registry.table.findKey(k)
	c.index.Del(cl.hash) // it has let go
	settle(c.Cache)
	c.yielded(cl)
	c.place(cl)
	if e, ok := c.Peek(k); !ok || e.Key != k {
		t.Errorf("Peek = %+v, %v", e, ok)
	}
	agree(t, c.Cache)
}

// What was read before it began to wait, this time, does not keep it.
func TestOnlyReadsSinceItBeganToWaitCount(t *testing.T) {
	c := full(t, nil)
	k := newcomer(1)
	c.read(k)
	cl := c.registry.table.findKey(k)
	for range 2 {
		c.read(k)
		if c.registry.drop(cl) {
			t.Fatal("struck off, though nobody has to go")
		}
		c.registry.room.max = 0
		if at, read := c.registry.overdue(); at != cl || !read {
			t.Errorf("at the door: %p, read %v; want %p, true", at, read, cl)
		}
		c.registry.unwait(cl)
		c.registry.wait(cl)
		if at, read := c.registry.overdue(); at != cl || read {
			t.Errorf("at the door again: %p, read %v; want %p, false", at, read, cl)
		}
		c.registry.room.max = c.maxBytes / roomShare
	}
	agree(t, c.Cache)
}

func TestCloseTellsOnceOfWhoWaits(t *testing.T) {
	var l leavers
	c := full(t, &l)
	for i := range 20 {
		c.read(newcomer(i))
	}
	c.Close()
	c.Close()
	if n := len(l.told); n != 160 || l.count() != 160 {
		t.Errorf("told %d times of %d keys, want once of 160", l.count(), n)
	}
	if s := c.Stats(); s.Evicted+s.Refused != 0 || s.Resident != 0 || s.Waiting != 0 || s.Bytes != 0 {
		t.Errorf("Stats = %+v; want nothing resident, and nobody counted: they gave way to nobody", s)
	}
	if b, _ := c.Lookup(newcomer(1).CustomerID, "", 1); b != nil {
		t.Error("a waiting key is found after Close")
	}
}

// One key, one cell: a reader that finds another one than the events do would go back in time.
func TestReadersNeverGoBackWhileCellsMove(t *testing.T) {
	const keys, readers = 60, 2
	rounds := 30_000
	if raceDetector {
		rounds = 5000
	}
	var l leavers
	one := costOf(belief(customer(10), 0))
	c := open(t, Config{MaxBytes: 24 * one, OnEvict: l.gone})
	type server struct { // with the syncer's lock around what it knows and what it tells the cache
		mu  sync.Mutex
		seq uint64
	}
	var servers [keys]server
	stamped := func(k entitlements.Key, seq uint64, size int) *entitlements.Belief {
		b := belief(k, size)
		b.GrantSeq = seq
		return b
	}
	var done atomic.Bool
	var reading, writing sync.WaitGroup
	for range readers {
		reading.Go(func() {
			var seen [keys]uint64
			for tick := 0; !done.Load(); tick++ {
				for i := range keys {
					b, _ := c.Lookup(customer(i).CustomerID, "", entitlements.Instant(tick))
					if b == nil {
						continue
					}
					if b.Snapshot.Key() != customer(i) || b.GrantSeq < seen[i] {
						t.Errorf("Lookup(%d) = %v of %v after %d", i, b.GrantSeq, b.Snapshot.Key(), seen[i])
						return
					}
					seen[i] = b.GrantSeq
				}
			}
		})
	}
	for w := range 2 {
		writing.Go(func() {
			for n := range rounds {
				i := (n*7 + w*31 + n*n%13) % keys
				k, s := customer(i), &servers[i]
				s.mu.Lock()
				if n%3 != 0 {
					s.seq++
				}
				fresh := stamped(k, s.seq, n%5*int(one)/4)
				if n%2 == 0 {
					c.Insert(k, fresh)
				}
				c.Update(k, func(b *entitlements.Belief) *entitlements.Belief {
					if b.GrantSeq > fresh.GrantSeq {
						t.Errorf("%v is held of %v, the server is at %v", b.GrantSeq, k, fresh.GrantSeq)
					}
					return fresh
				})
				s.mu.Unlock()
			}
		})
	}
	writing.Wait()
	done.Store(true)
	reading.Wait()
	agree(t, c)
	if s := c.Stats(); s.Evicted+s.Refused == 0 {
		t.Errorf("Stats = %+v: nobody moved", s)
	}
}

func waiting(tb testing.TB) (c *loader, keys []entitlements.Key) {
	c = full(tb, nil)
	for i := range 20 {
		keys = append(keys, newcomer(i))
		c.read(keys[i])
	}
	if n := c.Stats().Waiting; n != 20 {
		tb.Fatalf("%d wait, want 20", n)
	}
	return c, keys
}

func TestLookupOfAWaitingKeyAllocatesNothing(t *testing.T) {
	c, keys := waiting(t)
	floor := testing.AllocsPerRun(10_000, func() { c.index.Get(hash(keys[1].CustomerID, keys[1].ResourceID)) })
	got := testing.AllocsPerRun(10_000, func() {
		c.now++
		c.Lookup(keys[1].CustomerID, keys[1].ResourceID, c.now)
	})
	if got > floor {
		t.Errorf("Lookup allocates %v times, ristretto's Get %v", got, floor)
	}
}

// BenchmarkLookupWaitingNoAlloc is of keys that ristretto does not hold; compare BenchmarkLookupNoAlloc.
func BenchmarkLookupWaitingNoAlloc(b *testing.B) {
	c, keys := waiting(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := &keys[i%len(keys)]
		if got, _ := c.Lookup(k.CustomerID, k.ResourceID, 1); got == nil {
			b.Fatal("miss")
		}
	}
}

// BenchmarkInsertAtCapacity is what a fetch adds to the time of its answer when memory is full: of keys that are read once, and of
// keys that are read again and apply.
func BenchmarkInsertAtCapacity(b *testing.B) {
	for _, reads := range []int{0, 1} {
		b.Run(fmt.Sprintf("reads=%d", reads), func(b *testing.B) {
			c := full(b, nil)
			for i := 0; b.Loop(); i++ {
				k := newcomer(i)
				c.Insert(k, belief(k, 0))
				if reads == 1 {
					c.Lookup(k.CustomerID, "", 1)
				}
			}
		})
	}
}
