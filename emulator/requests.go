package emulator

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request describes one operation on its way in.
type Request struct {
	Transport string         // "http", "websocket" or "edge"
	Name      string         // the operation's name, such as "ReportUsage"; may be empty
	Fields    []string       // its root fields, such as "reportUsage"; of an Edge request, "edge"
	Variables map[string]any // as sent; not to be changed
	Header    http.Header    // of the HTTP request, or of the one that became the socket; not to be changed
}

// named reports whether the request is the operation of that name, or asks for the root field of that name.
func (r *Request) named(name string) bool {
	if r.Name == name {
		return true
	}
	return slices.Contains(r.Fields, name)
}

// counters count operations by root field.
type counters struct {
	mu      sync.Mutex
	byField map[string]int
}

func (c *counters) add(fields []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byField == nil {
		c.byField = map[string]int{}
	}
	for _, f := range fields {
		c.byField[f]++
	}
}

// Requests returns how often each root field was asked for since the start, failed requests included; Edge requests count
// as "edge". Subscriptions count once each, not their events. The map is the caller's.
func (e *Emulator) Requests() map[string]int {
	e.counts.mu.Lock()
	defer e.counts.mu.Unlock()
	return maps.Clone(e.counts.byField)
}

// arrived counts the request and tells the hook.
func (e *Emulator) arrived(r *Request) {
	e.counts.add(r.Fields)
	e.config.Logger.Debug("request", "transport", r.Transport, "operation", r.Name, "fields", r.Fields)
	if e.config.OnRequest != nil {
		e.config.OnRequest(*r)
	}
}

// LoggedRequest is one request as it arrived: before any fault but refused connections, whether or not it was executed.
type LoggedRequest struct {
	Index     int       `json:"index"` // its place among all requests, from 0
	At        time.Time `json:"at"`
	Transport string    `json:"transport"`        // "http", "edge", "handshake" of a WebSocket, or "websocket" for an operation on one
	Name      string    `json:"name,omitempty"`   // the operation's name
	Fields    []string  `json:"fields,omitempty"` // its root fields; empty when the document cannot be read
}

// requestLog is the latest requests, in order of arrival.
type requestLog struct {
	mu     sync.Mutex // guards what follows
	latest []LoggedRequest
}

// RequestLog returns the requests from the one with index since on, oldest first, as many as [Config].RequestLog keeps.
func (e *Emulator) RequestLog(since int) []LoggedRequest {
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	latest := e.log.latest[max(0, len(e.log.latest)-e.config.RequestLog):]
	from, _ := slices.BinarySearchFunc(latest, since, func(r LoggedRequest, since int) int { return r.Index - since })
	return slices.Clone(latest[from:])
}

func (e *Emulator) logRequest(transport, name string, fields []string) {
	keep := e.config.RequestLog
	if keep <= 0 {
		return
	}
	l := &e.log
	l.mu.Lock()
	defer l.mu.Unlock()
	index := 0
	if n := len(l.latest); n > 0 {
		index = l.latest[n-1].Index + 1
	}
	if len(l.latest) >= 2*keep {
		l.latest = slices.Clone(l.latest[len(l.latest)-keep+1:])
	}
	l.latest = append(l.latest, LoggedRequest{Index: index, At: time.Now().UTC(), Transport: transport, Name: name, Fields: fields})
}

// logDocument logs the body of a POST. It is read a second time for that, but only while requests are logged.
func (e *Emulator) logDocument(body []byte) {
	if e.config.RequestLog <= 0 {
		return
	}
	var req request
	if json.Unmarshal(body, &req) != nil {
		e.logRequest("http", "", nil)
		return
	}
	op := scanOperation(req.Query, req.OperationName)
	name := req.OperationName
	if name == "" {
		name = op.name
	}
	e.logRequest("http", name, op.fields)
}
