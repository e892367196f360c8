package emulator

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// serving owns the listeners of an emulator and counts what is under way, so that Close can wait for all of it.
type serving struct {
	wg sync.WaitGroup // handlers, connections and accept loops

	mu      sync.Mutex // guards what follows
	closed  bool
	servers []*http.Server
	control []*http.Server // not subject to faults
	conns   map[net.Conn]bool
	url     string
}

// enter counts a handler in; it is false once Close has begun.
func (s *serving) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

func (s *serving) leave() { s.wg.Done() }

// track follows the connections of our own servers, whose goroutines net/http does not join.
func (s *serving) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		if !s.closed {
			s.conns[c] = true
			s.wg.Add(1)
		}
	case http.StateHijacked, http.StateClosed:
		if s.conns[c] {
			delete(s.conns, c)
			s.wg.Done()
		}
	}
}

// keepAlives off closes idle connections and those under way after their answer.
func (s *serving) keepAlives(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, srv := range s.servers {
		srv.SetKeepAlivesEnabled(on)
	}
}

// close ends all servers and waits. The emulator's own context has ended, so nobody waits for long.
func (s *serving) close() error {
	s.mu.Lock()
	s.closed = true
	servers := slices.Concat(s.servers, s.control)
	s.servers, s.control = nil, nil
	s.mu.Unlock()
	for _, srv := range servers {
		srv.Close()
	}
	s.wg.Wait()
	return nil
}

// Serve serves l in the background until Close, which also closes l. After Close it closes l at once.
func (e *Emulator) Serve(l net.Listener) { e.serveOn(l, e.handler, &e.serve.servers) }

// serveOn serves l with h and remembers the server in one of the lists of e.serve.
func (e *Emulator) serveOn(l net.Listener, h http.Handler, servers *[]*http.Server) {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ConnState:         e.serve.track,
		ErrorLog:          slog.NewLogLogger(e.config.Logger.Handler(), slog.LevelDebug),
	}
	e.serve.mu.Lock()
	defer e.serve.mu.Unlock()
	if e.serve.closed {
		l.Close()
		return
	}
	if e.serve.conns == nil {
		e.serve.conns = map[net.Conn]bool{}
	}
	*servers = append(*servers, srv)
	e.serve.wg.Go(func() { srv.Serve(l) })
}

// Listen serves on a TCP address such as "127.0.0.1:4000", in the background until Close, and returns the base URL.
// Port 0 takes a free one. The API has a key but no encryption: listen on loopback unless the network is trusted.
func (e *Emulator) Listen(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen for the emulator: %w", err)
	}
	url := "http://" + l.Addr().String()
	e.serve.mu.Lock()
	if e.serve.url == "" {
		e.serve.url = url
	}
	e.serve.mu.Unlock()
	e.Serve(&refusingListener{l, e.faults})
	return url, nil
}

// ListenControl serves the control interface (see [Emulator.ControlHandler]) on a TCP address of the loopback interface, in
// the background until Close, and returns the base URL. Port 0 takes a free one. It has no key and does whatever it is told:
// an address that other machines can reach is an error.
func (e *Emulator) ListenControl(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("listen for control: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		l.Close()
		return "", fmt.Errorf("listen for control: %s can be reached from other machines: use a loopback address", addr)
	}
	e.serveOn(l, e.ControlHandler(), &e.serve.control)
	return "http://" + l.Addr().String(), nil
}

// Start listens on a free port of the loopback interface; see URL.
func (e *Emulator) Start() error {
	_, err := e.Listen("127.0.0.1:0")
	return err
}

// URL is the base URL of the first address listened on, or empty. GraphQL is at /graphql below it.
func (e *Emulator) URL() string {
	e.serve.mu.Lock()
	defer e.serve.mu.Unlock()
	return e.serve.url
}

// refusingListener resets connections while the emulator refuses. The port stays ours, so taking it back cannot fail.
type refusingListener struct {
	net.Listener
	faults *Faults
}

// Accept waits for the next connection that is not refused.
func (l *refusingListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || !l.faults.refusing() {
			return c, err
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
}
