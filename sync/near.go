package syncer

import (
	"context"
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

const (
	// nearBehind is how far behind a near answer may be: for as long after a write of this client, only the server itself is asked.
	nearBehind = time.Minute
	// maxWritten bounds how many such writes are remembered. When there are more, nobody near is asked.
	maxWritten = 4096
	// nearShare is the part of Config.FetchTimeout that a near answer may take; the rest is for the server itself.
	nearShare = 4
)

// near decides who may be answered from nearby.
type near struct {
	source  Nearer // nil: there is none
	written map[entitlements.Key]time.Time
	backoff *retry.Backoff
	until   time.Time // it has failed, and is not asked before
}

func newNear(s Source) near {
	n, _ := s.(Nearer)
	return near{source: n, written: map[entitlements.Key]time.Time{}, backoff: retry.New(500*time.Millisecond, time.Second, time.Minute)}
}

// wrote remembers a write of this client, or a report. Syncer.mu is held.
func (n *near) wrote(key entitlements.Key) {
	if n.source == nil {
		return
	}
	now := time.Now()
	if len(n.written) >= maxWritten {
		n.forget(now)
	}
	if len(n.written) < maxWritten {
		n.written[key] = now
	}
}

// forget strikes off what is shown everywhere by now.
func (n *near) forget(now time.Time) {
	for k, at := range n.written {
		if now.Sub(at) > nearBehind {
			delete(n.written, k)
		}
	}
}

// may reports whether a key that is not in memory may be answered from nearby. Syncer.mu is held.
func (n *near) may(l *ledger, key entitlements.Key) bool {
	if n.source == nil {
		return false
	}
	now := time.Now()
	if now.Before(n.until) {
		return false
	}
	if len(n.written) >= maxWritten {
		if n.forget(now); len(n.written) >= maxWritten {
			return false
		}
	}
	for _, k := range []entitlements.Key{key, {CustomerID: key.CustomerID}} {
		if at, ok := n.written[k]; ok && now.Sub(at) <= nearBehind {
			return false
		}
	}
	newest, learned := l.stamps.of(key)
	return newest == 0 && learned == 0 // of what was held before, the near answer may show less
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
	s.mu.Lock()
	s.ledger.begin(f, at.seq)
	s.mu.Unlock()
	s.counts.near.Add(1)
	snapshot, err := s.near.source.FetchNear(ctx, f.key)
	at.landed = entitlements.InstantOf(time.Now())
	s.mu.Lock()
	if err != nil || snapshot == nil { // no reason to let the next one wait for the same
		s.near.until = time.Now().Add(s.near.backoff.Next())
		s.mu.Unlock()
		return false
	}
	s.near.backoff.Reset()
	if f.held != nil || f.newest != 0 || len(f.pending) > 0 { // something arrived meanwhile that it may not show
		s.mu.Unlock()
		return false
	}
	b, _, resident := s.ledger.land(f, snapshot, at)
	question := input{kind: inDoubt, at: s.arrive()}
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
