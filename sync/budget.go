package syncer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/entcache/entcache/internal/retry"
)

// ErrBudget is wrapped when a fetch would have to wait for the request budget longer than it may.
var ErrBudget = errors.New("request budget exhausted")

// budget is the one allowance that every fetch of the process draws on (P7): a bucket of tokens that fills at a rate. A miss may
// reserve a token that is still to come and waits for its turn; revalidation takes only what misses leave. The rate halves on a
// 429 and recovers by a sixtieth of the ceiling each second, so that a fleet under one key finds its share.
type budget struct {
	ceiling float64 // tokens a second
	burst   float64

	mu      sync.Mutex // guards the following
	rate    float64
	tokens  float64 // negative: reserved by misses that are waiting
	last    time.Time
	paused  time.Time     // no request before this moment: the server said so
	stood   time.Duration // how long it has stood still in all, up to paused
	halved  time.Time     // when the rate last halved
	granted uint64
	halves  uint64
}

const (
	recoverySeconds = 60 // from nothing back to the ceiling
	// floorShare keeps a throttled process asking: at the default ceiling, one request in 1.3 s.
	floorShare = 1.0 / 64
)

func newBudget(perMinute, burst int) *budget {
	r := float64(perMinute) / 60
	return &budget{ceiling: r, rate: r, burst: float64(burst), tokens: float64(burst), last: time.Now()}
}

// fill brings the bucket up to now. During a pause it does not fill, or the whole fleet would come back from it with what it
// was to leave out. The caller holds mu.
func (b *budget) fill(now time.Time) {
	elapsed := now.Sub(b.last).Seconds()
	if elapsed <= 0 {
		return
	}
	b.last = now
	// The rate grows while the time passes; its value at the end would grant too much for a long gap, so take the mean.
	end := min(b.ceiling, b.rate+elapsed*b.ceiling/recoverySeconds)
	grown := (end - b.rate) * recoverySeconds / b.ceiling // seconds spent growing
	gained := (b.rate+end)/2*grown + end*(elapsed-grown)
	b.rate = end
	b.tokens = min(b.burst, b.tokens+gained)
}

// reserve takes the next token, and returns how long to wait until it is there, and what stood was. It fails when that is
// longer than limit.
func (b *budget) reserve(limit time.Duration) (wait, stood time.Duration, err error) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	wait = max(0, b.paused.Sub(now))
	if b.tokens < 1 {
		// At the present rate: it only ever recovers meanwhile, unless it is halved, and then the pause applies too.
		wait += time.Duration((1 - b.tokens) / b.rate * float64(time.Second))
	}
	if wait > limit {
		return 0, 0, fmt.Errorf("%w: the next request may start in %v", ErrBudget, wait.Round(time.Millisecond))
	}
	b.tokens--
	b.granted++
	return wait, b.stood, nil
}

// tryLeftover takes a token that no miss has reserved. Otherwise it returns how long to wait before trying again.
func (b *budget) tryLeftover() (ok bool, wait time.Duration) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	if pause := b.paused.Sub(now); pause > 0 {
		return false, pause
	}
	if b.tokens < 1 {
		return false, time.Duration((1 - b.tokens) / b.rate * float64(time.Second))
	}
	b.tokens--
	b.granted++
	return true, 0
}

// forMiss waits for a token of its own, for at most limit and as long as ctx allows.
func (b *budget) forMiss(ctx context.Context, limit time.Duration) error {
	end := time.Now().Add(limit)
	wait, stood, err := b.reserve(limit)
	for err == nil && wait > 0 {
		if err = sleep(ctx, wait); err != nil {
			b.refund() // whoever waits behind finds it
			err = fmt.Errorf("%w: %w", ErrBudget, err)
			break
		}
		// The server may have asked for a pause in the meantime. It moves everybody's turn by as much: were it merely waited
		// for, all whose turn it has met would go when it ends.
		wait, stood = b.stoodSince(stood)
		if wait > time.Until(end) {
			b.refund()
			err = fmt.Errorf("%w: the server asked for a pause of %v", ErrBudget, wait.Round(time.Millisecond))
		}
	}
	return err
}

// stoodSince returns how much longer than before the budget has stood still, or will have when the pause ends.
func (b *budget) stoodSince(before time.Duration) (more, stood time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stood - before, b.stood
}

// forRefresh waits until misses leave a token over.
func (b *budget) forRefresh(ctx context.Context) error {
	for {
		ok, wait := b.tryLeftover()
		if ok {
			return nil
		}
		if err := sleep(ctx, wait+time.Millisecond); err != nil {
			return err
		}
	}
}

// refund gives back a token that was not needed.
func (b *budget) refund() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.burst, b.tokens+1)
	b.granted--
}

// throttled is told of a 429 (scenario 4). Several that answer requests of the same moment halve the rate once.
func (b *budget) throttled(retryAfter time.Duration) {
	const same = time.Second
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	if retryAfter > 0 {
		// Jitter upwards only: the server named the earliest moment, and every process of the fleet heard the same.
		if until := now.Add(retryAfter + retry.Jitter(retryAfter/10, 1)/2); until.After(b.paused) {
			if b.paused.Before(now) {
				b.paused = now
			}
			b.stood += until.Sub(b.paused)
			b.paused, b.last = until, until
		}
	}
	if now.Sub(b.halved) < same {
		return
	}
	b.halved = now
	b.halves++
	b.rate = max(b.rate/2, b.ceiling*floorShare)
	b.tokens = min(b.tokens, 0)
}

// budgetState is what Status and Stats report.
type budgetState struct {
	perMinute float64
	granted   uint64
	halves    uint64
}

func (b *budget) state() budgetState {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(time.Now())
	return budgetState{b.rate * 60, b.granted, b.halves}
}

// sleep waits for d, or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
