package usage

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/entcache/entcache/internal/retry"
)

// lane delivers the records of one kind of call. What has no lock belongs to the goroutine of run.
type lane struct {
	r    *Reporter
	lane Lane
	max  int           // lines in a call
	wake chan struct{} // holds one: something below mu has changed that run has to know

	mu       sync.Mutex // guards the following
	unread   int        // records in the queue that run has not read
	unreadAt time.Time  // when the first of them came
	newest   uint64     // the number of the last that was accepted, by this reporter or before it
	flushes  []flush
	hurried  bool
	err      error
	oldest   time.Time // when the oldest came of those that were read and are not settled

	read      uint64 // the number of the last that was read
	inherited uint64 // the number of the last that was there before this reporter
	caughtUp  bool   // what a durable queue brought along has been read
	merging   merger
	mergingAt time.Time   // when the first of them came
	shipments []*shipment // not removed, in their order
	ready     []*line
	parked    map[meter]*parking

	backoff  *retry.Backoff
	until    time.Time // nothing is sent before
	limit    int       // lines in the next call: fewer after failures
	told     string    // what the logger was told is in the way; empty when nothing is
	arrivals uint64    // calls that succeeded
	wasAlone bool      // the last call was of a line that failed alone
}

// flush is somebody who waits for all records up to a number.
type flush struct {
	to   uint64
	done chan struct{}
}

func newLane(r *Reporter, l Lane, held int) *lane {
	q := &lane{
		r: r, lane: l, max: MaxReports, wake: make(chan struct{}, 1),
		parked: map[meter]*parking{}, unread: held, unreadAt: time.Now(),
		inherited: r.cfg.Queue.Last(l),
		backoff:   retry.New(100*time.Millisecond, 500*time.Millisecond, longestPause),
	}
	q.newest = q.inherited
	if l == Events {
		q.max = MaxEvents
	}
	q.limit = q.max
	return q
}

// arrived notes that a record is in the queue. Of a crowd, the first wakes the lane to look at the clock, and the one that fills a
// call wakes it to send.
func (l *lane) arrived(number uint64) {
	l.mu.Lock()
	l.newest = max(l.newest, number)
	l.unread++
	first, full := l.unread == 1, l.unread%l.max == 0
	if first {
		l.unreadAt = time.Now()
	}
	l.mu.Unlock()
	if first || full {
		l.poke()
	}
}

func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// flush returns a channel that is closed when everything accepted so far is settled.
func (l *lane) flush() <-chan struct{} {
	f := flush{done: make(chan struct{})}
	l.mu.Lock()
	f.to = l.newest
	l.flushes = append(l.flushes, f)
	l.mu.Unlock()
	l.poke()
	return f.done
}

func (l *lane) hurry() {
	l.mu.Lock()
	l.hurried = true
	l.mu.Unlock()
	l.poke()
}

// trouble is why the lane does not deliver at present.
func (l *lane) trouble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *lane) setTrouble(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// since is when the oldest record came that is not settled.
func (l *lane) since() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.oldest.IsZero():
		return l.oldest
	case l.unread > 0:
		return l.unreadAt
	default:
		return time.Time{}
	}
}

// run delivers until ctx ends.
func (l *lane) run(ctx context.Context) {
	for !l.takeUp() {
		if !l.sleep(ctx, l.until) {
			return
		}
	}
	for ctx.Err() == nil {
		l.removeSettled()
		l.answerFlushes()
		l.mu.Lock()
		if l.hurried {
			l.hurried, l.until = false, time.Time{}
		}
		l.mu.Unlock()
		now := time.Now()
		if now.Before(l.until) {
			l.sleep(ctx, l.until)
			continue
		}
		full := l.fill(now)
		batch, due := l.take(now)
		switch {
		case len(batch) > 0:
			l.deliver(ctx, batch)
		case l.until.After(now): // the queue failed
		default:
			l.sleep(ctx, sooner(full, due))
		}
	}
}

