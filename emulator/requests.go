package emulator

import (
	"maps"
	"net/http"
	"slices"
	"sync"
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
