package raw

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Server listens on loopback.
type Server struct {
	features []string
	replies  [variants][]byte
	http     http.Server
	address  string
	serving  sync.WaitGroup

	mu     sync.Mutex // guards the following, and writes to the stream
	stream net.Conn
	buffer []byte
	text   []byte
}

// Listen starts a server on which everybody has these features.
func Listen(features []string) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{features: features, address: listener.Addr().String()}
	for i := range s.replies {
		s.replies[i] = reply(features, i)
	}
	s.http.Handler = http.HandlerFunc(s.answer)
	s.serving.Go(func() { _ = s.http.Serve(listener) })
	return s, nil
}

// URL is what the client is given as the base of Stigg's API.
func (s *Server) URL() string { return "http://" + s.address }

// Close ends it, and the connections.
func (s *Server) Close() {
	_ = s.http.Close()
	s.mu.Lock()
	if s.stream != nil {
		_ = s.stream.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		s.follow(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	state := s.replies[variantOf(customerIn(body))]
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(state)))
	_, _ = w.Write(state)
}

// customerIn finds the customer that a query is about, as our client writes it.
func customerIn(body []byte) []byte {
	_, behind, _ := bytes.Cut(body, []byte(`"customerId":"`))
	customer, _, _ := bytes.Cut(behind, []byte(`"`))
	return customer
}

// follow is the server's side of a stream.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) {
	conn, buf, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	s.serving.Add(1) // Close waits, though http.Server has let go of it
	defer s.serving.Done()
	defer conn.Close()
	if _, err := io.WriteString(conn, upgrade(r.Header.Get("Sec-WebSocket-Key"))); err != nil {
		return
	}
	for {
		text, err := readMessage(buf.Reader)
		if err != nil {
			return
		}
		var m struct{ Type string }
		if json.Unmarshal(text, &m) != nil {
			return
		}
		s.mu.Lock()
		switch m.Type {
		case "connection_init":
			s.stream = conn
			_, err = conn.Write(frame(nil, `{"type":"connection_ack"}`))
		case "ping":
			_, err = conn.Write(frame(nil, `{"type":"pong"}`))
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

var errNoStream = errors.New("raw: no client has opened a stream")

// Update is what happened to a customer: so much has been used of a feature, or of all.
type Update struct {
	Customer string
	Feature  string // empty: of all, and the whole set is sent
	Usage    int
}

func event(b []byte, features []string, u Update, at time.Time) []byte {
	if u.Feature == "" {
		return setEvent(b, u.Customer, features, u.Usage, at)
	}
	return usageEvent(b, u.Customer, u.Feature, u.Usage, at)
}

// Frame is what Send would write of an update.
func Frame(features []string, u Update) []byte {
	return frame(nil, event(nil, features, u, time.Now()))
}

// Send writes updates of this moment to the stream, in one write. It returns the moment at which that began.
func (s *Server) Send(updates ...Update) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil {
		return time.Time{}, errNoStream
	}
	now := time.Now()
	s.buffer = s.buffer[:0]
	for _, u := range updates {
		s.text = event(s.text[:0], s.features, u, now)
		s.buffer = frame(s.buffer, s.text)
	}
	begun := time.Now() // what making them took is not the client's time
	_, err := s.stream.Write(s.buffer)
	return begun, err
}
