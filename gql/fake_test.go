package gql

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipeListener is a network without sockets, so that it works in a synctest bubble.
type pipeListener struct {
	conns  chan net.Conn
	done   chan struct{}
	once   sync.Once
	mu     sync.Mutex
	dialed []string
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

func (l *pipeListener) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	l.mu.Lock()
	l.dialed = append(l.dialed, addr)
	l.mu.Unlock()
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) dials() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.dialed...)
}

// fakeStigg is a server under the test's control: POSTs go to post, sockets to script.
type fakeStigg struct {
	*pipeListener
	t      *testing.T
	post   http.HandlerFunc
	script func(*peer)
	// upgrade, when set, answers instead of the upgrade to a socket.
	upgrade http.HandlerFunc
}

const testKey = "server-%s 100% of a $ecret"

// newFake starts a server; the configuration it returns reaches it and nothing else.
func newFake(t *testing.T) (*fakeStigg, Config) {
	f := &fakeStigg{pipeListener: newPipeListener(), t: t}
	var running sync.WaitGroup
	srv := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		f.ServeHTTP(w, r)
	})}
	running.Go(func() { _ = srv.Serve(f) })
	t.Cleanup(func() {
		_ = srv.Close()
		running.Wait()
	})
	return f, Config{
		Endpoint:    "http://stigg.test/graphql",
		APIKey:      func() string { return testKey },
		DialContext: f.dial,
		Proxy:       noProxy,
	}
}

func (f *fakeStigg) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		f.post(w, r)
		return
	}
	if f.upgrade != nil {
		f.upgrade(w, r)
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{"graphql-transport-ws"}}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		f.t.Errorf("upgrade: %v", err)
		return
	}
	p := &peer{t: f.t, ws: ws, incoming: make(chan map[string]any, 64)}
	var reader sync.WaitGroup
	reader.Go(p.readLoop)
	f.script(p)
	_ = ws.Close()
	reader.Wait()
}

// request is a decoded GraphQL request.
type request struct {
	OperationName string
	Query         string
	Variables     json.RawMessage
}

func readRequest(t *testing.T, r *http.Request) request {
	t.Helper()
	var req request
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		t.Errorf("request body: %v", err)
	}
	return req
}

// reply makes a handler that answers everything with the same body.
func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// peer is the server's end of a socket.
type peer struct {
	t        *testing.T
	ws       *websocket.Conn
	incoming chan map[string]any
}

func (p *peer) readLoop() {
	defer close(p.incoming)
	for {
		var m map[string]any
		if p.ws.ReadJSON(&m) != nil {
			return
		}
		p.incoming <- m
	}
}

func (p *peer) expect(typ string) map[string]any {
	p.t.Helper()
	for m := range p.incoming {
		if m["type"] == typ {
			return m
		}
	}
	p.t.Errorf("client left without a %q", typ)
	return nil
}

func (p *peer) send(format string, args ...any) {
	if err := p.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		p.t.Logf("send: %v", err)
	}
}

// accept plays the beginning of every good connection and returns the ids by operation.
func (p *peer) accept() map[string]string {
	p.t.Helper()
	p.expect("connection_init")
	p.send(`{"type":"connection_ack"}`)
	ids := map[string]string{}
	for range subscriptions {
		m := p.expect("subscribe")
		payload, _ := m["payload"].(map[string]any)
		if payload == nil {
			return ids
		}
		ids[payload["operationName"].(string)] = m["id"].(string)
	}
	ping := p.expect("ping")
	data, _ := json.Marshal(ping["payload"])
	p.send(`{"type":"pong","payload":%s}`, data)
	return ids
}

func (p *peer) waitGone() {
	for range p.incoming {
	}
}

func (p *peer) close(code int, reason string) {
	_ = p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
}

func mustNew(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// mustNotLeak fails when the test's key shows in any way of printing the error.
func mustNotLeak(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, testKey) || strings.Contains(text, "$ecret") {
			t.Errorf("the key shows in %s", text)
		}
	}
}
