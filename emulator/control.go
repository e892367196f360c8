package emulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// control is the emulator's control interface: what tests in the same process do by calling methods, over HTTP.
type control struct {
	e      *Emulator
	routes []controlRoute

	mu    sync.Mutex      // guards what follows
	turns map[string]uint // by path: how often a lasting fault was set; see during
}

// controlRoute is one thing that can be asked of the control interface.
type controlRoute struct {
	method, path string
	takes        []string // names of query parameters, or of fields of the body
	what         string
	maxBody      int64 // bytes; 0: Config.MaxBodyBytes
	serve        func(r *http.Request, body []byte) (any, error)
}

func newControl(e *Emulator) *control {
	c := &control{e: e, turns: map[string]uint{}}
	c.routes = slices.Concat(c.reads(), c.faults(), c.operations(), c.checkouts(), c.states())
	return c
}

// ControlHandler serves the control interface, by which another process makes the emulator misbehave, acts as its operator
// and reads its logs; the package documentation lists the paths. It has no key: serve it where only tests reach it. After
// Close it answers 503.
func (e *Emulator) ControlHandler() http.Handler { return e.guard(e.control) }

// inputError says which part of a control request is wrong, and how to mend it.
type inputError struct{ field, problem string }

func (e *inputError) Error() string { return e.field + ": " + e.problem }

// controlError is the body of every answer that is not a success.
type controlError struct {
	Error string `json:"error"`
	Field string `json:"field,omitempty"` // what is wrong with the request
	Code  string `json:"code,omitempty"`  // of an operation that the emulated account refuses
}

// ServeHTTP answers one control request.
func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, e controlError) { writeJSON(w, status, e) }
	if r.Header.Get("Origin") != "" { // browsers send it: a web page must not operate what listens on this machine
		fail(http.StatusForbidden, controlError{Error: "requests of web pages are refused"})
		return
	}
	var found *controlRoute
	for i := range c.routes {
		if c.routes[i].path == r.URL.Path {
			found = &c.routes[i]
		}
	}
	switch {
	case r.URL.Path == "/" && r.Method == http.MethodGet:
		writeJSON(w, http.StatusOK, c.contents())
		return
	case found == nil:
		fail(http.StatusNotFound, controlError{Error: fmt.Sprintf("there is no %s: GET / lists what there is", r.URL.Path)})
		return
	case found.method != r.Method:
		w.Header().Set("Allow", found.method)
		fail(http.StatusMethodNotAllowed, controlError{Error: fmt.Sprintf("%s takes %s, not %s", found.path, found.method, r.Method)})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, cmp.Or(found.maxBody, c.e.config.MaxBodyBytes)))
	if err != nil {
		fail(http.StatusRequestEntityTooLarge, controlError{Error: "the body could not be read: " + err.Error()})
		return
	}
	answer, err := found.serve(r, body)
	if err == nil {
		if text, ok := answer.(laidOut); ok {
			text.write(w)
			return
		}
		writeJSON(w, http.StatusOK, answer)
		return
	}
	if e, ok := errors.AsType[*inputError](err); ok {
		fail(http.StatusBadRequest, controlError{Error: e.Error(), Field: e.field})
	} else if e, ok := errors.AsType[*CatalogError](err); ok {
		fail(http.StatusBadRequest, controlError{Error: err.Error(), Field: e.Field})
	} else {
		fail(http.StatusUnprocessableEntity, controlError{Error: err.Error(), Code: codeOf(err)})
	}
}

// contents is what GET / answers.
func (c *control) contents() any {
	type entry struct {
		Method  string          `json:"method"`
		Path    string          `json:"path"`
		Takes   []string        `json:"takes,omitempty"`
		What    string          `json:"what"`
		Example json.RawMessage `json:"example,omitempty"` // a body, or a path with parameters
	}
	list := make([]entry, 0, len(c.routes))
	for _, r := range c.routes {
		list = append(list, entry{r.method, r.path, r.takes, r.what, controlExamples[r.path]})
	}
	return list
}

// post is a route whose body is the JSON of an In.
func post[In any](path, what string, do func(in In) (any, error)) controlRoute {
	return controlRoute{
		method: http.MethodPost, path: path, what: what, takes: fieldsOf(reflect.TypeFor[In]()),
		serve: func(_ *http.Request, body []byte) (any, error) {
			var in In
			if err := decodeStrict(body, &in); err != nil {
				return nil, err
			}
			answer, err := do(in)
			if err == nil && answer == nil {
				answer = struct{}{}
			}
			return answer, err
		},
	}
}

