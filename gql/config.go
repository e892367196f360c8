package gql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// DefaultEndpoint is Stigg's GraphQL API over HTTP; the WebSocket is at the same place (docs/stigg-behaviour.md 1.1).
const DefaultEndpoint = "https://api.stigg.io/graphql"

// DefaultEdgeEndpoint is Stigg's Edge API (docs/stigg-behaviour.md 1.4).
const DefaultEdgeEndpoint = "https://edge.api.stigg.io"

// Config says how to reach the API. Only APIKey is required; the zero value of every other field is its default.
type Config struct {
	// Endpoint is the URL of the GraphQL API, http or https. Default DefaultEndpoint.
	Endpoint string
	// WebSocketEndpoint is the URL of the subscriptions, ws or wss. Default Endpoint with the scheme changed.
	WebSocketEndpoint string
	// EdgeEndpoint is the URL that Stigg's Edge API is below, http or https. Without one FetchEdge fails.
	EdgeEndpoint string
	// APIKey is asked for the key at each request and each dial, so that a key can be rotated without a new Client. It must be
	// quick and safe for concurrent use.
	APIKey func() string

	// HTTPClient makes the requests. The Client uses a copy that follows no redirects, because net/http would take the key along
	// to another host. When its Transport is an *http.Transport, or nil, the WebSocket is dialled with that transport's proxy,
	// TLS and dial functions. Default: a client with a transport of our own, see newTransport.
	HTTPClient *http.Client
	// Proxy, TLSClientConfig and DialContext hold for HTTP and WebSocket alike, and replace what HTTPClient's *http.Transport says.
	// With a RoundTripper of another kind they hold for the WebSocket only, since there is no way to hand them on.
	// Default for Proxy: http.ProxyFromEnvironment. The WebSocket understands http and socks5 proxies.
	Proxy           func(*http.Request) (*url.URL, error)
	TLSClientConfig *tls.Config
	DialContext     func(ctx context.Context, network, addr string) (net.Conn, error)

	// AttemptTimeout bounds one Fetch from start to decoded reply. Default 10 s, as in Stigg's SDKs for entitlements.
	AttemptTimeout time.Duration
	// QueryTimeout bounds any other query. Default 60 s, as MutationTimeout.
	QueryTimeout time.Duration
	// MutationTimeout bounds one mutation. Default 60 s, as in Stigg's Node SDK: provisioning waits for billing providers, and a
	// mutation abandoned early is one whose outcome is unknown.
	MutationTimeout time.Duration
	// MaxResponseBytes is the largest reply, after decompression. Default 8 MiB.
	MaxResponseBytes int64

	// HandshakeTimeout bounds dialling and upgrading the WebSocket. Default 10 s.
	HandshakeTimeout time.Duration
	// AckTimeout bounds the wait for the server's acknowledgement of the key. Default 10 s.
	AckTimeout time.Duration
	// DeadPeer is how long the WebSocket may be silent before it counts as dead; pings go out three times as often. Default 30 s.
	DeadPeer time.Duration
	// MaxFrameBytes is the largest WebSocket message. Default 4 MiB.
	MaxFrameBytes int64

	// UserAgent is sent with every request. Default "entcache-go".
	UserAgent string
}

// withDefaults returns c complete, or says what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.APIKey == nil {
		return c, errors.New("gql: Config.APIKey is required")
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"AttemptTimeout", &c.AttemptTimeout, 10 * time.Second},
		{"QueryTimeout", &c.QueryTimeout, 60 * time.Second},
		{"MutationTimeout", &c.MutationTimeout, 60 * time.Second},
		{"HandshakeTimeout", &c.HandshakeTimeout, 10 * time.Second},
		{"AckTimeout", &c.AckTimeout, 10 * time.Second},
		{"DeadPeer", &c.DeadPeer, 30 * time.Second},
	} {
		switch {
		case *d.value < 0:
			return c, fmt.Errorf("gql: Config.%s is negative: %v", d.name, *d.value)
		case *d.value == 0:
			*d.value = d.def
		}
	}
	for _, n := range []struct {
		name  string
		value *int64
		def   int64
	}{
		{"MaxResponseBytes", &c.MaxResponseBytes, 8 << 20},
		{"MaxFrameBytes", &c.MaxFrameBytes, 4 << 20},
	} {
		switch {
		case *n.value < 0:
			return c, fmt.Errorf("gql: Config.%s is negative: %d", n.name, *n.value)
		case *n.value == 0:
			*n.value = n.def
		}
	}
	if c.UserAgent == "" {
		c.UserAgent = "entcache-go"
	}
	if c.Endpoint == "" {
		c.Endpoint = DefaultEndpoint
	}
	endpoint, err := parseEndpoint("Endpoint", c.Endpoint, "http", "https")
	if err != nil {
		return c, err
	}
	if c.WebSocketEndpoint == "" {
		ws := *endpoint
		ws.Scheme = "ws" + endpoint.Scheme[len("http"):]
		c.WebSocketEndpoint = ws.String()
	}
	if _, err = parseEndpoint("WebSocketEndpoint", c.WebSocketEndpoint, "ws", "wss"); err != nil || c.EdgeEndpoint == "" {
		return c, err
	}
	_, err = parseEndpoint("EdgeEndpoint", c.EdgeEndpoint, "http", "https")
	return c, err
}

func parseEndpoint(field, raw string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("gql: Config.%s: not a URL", field) // err repeats it, and with it a password
	}
	switch {
	case u.Scheme != schemes[0] && u.Scheme != schemes[1]:
		return nil, fmt.Errorf("gql: Config.%s: scheme is %q, want %s or %s", field, u.Scheme, schemes[0], schemes[1])
	case u.Hostname() == "":
		return nil, fmt.Errorf("gql: Config.%s: no host in %q", field, u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("gql: Config.%s: credentials do not belong into the URL", field)
	}
	return u, nil
}

// ValidateAPIKey reports why key cannot be sent: it is empty, or holds a character that a header must not. The error does not
// print it, and matches ErrUnauthenticated.
func ValidateAPIKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: it is empty", ErrUnauthenticated)
	}
	for i := range len(key) {
		if c := key[i]; c < ' ' || c == 0x7f {
			return fmt.Errorf("%w: it has a control character at position %d", ErrUnauthenticated, i)
		}
	}
	if key[0] == ' ' || key[len(key)-1] == ' ' {
		return fmt.Errorf("%w: it begins or ends with a space", ErrUnauthenticated)
	}
	return nil
}
