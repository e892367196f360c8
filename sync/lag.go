package syncer

import (
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// lag compares the server's stamps of sets with this machine's clock: it is how far the server's clock is ahead of ours, seen
// from the least that a change has arrived after its stamp in the last one to two minutes. A server whose clock is behind cannot
// be told from one whose events are late, so that is not made up for: its events look older than they are, which costs fetches
// and never takes an old state for a new one. Two windows, because a clock that is set must be forgotten again.
type lag struct {
	window    atomic.Int64 // which minute now is
	now, last atomic.Int64 // the least of this minute and the one before, plus one; 0 is none
}

const (
	lagWindow = time.Minute
	// lagMost is when stamps are no longer taken for moments of a clock at all: then they order sets among themselves only.
	lagMost = time.Hour
)

// note takes in a change that arrived. It is called by the one goroutine that reads the stream.
func (l *lag) note(stamp, at entitlements.Instant) {
	if stamp == 0 || stamp-at > entitlements.Instant(lagMost) {
		return // one stamp gone wrong must not make every event of the next two minutes look late
	}
	if w := int64(at) / int64(lagWindow); w != l.window.Load() {
		if w == l.window.Load()+1 {
			l.last.Store(l.now.Load())
		} else {
			l.last.Store(0)
		}
		l.now.Store(0)
		l.window.Store(w)
	}
	d := int64(at-stamp) + 1
	if d == 0 {
		d = 1
	}
	if held := l.now.Load(); held == 0 || d < held {
		l.now.Store(d)
	}
}

// least returns the lag: zero or less, or noLag when the stamps are no moments of a clock.
func (l *lag) least() time.Duration {
	var least int64
	switch now, last := l.now.Load(), l.last.Load(); {
	case now == 0 && last == 0:
		return 0
	case now == 0 || (last != 0 && last < now):
		least = last - 1
	default:
		least = now - 1
	}
	if time.Duration(least) > lagMost {
		return noLag
	}
	return min(0, time.Duration(least))
}
