package graphqlws

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Subprotocol is what both sides must agree on in the upgrade.
const Subprotocol = "graphql-transport-ws"

// closeGrace bounds the farewell of Close. A socket with room in its buffer takes it at once; a stalled one is not waited for.
const closeGrace = 50 * time.Millisecond

// keepBuffer is the largest read buffer that is kept for the next frame.
const keepBuffer = 1 << 20

// Conn is an acknowledged connection. See the package comment for who may call what.
type Conn struct {
	ws  *websocket.Conn
	cfg Config

	buf []byte // of the last frame; belongs to the goroutine that calls Next

	writing sync.Mutex // held while a message is written; gorilla allows one writer

	mu      sync.Mutex
	ids     []string        // live subscriptions
	pings   uint64          // protocol pings sent
	pongs   uint64          // protocol pongs seen
	barrier uint64          // the number of the ping whose pong is awaited; 0 when none is
	until   time.Time       // by when
	cause   error           // why the connection ended; nil while it has not
	watched <-chan struct{} // Done of the ctx that Next was last given
	unwatch func() bool

	replies   chan reply // pongs to send
	closing   chan struct{}
	closeOnce sync.Once
	keeper    sync.WaitGroup
}

// reply is a pong that is owed to the peer.
type reply struct {
	control bool // of the WebSocket protocol, not of graphql-transport-ws
	data    []byte
}

func newConn(ws *websocket.Conn, cfg Config) *Conn {
	c := &Conn{ws: ws, cfg: cfg, replies: make(chan reply, 8), closing: make(chan struct{}), unwatch: func() bool { return false }}
	ws.SetReadLimit(cfg.ReadLimit)
	ws.SetPingHandler(func(data string) error {
		c.owe(reply{control: true, data: []byte(data)})
		return c.renew()
	})
	ws.SetPongHandler(func(string) error { return c.renew() })
	// The default would write an echo from inside a read. Close says goodbye anyway.
	ws.SetCloseHandler(func(int, string) error { return nil })
	c.keeper.Go(c.keepAlive)
	return c
}

// Subscribe starts a subscription. The id must be new to this connection; variables may be nil. A nil error means that the
// request was written, not that the server accepted it: see Barrier and FrameError.
func (c *Conn) Subscribe(id, operationName, query string, variables any) error {
	type payload struct {
		OperationName string `json:"operationName,omitempty"`
		Query         string `json:"query"`
		Variables     any    `json:"variables,omitempty"`
	}
	data, err := json.Marshal(struct {
		ID      string  `json:"id"`
		Type    string  `json:"type"`
		Payload payload `json:"payload"`
	}{id, "subscribe", payload{operationName, query, variables}})
	if err != nil {
		return fmt.Errorf("graphqlws: subscribe %s: %w", operationName, err)
	}
	// Known before it is sent: the answer may be read before the write returns.
	c.mu.Lock()
	c.ids = append(c.ids, id)
	c.mu.Unlock()
	return c.write(data)
}

// Barrier sends a ping. Messages are read in order, so when Next returns FrameBarrier the server has read every Subscribe that
// came before; whether it has carried them out too, no message of the protocol says. A server that echoes the ping's payload is
// recognised by it; one that does not, by counting its pongs. Of several barriers only the last is reported. A barrier that is not
// answered within Config.DeadPeer ends the connection.
func (c *Conn) Barrier() error {
	c.mu.Lock()
	c.pings++
	c.barrier, c.until = c.pings, time.Now().Add(c.cfg.DeadPeer)
	data := fmt.Appendf(nil, `{"type":"ping","payload":{"barrier":%d}}`, c.barrier)
	c.mu.Unlock()
	return c.write(data)
}

// Next waits for the next frame. A ctx that ends, ends the connection: a WebSocket cannot be read again after a read was
// abandoned. Any error is final.
func (c *Conn) Next(ctx context.Context) (Frame, error) {
	if err := c.watch(ctx); err != nil {
		return Frame{}, err
	}
	data, err := c.read()
	if err != nil {
		return Frame{}, c.ended(ctx, err)
	}
	m, err := parseMessage(data)
	if err != nil {
		return Frame{}, c.fail(err)
	}
	switch string(m.typ) {
	case "next":
		return c.frame(FrameNext, m), nil
	case "error":
		return c.frame(FrameError, m), nil
	case "complete":
		return c.frame(FrameComplete, m), nil
	case "ping":
		c.owe(reply{data: pong(m.payload)})
	case "pong":
		if c.answersBarrier(m.payload) {
			return Frame{Type: FrameBarrier}, nil
		}
	}
	return Frame{}, nil
}

// Close ends the connection, unblocks Next and joins the keeper. It waits for nothing that the peer does. Safe to call again
// and from any goroutine; always nil.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	c.keeper.Wait()
	return nil
}

// frame fills in the id. A subscription that is not ours, or is over, makes the frame uninteresting.
func (c *Conn) frame(t FrameType, m message) Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, id := range c.ids {
		if id == string(m.id) {
			if t != FrameNext {
				c.ids = append(c.ids[:i:i], c.ids[i+1:]...)
			}
			return Frame{Type: t, ID: id, Payload: m.payload}
		}
	}
	return Frame{}
}

