package usage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Reporter accepts records and delivers them. Make one with [New]. All methods may be called from any number of goroutines.
type Reporter struct {
	cfg   Config
	lanes [len(Lanes)]*lane

	room  room
	count counters

	start  sync.Once
	closed atomic.Bool
	// accepting is held for reading while a record is on its way into the queue, so that Close begins after the last of them.
	accepting sync.RWMutex
	ending    chan struct{} // closed when Close begins
	ended     chan struct{} // closed when Close is complete
	remains   error         // what Close returns, once it is complete

	ctx    context.Context // of the calls: a lifetime that Close ends
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New checks the configuration and returns a reporter on cfg.Queue, which it owns from then on. Nothing is sent before the first
// Accept, Flush or Resume.
func New(cfg Config) (*Reporter, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Reporter{cfg: cfg, ending: make(chan struct{}), ended: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.room.maxRecords, r.room.maxBytes = cfg.MaxRecords, cfg.MaxBytes
	for _, l := range Lanes {
		n, bytes := cfg.Queue.Len(l)
		r.room.force(n, bytes) // what a durable queue brought along is there, bound or no bound
		r.lanes[l] = newLane(r, l, n)
	}
	return r, nil
}

// Resume begins to deliver what a durable queue holds from before. Accept does so too.
func (r *Reporter) Resume() {
	r.start.Do(func() {
		if r.closed.Load() {
			return
		}
		for _, l := range r.lanes {
			r.wg.Go(func() { l.run(r.ctx) })
		}
	})
}

// Accept puts a record into the queue, and returns when it is as safe as that queue keeps it. The record is delivered from then on,
// or set aside, or part of what [Reporter.Close] says it could not deliver. After an error it is not accepted; [ErrFull] and
// [ErrClosed] are such, and the error of a ctx that ended while Accept waited for room, which it does with Config.Block. An error
// of a durable queue may leave open whether the record was kept: a report that is repeated then should carry its own key.
func (r *Reporter) Accept(ctx context.Context, rec Record) error {
	if err := check(&rec); err != nil {
		return err
	}
	if r.closed.Load() {
		return ErrClosed
	}
	size := rec.Size()
	if size > r.cfg.MaxBytes {
		r.count.rejected.Add(1)
		return fmt.Errorf("%w: the record has %d bytes, and the bound of all is %d: make it smaller, or raise the bound", ErrFull, size, r.cfg.MaxBytes)
	}
	r.Resume() // also when nothing fits: only what is delivered makes room
	for full := r.room.take(size); full != nil; full = r.room.take(size) {
		if !r.cfg.Block {
			r.count.rejected.Add(1)
			return fmt.Errorf("%w: no more than %d records or %d bytes may wait for Stigg", ErrFull, r.cfg.MaxRecords, r.cfg.MaxBytes)
		}
		select {
		case <-full:
		case <-ctx.Done():
			r.count.rejected.Add(1)
			return fmt.Errorf("%w: %w", ErrFull, context.Cause(ctx))
		case <-r.ending:
			return ErrClosed
		}
	}
	r.accepting.RLock()
	defer r.accepting.RUnlock()
	if r.closed.Load() {
		r.room.give(1, size)
		return ErrClosed
	}
	l := r.lanes[rec.Lane()]
	number, err := r.cfg.Queue.Append(rec.Lane(), rec)
	if err != nil {
		r.room.give(1, size)
		r.count.rejected.Add(1)
		return err
	}
	r.count.accepted.Add(1)
	l.arrived(number)
	return nil
}

// check refuses what no lane could deliver.
func check(r *Record) error {
	var missing string
	switch {
	case r.Kind < Delta || r.Kind > Event:
		return fmt.Errorf("usage: a record of kind %d: give Delta, Set or Event", r.Kind)
	case r.CustomerID == "":
		missing = "CustomerID"
	case r.Kind == Event && r.EventName == "":
		missing = "EventName"
	case r.Kind != Event && r.FeatureID == "":
		missing = "FeatureID"
	case r.Key == "":
		missing = "Key"
	case r.At.IsZero():
		missing = "At"
	case math.IsNaN(r.Value) || math.IsInf(r.Value, 0):
		return fmt.Errorf("usage: Value of a record is %v: give a finite number", r.Value)
	default:
		return nil
	}
	return fmt.Errorf("usage: %s of a record is empty: give one", missing)
}

// Flush sends what was accepted before it was called without waiting for the window, and returns when all of it is delivered or
// set aside. When ctx ends first it returns an [*UndeliveredError], and the delivery goes on.
func (r *Reporter) Flush(ctx context.Context) error {
	if r.closed.Load() {
		return ErrClosed
	}
	r.Resume()
	return r.flush(ctx)
}

func (r *Reporter) flush(ctx context.Context) error {
	for _, l := range r.lanes {
		done := l.flush()
		select {
		case <-done:
		case <-r.ended:
			return ErrClosed
		case <-ctx.Done():
			return &UndeliveredError{Waiting: r.waiting(), Durable: r.cfg.Queue.Durable(), Err: r.because(ctx)}
		}
	}
	return nil
}

// Hurry ends the pause after a failure, when there is reason to believe that the cause is gone, such as a new API key.
func (r *Reporter) Hurry() {
	for _, l := range r.lanes {
		l.hurry()
	}
}

// Close stops accepting, delivers what waits for as long as ctx lets it, ends what the reporter started, and closes the queue. It
// returns nil when everything is delivered or set aside, else an [*UndeliveredError] that holds the rest, or, with a durable queue,
// counts it. Close may be called more than once; each returns the same when it is done.
func (r *Reporter) Close(ctx context.Context) error {
	r.accepting.Lock() // so that whoever is in Accept has put its record into the queue, or will not
	first := r.closed.CompareAndSwap(false, true)
	r.accepting.Unlock()
	if !first {
		<-r.ended
		return r.remains
	}
	close(r.ending)
	ran := true
	r.start.Do(func() { ran = r.waiting() == 0 })
	var err error
	if r.waiting() > 0 {
		if ran {
			err = r.flush(ctx)
		} else { // nothing was ever sent: what a durable queue brought along stays there
			err = &UndeliveredError{Waiting: r.waiting(), Durable: r.cfg.Queue.Durable(), Err: ErrClosed}
		}
	}
	r.cancel()
	r.wg.Wait()
	if u, ok := errors.AsType[*UndeliveredError](err); ok {
		u.Waiting = r.waiting()
		if !u.Durable {
			u.Records = r.rest()
		}
		if u.Waiting == 0 {
			err = nil
		}
	}
	r.remains = errors.Join(err, r.cfg.Queue.Close())
	if u, ok := errors.AsType[*UndeliveredError](r.remains); ok && r.remains.Error() == u.Error() {
		r.remains = u
	}
	close(r.ended)
	return r.remains
}

// rest is what a queue that is about to end still holds.
func (r *Reporter) rest() []Record {
	var list []Record
	for _, l := range Lanes {
		entries, err := r.cfg.Queue.Read(l, 0, r.waiting())
		if err != nil {
			r.cfg.Logger.Error("entcache: usage that was not delivered cannot be read", "lane", l.String(), "error", err)
		}
		for _, e := range entries {
			list = append(list, e.Record)
		}
	}
	return list
}

func (r *Reporter) waiting() int {
	n := 0
	for _, l := range Lanes {
		records, _ := r.cfg.Queue.Len(l)
		n += records
	}
	return n
}

// because is the reason why something was not delivered in time.
func (r *Reporter) because(ctx context.Context) error {
	for _, l := range r.lanes {
		if err := l.trouble(); err != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
	return context.Cause(ctx)
}

type counters struct {
	accepted, rejected, sent, merged, calls, failed, setAside atomic.Uint64
}

// Stats are counters since the reporter was made, and how things stand.
type Stats struct {
	Accepted uint64 // records that were accepted
	Rejected uint64 // records that were not: the queue was full, or failed
	Sent     uint64 // records that Stigg has counted
	Merged   uint64 // of these, those that went as part of another
	Calls    uint64 // calls to Stigg
	Retried  uint64 // calls that were not answered with success, and led to another
	SetAside uint64 // records that were set aside

	Waiting      int           // records that are neither delivered nor set aside
	WaitingBytes int64         // what they take in memory, roughly
	Oldest       time.Duration // how long the oldest of them has been waiting; zero when there is none
	Err          error         // why the delivery does not go on at present; nil when it does
}

// Stats returns the counters.
func (r *Reporter) Stats() Stats {
	s := Stats{
		Accepted: r.count.accepted.Load(), Rejected: r.count.rejected.Load(), Sent: r.count.sent.Load(), Merged: r.count.merged.Load(),
		Calls: r.count.calls.Load(), Retried: r.count.failed.Load(), SetAside: r.count.setAside.Load(),
	}
	now := time.Now()
	for _, l := range r.lanes {
		n, bytes := r.cfg.Queue.Len(l.lane)
		s.Waiting += n
		s.WaitingBytes += bytes
		if since := l.since(); n > 0 && !since.IsZero() {
			s.Oldest = max(s.Oldest, now.Sub(since))
		}
		if s.Err == nil {
			s.Err = l.trouble()
		}
	}
	return s
}