// sleep waits until something happens or a moment comes; the zero time never does. It reports whether ctx goes on.
func (l *lane) sleep(ctx context.Context, until time.Time) bool {
	var timeout <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-l.wake:
	case <-timeout:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// sooner returns the earlier of two moments, of which the zero time never comes.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// takeUp takes up the shipments that were sealed before, and reports whether the queue let it.
func (l *lane) takeUp() bool {
	sealed, err := l.r.cfg.Queue.Sealed(l.lane)
	if err != nil {
		l.stumble("cannot be read", err)
		return false
	}
	for _, s := range sealed[len(l.shipments):] {
		entries, err := l.r.cfg.Queue.Read(l.lane, s.After, int(s.Last-s.After))
		if err != nil {
			l.stumble("cannot be read", err)
			return false
		}
		var m merger
		since := time.Now()
		for i := range entries {
			if entries[i].Number > s.Last {
				continue
			}
			m.add(&entries[i], math.MaxInt)
			if r := &entries[i].Record; !r.Alone && r.At.Before(since) { // a time of the program's own does not tell
				since = r.At
			}
		}
		l.mu.Lock()
		l.unread -= m.records
		l.mu.Unlock()
		l.read = s.Last
		l.ship(s, &m, since)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.caughtUp = l.unread == 0; l.caughtUp {
		l.read = max(l.read, l.inherited) // also when all of it was delivered before
	}
	return true
}

// ship makes the lines of a shipment ready.
func (l *lane) ship(s Shipment, m *merger, since time.Time) {
	held := &shipment{Shipment: s, since: since, records: m.records, bytes: m.bytes, open: len(m.lines)}
	for _, ln := range m.lines {
		ln.shipment = held
	}
	l.shipments = append(l.shipments, held)
	l.ready = append(l.ready, m.lines...)
	l.noteOldest()
}

// removeSettled makes the queue forget the shipments that are settled. One that it would not remove is tried again; should the
// process end before, it is delivered again, under the same keys.
func (l *lane) removeSettled() {
	l.shipments = slices.DeleteFunc(l.shipments, func(s *shipment) bool {
		if s.open > 0 {
			return false
		}
		if err := l.r.cfg.Queue.Remove(l.lane, s.Shipment); err != nil {
			l.stumble("that is delivered cannot be removed", err)
			return false
		}
		l.r.room.give(s.records, s.bytes)
		return true
	})
	l.noteOldest()
}

func (l *lane) noteOldest() {
	oldest := l.mergingAt
	if len(l.shipments) > 0 {
		oldest = l.shipments[0].since
	}
	l.mu.Lock()
	l.oldest = oldest
	l.mu.Unlock()
}

// fill makes a shipment ready when the last is on its way and the next is full or its time has come. Otherwise it returns when that
// will be.
func (l *lane) fill(now time.Time) time.Time {
	if len(l.ready) > 0 {
		return time.Time{}
	}
	l.mu.Lock()
	unread, at, flushing := l.unread, l.unreadAt, len(l.flushes) > 0
	l.mu.Unlock()
	if l.merging.records > 0 {
		at = l.mergingAt
	}
	if l.merging.records+unread == 0 {
		return time.Time{}
	}
	due := at.Add(l.r.cfg.Window)
	if l.merging.records+unread < l.max && now.Before(due) && !flushing {
		return due
	}
	if !l.pull() {
		return time.Time{}
	}
	if !l.full() && now.Before(due) && !flushing {
		return due
	}
	if l.merging.records == 0 {
		return time.Time{}
	}
	s, err := l.r.cfg.Queue.Seal(l.lane, l.read)
	if err != nil {
		l.stumble("cannot be sealed", err)
		return time.Time{}
	}
	m, since := l.merging, l.mergingAt
	l.merging, l.mergingAt = merger{}, time.Time{}
	l.ship(s, &m, since)
	return time.Time{}
}

func (l *lane) full() bool {
	m := &l.merging
	return len(m.lines) >= l.max || m.records >= maxShipment
}

// pull reads what is new until the call is full and the next record can join none of its lines, and reports whether the queue let
// it.
func (l *lane) pull() bool {
	for m := &l.merging; m.records < maxShipment; {
		want := min(l.max, maxShipment-m.records)
		entries, err := l.r.cfg.Queue.Read(l.lane, l.read, want)
		if err != nil {
			l.stumble("cannot be read", err)
			return false
		}
		first, n := m.records == 0, 0
		for n < len(entries) && m.add(&entries[n], l.max) {
			n++
		}
		if n > 0 {
			l.took(entries[:n], first)
		}
		if n < len(entries) {
			return true
		}
		if n < want {
			l.caughtUp = true
			return true
		}
	}
	return true
}

// took notes that records were merged, the first of them or not.
func (l *lane) took(entries []Entry, first bool) {
	l.mu.Lock()
	if first {
		l.mergingAt = l.unreadAt
		// It may have come long before, behind others or in another process. What has a time of the program's own does not tell.
		if r := &entries[0].Record; !r.Alone && r.At.Before(l.mergingAt) {
			l.mergingAt = r.At
		}
	}
	l.unread -= len(entries)
	l.unreadAt = time.Now() // the next came after, or not long before
	l.mu.Unlock()
	l.read = entries[len(entries)-1].Number
	l.noteOldest()
}

// stumble notes that the queue failed, and when to try again.
func (l *lane) stumble(how string, err error) {
	l.tell(slog.LevelError, "usage "+how, err)
	l.setTrouble(err)
	l.until = time.Now().Add(l.backoff.Next())
}

// answerFlushes tells whoever waits for what is settled now.
func (l *lane) answerFlushes() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.caughtUp = l.caughtUp || l.unread <= 0 // below zero while one was read of which arrived has not told
	l.flushes = slices.DeleteFunc(l.flushes, func(f flush) bool {
		if !l.caughtUp || l.read < f.to || l.merging.records > 0 && l.merging.lines[0].parts[0].Number <= f.to ||
			len(l.shipments) > 0 && l.shipments[0].After < f.to {
			return false
		}
		close(f.done)
		return true
	})
}
