package syncer

import (
	"time"

	"github.com/entcache/entcache/internal/retry"
)

// What fails is left alone for a while: each key by itself, and everything when nothing is answered any more.

// failed is a key whose last fetch failed: until then, a miss is answered with the same error instead of another fetch.
type failed struct {
	until   time.Time
	backoff *retry.Backoff
	err     error
}

// maxFailures bounds the keys that back off; beyond it an arbitrary one is forgotten.
const maxFailures = 1 << 12

// forgetFailures makes room for one more key that failed: those that nobody asks for any more go, and in a pinch others. The
// caller holds mu.
func (s *Syncer) forgetFailures() {
	const cold = 5 * time.Minute
	if now := time.Now(); now.Sub(s.swept) > cold {
		s.swept = now
		for k, x := range s.failures {
			if now.Sub(x.until) > cold {
				delete(s.failures, k)
			}
		}
	}
	for k := range s.failures {
		if len(s.failures) < maxFailures {
			break
		}
		delete(s.failures, k)
	}
}

// forgive forgets which keys failed: the server is back.
func (s *Syncer) forgive() {
	s.mu.Lock()
	clear(s.failures)
	s.mu.Unlock()
	s.release()
}

// release says that the server answers again.
func (s *Syncer) release() {
	s.failedAttempts.Store(0)
	if s.failuresInARow.Swap(0) >= brakeAfter {
		select {
		case s.relief <- struct{}{}:
		default:
		}
	}
}

// brakeAfter is how many fetches in a row must have failed for revalidation to slow down, and for a miss to be tried only once
// (scenario 5).
const brakeAfter = 3
