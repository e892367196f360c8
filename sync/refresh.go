package syncer

import (
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// refresher is what is to be fetched again, and when. It is a leaf: nothing is called while its lock is held.
type refresher struct {
	wake chan struct{} // capacity 1

	mu      sync.Mutex                                // guards the following
	asked   fifo                                      // suspect, expired, or read while Stale: somebody looks at it now
	queue   []entitlements.Key                        // the pass: everything that is being read and needs it, hottest last
	queued  map[entitlements.Key]struct{}             // what is in queue
	due     dueHeap                                   // what has to be looked at later
	dueAt   map[entitlements.Key]entitlements.Instant // the entry of each key in due that counts: the earliest
	build   bool                                      // the queue must be drawn up anew
	passing bool                                      // a pass was asked for and is not complete
	cut     bool                                      // since a pass was last complete, one was replaced before it was through
	flying  int                                       // refreshes in flight
	inPass  int                                       // those of them that are of the pass
	ahead   int                                       // refreshes in a row that began before the pass, which waited
	done    int                                       // fetches of this pass that succeeded
	failed  map[entitlements.Key]struct{}             // keys of this pass whose fetch failed, and that nothing has settled since
}

// passShare is the share of the refreshes that the pass is sure of (scenario 8): while both wait, at most three that somebody asked
// for begin before the next one of the pass. With one in two, a long pass would let through half as many questions, for the sake of
// a bound that only a flood stretches. Without a share, whoever asks often enough would keep everybody else Stale for ever.
const passShare = 4

func (r *refresher) init() {
	r.wake = make(chan struct{}, 1)
	r.asked.has = make(map[entitlements.Key]bool)
	r.dueAt = make(map[entitlements.Key]entitlements.Instant)
	r.failed = make(map[entitlements.Key]struct{})
}

// poke makes the refresher look again.
func (r *refresher) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// urgent has a key fetched before the pass goes on, as far as passShare allows. Asking twice is asking once.
func (r *refresher) urgent(key entitlements.Key) {
	r.mu.Lock()
	added := r.asked.push(key, true)
	r.mu.Unlock()
	if added {
		r.poke()
	}
}

// readStale is urgent for a key that was just read while Stale, unless the pass will come to it: what is read most must not have to
// queue behind whatever else is read.
func (r *refresher) readStale(key entitlements.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.queued[key]; !ok {
		r.asked.push(key, false)
	}
}

// pass has everything that is being read, and is not Live, fetched again.
func (r *refresher) pass() {
	r.mu.Lock()
	r.cut = r.cut || (r.passing && len(r.queue) > 0)
	r.passing, r.build, r.done = true, true, 0
	clear(r.failed)
	r.mu.Unlock()
	r.poke()
}

// lookAgain has a key looked at again at the moment at, or earlier if that was asked for; zero means never. Who looks asks again
// for what is later.
func (r *refresher) lookAgain(key entitlements.Key, at entitlements.Instant) {
	if at == 0 {
		return
	}
	r.mu.Lock()
	held, ok := r.dueAt[key]
	known := ok && held <= at
	if !known {
		r.dueAt[key] = at
		heap.Push(&r.due, due{at, key})
		if len(r.due) > 2*len(r.dueAt)+64 { // mostly entries that no longer count
			r.due = slices.DeleteFunc(r.due, func(d due) bool { return r.dueAt[d.key] != d.at })
			heap.Init(&r.due)
		}
	}
	first := r.due[0].at == at
	r.mu.Unlock()
	if !known && first {
		r.poke()
	}
}

// forget drops what is due of a key that is no longer resident.
func (r *refresher) forget(key entitlements.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.dueAt, key)
	delete(r.failed, key)
}

// justAfter is when to ask about a set that is valid until the moment at: at the moment itself it still is what it was.
func justAfter(at entitlements.Instant) entitlements.Instant { return at.Add(time.Millisecond) }

