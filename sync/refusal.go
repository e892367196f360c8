package syncer

import (
	"fmt"
	"time"
)

// probation is how long after a refusal that was not confirmed the next one needs no confirmation.
const probation = time.Minute

// refusal is what fetches say against the API key (scenario 2). One refused fetch may be a gateway's mistake, and to believe it would cost
// five minutes of Off. So the first is a question, which the next stream (or, without one, CheckKey) answers: if that is refused
// too, the key is. If not, it is believed to be good, on probation: a fetch that is refused within a minute, or before any fetch
// has been answered, needs no confirmation. A server that takes the stream and refuses fetches thus costs one reconnect, and
// one that refuses a fetch now and then costs one a minute at most.
//
// The alternative that lost: to ask CheckKey beside the open stream, which would spare the Stale answers of a reconnect. It takes
// the same way through the same gateway as the fetch did, and so repeats its mistake.
//
// The zero value trusts the key. Guarded by Syncer.mu.
type refusal struct {
	confirming bool      // the attempt under way is to tell; until then, fetches that are refused say nothing new
	since      uint64    // place in the local order at which it did; what began before says nothing new either
	unanswered bool      // no fetch that began since then was answered
	until      time.Time // end of the probation, if a fetch was answered
}

// unconfirmed ends a stream on the word of a single fetch.
type unconfirmed struct{ error }

func (u unconfirmed) Unwrap() error { return u.error }

// reject is told by a fetch that the key is refused: whatever stream is open is given up, so that the supervisor finds out. A
// fetch that began before the key was replaced says nothing about the new one.
func (s *Syncer) reject(began uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &s.refusal
	switch {
	case s.drop == nil || began <= s.keySeq.Load() || began <= d.since || d.confirming:
	case d.unanswered || time.Now().Before(d.until):
		s.drop(err)
	default:
		s.drop(unconfirmed{err})
	}
}

// answered is told by a fetch that the key was accepted. The caller holds mu.
func (s *Syncer) answered(began uint64) {
	if began > s.refusal.since {
		s.refusal.unanswered = false
	}
}

// confirm makes the attempt that follows the one that tells whether the key is refused.
func (s *Syncer) askAgain(err error) {
	s.mu.Lock()
	s.refusal.confirming = true
	s.mu.Unlock()
	s.lost(Interrupted, fmt.Errorf("to be confirmed: %w", err))
	s.log.Warn("entcache: API key refused by a fetch; opening the stream again to see whether it is", "error", err)
	s.refresh.poke()
}

// unrefuted ends a confirmation that did not show the key to be refused: it was accepted, or the server could not be asked.
func (s *Syncer) unrefuted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal.confirming {
		s.refusal = refusal{since: s.seq.Load(), unanswered: true, until: time.Now().Add(probation)}
	}
}

// trust forgets the doubt: the key was replaced, or is known to be refused.
func (s *Syncer) trust() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = refusal{}
}