// answersBarrier reports whether a pong with this payload is the answer to the barrier.
func (c *Conn) answersBarrier(payload []byte) bool {
	var echo struct{ Barrier uint64 }
	_ = json.Unmarshal(payload, &echo) // no payload, or not ours: counted below
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pongs++
	if c.barrier == 0 || echo.Barrier != c.barrier && c.pongs < c.barrier {
		return false
	}
	c.barrier = 0
	return true
}

// pong makes the answer to a protocol ping, with its payload echoed.
func pong(payload []byte) []byte {
	if len(payload) == 0 {
		return []byte(`{"type":"pong"}`)
	}
	return fmt.Appendf(nil, `{"type":"pong","payload":%s}`, payload)
}

// owe hands a pong to the keeper. Reading never waits for writing: a peer that pings faster than it reads loses pongs.
func (c *Conn) owe(r reply) {
	select {
	case c.replies <- r:
	default:
	}
}

// read returns the next text message, in the connection's buffer.
func (c *Conn) read() ([]byte, error) {
	if err := c.renew(); err != nil {
		return nil, err
	}
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, fmt.Errorf("%w: binary message", ErrProtocol)
	}
	if cap(c.buf) > keepBuffer {
		c.buf = nil
	}
	c.buf, err = appendAll(c.buf[:0], r)
	return c.buf, err
}

func appendAll(buf []byte, r io.Reader) ([]byte, error) {
	if cap(buf) == 0 {
		buf = make([]byte, 0, 4096)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// renew starts the dead-peer clock again.
func (c *Conn) renew() error {
	deadline := time.Now().Add(c.cfg.DeadPeer)
	c.mu.Lock()
	if c.barrier != 0 && c.until.Before(deadline) {
		deadline = c.until
	}
	c.mu.Unlock()
	return c.ws.SetReadDeadline(deadline)
}

// watch makes the end of ctx close the socket. Callers pass the same ctx again and again, so that is the cheap case.
func (c *Conn) watch(ctx context.Context) error {
	done := ctx.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	if done == c.watched {
		return nil
	}
	c.unwatch()
	c.watched, c.unwatch = done, func() bool { return false }
	if done != nil {
		c.unwatch = context.AfterFunc(ctx, func() { c.fail(fmt.Errorf("graphqlws: read: %w", context.Cause(ctx))) })
	}
	return nil
}

// ended turns a failed read into the reason why the connection is over.
func (c *Conn) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return c.fail(fmt.Errorf("graphqlws: read: %w", context.Cause(ctx)))
	}
	if errors.Is(err, ErrProtocol) {
		return c.fail(err)
	}
	return c.fail(readError(err, c.cfg.ReadLimit, c.cfg.DeadPeer))
}

// fail closes the connection for a reason and returns the first reason it was closed for.
func (c *Conn) fail(err error) error {
	c.closeOnce.Do(func() {
		c.mu.Lock()
		c.cause = err
		c.unwatch()
		c.mu.Unlock()
		close(c.closing)
		c.farewell()
		hangUp(c.ws.NetConn())
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// farewell tells the server that we are leaving, if it can be told at once.
func (c *Conn) farewell() {
	if !c.writing.TryLock() {
		return // a write is stuck, or about to fail
	}
	defer c.writing.Unlock()
	deadline := time.Now().Add(closeGrace)
	_ = c.ws.SetWriteDeadline(deadline)
	c.mu.Lock()
	ids := c.ids
	c.ids = nil
	c.mu.Unlock()
	for _, id := range ids {
		data, err := json.Marshal(map[string]string{"id": id, "type": "complete"})
		if err != nil || c.ws.WriteMessage(websocket.TextMessage, data) != nil {
			return
		}
	}
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), deadline)
}

// hangUp closes the socket itself. Closing a TLS connection would try for up to 5 s to say so to a peer that does not read; the
// close frame has said it already.
func hangUp(nc net.Conn) {
	for {
		switch c := nc.(type) {
		case *tls.Conn:
			nc = c.NetConn()
		case *guardedConn:
			nc = c.Conn
		default:
			_ = nc.Close()
			return
		}
	}
}

func (c *Conn) write(data []byte) error {
	c.writing.Lock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout))
	err := c.ws.WriteMessage(websocket.TextMessage, data)
	c.writing.Unlock()
	if err != nil {
		return c.fail(fmt.Errorf("graphqlws: write: %w", err))
	}
	return nil
}

// keepAlive pings the peer and pays the pongs that the reader owes, until the connection closes.
func (c *Conn) keepAlive() {
	ticker := time.NewTicker(c.cfg.DeadPeer / 3)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-c.closing:
			return
		case r := <-c.replies:
			if r.control {
				err = c.ws.WriteControl(websocket.PongMessage, r.data, time.Now().Add(c.cfg.WriteTimeout))
				if err != nil {
					c.fail(fmt.Errorf("graphqlws: write: %w", err))
				}
			} else {
				err = c.write(r.data)
			}
		case <-ticker.C:
			c.mu.Lock()
			c.pings++
			c.mu.Unlock()
			err = c.write([]byte(`{"type":"ping"}`))
		}
		if err != nil {
			return
		}
	}
}
