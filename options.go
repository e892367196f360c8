package entcache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/entcache/entcache/cache"
	"github.com/entcache/entcache/gql"
	syncer "github.com/entcache/entcache/sync"
	"github.com/entcache/entcache/usage"
)

// The defaults; those of what Meter does are in package usage.
const (
	// DefaultEdgeURL is Stigg's Edge API, which is asked with [WithEdge] alone.
	DefaultEdgeURL = gql.DefaultEdgeEndpoint
	// DefaultBaseURL is Stigg's GraphQL API, without the path /graphql.
	DefaultBaseURL = "https://api.stigg.io"
	// DefaultEntitlementTimeout bounds how long a check may wait for Stigg, retries included.
	DefaultEntitlementTimeout = syncer.DefaultFetchTimeout
	// DefaultWriteTimeout bounds one call of a service, as Stigg's Node SDK.
	DefaultWriteTimeout = 60 * time.Second
	// DefaultPollInterval is how old an answer may become, without a stream, before it is asked for again.
	DefaultPollInterval = syncer.DefaultPollInterval
	// DefaultMaxStale is how old an answer may be that cannot be confirmed: longer than any outage of Stigg's that is on record,
	// short enough that a customer who stopped paying is noticed.
	DefaultMaxStale = 24 * time.Hour
	// DefaultRequestsPerMinute and DefaultBurst are the budget for fetching entitlements.
	DefaultRequestsPerMinute = syncer.DefaultRequestsPerMinute
	DefaultBurst             = syncer.DefaultBurst
	// DefaultCloseTimeout bounds how long Close goes on delivering usage.
	DefaultCloseTimeout = 5 * time.Second
	// DefaultReservationTimeout is when a reservation that nobody settled is given back.
	DefaultReservationTimeout = 5 * time.Minute
	// DefaultMaxMemory bounds the estimated memory of what is resident, in bytes.
	DefaultMaxMemory = cache.DefaultMaxBytes
)

// Option configures [New].
type Option func(*config) error

type config struct {
	apiKey  string
	baseURL *url.URL
	edgeURL string // empty: Edge is not asked

	httpClient  *http.Client
	proxy       func(*http.Request) (*url.URL, error)
	tlsConfig   *tls.Config
	dialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	entitlementTimeout time.Duration
	writeTimeout       time.Duration
	pollInterval       time.Duration
	maxStale           time.Duration
	requestsPerMinute  int
	burst              int
	maxMemory          int64
	realtime           bool
	denyWhileSuspect   bool
	offline            bool
	source             Source
	logger             *slog.Logger
	lossLogger         *slog.Logger // is told of usage that is lost; nil: slog.Default

	usage              usage.Config
	localUsage         bool
	closeTimeout       time.Duration
	reservationTimeout time.Duration

	fallback          FallbackValue
	featureFallbacks  map[string]FallbackValue
	currencyFallbacks map[string]FallbackValue
}

func newConfig(apiKey string, opts []Option) (*config, error) {
	c := &config{
		apiKey:             apiKey,
		entitlementTimeout: DefaultEntitlementTimeout,
		writeTimeout:       DefaultWriteTimeout,
		pollInterval:       DefaultPollInterval,
		maxStale:           DefaultMaxStale,
		requestsPerMinute:  DefaultRequestsPerMinute,
		burst:              DefaultBurst,
		maxMemory:          DefaultMaxMemory,
		realtime:           true,
		logger:             slog.New(slog.DiscardHandler),
		localUsage:         true,
		closeTimeout:       DefaultCloseTimeout,
		reservationTimeout: DefaultReservationTimeout,
		featureFallbacks:   map[string]FallbackValue{},
		currencyFallbacks:  map[string]FallbackValue{},
	}
	if err := WithBaseURL(DefaultBaseURL)(c); err != nil {
		return nil, err
	}
	for _, opt := range opts {
		if opt == nil {
			continue // an option that a program decided not to use
		}
		if err := opt(c); err != nil {
			return nil, fmt.Errorf("entcache: %w", err)
		}
	}
	if apiKey == "" && !c.offline {
		return nil, errors.New("entcache: the API key is empty: pass the server API key of a Stigg environment, or use WithOffline")
	}
	if apiKey != "" {
		if err := gql.ValidateAPIKey(apiKey); err != nil {
			return nil, fmt.Errorf("entcache: %w", err)
		}
	}
	return c, nil
}

