package gql

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Options that other tests do not hold: each fails when its option is ignored.

func TestTimeoutsOfTheStreamAreUsed(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*Config)
		upgrade http.HandlerFunc
		script  func(*peer)
	}{
		"HandshakeTimeout": {change: func(c *Config) { c.HandshakeTimeout = 2 * time.Second }, upgrade: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		"AckTimeout":       {change: func(c *Config) { c.AckTimeout = 2 * time.Second }, script: func(p *peer) { p.waitGone() }},
		"DeadPeer":         {change: func(c *Config) { c.DeadPeer = 2 * time.Second }, script: func(p *peer) { p.accept(); p.waitGone() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, cfg := newFake(t)
				f.upgrade, f.script = tt.upgrade, tt.script
				tt.change(&cfg)
				start := time.Now()
				s, err := mustNew(t, cfg).Subscribe(t.Context(), nil)
				for err == nil {
					_, err = s.Next(t.Context())
				}
				if took := time.Since(start); took < 2*time.Second || took > 2100*time.Millisecond {
					t.Errorf("ended after %v with %v, want 2s", took, err)
				}
			})
		})
	}
}

func TestMaxFrameBytesIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFake(t)
		f.script = func(p *peer) {
			p.accept()
			p.send(`{"type":"ping","payload":{"x":"%s"}}`, strings.Repeat("x", 500))
			p.waitGone()
		}
		cfg.MaxFrameBytes = 400
		s, err := mustNew(t, cfg).Subscribe(t.Context(), nil)
		for err == nil {
			_, err = s.Next(t.Context())
		}
		if !strings.Contains(err.Error(), "400 bytes") {
			t.Errorf("end = %v, want the limit", err)
		}
	})
}

func TestUserAgentAndWebSocketEndpointAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFake(t)
		var agents []string
		record := func(w http.ResponseWriter, r *http.Request) {
			agents = append(agents, r.Host+r.URL.Path+" "+r.UserAgent())
			w.WriteHeader(http.StatusTeapot)
		}
		f.post, f.upgrade = record, record
		cfg.UserAgent, cfg.WebSocketEndpoint = "gateway/3", "ws://socket.test/live"
		c := mustNew(t, cfg)
		_, err := c.Subscribe(t.Context(), nil)
		if err = errors.Join(err, c.CheckKey(t.Context())); err == nil {
			t.Error("a teapot was accepted")
		}
		if got := strings.Join(agents, ", "); got != "socket.test/live gateway/3, stigg.test/graphql gateway/3" {
			t.Errorf("requests: %s", got)
		}
	})
}

func TestNewDoesNoIO(t *testing.T) {
	cfg := Config{
		APIKey: func() string { t.Error("the key was asked for"); return "" },
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Error("a connection was made")
			return nil, net.ErrClosed
		},
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	c.Close()
}