// nextDue returns how long until something has to be looked at; negative when nothing has.
func (r *refresher) nextDue(now entitlements.Instant) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.due) == 0 {
		return -1
	}
	return max(0, time.Duration(r.due[0].at-now))
}

// ripe takes out what has to be looked at now.
func (r *refresher) ripe(now entitlements.Instant) []entitlements.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []entitlements.Key
	for len(r.due) > 0 && r.due[0].at <= now {
		d := heap.Pop(&r.due).(due)
		if r.dueAt[d.key] == d.at {
			delete(r.dueAt, d.key)
			keys = append(keys, d.key)
		}
	}
	return keys
}

// draw replaces the pass. Reads that were heard before it was drawn up are part of it, each where its heat puts it: those of an
// outage would all go first, in the order in which they came.
func (r *refresher) draw(queue []entitlements.Key) {
	queued := make(map[entitlements.Key]struct{}, len(queue))
	for _, key := range queue {
		queued[key] = struct{}{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue, r.queued = queue, queued
	r.asked.yieldTo(queued)
}

// next takes out the key to fetch next: what somebody looks at, then the hottest of the pass, which has its turn first when
// enough went before it.
func (r *refresher) next() (key entitlements.Key, ofPass, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.queue) - 1
	if n < 0 || r.ahead < passShare-1 {
		if key, ok = r.asked.pop(); ok {
			return key, false, true
		}
	}
	if n < 0 {
		return key, false, false
	}
	key, r.queue = r.queue[n], r.queue[:n]
	delete(r.queued, key)
	return key, true, true
}

// contended reports whether the pass has to share.
func (r *refresher) contended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked.keys) > 0
}

// pending returns how many keys are waiting to be fetched, or in flight.
func (r *refresher) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked.keys) + len(r.queue) + r.flying
}

// idle reports whether there is nothing to fetch. A pass that has been asked for and is not drawn up yet may turn out to be nothing: who
// asks for one pokes, and it must not wait for a token to find that out.
func (r *refresher) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked.keys) == 0 && len(r.queue) == 0
}

// through reports whether nothing of the pass is left, so that the next may be drawn up. Before that it must not be: what is hot
// would come round again before what is cold had its turn, and the pass would never be complete.
func (r *refresher) through() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue) == 0 && r.inPass == 0 && !r.build
}

// lift and landed count a refresh in flight.
func (r *refresher) lift(ofPass bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flying++
	switch {
	case ofPass:
		r.inPass++
		r.ahead = 0
	case len(r.queue) == 0:
		r.ahead = 0
	default:
		r.ahead++
	}
}

func (r *refresher) landed(key entitlements.Key, ofPass, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flying--
	if ofPass {
		r.inPass--
	}
	switch {
	case ok:
		delete(r.failed, key)
		if ofPass {
			r.done++
		}
	case ofPass:
		r.failed[key] = struct{}{}
	}
}

// skipped counts a key of the pass that is left out for now because it failed a moment ago.
func (r *refresher) skipped(key entitlements.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed[key] = struct{}{}
}

// settled is told of a key that needs nothing any more, whoever saw to it.
func (r *refresher) settled(key entitlements.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failed, key)
}

// complete reports, once, that the pass is through and that no more of it failed than succeeded. What failed stays Stale and is
// tried again at the next tick; when most of it did, so is the pass. What is asked for meanwhile counts neither way and is not
// waited for: there may be no end to it.
func (r *refresher) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.passing || r.build || len(r.queue) > 0 || r.inPass > 0 || len(r.failed) > r.done {
		return false
	}
	r.passing, r.cut = false, false
	return true
}

// wasCut reports whether passes are being replaced before they are through.
func (r *refresher) wasCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cut
}

// takeBuild reports whether the queue must be drawn up anew, which the caller does then.
func (r *refresher) takeBuild() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	build := r.build
	r.build = false
	return build
}

// rebuild has the queue drawn up anew.
func (r *refresher) rebuild() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.build = true
	if r.inPass == 0 {
		r.done = 0
		clear(r.failed)
	}
}