// WithBaseURL sets where Stigg is: an http or https URL to which /graphql is appended, for GraphQL over HTTP and, with the scheme
// ws or wss, over WebSocket. The URL of the GraphQL endpoint itself, as Stigg's Go client takes it, is understood too. Default
// [DefaultBaseURL].
func WithBaseURL(base string) Option {
	return func(c *config) error {
		u, err := url.Parse(base)
		if err != nil { // whose text shows all of it, a password included
			return fmt.Errorf("WithBaseURL: not a URL: %w; give one such as %q", errors.Unwrap(err), DefaultBaseURL)
		}
		if u.User != nil {
			return fmt.Errorf("WithBaseURL: %q has a user or password: Stigg takes its API key elsewhere", u.Redacted())
		}
		if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("WithBaseURL: %q is not an http or https URL with a host, such as %q", u.Redacted(), DefaultBaseURL)
		}
		if u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("WithBaseURL: %q has a query or a fragment: give scheme, host and path only", u.Redacted())
		}
		u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/graphql")
		c.baseURL = u
		return nil
	}
}

// WithEdge asks Stigg's Edge API, a CDN that answers sooner and may be a moment behind, for customers of whom nothing is known here: at
// their first check, unless this client has written to them in the last minute. What Edge says is answered as Stale, and confirmed over
// GraphQL at once; so it costs a second request of the budget. AsOf of such an answer is a minute earlier, and with a [WithMaxStale] of a
// minute or less Edge is not asked. When Edge does not answer, GraphQL is. Nothing else is read from it. baseURL is an http or https URL;
// empty means [DefaultEdgeURL]. Without this option Edge is not asked: docs/edge.md says why.
func WithEdge(baseURL string) Option {
	return func(c *config) error {
		if baseURL == "" {
			baseURL = DefaultEdgeURL
		}
		u, err := url.Parse(baseURL)
		switch {
		case err != nil: // whose text shows all of it, a password included
			return fmt.Errorf("WithEdge: not a URL: %w", errors.Unwrap(err))
		case u.User != nil:
			return fmt.Errorf("WithEdge: %q has a user or password: Stigg takes its API key elsewhere", u.Redacted())
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			return fmt.Errorf("WithEdge: %q is not an http or https URL", baseURL)
		case u.RawQuery != "" || u.Fragment != "":
			return fmt.Errorf("WithEdge: %q has a query or a fragment", baseURL)
		}
		c.edgeURL = baseURL
		return nil
	}
}

// WithHTTPClient sends HTTP requests through hc, and opens the WebSocket with the dialer, proxy and TLS configuration of its
// transport when that is an [http.Transport]. Redirects are never followed, whatever hc says, because they would carry the API
// key along. Nil, the default, is a transport made for this purpose.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *config) error { c.httpClient = hc; return nil }
}

// WithProxy chooses the proxy for HTTP and WebSocket alike, as [http.Transport].Proxy does. Default: as the environment says.
func WithProxy(proxy func(*http.Request) (*url.URL, error)) Option {
	return func(c *config) error { c.proxy = proxy; return nil }
}

// WithTLSConfig sets the TLS configuration for HTTP and WebSocket alike. Nil, the default, trusts the system's roots.
func WithTLSConfig(cfg *tls.Config) Option {
	return func(c *config) error { c.tlsConfig = cfg; return nil }
}

// WithDialContext opens every connection, HTTP and WebSocket alike, through dial. Nil, the default, dials the network.
func WithDialContext(dial func(ctx context.Context, network, addr string) (net.Conn, error)) Option {
	return func(c *config) error { c.dialContext = dial; return nil }
}

// WithEntitlementTimeout bounds how long one check may wait for Stigg, retries included. Default 10 s; it must be positive.
func WithEntitlementTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.entitlementTimeout = d
		return positive("WithEntitlementTimeout", d)
	}
}

// WithWriteTimeout bounds one call of the client's services, retries included: a write, and a read or an estimate that asks Stigg.
// Default 60 s; it must be positive.
func WithWriteTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.writeTimeout = d
		return positive("WithWriteTimeout", d)
	}
}

// WithPollInterval sets how old an answer that is being read may become before it is asked for again while no stream is open.
// While one is, the interval is ten times as long, as a safety net under lost events. A customer or resource is being read for
// ten minutes after its last check; being loaded counts as one. Default 30 s; it must be positive.
func WithPollInterval(d time.Duration) Option {
	return func(c *config) error {
		c.pollInterval = d
		return positive("WithPollInterval", d)
	}
}