// get is a route that takes nothing but query parameters.
func get(path, what string, takes []string, do func(value func(name string) string) (any, error)) controlRoute {
	return controlRoute{
		method: http.MethodGet, path: path, what: what, takes: takes,
		serve: func(r *http.Request, _ []byte) (any, error) {
			given := r.URL.Query()
			for name := range given {
				if !slices.Contains(takes, name) {
					return nil, &inputError{cmp.Or(name, `""`), fmt.Sprintf("there is no such parameter: %s takes %s", path, list(takes))}
				}
			}
			return do(given.Get)
		},
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// decodeStrict reads a body into in. No body is an empty one; what in does not know is an error.
func decodeStrict(body []byte, in any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return &inputError{cmp.Or(e.Field, "body"), fmt.Sprintf("is JSON %s: give %s", e.Value, anObject(kindOf(e.Type)))}
		}
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			if unquoted, err := strconv.Unquote(name); err == nil {
				name = unquoted
			}
			path, owner := name, reflect.TypeOf(in).Elem()
			var all any
			if json.NewDecoder(bytes.NewReader(body)).Decode(&all) == nil {
				if at, of := unknownField(all, owner, name); of != nil {
					path, owner = at, of
				}
			}
			return &inputError{cmp.Or(path, `""`), fmt.Sprintf("there is no such field: known are %s", list(fieldsOf(owner)))}
		}
		return &inputError{"body", "is not a JSON object: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &inputError{"body", "has something after the JSON object"}
	}
	return nil
}

// kindOf is a Go type in the words of JSON.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Slice:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Pointer:
		return kindOf(t.Elem())
	default:
		return "whole number"
	}
}

// need makes sure that a field is given.
func need(field, value string) error {
	if value == "" {
		return &inputError{field, "is missing"}
	}
	return nil
}

// durationOf reads a duration such as "1.5s"; none is zero.
func durationOf(field, value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, &inputError{field, fmt.Sprintf("%q is not a duration such as \"1.5s\"", value)}
	}
	return d, nil
}

// count checks how often something is to happen.
func count(field string, n int) error {
	if n < 0 || n > maxFaultCount {
		return &inputError{field, fmt.Sprintf("%d: give a number from 0 to %d", n, maxFaultCount)}
	}
	return nil
}

// maxFaultCount bounds what one request can make the emulator remember.
const maxFaultCount = 1_000_000

func (c *control) reads() []controlRoute {
	key := []string{"customerId", "resourceId"}
	since := func(value func(string) string) (int, error) {
		s := value("since")
		if s == "" {
			return 0, nil
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return 0, &inputError{"since", fmt.Sprintf("%q is not an index", s)}
		}
		return n, nil
	}
	return []controlRoute{
		get("/snapshot", "what a key has now", key, func(value func(string) string) (any, error) {
			if err := need("customerId", value("customerId")); err != nil {
				return nil, err
			}
			return c.e.Snapshot(value("customerId"), value("resourceId")), nil
		}),
		get("/history", "the states that a key had, from index since on", append(key, "since"), func(value func(string) string) (any, error) {
			if err := need("customerId", value("customerId")); err != nil {
				return nil, err
			}
			n, err := since(value)
			if err != nil {
				return nil, err
			}
			return orEmpty(c.e.HistoryOf(value("customerId"), value("resourceId"), n)), nil
		}),
		get("/requests", "how often each root field was asked for, and the log of requests from index since on", []string{"since"}, func(value func(string) string) (any, error) {
			n, err := since(value)
			if err != nil {
				return nil, err
			}
			return struct {
				Counts map[string]int  `json:"counts"`
				Log    []LoggedRequest `json:"log"`
			}{c.e.Requests(), orEmpty(c.e.RequestLog(n))}, nil
		}),
		get("/checks", "which entitlement checks clients reported, the latest 1,000", nil, func(func(string) string) (any, error) {
			return c.e.EntitlementChecks(), nil
		}),
		get("/sockets", "how many WebSockets and subscriptions are open", nil, func(func(string) string) (any, error) {
			return struct {
				Sockets       int `json:"sockets"`
				Subscriptions int `json:"subscriptions"`
			}{c.e.Sockets(), c.e.Subscriptions()}, nil
		}),
		get("/clock", "what time it is for the account", nil, func(func(string) string) (any, error) {
			return clockReading{c.e.Now()}, nil
		}),
		get("/faults", "which faults are in force", nil, func(func(string) string) (any, error) {
			return c.e.faults.state(), nil
		}),
	}
}

// orEmpty makes an empty list of none, so that it reads [] and not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
