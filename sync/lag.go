package syncer

import (
	"sync/atomic"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// lag is how much later than its stamp a change has arrived at the least, in the last one to two minutes: the shortest way here
// plus the difference of the two clocks. With it, a stamp can be compared with a moment of this machine's clock. It errs towards
// less, which makes an event look older than it is: that costs a fetch, and never takes an old state for a new one. Two windows,
// because a clock that is set must be forgotten again.
type lag struct {
	window    atomic.Int64 // which minute now is
	now, last atomic.Int64 // the least of this minute and the one before, plus one; 0 is none
}

const lagWindow = time.Minute

// note takes in a change that arrived. It is called by the one goroutine that reads the stream.
func (l *lag) note(stamp, at entitlements.Instant) {
	if stamp == 0 {
		return
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

// least returns the lag; noLag when nothing has arrived lately.
func (l *lag) least() time.Duration {
	now, last := l.now.Load(), l.last.Load()
	switch {
	case now == 0 && last == 0:
		return noLag
	case now == 0 || (last != 0 && last < now):
		return time.Duration(last - 1)
	}
	return time.Duration(now - 1)
}
