package gql

import (
	"net"
	"net/http"
	"time"

	"github.com/entcache/entcache/gql/internal/graphqlws"
)

// newTransport makes the transport of a Client that was not given one. The figures are measured.
func newTransport(cfg Config) *http.Transport {
	proxy, dial := cfg.Proxy, cfg.DialContext
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	if dial == nil {
		dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	}
	return &http.Transport{
		Proxy:             proxy,
		DialContext:       dial,
		TLSClientConfig:   cfg.TLSClientConfig.Clone(),
		ForceAttemptHTTP2: true, // net/http turns it off when given a dialler or TLS configuration
		MaxIdleConns:      128,
		// The default of 2 made 32 workers open 67 connections where 32 suffice.
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second,
		// No ResponseHeaderTimeout: the context of each attempt has a deadline, which covers the body too.
		MaxResponseHeaderBytes: 256 << 10,
		// Without pings requests keep going to an HTTP/2 connection whose path was dropped, and time out one after another.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// network is how a Client reaches the API: one configuration for both protocols.
type network struct {
	http  *http.Client
	owned *http.Transport // ours to close; nil when it is the caller's
	ws    graphqlws.Config
}

func newNetwork(cfg Config) network {
	n := network{http: &http.Client{}}
	if cfg.HTTPClient != nil {
		clone := *cfg.HTTPClient
		n.http = &clone
	}
	// X-API-KEY would be sent along to wherever a redirect points; net/http strips only the headers it knows.
	n.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	var transport *http.Transport
	switch {
	case cfg.HTTPClient == nil:
		transport = newTransport(cfg)
		n.owned = transport
	case cfg.HTTPClient.Transport == nil:
		transport, _ = http.DefaultTransport.(*http.Transport)
	default:
		transport, _ = cfg.HTTPClient.Transport.(*http.Transport)
	}
	if n.owned == nil && transport != nil && (cfg.Proxy != nil || cfg.TLSClientConfig != nil || cfg.DialContext != nil) {
		transport = transport.Clone()
		n.owned = transport
		if cfg.Proxy != nil {
			transport.Proxy = cfg.Proxy
		}
		if cfg.TLSClientConfig != nil {
			transport.TLSClientConfig = cfg.TLSClientConfig.Clone()
			transport.DialTLSContext = nil
		}
		if cfg.DialContext != nil {
			transport.DialContext, transport.DialTLSContext = cfg.DialContext, nil
		}
	}
	if n.owned != nil {
		n.http.Transport = n.owned
	}

	n.ws = graphqlws.Config{
		URL:              cfg.WebSocketEndpoint,
		Header:           http.Header{"User-Agent": {cfg.UserAgent}},
		NetDialContext:   cfg.DialContext,
		Proxy:            cfg.Proxy,
		TLSClientConfig:  cfg.TLSClientConfig,
		HandshakeTimeout: cfg.HandshakeTimeout,
		AckTimeout:       cfg.AckTimeout,
		DeadPeer:         cfg.DeadPeer,
		ReadLimit:        cfg.MaxFrameBytes,
	}
	if transport != nil {
		n.ws.NetDialContext = transport.DialContext
		n.ws.NetDialTLSContext = transport.DialTLSContext
		n.ws.Proxy = transport.Proxy
		n.ws.TLSClientConfig = transport.TLSClientConfig.Clone() // net/http changes its own when first used
	} else if n.ws.Proxy == nil {
		n.ws.Proxy = http.ProxyFromEnvironment
	}
	return n
}
