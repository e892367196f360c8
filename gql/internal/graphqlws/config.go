package graphqlws

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Config says where to connect and how long to wait. Only URL is required; the zero value of the rest is its default.
type Config struct {
	// URL is the endpoint, with scheme ws or wss.
	URL string
	// Header is sent with the upgrade request.
	Header http.Header
	// ConnectionParams is the payload of connection_init, anything encoding/json can marshal. Nil sends none.
	ConnectionParams any

	// NetDialContext opens the connection, to the proxy if there is one. Nil uses a net.Dialer.
	NetDialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// NetDialTLSContext, when set, opens connections for wss and does TLS itself; TLSClientConfig is then not used.
	NetDialTLSContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Proxy chooses a proxy for the upgrade request, which it sees with scheme http or https. Nil uses none.
	Proxy func(*http.Request) (*url.URL, error)
	// TLSClientConfig is cloned; its NextProtos is replaced, because a WebSocket cannot be opened over HTTP/2.
	TLSClientConfig *tls.Config

	// HandshakeTimeout bounds dialling, TLS and the HTTP upgrade together. Default 10 s.
	HandshakeTimeout time.Duration
	// AckTimeout bounds the wait for connection_ack after the upgrade. Default 10 s.
	AckTimeout time.Duration
	// DeadPeer is how long the peer may say nothing before the connection counts as dead; a third of it is the interval of our
	// pings. It also bounds the wait for a barrier. Default 30 s, so a ping every 10 s as Stigg's Node SDK sends it.
	DeadPeer time.Duration
	// ReadLimit is the largest message in bytes. Default 4 MiB.
	ReadLimit int64
	// WriteTimeout bounds each write. Default 5 s.
	WriteTimeout time.Duration
}

func (c Config) withDefaults() Config {
	orDefault := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	orDefault(&c.HandshakeTimeout, 10*time.Second)
	orDefault(&c.AckTimeout, 10*time.Second)
	orDefault(&c.DeadPeer, 30*time.Second)
	orDefault(&c.WriteTimeout, 5*time.Second)
	if c.ReadLimit <= 0 {
		c.ReadLimit = 4 << 20
	}
	return c
}
