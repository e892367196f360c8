package emulator

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Faults makes the emulator misbehave. All methods may be called at any time from any goroutine, take effect for what
// happens next, and stay until taken back; the zero argument takes back. State changes go on underneath: what was lost
// on the wire has still happened.
type Faults struct {
	e *Emulator

	mu         sync.Mutex // guards what follows
	refuse     bool
	hang       bool
	halfOpen   bool
	delay      time.Duration
	failures   []Reply // answers to the next HTTP requests, oldest first
	upgrades   []Reply // answers to the next WebSocket handshakes
	operations map[string]string
	replies    map[string]Reply
	events     eventFaults
}

func newFaults(e *Emulator) *Faults {
	return &Faults{e: e, operations: map[string]string{}, replies: map[string]Reply{}}
}

// Reply is a raw HTTP answer. The zero value is an empty 200.
type Reply struct {
	Status int         // default 200
	Header http.Header // default: Content-Type application/json
	Body   string
	// Truncate announces more bytes than Body has and then breaks the connection.
	Truncate bool
}

// with runs f under the lock.
func (f *Faults) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// Clear takes back every lasting fault. Sockets that were cut stay cut, and what was lost stays lost.
func (f *Faults) Clear() {
	f.with(func() {
		f.refuse, f.hang, f.halfOpen, f.delay = false, false, false, 0
		f.failures, f.upgrades = nil, nil
		clear(f.operations)
		clear(f.replies)
	})
	f.clearEvents()
	f.e.serve.keepAlives(true)
}

// CutSockets breaks every WebSocket without a close frame, as a crash or a lost network does.
func (f *Faults) CutSockets() { f.e.sockets.each((*socket).cut) }

// CloseSockets ends every WebSocket with a close frame of that code and reason.
func (f *Faults) CloseSockets(code int, reason string) {
	f.e.sockets.each(func(s *socket) { s.close(code, reason) })
}

// Refuse, while on, refuses new connections: dialling the pipe fails, a TCP connection is reset, and a request that still
// arrives, on an open connection or through Handler, is answered 503. Sockets that are open stay so.
func (f *Faults) Refuse(on bool) {
	f.with(func() { f.refuse = on })
	f.e.serve.keepAlives(!on)
}

func (f *Faults) refusing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refuse
}

// Delay holds every HTTP answer back that long before the request is executed. The wait ends with the client or Close.
func (f *Faults) Delay(d time.Duration) { f.with(func() { f.delay = d }) }

// HangHTTP, while on, reads HTTP requests and never answers them; they are not executed. A request caught in it stays so
// until its client leaves or Close. WebSocket handshakes hang too, sockets that are open do not; see HalfOpen.
func (f *Faults) HangHTTP(on bool) { f.with(func() { f.hang = on }) }

// HalfOpen, while on, keeps WebSockets open and dead: what clients send is swallowed, nothing is answered, pings of either
// level included, and events are lost in silence. New sockets are accepted and just as dead. Once off, sockets that are
// still there work again; what was lost stays lost.
func (f *Faults) HalfOpen(on bool) { f.with(func() { f.halfOpen = on }) }

func (f *Faults) deaf() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.halfOpen
}

// FailNext answers the next n HTTP requests, GraphQL or Edge, with r instead of executing them: a 429 with Retry-After, a
// 502 with a page of HTML, a 200 with half a document.
func (f *Faults) FailNext(n int, r Reply) {
	f.with(func() { f.failures = append(f.failures, slices.Repeat([]Reply{r}, n)...) })
}

// FailHandshakes answers the next n WebSocket handshakes with r.
func (f *Faults) FailHandshakes(n int, r Reply) {
	f.with(func() { f.upgrades = append(f.upgrades, slices.Repeat([]Reply{r}, n)...) })
}

// FailOperation answers every operation of that name, or with that root field, with a GraphQL error of that code, over
// HTTP and sockets. It is not executed. An empty code takes it back.
func (f *Faults) FailOperation(name, code string) {
	f.with(func() {
		if code == "" {
			delete(f.operations, name)
		} else {
			f.operations[name] = code
		}
	})
}

// ReplaceReply executes HTTP operations of that name, or with that root field, or all Edge requests when name is "edge",
// and answers r in place of the result: the write that happened and whose answer was lost, or a document no server
// should send.
func (f *Faults) ReplaceReply(name string, r Reply) { f.with(func() { f.replies[name] = r }) }

