package emulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gorilla/websocket"
)

// subprotocol is the only one spoken: graphql-ws's own, not the older one of subscriptions-transport-ws.
const subprotocol = "graphql-transport-ws"

// Close codes of the subprotocol.
const (
	closeBadRequest      = 4400
	closeUnauthorized    = 4401
	closeSubprotocol     = 4406
	closeInitTimeout     = 4408
	closeDuplicateID     = 4409
	closeTooManyInits    = 4429
	reasonInvalidKey     = "Invalid API key" // the words by which the official client knows that trying again is of no use
	maxCloseReasonLength = 120
)

// message is one frame of the subprotocol.
type message struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

// read handles what the client sends until the connection ends.
func (s *socket) read() {
	s.conn.SetReadLimit(s.e.config.MaxBodyBytes)
	// Control frames of WebSocket itself: answered by the one writer, and not at all while half open.
	s.conn.SetPingHandler(func(data string) error {
		if !s.e.faults.deaf() {
			s.sendFrame(frame{websocket.PongMessage, []byte(data)})
		}
		return nil
	})
	s.conn.SetCloseHandler(func(code int, text string) error {
		if !s.e.faults.deaf() {
			s.close(code, "")
		}
		return nil
	})
	if s.conn.Subprotocol() != subprotocol {
		s.close(closeSubprotocol, "Subprotocol not acceptable")
	}
	for {
		kind, data, err := s.conn.ReadMessage()
		if err != nil {
			if s.closeAsked.Load() {
				<-s.ended // the writer may have a close frame to send
			}
			return
		}
		if s.e.faults.deaf() || s.closeAsked.Load() {
			continue
		}
		if kind != websocket.TextMessage {
			s.invalid("binary frames are not understood")
			continue
		}
		s.handle(data)
	}
}

// handle acts on one message.
func (s *socket) handle(data []byte) {
	var m struct {
		ID      string          `json:"id"`
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		s.invalid("not a JSON object of the protocol")
		return
	}
	switch m.Type {
	case "connection_init":
		s.init(m.Payload)
	case "ping":
		pong := message{Type: "pong"}
		if len(m.Payload) > 0 {
			pong.Payload = m.Payload
		}
		s.sendMessage(pong)
	case "pong":
	case "subscribe":
		s.subscribe(m.ID, m.Payload)
	case "complete":
		if m.ID == "" {
			s.invalid("complete without an id")
			return
		}
		s.forget(m.ID)
	default:
		s.invalid(fmt.Sprintf("unexpected message type %q", m.Type))
	}
}

func (s *socket) invalid(why string) {
	reason := "Invalid message received: " + why
	s.close(closeBadRequest, reason[:min(len(reason), maxCloseReasonLength)])
}

// initOverdue closes a socket that has not introduced itself.
func (s *socket) initOverdue() {
	s.mu.Lock()
	seen := s.initSeen
	s.mu.Unlock()
	if !seen {
		s.close(closeInitTimeout, "Connection initialisation timeout")
	}
}

// init checks the key of connection_init and acknowledges it.
func (s *socket) init(payload json.RawMessage) {
	s.mu.Lock()
	again := s.initSeen
	s.initSeen = true
	s.mu.Unlock()
	if again {
		s.close(closeTooManyInits, "Too many initialisation requests")
		return
	}
	key := keyOf(payload)
	s.mu.Lock()
	s.key = key // before the check, so that a key revoked between the two still finds this socket
	s.mu.Unlock()
	if !s.e.authorized(key) {
		s.mu.Lock()
		s.key = ""
		s.mu.Unlock()
		s.close(s.e.config.InvalidKeyCloseCode, reasonInvalidKey)
		return
	}
	s.sendMessage(message{Type: "connection_ack"})
}

