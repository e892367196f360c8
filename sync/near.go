package syncer

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/internal/retry"
)

// Nearer is an optional power of a [Source]: to ask somewhere that answers sooner, and may be behind, such as a CDN. It is asked for a
// key of which nothing is known here, and for nothing else: its answer may show less than this process has seen or written. What it
// says is a question from the start (rule 3): it is served as Stale until the fetch that it leads to has decided. Both take a token of
// the budget.
type Nearer interface {
	FetchNear(ctx context.Context, key entitlements.Key) (*entitlements.Snapshot, error)
}

// NearBehind is how far behind an answer of a [Nearer] may be: for as long after a write of this client, only the server itself is
// asked, and a near answer confirms no more than what was so that long ago. Who accepts nothing so old has no use for one.
const NearBehind = time.Minute

const (
	// maxWritten bounds how many such writes are remembered. When there are more, nobody near is asked.
	maxWritten = 4096
	// nearShare is the part of Config.FetchTimeout that a near answer may take; the rest is for the server itself.
	nearShare = 4
)

// near decides who may be answered from nearby. Syncer.mu guards it.
type near struct {
	source  Nearer // nil: there is none
	known   known
	written map[entitlements.Key]time.Time
	swept   time.Time // when written last forgot what is shown everywhere
	blind   time.Time // until then, a write that there was no room for may not be shown
	backoff *retry.Backoff
	until   time.Time // it has failed, and is not asked before
}

func newNear(s Source) near {
	n := near{written: map[entitlements.Key]time.Time{}, backoff: retry.New(500*time.Millisecond, time.Second, time.Minute)}
	if n.source, _ = s.(Nearer); n.source != nil {
		n.known = newKnown()
	}
	return n
}

// wrote remembers a write of this client, or a report.
func (n *near) wrote(key entitlements.Key) {
	if n.source == nil {
		return
	}
	now := time.Now()
	if _, ok := n.written[key]; !ok && len(n.written) >= maxWritten {
		if n.forget(now); len(n.written) >= maxWritten {
			n.blind = now.Add(NearBehind)
			return
		}
	}
	n.written[key] = now
}

// forget strikes off what is shown everywhere by now, at most once a second: it looks at all there is.
func (n *near) forget(now time.Time) {
	if now.Sub(n.swept) < time.Second {
		return
	}
	n.swept = now
	for k, at := range n.written {
		if now.Sub(at) > NearBehind {
			delete(n.written, k)
		}
	}
}

// learned remembers that something was answered about a key.
func (n *near) learned(key entitlements.Key) {
	if n.source != nil {
		n.known.add(key)
	}
}

// may reports whether a key that is not in memory may be answered from nearby: only one of which nothing was known, ever, since of what
// was shown before, or written, the near answer may show less.
func (n *near) may(key entitlements.Key) bool {
	if n.source == nil {
		return false
	}
	now := time.Now()
	if now.Before(n.until) || !now.After(n.blind) {
		return false
	}
	for _, k := range []entitlements.Key{key, {CustomerID: key.CustomerID}} {
		if at, ok := n.written[k]; ok && now.Sub(at) <= NearBehind {
			return false
		}
	}
	return !n.known.has(key)
}

// failed puts the next question off. Of questions that fail together the first does; and as long as whoever was asked wants to be left
// alone.
func (n *near) failed(now time.Time, alone time.Duration) {
	if !now.Before(n.until) {
		n.until = now.Add(n.backoff.Next())
	}
	if until := now.Add(alone); until.After(n.until) {
		n.until = until
	}
}

// known is a set of keys that never says no of one that was added: a bit for each hash. Of others it says yes the more often the more
// were added, and then they are asked of the server, as without anybody near: one in 84 after 100,000 keys, one in 9 after a million. It
// takes 1 MiB.
//
// The alternative that lost: the stamps of what was evicted (stamps.go), which are there anyway. They forget, and the key that they
// forget is the one that would be shown less than before; they have none of an empty set; and what memory had no room for was never
// evicted.
type known struct {
	seed maphash.Seed
	bits []uint64
}

// knownBits is a power of two.
const knownBits = 1 << 23

func newKnown() known { return known{maphash.MakeSeed(), make([]uint64, knownBits/64)} }

func (k *known) bit(key entitlements.Key) (word *uint64, mask uint64) {
	h := maphash.Comparable(k.seed, key) % knownBits
	return &k.bits[h/64], 1 << (h % 64)
}

func (k *known) add(key entitlements.Key) {
	word, mask := k.bit(key)
	*word |= mask
}

func (k *known) has(key entitlements.Key) bool {
	word, mask := k.bit(key)
	return *word&mask != 0
}

// approach tries to answer a flight from nearby, and reports whether that ended it.
func (s *Syncer) approach(ctx context.Context, f *flight) bool {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.FetchTimeout/nearShare)
	defer cancel()
	end, _ := ctx.Deadline()
	if err := s.budget.forMiss(ctx, time.Until(end)/2); err != nil {
		return false
	}
	at := s.arrive()
	at.generation = 0 // no stream follows from what may be behind
	at.at = at.at.Add(-NearBehind)
	s.mu.Lock()
	s.ledger.begin(f, at.seq)
	s.mu.Unlock()
	s.counts.near.Add(1)
	snapshot, err := s.near.source.FetchNear(ctx, f.key)
	at.landed = entitlements.InstantOf(time.Now())
	fail := classify(err)
	s.throttled(fail) // the server counts both kinds of question together
	s.mu.Lock()
	if err != nil || snapshot == nil { // no reason to let the next one wait for the same
		s.near.failed(time.Now(), leaveAlone(fail))
		s.mu.Unlock()
		return false
	}
	s.near.backoff.Reset()
	if f.held != nil || f.newest != 0 || len(f.pending) > 0 { // something arrived meanwhile that it may not show
		s.mu.Unlock()
		return false
	}
	s.near.learned(f.key)
	b, _, resident := s.ledger.land(f, snapshot, at)
	question := s.ledger.blank(inDoubt)
	question.at = s.arrive()
	if held, _ := s.ledger.take(f.key, question); held != nil {
		b = held
	} else {
		b, _ = question.next(b)
	}
	f.belief, f.near = b, true
	delete(s.failures, f.key)
	s.mu.Unlock()
	if resident {
		s.refresh.lookAgain(f.key, justAfter(b.ExpiresAt))
		s.refresh.urgent(f.key)
	}
	close(f.done)
	return true
}