// RestoreReply ends ReplaceReply for that name.
func (f *Faults) RestoreReply(name string) { f.with(func() { delete(f.replies, name) }) }

// CompleteSubscriptions ends every subscription of every socket with a complete message. The sockets stay.
func (f *Faults) CompleteSubscriptions() { f.e.sockets.each((*socket).completeAll) }

// ErrorSubscriptions ends every subscription of every socket with an error message of that code. The sockets stay.
func (f *Faults) ErrorSubscriptions(code string) {
	f.e.sockets.each(func(s *socket) { s.errorAll(code) })
}

// InjectFrame sends raw as a text frame on every socket, whatever it is.
func (f *Faults) InjectFrame(raw []byte) {
	f.e.sockets.each(func(s *socket) { s.send(slices.Clone(raw)) })
}

// before applies what concerns every HTTP request, until it may be executed. It reports false when it has answered, or
// there is nobody left to answer.
func (f *Faults) before(w http.ResponseWriter, r *http.Request, handshake bool) bool {
	f.mu.Lock()
	refuse, hang, delay := f.refuse, f.hang, f.delay
	f.mu.Unlock()
	if refuse {
		http.Error(w, "the emulator refuses connections", http.StatusServiceUnavailable)
		return false
	}
	if hang {
		f.wait(r.Context(), nil)
		panic(http.ErrAbortHandler)
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		if !f.wait(r.Context(), timer.C) {
			panic(http.ErrAbortHandler)
		}
	}
	if reply, ok := f.nextFailure(handshake); ok {
		reply.write(w)
		return false
	}
	return true
}

// wait returns true when c fires, false when the client or the emulator is gone.
func (f *Faults) wait(ctx context.Context, c <-chan time.Time) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
	case <-f.e.ctx.Done():
	}
	return false
}

func (f *Faults) nextFailure(handshake bool) (Reply, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue := &f.failures
	if handshake {
		queue = &f.upgrades
	}
	if len(*queue) == 0 {
		return Reply{}, false
	}
	reply := (*queue)[0]
	*queue = (*queue)[1:]
	return reply, true
}

// denial returns the code the request has to fail with, or "".
func (f *Faults) denial(r *Request) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, code := range f.operations {
		if r.named(name) {
			return code
		}
	}
	return ""
}

func (f *Faults) replacement(r *Request) (Reply, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, reply := range f.replies {
		if r.named(name) {
			return reply, true
		}
	}
	return Reply{}, false
}

// faultState is what is in force now, as the control interface tells it.
type faultState struct {
	Refuse          bool              `json:"refuse"`
	Hang            bool              `json:"hang"`
	HalfOpen        bool              `json:"halfOpen"`
	Delay           string            `json:"delay"`
	FailNext        int               `json:"failNext"`       // answers left
	FailHandshakes  int               `json:"failHandshakes"` // answers left
	FailOperations  map[string]string `json:"failOperations"` // code by operation
	ReplaceReplies  []string          `json:"replaceReplies"` // operations
	DropEvents      int               `json:"dropEvents"`     // events left
	DropEventsIf    bool              `json:"dropEventsIf"`
	DuplicateEvents int               `json:"duplicateEvents"` // events left
	ReorderEvents   int               `json:"reorderEvents"`   // events left
	EventIsHeldBack bool              `json:"eventIsHeldBack"`
	DelayEvents     string            `json:"delayEvents"`
}

func (f *Faults) state() faultState {
	var s faultState
	f.with(func() {
		s.Refuse, s.Hang, s.HalfOpen, s.Delay = f.refuse, f.hang, f.halfOpen, f.delay.String()
		s.FailNext, s.FailHandshakes = len(f.failures), len(f.upgrades)
		s.FailOperations, s.ReplaceReplies = maps.Clone(f.operations), orEmpty(slices.Sorted(maps.Keys(f.replies)))
		x := &f.events
		s.DropEvents, s.DropEventsIf, s.DuplicateEvents = x.drop, x.dropIf != nil, x.duplicate
		s.ReorderEvents, s.EventIsHeldBack, s.DelayEvents = x.reorder, x.held != nil, x.delay.String()
	})
	return s
}
