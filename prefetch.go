package entcache

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	syncer "github.com/entcache/entcache/sync"
)

// PrefetchProgress is how far a [Client.Prefetch] has come.
type PrefetchProgress struct {
	Done   int // keys that are in memory now, or were before
	Failed int // keys that could not be fetched
	Total  int
}

// prefetchers bounds the fetches that one Prefetch has in flight.
const prefetchers = 16

// Prefetch loads the given customers and resources into memory, inside the request budget, so that their first check does not
// wait. At the default budget that is 500 at once and 50 a second from there on. Keys that are in memory are left alone.
//
// progress, if not nil, is called after each key, from one goroutine at a time; it must not call Prefetch. A key that fails is
// counted and does not stop the others. Prefetch returns nil when all succeeded, ctx's error when that ended first, else an
// error that wraps one of the causes. ctx is its only time limit.
func (c *Client) Prefetch(ctx context.Context, keys []Key, progress func(PrefetchProgress)) error {
	e := c.running.Load()
	if e == nil {
		return c.whyNotRunning()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.lifetime, func() { cancel(ErrClosed) })()
	p := &prefetch{
		engine: e, keys: keys, turn: make(chan struct{}, 1), progress: progress, state: PrefetchProgress{Total: len(keys)},
	}
	return p.run(ctx)
}

// prefetch is one Prefetch. Its fetches are made by a few goroutines, each one key after the other: a goroutine for each fetch would
// have to be woken and to grow its stack a hundred thousand times.
type prefetch struct {
	engine *engine
	keys   []Key         // those that nobody has taken yet; they are for whoever has the turn
	turn   chan struct{} // holds a token while somebody takes a key, and waits for the budget

	mu       sync.Mutex // guards the following
	progress func(PrefetchProgress)
	state    PrefetchProgress
	flying   int // keys that were taken and are not yet reported
	over     bool
	cause    error
}

// run returns when all keys are done, or when ctx ends. What is in the air then lands for others, and for Close to wait for.
func (p *prefetch) run(ctx context.Context) error {
	var fetchers errgroup.Group // its errors are counted, not returned: a key that fails does not stop the others
	for range min(prefetchers, len(p.keys)) {
		fetchers.Go(func() error {
			for {
				key, ok := p.take(ctx)
				if !ok {
					return nil
				}
				_, err := p.engine.sync.LoadAllowed(ctx, key)
				p.landed(err)
			}
		})
	}
	all := make(chan struct{})
	go func() { // ends with the fetchers
		_ = fetchers.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-ctx.Done():
		p.turn <- struct{}{} // nobody looks at keys any more, which are the caller's
		<-p.turn
	}
	return p.end(context.Cause(ctx))
}

// take returns the next key that has to be fetched, as soon as the budget has a token for it; false when there is none, or ctx ended.
func (p *prefetch) take(ctx context.Context) (key Key, ok bool) {
	p.turn <- struct{}{} // whoever has it gives it back when ctx ends
	defer func() { <-p.turn }()
	for len(p.keys) > 0 && ctx.Err() == nil {
		key, p.keys = p.keys[0], p.keys[1:]
		if err := checkKey(key); err != nil {
			p.report(err)
		} else if b, ok := p.engine.cache.Peek(key); ok && !b.Belief.AwaitRefresh {
			p.report(nil)
		} else if p.engine.sync.Allow(ctx) == nil {
			p.mu.Lock()
			p.flying++
			p.mu.Unlock()
			return key, true
		}
	}
	return Key{}, false
}

func (p *prefetch) landed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flying--
	p.tell(err)
}

func (p *prefetch) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell(err)
}

// tell counts a key, and says so unless Prefetch has returned. The caller holds mu.
func (p *prefetch) tell(err error) {
	if p.over {
		return
	}
	if err != nil {
		p.state.Failed++
		p.cause = err
	} else {
		p.state.Done++
	}
	if p.progress != nil {
		p.progress(p.state)
	}
}

// end sums up. Given why ctx ended, if it did, the keys that are in the air have failed.
func (p *prefetch) end(ended error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.flying {
		p.tell(ended)
	}
	p.over = true
	switch {
	case ended != nil:
		return ended
	case errors.Is(p.cause, syncer.ErrClosed):
		return ErrClosed
	case p.cause != nil:
		return fmt.Errorf("entcache: prefetch: %d of %d keys failed: %w", p.state.Failed, p.state.Total, p.cause)
	}
	return nil
}
