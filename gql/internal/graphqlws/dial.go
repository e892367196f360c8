package graphqlws

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// handshakeBytes bounds what the server may send before the connection is a WebSocket: certificates and response headers.
// net/http's parser, which gorilla uses for the answer, has no limit of its own.
const handshakeBytes = 256 << 10

// readBuffer holds the set of a customer as it arrives, so that one system call reads it; gorilla's default has room for a fifth of it.
const readBuffer = 32 << 10

// Dial connects, upgrades, sends connection_init and waits for the acknowledgement. ctx bounds all of it and nothing after.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	init := struct {
		Type    string `json:"type"`
		Payload any    `json:"payload,omitempty"`
	}{"connection_init", cfg.ConnectionParams}
	hello, err := json.Marshal(init)
	if err != nil {
		return nil, fmt.Errorf("graphqlws: connection params: %w", err)
	}
	ws, err := upgrade(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := newConn(ws, cfg)
	if err := c.handshake(ctx, hello); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// upgrade opens the socket.
func upgrade(ctx context.Context, cfg Config) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.HandshakeTimeout, ErrHandshakeTimeout)
	defer cancel()
	// gorilla minds the deadline of ctx while it waits for the answer, but not its cancellation.
	var guard guard
	defer context.AfterFunc(ctx, guard.abort)()

	dial := cfg.NetDialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	dialer := websocket.Dialer{
		NetDialContext:  guard.wrap(dial),
		Proxy:           cfg.Proxy,
		TLSClientConfig: tlsConfig(cfg.TLSClientConfig),
		Subprotocols:    []string{Subprotocol},
		ReadBufferSize:  readBuffer,
	}
	if cfg.NetDialTLSContext != nil {
		dialer.NetDialTLSContext = guard.wrap(cfg.NetDialTLSContext)
	}
	ws, resp, err := dialer.DialContext(ctx, cfg.URL, cfg.Header)
	if err != nil {
		// gorilla gives the socket the deadline of ctx, and either may be noticed first.
		if deadline, ok := ctx.Deadline(); ok && isTimeout(err) && !time.Now().Before(deadline) {
			<-ctx.Done()
		}
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("graphqlws: dial: %w", cause)
		}
		if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
			return nil, &HandshakeError{Status: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After")}
		}
		return nil, fmt.Errorf("graphqlws: dial: %w", err)
	}
	if got := ws.Subprotocol(); got != Subprotocol {
		_ = ws.Close()
		return nil, fmt.Errorf("%w: server speaks %q, not %q", ErrProtocol, got, Subprotocol)
	}
	guard.lift()
	return ws, nil
}

// tlsConfig makes sure that HTTP/1.1 is negotiated: net/http adds "h2" to the configuration of a Transport that is in use.
func tlsConfig(base *tls.Config) *tls.Config {
	if base == nil {
		base = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	conf := base.Clone()
	conf.NextProtos = []string{"http/1.1"}
	return conf
}

// handshake sends connection_init and reads until it is acknowledged. A server may ping before that.
func (c *Conn) handshake(ctx context.Context, hello []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.AckTimeout, ErrAckTimeout)
	defer cancel()
	// Not c.watch: that belongs to the life after Dial.
	defer context.AfterFunc(ctx, func() { c.fail(fmt.Errorf("graphqlws: await ack: %w", context.Cause(ctx))) })()
	if err := c.write(hello); err != nil {
		return err
	}
	for {
		data, err := c.read()
		if err != nil {
			return c.ended(ctx, err)
		}
		m, err := parseMessage(data)
		if err != nil {
			return c.fail(err)
		}
		switch string(m.typ) {
		case "connection_ack":
			return nil
		case "ping":
			c.owe(reply{data: pong(m.payload)})
		}
	}
}

// guard watches over the sockets of one upgrade.
type guard struct {
	mu      sync.Mutex
	conns   []*guardedConn
	aborted bool
}

func (g *guard) wrap(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		conn := &guardedConn{Conn: nc}
		conn.budget.Store(handshakeBytes)
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.aborted {
			_ = nc.Close()
		}
		g.conns = append(g.conns, conn)
		return conn, nil
	}
}

// abort ends a handshake that is under way.
func (g *guard) abort() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.aborted = true
	for _, c := range g.conns {
		_ = c.Conn.Close()
	}
}

// lift ends the limit: from here on Config.ReadLimit holds.
func (g *guard) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.lifted.Store(true)
		_ = c.SetDeadline(time.Time{})
	}
}

// guardedConn limits what may be read before the handshake is over.
type guardedConn struct {
	net.Conn
	budget atomic.Int64
	lifted atomic.Bool
}

func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.lifted.Load() && c.budget.Add(-int64(n)) < 0 {
		return 0, fmt.Errorf("%w: handshake of more than %d bytes", ErrTooLarge, handshakeBytes)
	}
	return n, err
}
