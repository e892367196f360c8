package gql

import (
	"context"
	"errors"
	"fmt"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql/internal/graphqlws"
	"github.com/entcache/entcache/gql/internal/scan"
)

// streamOp names the stream in errors that belong to no single subscription.
const streamOp = "Subscribe"

// Stream follows the whole environment of a key: entitlements, usage, and published packages. Pull events with Next from one
// goroutine; nothing is queued, so whoever does not pull slows the server down rather than this process's memory up.
type Stream struct {
	client *Client
	conn   *graphqlws.Conn
	key    string // that the connection was opened with
	events eventDecoder
	err    error // what ended the stream
}

// Subscribe opens the stream: it dials, waits for the server to accept the key, and sends the three subscriptions. ctx bounds
// that, not the stream. At EventSubscribed the server has read all three, and from there on no change is missed; unless it has to
// ask a broker first, for the protocol has no word for when that is done. Polling, which package syncer does, is the net below.
//
// The stream carries every customer there is. wanted is asked, by the goroutine that calls Next, whether a key's entitlements and
// usage are to be decoded; it must be quick. Nil wants everything.
func (c *Client) Subscribe(ctx context.Context, wanted func(entitlements.Key) bool) (*Stream, error) {
	key := c.cfg.APIKey()
	if err := ValidateAPIKey(key); err != nil {
		return nil, &Error{Op: streamOp, Err: err}
	}
	cfg := c.net.ws
	// Where Stigg's Node SDK puts its headers (docs/stigg-behaviour.md 2.1). The upgrade request itself carries none.
	cfg.ConnectionParams = map[string]any{"headers": map[string]string{"X-API-KEY": key}}
	conn, err := graphqlws.Dial(ctx, cfg)
	if err != nil {
		return nil, streamError(ctx, err, key)
	}
	for i := range subscriptions {
		sub := &subscriptions[i]
		if err = conn.Subscribe(sub.id, sub.op, sub.query, nil); err != nil {
			break
		}
	}
	if err == nil {
		err = conn.Barrier()
	}
	if err != nil {
		_ = conn.Close()
		return nil, streamError(ctx, err, key)
	}
	return &Stream{client: c, conn: conn, key: key, events: eventDecoder{decoder: decoder{names: c.names}, wanted: wanted}}, nil
}

// Next waits for the next event. An event that cannot be read is an event (EventUnreadable), not an error. Every error is final:
// the connection is gone, and so is what happened since; its type is [*Error]. A ctx that ends, ends the stream.
func (s *Stream) Next(ctx context.Context) (entitlements.Event, error) {
	if s.err != nil {
		return entitlements.Event{}, s.err
	}
	frame, err := s.conn.Next(ctx)
	if err != nil {
		return entitlements.Event{}, s.end(streamError(ctx, err, s.key))
	}
	switch frame.Type {
	case graphqlws.FrameBarrier:
		return entitlements.Event{Kind: entitlements.EventSubscribed}, nil
	case graphqlws.FrameAlive:
		return entitlements.Event{Kind: entitlements.EventAlive}, nil
	}
	sub := subscriptionOf(frame.ID)
	switch frame.Type {
	case graphqlws.FrameError:
		payload := scan.New(frame.Payload)
		e := firstError(payload.Raw())
		if e == nil {
			e = &Error{Message: "subscription refused"}
		}
		e.Op = sub.op
		return entitlements.Event{}, s.end(e.scrubbed(s.key))
	case graphqlws.FrameComplete:
		return entitlements.Event{}, s.end(&Error{Op: sub.op, Err: ErrCompleted})
	}
	ev, fatal := s.events.event(sub, frame.Payload)
	if n := s.events.unknown; n > 0 {
		s.client.unknown.Add(uint64(n))
	}
	if fatal != nil {
		return entitlements.Event{}, s.end(fatal.scrubbed(s.key))
	}
	if e, ok := errors.AsType[*Error](ev.Err); ok {
		ev.Err = e.scrubbed(s.key)
	}
	return ev, nil
}

// Close ends the stream, unblocks a Next that waits (with a net.ErrClosed), and joins what the connection runs. Safe to call again
// and from any goroutine; always nil.
func (s *Stream) Close() error { return s.conn.Close() }

// end closes the connection and remembers why.
func (s *Stream) end(e *Error) error {
	s.err = e
	_ = s.conn.Close()
	return e
}

func subscriptionOf(id string) *subscription {
	for i := range subscriptions {
		if subscriptions[i].id == id {
			return &subscriptions[i]
		}
	}
	return &subscriptions[0] // cannot be: graphqlws reports only ids that were subscribed
}

// streamError says in this package's words why a connection failed or ended.
func streamError(ctx context.Context, err error, key string) *Error {
	e := &Error{Op: streamOp, Err: err}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		e.Err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	if h, ok := errors.AsType[*graphqlws.HandshakeError](err); ok {
		e.Status, e.RetryAfter = h.Status, retryAfter(h.RetryAfter)
	}
	if errors.Is(err, graphqlws.ErrAckTimeout) || errors.Is(err, graphqlws.ErrHandshakeTimeout) {
		e.Err = fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return e.scrubbed(key)
}
