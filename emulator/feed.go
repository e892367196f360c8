package emulator

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/graph-gophers/graphql-go"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// feed is one subscription inside graphql-go, which selects from each payload what the client asked for. Events go in one
// at a time and each is awaited, so nothing is ever queued in there, and ending the input ends its goroutines.
type feed struct {
	field string // the root field
	since uint64 // events up to this one are older than the subscription
	out   <-chan any

	mu   sync.Mutex                  // one payload at a time, and none after stop
	push func(any) *graphql.Response // hands over a payload; a response means that the feed could not take it
	end  func()
	done bool
}

type feedKey struct{}

// subscriptions resolves the subscription fields: each hands graphql-go the channel of the feed in ctx.
type subscriptions struct{ wire.UnbuiltSubscription }

// EntitlementsUpdatedV2 tells the whole set of a key each time it was calculated.
func (*subscriptions) EntitlementsUpdatedV2(ctx context.Context) (<-chan *wire.EntitlementsUpdatedV2, error) {
	return open[wire.EntitlementsUpdatedV2](ctx, "entitlementsUpdatedV2")
}

// EntitlementsUpdated is the older form of EntitlementsUpdatedV2.
func (*subscriptions) EntitlementsUpdated(ctx context.Context) (<-chan *wire.EntitlementsUpdated, error) {
	return open[wire.EntitlementsUpdated](ctx, "entitlementsUpdated")
}

// UsageUpdatedV2 tells the usage of a feature or wallet each time it changed.
func (*subscriptions) UsageUpdatedV2(ctx context.Context) (<-chan *wire.UsageUpdatedV2, error) {
	return open[wire.UsageUpdatedV2](ctx, "usageUpdatedV2")
}

// UsageUpdated is the older form of UsageUpdatedV2, for features only.
func (*subscriptions) UsageUpdated(ctx context.Context) (<-chan *wire.UsageUpdated, error) {
	return open[wire.UsageUpdated](ctx, "usageUpdated")
}

// CreditBalanceUpdated is the older form of UsageUpdatedV2 for wallets.
func (*subscriptions) CreditBalanceUpdated(ctx context.Context) (<-chan *wire.CreditBalanceUpdated, error) {
	return open[wire.CreditBalanceUpdated](ctx, "creditBalanceUpdated")
}

// PackagePublished tells that the catalog changed.
func (*subscriptions) PackagePublished(ctx context.Context) (<-chan *wire.PackagePublished, error) {
	return open[wire.PackagePublished](ctx, "packagePublished")
}

func open[T any](ctx context.Context, field string) (<-chan *T, error) {
	f, ok := ctx.Value(feedKey{}).(*feed)
	if !ok {
		return nil, fmt.Errorf("%s needs a socket", field)
	}
	c := make(chan *T)
	f.field = field
	f.push = func(v any) *graphql.Response {
		select {
		case c <- v.(*T):
			return nil
		case out := <-f.out: // ended, or stillborn: some errors show only after the channel was asked for
			r, _ := out.(*graphql.Response)
			return cmp.Or(r, &graphql.Response{})
		}
	}
	f.end = func() { close(c) }
	return c, nil
}

// newFeed opens a subscription, or answers why it cannot be.
func (e *Emulator) newFeed(req request) (*feed, *response) {
	f := &feed{}
	// Not the socket's context: stop ends the feed, and by its input alone, so that it ends in order.
	ctx := context.WithValue(context.Background(), feedKey{}, f)
	variables := maps.Clone(req.Variables)
	if variables == nil {
		variables = map[string]any{}
	}
	for name, value := range scanOperation(req.Query, req.OperationName).defaults {
		if _, given := variables[name]; !given {
			variables[name] = value
		}
	}
	out, err := e.schema.Subscribe(e.in(ctx), req.Query, req.OperationName, variables)
	if err != nil {
		return nil, failure(codeUnexpected, err.Error())
	}
	if f.push == nil {
		r, ok := (<-out).(*graphql.Response)
		if !ok {
			return nil, failure(codeUnexpected, "the subscription could not be opened")
		}
		return nil, convertResponse(r)
	}
	f.out = out
	return f, nil
}

// tell returns what the client sees of a payload. It is nil once the feed was stopped, and ended is true when the feed
// turns out to be of no use; the response then says why.
func (f *feed) tell(payload any) (resp *response, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return nil, false
	}
	if r := f.push(payload); r != nil {
		return convertResponse(r), true
	}
	r, ok := (<-f.out).(*graphql.Response)
	if !ok {
		return failure(codeUnexpected, "the subscription ended"), true
	}
	return convertResponse(r), false
}

// stop ends the feed and waits until graphql-go has let go of it.
func (f *feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return
	}
	f.done = true
	f.end()
	for range f.out {
	}
}

func (s *socket) startSubscription(id string, req request) {
	f, refused := s.e.newFeed(req)
	if refused != nil {
		s.sendMessage(message{id, "error", refused.Errors})
		return
	}
	s.e.mu.Lock()
	f.since = s.e.eventSeq
	s.register(id, f)
	s.e.mu.Unlock()
}

// pump tells each event to each subscription that carries it, in the order the changes were made.
func (s *socket) pump() {
	for {
		select {
		case p := <-s.queue:
			if !s.due(p.event) {
				return
			}
			for _, op := range s.live() {
				if p.end != nil {
					p.end(op)
				} else {
					s.tell(op, p.event)
				}
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// due waits for the time of an event that is to come late; it is false when the socket ends first.
func (s *socket) due(ev *event) bool {
	if ev == nil || ev.notBefore.IsZero() {
		return true
	}
	timer := time.NewTimer(time.Until(ev.notBefore))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

func (s *socket) tell(op *liveOperation, ev *event) {
	payload, carried := ev.payloads[op.feed.field]
	if !carried || ev.seq <= op.feed.since {
		return
	}
	switch resp, ended := op.feed.tell(payload); {
	case resp == nil: // the client completed it meanwhile
	case ended:
		if s.unregister(op) {
			op.feed.stop()
			s.sendMessage(message{op.id, "error", resp.Errors})
		}
	default:
		s.sendMessage(message{op.id, "next", resp})
	}
}

// completeAll ends the socket's subscriptions as a server does that has no more to tell.
func (s *socket) completeAll() {
	s.enqueue(pumped{end: func(op *liveOperation) {
		if s.unregister(op) {
			op.feed.stop()
			s.sendMessage(message{ID: op.id, Type: "complete"})
		}
	}})
}

// errorAll ends the socket's subscriptions with an error.
func (s *socket) errorAll(code string) {
	s.enqueue(pumped{end: func(op *liveOperation) {
		if s.unregister(op) {
			op.feed.stop()
			s.sendMessage(message{op.id, "error", []wireError{newWireError(code, "the emulator was told to fail subscriptions")}})
		}
	}})
}
