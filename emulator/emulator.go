package emulator

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/graph-gophers/graphql-go"
)

// DefaultAPIKey is the key accepted when the configuration names none.
const DefaultAPIKey = "server-emulator-key"

// Config describes an emulator. The zero value is a working one: the demo catalog, the default key, silent.
type Config struct {
	// Catalog is what is sold. Default: [DemoCatalog]. It is copied.
	Catalog *Catalog
	// APIKeys are the accepted keys. Default: [DefaultAPIKey] alone.
	APIKeys []string
	// Logger receives requests, sockets and faults at debug level and panics at error level. Default: silent.
	Logger *slog.Logger
	// OnRequest, if set, is called for every operation before it is executed, on the goroutine that serves it and under
	// no lock: it may call the emulator, except for Close, and as long as it blocks, so do the request and Close.
	OnRequest func(Request)
	// InvalidKeyCloseCode closes a socket whose key is unknown, with reason "Invalid API key". Default: 4401. The code
	// of the real service is not known; the reason is.
	InvalidKeyCloseCode int
	// InitTimeout is how long a socket may take to send connection_init before it is closed with 4408. Default: 3s.
	InitTimeout time.Duration
	// PingInterval is how often the server pings each socket in the subprotocol. Default: 0, never.
	PingInterval time.Duration
	// SocketQueue is how many events and control messages may wait for one socket before it is cut. Default: 1024.
	SocketQueue int
	// MaxBodyBytes bounds a request body and a frame. Default: 4 MiB.
	MaxBodyBytes int64
	// History is how many states of each key are kept for [Emulator.HistoryOf]. Default: 0, none. A state takes about 200
	// bytes and as much again for each entitlement in it.
	History int
	// RequestLog is how many requests are kept for [Emulator.RequestLog], 150 bytes each. Default: 0, none.
	RequestLog int
	// Stamps says how changes are stamped. Default: strictly increasing, whole sets at a time.
	Stamps Stamps
	// RateLimits answers 429 beyond the limits that Stigg documents: by operation and key, and by customer, subscription or resource
	// for mutations whose variables name one. Default: no limits.
	RateLimits bool
	// EventDelay is how long raw events wait before they are counted, in the time of the account. Default: 50ms; negative: none.
	EventDelay time.Duration
	// ValidUntilMillis prints validUntil of the newer types as epoch milliseconds in a string. Default: ISO-8601.
	ValidUntilMillis bool
}

func (c Config) withDefaults() Config {
	if len(c.APIKeys) == 0 {
		c.APIKeys = []string{DefaultAPIKey}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.InvalidKeyCloseCode == 0 {
		c.InvalidKeyCloseCode = 4401
	}
	if c.InitTimeout <= 0 {
		c.InitTimeout = 3 * time.Second // the default of the graphql-ws library
	}
	if c.SocketQueue <= 0 {
		c.SocketQueue = 1024
	}
	switch {
	case c.EventDelay == 0:
		c.EventDelay = 50 * time.Millisecond
	case c.EventDelay < 0:
		c.EventDelay = 0
	}
	if c.MaxBodyBytes <= 0 {
		c.MaxBodyBytes = 4 << 20
	}
	return c
}

// Emulator is one emulated environment of Stigg. Its methods may be called from any goroutine.
type Emulator struct {
	config  Config
	schema  *graphql.Schema
	handler http.Handler
	faults  *Faults
	sockets registry
	counts  counters
	log     requestLog
	limits  rateLimiter
	origin  origin
	control *control

	// ctx ends when Close begins; everything that waits also waits on it.
	ctx    context.Context
	cancel context.CancelFunc
	serve  serving

	mu       sync.Mutex // guards what follows
	state    account
	keys     []string
	began    time.Time // when it was made, and its catalog with it; Load carries it on
	eventSeq uint64
}

// New returns an emulator that is ready to serve. It does no I/O and starts no goroutine. The error is that of the
// catalog.
func New(config Config) (*Emulator, error) {
	config = config.withDefaults()
	catalog := config.Catalog
	if catalog == nil {
		catalog = DemoCatalog()
	}
	ix, err := catalog.clone().index()
	if err != nil {
		return nil, err
	}
	e := &Emulator{
		config: config,
		origin: origin{index: ix, began: time.Now(), keys: slices.Clone(config.APIKeys)},
		keys:   slices.Clone(config.APIKeys),
		state: account{
			clock:     &clock{},
			index:     ix,
			stamps:    config.Stamps,
			customers: map[string]*customer{},
		},
	}
	e.began = e.origin.began
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.faults = newFaults(e)
	e.handler = e.guard(e.routes())
	e.control = newControl(e)
	e.schema, err = boundSchema()
	if err != nil {
		return nil, fmt.Errorf("bind schema: %w", err)
	}
	return e, nil
}

// Handler serves the whole API: GraphQL over POST and WebSocket on /graphql, the Edge API under /v1/, and /healthz. After
// Close it answers 503.
func (e *Emulator) Handler() http.Handler { return e.handler }

// Faults is the handle by which the emulator is made to misbehave.
func (e *Emulator) Faults() *Faults { return e.faults }

// Close ends every socket and connection, frees whoever is held by a fault, and returns when all goroutines of the
// emulator are gone. It may be called again, and then returns at once.
func (e *Emulator) Close() error {
	e.cancel()
	e.sockets.each((*socket).cut)
	err := e.serve.close()
	e.state.events.wg.Wait() // nothing can begin to wait any more: all handlers are gone
	return err
}
