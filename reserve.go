package entcache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/usage"
)

var (
	// ErrDenied: there is not as much left as was to be reserved, or no access at all; see [DeniedError].
	ErrDenied = errors.New("entcache: access denied")
	// ErrNotMetered: what was to be reserved has no usage to take something of.
	ErrNotMetered = errors.New("entcache: not metered")
	// ErrSettled: the reservation was committed or cancelled before.
	ErrSettled = errors.New("entcache: reservation is settled already")
)

// DeniedError is the error of [Client.Reserve] when access is denied. It matches [ErrDenied], and, when the denial is a fallback's,
// what kept Stigg from answering.
type DeniedError struct {
	Decision Decision
	// Err explains Origin Fallback; nil otherwise.
	Err error
}

func (e *DeniedError) Error() string {
	text := fmt.Sprintf("%v: %v", ErrDenied, e.Decision.AccessDeniedReason)
	if e.Err != nil {
		text += " (a fallback, because of: " + e.Err.Error() + ")"
	}
	return text
}

func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// Unwrap returns Err.
func (e *DeniedError) Unwrap() error { return e.Err }

// Reservation is usage that is taken from what is left, and not reported yet. Its methods may be called from any goroutine.
type Reservation struct {
	// Decision is what granted it, as of before the amount was taken.
	Decision Decision

	c       *Client
	key     Key
	feature string
	amount  float64

	mu      sync.Mutex // guards the following
	settled bool       // committed, or cancelled
	held    bool       // the amount is pending still
}

// Reserve takes RequestedUsage of a feature from what is left of it, in this client's eyes, in one step: of all who race for the last
// units, as many win as there are units. What is taken counts as used in this client's checks until [Reservation.Commit] reports what
// was really used, or [Reservation.Cancel] gives it back; a reservation that sees neither is given back after
// [WithReservationTimeout].
//
// It is for one process: another may take the same units before Stigg has counted them. Where the limit is soft, or there is none, a
// reservation always succeeds, and a feature that a credit wallet pays for takes from the wallet as well. When nothing is known of
// the customer the fallback decides, and one that grants access grants it to everybody.
//
// The error is a [*DeniedError] when access is denied, [ErrNotMetered] when the feature has no usage that the program reports,
// [ErrInvalidQuery] when the query names no feature or RequestedUsage is not above zero, [ErrClosed], or that of ctx. A wallet
// itself cannot be reserved: reserve the feature that draws on it.
func (c *Client) Reserve(ctx context.Context, q Query) (*Reservation, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if !(q.RequestedUsage > 0) || math.IsInf(q.RequestedUsage, 0) {
		return nil, fmt.Errorf("%w: RequestedUsage is %v: say how much to reserve", ErrInvalidQuery, q.RequestedUsage)
	}
	if q.CurrencyID != "" {
		return nil, fmt.Errorf("%w: %v is a wallet: reserve the feature that draws on it", ErrInvalidQuery, q.Ref())
	}
	if err := c.lifetime.Err(); err != nil {
		return nil, ErrClosed
	}
	key := q.Key()
	if err := checkKey(key); err != nil {
		return nil, err
	}
	a := c.expect(key, q.Ref(), 0) // so that the account stands
	r, err := c.reserve(ctx, a, q)
	if err != nil {
		c.unexpect(key, q.Ref(), 0)
		return nil, err
	}
	c.reservations.add(r, c.cfg.reservationTimeout)
	return r, nil
}

func (c *Client) reserve(ctx context.Context, a *account, q Query) (*Reservation, error) {
	_, _ = c.GetEntitlement(ctx, q) // fetched before the queue is joined: whoever waits for Stigg holds up nobody
	select {
	case a.reserving <- struct{}{}:
		defer func() { <-a.reserving }()
	case <-ctx.Done():
		return nil, fmt.Errorf("entcache: reserve: %w", context.Cause(ctx))
	}
	d, err := c.GetEntitlement(ctx, q)
	ent := d.Entitlement
	switch {
	case !d.HasAccess:
		return nil, &DeniedError{Decision: d, Err: err}
	case ent.Exists() && ent.Type() != TypeMetered:
		return nil, fmt.Errorf("%w: %v of %v is of type %v", ErrNotMetered, q.Ref(), q.Key(), ent.Type())
	}
	c.pending.correct(q.Key(), q.Ref(), q.RequestedUsage)
	return &Reservation{Decision: d, c: c, key: q.Key(), feature: q.FeatureID, amount: q.RequestedUsage, held: true}, nil
}