// keyOf finds X-API-KEY, in any case, under "headers" or at the top of the payload.
func keyOf(payload json.RawMessage) string {
	var top map[string]json.RawMessage
	if json.Unmarshal(payload, &top) != nil {
		return ""
	}
	var headers map[string]json.RawMessage
	for name, raw := range top {
		if strings.EqualFold(name, "headers") {
			json.Unmarshal(raw, &headers) // of another type: no key there
		}
	}
	for _, from := range []map[string]json.RawMessage{headers, top} {
		for name, raw := range from {
			var key string
			if strings.EqualFold(name, "X-API-KEY") && json.Unmarshal(raw, &key) == nil {
				return key
			}
		}
	}
	return ""
}

// subscribe starts an operation of any kind. Subscriptions are registered before the next message is read, so a pong that
// follows proves that the subscription stands.
func (s *socket) subscribe(id string, payload json.RawMessage) {
	s.mu.Lock()
	key := s.key
	_, taken := s.operations[id]
	s.mu.Unlock()
	if key == "" {
		s.close(closeUnauthorized, "Unauthorized")
		return
	}
	if id == "" {
		s.invalid("subscribe without an id")
		return
	}
	if taken {
		reason := fmt.Sprintf("Subscriber for %s already exists", id)
		s.close(closeDuplicateID, reason[:min(len(reason), maxCloseReasonLength)])
		return
	}
	var req request
	if err := json.Unmarshal(payload, &req); err != nil || req.Query == "" {
		s.invalid("subscribe without a query")
		return
	}
	info := s.e.describe("websocket", req, s.header)
	if code := s.e.faults.denial(info); code != "" {
		s.sendMessage(message{id, "error", []wireError{newWireError(code, "the emulator was told to fail this operation")}})
		return
	}
	switch {
	case scanOperation(req.Query, req.OperationName).kind == "subscription":
		s.startSubscription(id, req)
	case s.e.overLimit(key, info, req.Query) > 0:
		s.sendMessage(message{id, "error", []wireError{newWireError(codeRateLimitExceeded, tooMany)}})
	default:
		s.startOperation(id, req)
	}
}

// startOperation executes a query or mutation beside the reader.
func (s *socket) startOperation(id string, req request) {
	select {
	case s.limit <- struct{}{}:
	case <-s.ctx.Done():
		return
	}
	op := s.register(id, nil)
	s.wg.Go(func() {
		defer func() { <-s.limit }()
		resp := s.e.execute(s.ctx, req)
		if !s.unregister(op) {
			return // the client has lost interest
		}
		if statusOf(resp) != 200 {
			s.sendMessage(message{id, "error", resp.Errors})
			return
		}
		s.sendMessage(message{id, "next", resp})
		s.sendMessage(message{ID: id, Type: "complete"})
	})
}

// liveOperation is an operation between subscribe and complete.
type liveOperation struct {
	id    string
	order uint64
	feed  *feed // nil for a query or mutation
}

func (s *socket) register(id string, f *feed) *liveOperation {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	op := &liveOperation{id: id, order: s.opened, feed: f}
	s.operations[id] = op
	return op
}

// unregister reports whether op was still live; whoever gets true has the last word about it.
func (s *socket) unregister(op *liveOperation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[op.id] != op {
		return false
	}
	delete(s.operations, op.id)
	return true
}

// live returns the subscriptions in the order they were made.
func (s *socket) live() []*liveOperation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*liveOperation
	for _, op := range s.operations {
		if op.feed != nil {
			list = append(list, op)
		}
	}
	slices.SortFunc(list, func(a, b *liveOperation) int { return int(a.order) - int(b.order) })
	return list
}

// forget ends an operation the client completed. An unknown id is no error: the two sides may complete at once.
func (s *socket) forget(id string) {
	s.mu.Lock()
	op := s.operations[id]
	delete(s.operations, id)
	s.mu.Unlock()
	if op != nil && op.feed != nil {
		op.feed.stop()
	}
}

// endAll stops what is left once the socket is gone.
func (s *socket) endAll() {
	for _, op := range s.live() {
		s.forget(op.id)
	}
}