// WithMaxStale bounds how old an answer from memory may be. A check that meets an older one waits for Stigg, and answers the
// fallback when that fails. Default 24 h; 0 sets no bound.
func WithMaxStale(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("WithMaxStale: %v is negative: give a duration, or 0 for no bound", d)
		}
		c.maxStale = d
		return nil
	}
}

// WithRequestBudget bounds how often this client fetches entitlements: so many requests a minute, and so many at once after a
// quiet while. Checks that wait go first; keeping the cache current uses what they leave. The rate halves when Stigg answers
// 429 and recovers within a minute. Writes are not counted. Default 3000 and 500; both must be positive. Stigg documents 6,000
// entitlement reads a minute for an API key, all its processes together.
func WithRequestBudget(perMinute, burst int) Option {
	return func(c *config) error {
		if perMinute < 1 || burst < 1 {
			return fmt.Errorf("WithRequestBudget: %d a minute with a burst of %d: both must be at least 1", perMinute, burst)
		}
		c.requestsPerMinute, c.burst = perMinute, burst
		return nil
	}
}

// WithMaxMemory bounds the estimated memory of what is resident, in bytes. Beyond it, the customers that are read least give
// way; an eighth of it is for newcomers, which stay there for as long as they are read. A set of entitlements larger than that
// may have to be fetched for each check. Default 256 MiB; it must be positive.
func WithMaxMemory(bytes int64) Option {
	return func(c *config) error {
		if bytes < 1 {
			return fmt.Errorf("WithMaxMemory: %d: give a positive number of bytes", bytes)
		}
		c.maxMemory = bytes
		return nil
	}
}

// WithoutRealtime opens no stream: the client polls. Answers within the poll interval are Live then.
func WithoutRealtime() Option {
	return func(c *config) error { c.realtime = false; return nil }
}

// WithDenyWhileSuspect denies, with the reason Unknown, what is under question: a change has been announced that cannot be
// ordered, and no fetch has decided it yet. By default the last known answer is served, as Stale.
func WithDenyWhileSuspect() Option {
	return func(c *config) error { c.denyWhileSuspect = true; return nil }
}

// WithFallback sets what a check answers when nothing is known and no other fallback applies: Stigg cannot be asked, the client is
// not started, offline or closed, the query cannot be answered as it stands ([ErrInvalidQuery]), or the entitlement is of
// another type than the query relies on. A fallback that grants access grants it in all of these cases; a program that must not
// admit a request without a customer looks at the error. Default: denied, Unknown.
func WithFallback(f FallbackValue) Option {
	return func(c *config) error { c.fallback = f; return nil }
}

// WithFeatureFallback sets what a check of one feature answers when nothing is known.
func WithFeatureFallback(featureID string, f FallbackValue) Option {
	return func(c *config) error {
		if featureID == "" {
			return errors.New("WithFeatureFallback: the feature id is empty")
		}
		c.featureFallbacks[featureID] = f
		return nil
	}
}

// WithCurrencyFallback sets what a check of one credit currency answers when nothing is known.
func WithCurrencyFallback(currencyID string, f FallbackValue) Option {
	return func(c *config) error {
		if currencyID == "" {
			return errors.New("WithCurrencyFallback: the currency id is empty")
		}
		c.currencyFallbacks[currencyID] = f
		return nil
	}
}

// WithUsageQueue keeps what [Client].Meter accepts in q until Stigg has counted it: package contrib/bolt has one that survives the
// end of the process. The client that New returns owns q, and closes it; after an error of New, q is still the program's. What q
// holds from before is delivered from Start on. Nil, the default, is a queue in memory.
func WithUsageQueue(q usage.Queue) Option {
	return func(c *config) error { c.usage.Queue = q; return nil }
}

// WithUsageWindow sets how long a report of [Client].Meter waits for others to go with it, unless a call is full before. A longer one
// makes fewer calls; Stigg allows 600 calls a minute for each API key. Default [usage.DefaultWindow], a second.
func WithUsageWindow(d time.Duration) Option {
	return func(c *config) error { c.usage.Window = d; return positive("WithUsageWindow", d) }
}

// WhenFull says what [Client].Meter does when as much waits as may.
type WhenFull bool

