package emulator

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// registry holds the sockets that are open.
type registry struct {
	mu   sync.Mutex
	open map[*socket]bool
}

func (r *registry) add(s *socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[*socket]bool{}
	}
	r.open[s] = true
}

func (r *registry) remove(s *socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, s)
}

func (r *registry) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open) == 0
}

// each calls f for every open socket, under no lock.
func (r *registry) each(f func(*socket)) {
	r.mu.Lock()
	all := slices.Collect(maps.Keys(r.open))
	r.mu.Unlock()
	for _, s := range all {
		f(s)
	}
}

// Sockets returns how many WebSockets are open, acknowledged or not.
func (e *Emulator) Sockets() int {
	e.sockets.mu.Lock()
	defer e.sockets.mu.Unlock()
	return len(e.sockets.open)
}

// Subscriptions returns how many subscriptions are live on all sockets.
func (e *Emulator) Subscriptions() int {
	n := 0
	e.sockets.each(func(s *socket) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, op := range s.operations {
			if op.feed != nil {
				n++
			}
		}
	})
	return n
}

const (
	writeTimeout = 5 * time.Second // a peer that does not read for so long is cut
	closeGrace   = time.Second     // how long a client may take to answer our close frame
	parallelism  = 32              // queries and mutations under way on one socket
)

// socket is one WebSocket. Three goroutines serve it, all joined by run: the reader, which is run itself; the pump, which
// turns events into frames, in order; and the writer, the only one that writes.
type socket struct {
	e      *Emulator
	conn   *websocket.Conn
	header http.Header

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	frames  chan frame    // for the writer
	queue   chan pumped   // for the pump
	limit   chan struct{} // operations under way
	closing chan frame    // the close frame, once
	ended   chan struct{} // closed when the writer has written its last

	closeAsked atomic.Bool // what the client sends from then on is ignored

	mu         sync.Mutex // guards what follows
	key        string     // the API key; "" until initialised
	initSeen   bool
	operations map[string]*liveOperation
	opened     uint64 // counts operations, to serve subscriptions in the order they were made
}

// frame is one message to write.
type frame struct {
	kind int // of the websocket package
	data []byte
}

// pumped is one thing for the pump to do: tell an event, or end the subscriptions.
type pumped struct {
	event *event
	end   func(*liveOperation)
}

func newSocket(e *Emulator, conn *websocket.Conn, header http.Header) *socket {
	s := &socket{
		e: e, conn: conn, header: header,
		frames:     make(chan frame, 64),
		queue:      make(chan pumped, e.config.SocketQueue),
		limit:      make(chan struct{}, parallelism),
		closing:    make(chan frame, 1),
		ended:      make(chan struct{}),
		operations: map[string]*liveOperation{},
	}
	s.ctx, s.cancel = context.WithCancel(e.ctx)
	return s
}

// run serves the socket until either side ends it, and returns when nothing of it is left.
func (s *socket) run() {
	s.e.sockets.add(s)
	s.e.config.Logger.Debug("socket open", "remote", s.conn.RemoteAddr().String())
	unhook := context.AfterFunc(s.ctx, s.breakOff)
	initTimer := time.AfterFunc(s.e.config.InitTimeout, s.initOverdue)
	s.wg.Go(s.write)
	s.wg.Go(s.pump)

	defer func() { // also when a hook of the user's panics: net/http recovers, and the socket must be gone by then
		initTimer.Stop()
		s.cancel()
		s.e.sockets.remove(s)
		unhook()
		s.breakOff()
		s.wg.Wait()
		s.endAll()
		s.e.config.Logger.Debug("socket closed", "remote", s.conn.RemoteAddr().String())
	}()
	s.read()
}

// breakOff closes the connection under the socket, which ends every read and write of it.
func (s *socket) breakOff() { s.conn.NetConn().Close() }

// cut ends the socket without a word.
func (s *socket) cut() { s.cancel() }

// close ends the socket with a close frame, after what is already on its way.
func (s *socket) close(code int, reason string) {
	if s.closeAsked.CompareAndSwap(false, true) { // the first reason given stands
		s.closing <- frame{websocket.CloseMessage, websocket.FormatCloseMessage(code, reason)}
	}
}

// offer queues an event without ever waiting: a socket that cannot keep up is cut, the change goes on.
func (s *socket) offer(ev *event) { s.enqueue(pumped{event: ev}) }

func (s *socket) enqueue(p pumped) {
	if s.e.faults.deaf() {
		return
	}
	select {
	case s.queue <- p:
	default:
		s.e.config.Logger.Debug("socket too slow, cut", "queue", cap(s.queue))
		s.cut()
	}
}

// send gives the writer a text frame, waiting while its queue is full.
func (s *socket) send(data []byte) { s.sendFrame(frame{websocket.TextMessage, data}) }

func (s *socket) sendFrame(f frame) {
	select {
	case s.frames <- f:
	case <-s.ended:
	}
}

// sendMessage sends a message of the subprotocol.
func (s *socket) sendMessage(m message) {
	data, err := json.Marshal(m)
	if err != nil {
		s.e.config.Logger.Error("encode message", "type", m.Type, "error", err)
		s.close(websocket.CloseInternalServerErr, "Internal error")
		return
	}
	s.send(data)
}

// write is the only writer of the connection.
func (s *socket) write() {
	defer close(s.ended)
	var pings <-chan time.Time
	if d := s.e.config.PingInterval; d > 0 {
		ticker := time.NewTicker(d)
		defer ticker.Stop()
		pings = ticker.C
	}
	for {
		var f frame
		select {
		case f = <-s.frames:
		case <-pings:
			f = frame{websocket.TextMessage, []byte(`{"type":"ping"}`)}
		case last := <-s.closing:
			s.flush()
			s.writeFrame(last)
			// The client answers with a close frame of its own, which ends the reader. Closing before that could
			// discard ours on its way.
			s.conn.NetConn().SetReadDeadline(time.Now().Add(closeGrace))
			return
		case <-s.ctx.Done():
			return
		}
		if !s.writeFrame(f) {
			s.cancel()
			return
		}
	}
}

// flush writes what was queued before the close frame.
func (s *socket) flush() {
	for {
		select {
		case f := <-s.frames:
			if !s.writeFrame(f) {
				return
			}
		default:
			return
		}
	}
}

// writeFrame is false when the connection is of no more use. A half-open socket swallows everything.
func (s *socket) writeFrame(f frame) bool {
	if s.e.faults.deaf() {
		return true
	}
	deadline := time.Now().Add(writeTimeout)
	if f.kind != websocket.TextMessage {
		return s.conn.WriteControl(f.kind, f.data, deadline) == nil
	}
	s.conn.SetWriteDeadline(deadline)
	return s.conn.WriteMessage(f.kind, f.data) == nil
}
