package graphqlws

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipeListener is a network without sockets, so that time in a synctest bubble can pass while both ends wait.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// peer is the server's end of one connection. It reads everything at once, so that a script which is busy does not stop the
// client's writes, which a pipe does not buffer.
type peer struct {
	t        testing.TB
	ws       *websocket.Conn
	incoming chan map[string]any // closed when the client is gone
	paused   chan struct{}       // closed to stop reading
	closed   error               // how the client left; read after incoming is closed
}

func (p *peer) readLoop() {
	defer close(p.incoming)
	for {
		select {
		case <-p.paused:
			return
		default:
		}
		_, data, err := p.ws.ReadMessage()
		if err != nil {
			p.closed = err
			return
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			p.t.Errorf("client sent %q", data)
		}
		p.incoming <- m
	}
}

// expect returns the next message of the type, passing over others.
func (p *peer) expect(typ string) map[string]any {
	p.t.Helper()
	for m := range p.incoming {
		if m["type"] == typ {
			return m
		}
	}
	p.t.Errorf("client left (%v) without a %q", p.closed, typ)
	return nil
}

func (p *peer) send(text string) {
	if err := p.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		p.t.Logf("send %.60s: %v", text, err)
	}
}

func (p *peer) ack() {
	p.expect("connection_init")
	p.send(`{"type":"connection_ack"}`)
}

// answerPings plays a well-behaved server until the client leaves.
func (p *peer) answerPings() {
	for m := range p.incoming {
		if m["type"] == "ping" {
			m["type"] = "pong"
			data, _ := json.Marshal(m)
			p.send(string(data))
		}
	}
}

// waitGone returns when the client has left.
func (p *peer) waitGone() {
	for range p.incoming {
	}
}

func (p *peer) close(code int, reason string) {
	_ = p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
}

// serve runs script for each connection that the returned configuration opens. The script's end closes the connection.
func serve(t testing.TB, script func(*peer)) Config {
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		upgrader := websocket.Upgrader{Subprotocols: []string{Subprotocol}}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		p := &peer{t: t, ws: ws, incoming: make(chan map[string]any, 64), paused: make(chan struct{})}
		var reader sync.WaitGroup
		reader.Go(p.readLoop)
		script(p)
		_ = ws.Close()
		reader.Wait()
	})
}

func serveHTTP(t testing.TB, handler http.HandlerFunc) Config {
	l := newPipeListener()
	var running sync.WaitGroup
	joined := func(w http.ResponseWriter, r *http.Request) {
		running.Add(1) // a hijacked connection is not the http.Server's to join
		defer running.Done()
		handler(w, r)
	}
	srv := &http.Server{Handler: http.HandlerFunc(joined), ErrorLog: log.New(io.Discard, "", 0)}
	running.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		_ = srv.Close()
		running.Wait()
	})
	return Config{URL: "ws://stigg.test/graphql", NetDialContext: l.dial}
}

func mustDial(t testing.TB, cfg Config) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// nextNews returns the next frame that is not FrameAlive.
func nextNews(t testing.TB, c *Conn) Frame {
	t.Helper()
	for {
		f, err := c.Next(t.Context())
		if err != nil {
			t.Fatalf("Next: %v", err)
		}
		if f.Type != FrameAlive {
			return f
		}
	}
}

// endOf reads until the connection ends.
func endOf(t testing.TB, c *Conn) error {
	t.Helper()
	for {
		if _, err := c.Next(t.Context()); err != nil {
			return err
		}
	}
}