// Commit reports what was really used, through [Client].Meter, in place of what was reserved; 0 reports nothing. It may be more than
// was reserved: usage that has happened is reported, limit or no limit, and also when the reservation has expired. After an error the
// reservation stands as before, and Commit may be tried again; [ErrSettled] says that there is nothing left to commit.
func (r *Reservation) Commit(ctx context.Context, actual float64) error {
	if !(actual >= 0) || math.IsInf(actual, 0) {
		return badInput("commit a reservation", fmt.Sprintf("the usage is %v: give a finite number, not below zero", actual))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settled || r.c == nil { // or nothing that Reserve has made
		return ErrSettled
	}
	if actual == 0 {
		r.release()
		return nil
	}
	rec := usage.Record{Kind: usage.Delta, CustomerID: r.key.CustomerID, ResourceID: r.key.ResourceID, FeatureID: r.feature, Value: actual}
	m := r.c.Meter
	if err := m.complete("commit a reservation", &rec, nil, nil); err != nil {
		return err
	}
	if m.reporter == nil {
		r.release()
		return m.offline()
	}
	if !r.held || !r.c.cfg.localUsage {
		if err := m.accept(ctx, rec); err != nil {
			return err
		}
		r.release()
		return nil
	}
	// What is reserved becomes what is reported, in one step for whoever looks.
	r.c.pending.correct(r.key, entitlements.Feature(r.feature), actual-r.amount)
	if err := m.reporter.Accept(ctx, rec); err != nil {
		r.c.pending.correct(r.key, entitlements.Feature(r.feature), r.amount-actual)
		return explainUsage(err)
	}
	r.settled, r.held = true, false
	r.forget()
	return nil
}

// Cancel gives back what was reserved. After Commit, Cancel or the timeout it does nothing, so that it may be deferred; nor does it
// for nil, which is what Reserve returns with an error.
func (r *Reservation) Cancel() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.settled {
		r.release()
	}
}

// release settles the reservation. r.mu is held.
func (r *Reservation) release() {
	r.settled = true
	r.giveBack()
}

// giveBack gives back what was reserved. r.mu is held.
func (r *Reservation) giveBack() {
	if r.held {
		r.held = false
		r.c.unexpect(r.key, entitlements.Feature(r.feature), r.amount)
		r.forget()
	}
}

// forget ends the timer.
func (r *Reservation) forget() { r.c.reservations.remove(r) }

// expire gives back what nobody has settled in time. What was used all the same can still be committed.
func (r *Reservation) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.giveBack()
}

// reservations are the timers of all that are held, so that Close can end them.
type reservations struct {
	mu     sync.Mutex // guards the following
	timers map[*Reservation]*time.Timer
	closed bool
	wg     sync.WaitGroup // of timers that were not stopped
}

func (s *reservations) add(r *Reservation, timeout time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.timers == nil {
		s.timers = map[*Reservation]*time.Timer{}
	}
	s.wg.Add(1)
	s.timers[r] = time.AfterFunc(timeout, func() {
		defer s.wg.Done()
		r.expire()
	})
}

func (s *reservations) remove(r *Reservation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.timers[r]; t != nil && t.Stop() {
		s.wg.Done()
	}
	delete(s.timers, r)
}

// close ends the timers, and waits for those that have just fired.
func (s *reservations) close() {
	s.mu.Lock()
	s.closed = true
	for r, t := range s.timers {
		if t.Stop() {
			s.wg.Done()
		}
		delete(s.timers, r)
	}
	s.mu.Unlock()
	s.wg.Wait()
}
