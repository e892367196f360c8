// Package retry spaces out attempts. It is the only importer of cenkalti/backoff, and hides what that library gets wrong for a
// loop that must never end: its default of 15 minutes in all, after which it answers Stop (-1, which time.Sleep takes for "at
// once"), a maximum that its jitter exceeds, and no Retry-After.
package retry

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Backoff answers how long to wait before the next attempt: uniformly random below a ceiling that doubles and is capped
// (full jitter), but for a floor that keeps one process from spinning, so that a fleet that failed together does not return
// together. It never says stop. It is not safe for concurrent use.
type Backoff struct {
	floor time.Duration
	exp   *backoff.ExponentialBackOff
}

// New returns a backoff whose waits lie between floor and a ceiling that starts at first and doubles up to last.
func New(floor, first, last time.Duration) *Backoff {
	return &Backoff{floor: floor, exp: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(last),
		backoff.WithRandomizationFactor(0), // the jitter is ours: theirs goes past the maximum
		backoff.WithMaxElapsedTime(0),      // zero: no end; the default of 15m would end the loop in silence
	)}
}

// Next returns the next wait: uniformly random from the floor to the present ceiling.
func (b *Backoff) Next() time.Duration {
	ceiling := b.exp.NextBackOff()
	if ceiling <= b.floor {
		return b.floor
	}
	return b.floor + rand.N(ceiling-b.floor+1)
}

// Reset starts again from the first ceiling. Call it only after the thing has worked for a while, not when it merely began to:
// a server that accepts and drops would be asked at the floor for ever.
func (b *Backoff) Reset() { b.exp.Reset() }

// Jitter returns d give or take the given fraction of it.
func Jitter(d time.Duration, fraction float64) time.Duration {
	spread := time.Duration(float64(d) * fraction)
	if spread <= 0 {
		return d
	}
	return d - spread + rand.N(2*spread+1)
}