const (
	// Reject fails with [ErrQueueFull].
	Reject WhenFull = false
	// Block waits for room, until the ctx of the call ends.
	Block WhenFull = true
)

// WithUsageBound bounds what [Client].Meter keeps while Stigg does not take it, in records and in bytes of memory, roughly, and says
// what happens to a report beyond that. Default [usage.DefaultMaxRecords] (100,000), [usage.DefaultMaxBytes] (64 MB) and [Reject].
func WithUsageBound(records int, bytes int64, then WhenFull) Option {
	return func(c *config) error {
		if records <= 0 || bytes <= 0 {
			return fmt.Errorf("WithUsageBound: %d records, %d bytes: give positive numbers", records, bytes)
		}
		c.usage.MaxRecords, c.usage.MaxBytes, c.usage.Block = records, bytes, bool(then)
		return nil
	}
}

// WithSetAside hands over the usage that Stigg refuses, after it was sent as often as tries says; 0 means [usage.DefaultTries], 3. When
// tell has returned, the client knows nothing of it any more. tell may be told of the same again after a crash, and of a report and of an
// event at the same time. While it runs, no more of the kind is delivered, and Close waits for it; it must not call Flush or Close, nor,
// with [Block], report under a ctx that does not end. Without this option, or with a nil tell, it is logged as an error, to [WithLogger]'s
// logger or else to [slog.Default], and [Meter.Stats] counts it.
func WithSetAside(tries int, tell func(SetAside)) Option {
	return func(c *config) error {
		if tries < 0 {
			return fmt.Errorf("WithSetAside: %d tries: give a positive number, or 0 for the default", tries)
		}
		c.usage.Tries, c.usage.OnSetAside = tries, tell
		return nil
	}
}

// WithLocalUsage says whether what [Client].Meter has accepted counts in this client's checks before Stigg has counted it, so that a
// burst does not pass a limit between two updates. Default true. Entitlement.PendingUsage tells how much of a usage that is.
func WithLocalUsage(on bool) Option {
	return func(c *config) error { c.localUsage = on; return nil }
}

// WithReservationTimeout sets when a reservation that was neither committed nor cancelled is given back. Default
// [DefaultReservationTimeout], five minutes.
func WithReservationTimeout(d time.Duration) Option {
	return func(c *config) error {
		c.reservationTimeout = d
		return positive("WithReservationTimeout", d)
	}
}

// WithCloseTimeout bounds how long [Client.Close] goes on delivering what [Client].Meter has accepted. Default [DefaultCloseTimeout],
// five seconds. Zero delivers nothing more.
func WithCloseTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("WithCloseTimeout: %v: give a positive duration, or 0 to deliver nothing more", d)
		}
		c.closeTimeout = d
		return nil
	}
}

// WithOffline uses no network at all: checks answer the fallback, usage reports are acknowledged and dropped (the answer's
// CurrentUsage is nil), every other write fails with [ErrOffline], and the state stays Initializing. The API key may be empty. It
// is for development and for tests of code that needs a client; package emulator is for tests that need answers.
func WithOffline() Option {
	return func(c *config) error { c.offline = true; return nil }
}

// WithSource obtains entitlements from s instead of Stigg's API: a shared cache in between, or a test. Writes still go to Stigg.
// Nil, the default, is Stigg.
func WithSource(s Source) Option {
	return func(c *config) error { c.source = s; return nil }
}

// WithLogger is told of changes of state, a few lines a day; never of a check, and never the API key. Nil, the default, is silent but
// for one thing: usage that Stigg refuses, and that nobody is told of by [WithSetAside], is an error in the log of [slog.Default], so
// that nothing which is lost is lost in silence. A logger of [slog.DiscardHandler] silences that too.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		c.logger, c.lossLogger = l, l
		if l == nil {
			c.logger = slog.New(slog.DiscardHandler)
		}
		return nil
	}
}

func positive(option string, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("%s: %v: give a positive duration", option, d)
	}
	return nil
}

// fallbackFor returns the fallback of a query: its own, else its feature's or currency's, else the general one.
func (c *config) fallbackFor(q *Query) *FallbackValue {
	if q.Fallback != nil {
		return q.Fallback
	}
	f, ok := c.featureFallbacks[q.FeatureID]
	if q.CurrencyID != "" {
		f, ok = c.currencyFallbacks[q.CurrencyID]
	}
	if !ok {
		return &c.fallback
	}
	return &f
}
