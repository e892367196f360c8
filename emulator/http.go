package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// routes builds the handler of everything the emulator serves.
func (e *Emulator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /graphql", e.serveGraphQL)
	mux.HandleFunc("GET /graphql", e.serveSocket)
	mux.HandleFunc("GET /v1/c/{customerId}/entitlements-state.json", e.serveEdge(edgeState))
	mux.HandleFunc("GET /v1/c/{customerId}/entitlements.json", e.serveEdge(edgeEntitlements))
	mux.HandleFunc("GET /v1/config/server-sdk-configuration.json", e.serveEdge(edgeConfiguration))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	return mux
}

// guard counts what is under way in h, ends it with the emulator, and answers 503 from then on.
func (e *Emulator) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.serve.enter() {
			http.Error(w, "the emulator is closed", http.StatusServiceUnavailable)
			return
		}
		defer e.serve.leave()
		// Close also waits for handlers in somebody else's server, whose connections it cannot close.
		rc := http.NewResponseController(w)
		defer context.AfterFunc(e.ctx, func() {
			now := time.Now()
			rc.SetReadDeadline(now)
			rc.SetWriteDeadline(now)
		})()
		h.ServeHTTP(w, r)
	})
}

// serveGraphQL answers one posted operation.
func (e *Emulator) serveGraphQL(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, e.config.MaxBodyBytes))
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		writeJSON(w, status, failure(codeBadUserInput, "the body could not be read"))
		return
	}
	e.logDocument(body)
	if !e.faults.before(w, r, false) {
		return
	}
	if !e.authorized(r.Header.Get("X-API-KEY")) {
		writeJSON(w, http.StatusUnauthorized, unauthenticated())
		return
	}
	var req request
	if err := json.Unmarshal(body, &req); err != nil || req.Query == "" {
		writeJSON(w, http.StatusBadRequest, failure(codeBadUserInput, "the body is not a GraphQL request in JSON"))
		return
	}
	info := e.describe("http", req, r.Header)
	if code := e.faults.denial(info); code != "" {
		writeJSON(w, http.StatusOK, failure(code, "the emulator was told to fail this operation"))
		return
	}
	if e.limited(w, r.Header.Get("X-API-KEY"), info, req.Query) {
		return
	}
	resp := e.execute(r.Context(), req)
	if reply, ok := e.faults.replacement(info); ok {
		reply.write(w)
		return
	}
	writeJSON(w, statusOf(resp), resp)
}

// statusOf is 400 for a document that cannot be executed, and 200 for everything that was, errors included.
func statusOf(resp *response) int {
	for _, err := range resp.Errors {
		if code := err.Extensions["code"]; code == codeParseFailed || code == codeValidationFailed {
			return http.StatusBadRequest
		}
	}
	return http.StatusOK
}

// describe records that an operation arrived.
func (e *Emulator) describe(transport string, req request, header http.Header) *Request {
	op := scanOperation(req.Query, req.OperationName)
	info := &Request{Transport: transport, Name: req.OperationName, Fields: op.fields, Variables: req.Variables, Header: header}
	if info.Name == "" {
		info.Name = op.name
	}
	if transport == "websocket" {
		e.logRequest(transport, info.Name, info.Fields)
	}
	e.arrived(info)
	return info
}

// authorized reports whether the key is accepted.
func (e *Emulator) authorized(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return key != "" && slices.Contains(e.keys, key)
}

func unauthenticated() *response {
	return failure(codeUnauthenticated, "Unauthenticated: the API key is missing or not valid")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // what it says of requests is to be copied from a terminal
	if err := encoder.Encode(v); err != nil {
		http.Error(w, "the answer could not be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	body.Truncate(body.Len() - 1) // the line's end
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

// write answers r as it is.
func (r Reply) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	for name, values := range r.Header {
		header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if r.Truncate {
		header.Set("Content-Length", strconv.Itoa(len(r.Body)+64))
	}
	if r.Status != 0 {
		w.WriteHeader(r.Status)
	}
	io.WriteString(w, r.Body)
	if r.Truncate {
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// serveSocket turns a handshake into a socket and serves it until it ends.
func (e *Emulator) serveSocket(w http.ResponseWriter, r *http.Request) {
	e.logRequest("handshake", "", nil)
	if !e.faults.before(w, r, true) {
		return
	}
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Allow", "POST")
		writeJSON(w, http.StatusMethodNotAllowed, failure(codeBadUserInput, "POST a GraphQL request, or open a WebSocket"))
		return
	}
	upgrader := websocket.Upgrader{
		Subprotocols: []string{subprotocol},
		CheckOrigin:  func(*http.Request) bool { return true },
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			writeJSON(w, status, failure(codeBadUserInput, reason.Error()))
		},
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // answered by the upgrader
	}
	newSocket(e, conn, r.Header.Clone()).run()
}
