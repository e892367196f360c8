package graphqlws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestNoAckEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, func(p *peer) {
			for range 100 { // lively, but it does not acknowledge
				time.Sleep(time.Second)
				p.send(`{"type":"ping"}`)
			}
			p.waitGone()
		})
		cfg.AckTimeout = 7 * time.Second
		start := time.Now()
		_, err := Dial(t.Context(), cfg)
		if took := time.Since(start); !errors.Is(err, ErrAckTimeout) || took > 7*time.Second+closeGrace {
			t.Errorf("Dial = %v after %v, want ErrAckTimeout after 7s", err, took)
		}
	})
}

func TestServerThatAcceptsAndNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer func() { _ = server.Close() }()
		go func() { // ends with the pipe
			buf := make([]byte, 1024)
			for {
				if _, err := server.Read(buf); err != nil {
					return
				}
			}
		}()
		cfg := Config{URL: "ws://stigg.test/", HandshakeTimeout: 4 * time.Second,
			NetDialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
		start := time.Now()
		_, err := Dial(t.Context(), cfg)
		if took := time.Since(start); !errors.Is(err, ErrHandshakeTimeout) || took != 4*time.Second {
			t.Errorf("Dial = %v after %v, want ErrHandshakeTimeout after 4s", err, took)
		}
	})
}

func TestContextBoundsDial(t *testing.T) {
	for name, script := range map[string]func(*peer){
		"no ack": func(p *peer) { p.waitGone() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				_, err := Dial(ctx, serve(t, script))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Dial = %v, want context.Canceled", err)
				}
			})
		})
	}
	t.Run("no upgrade", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cfg := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			_, err := Dial(ctx, cfg)
			if took := time.Since(start); !errors.Is(err, context.Canceled) || took != time.Second {
				t.Errorf("Dial = %v after %v, want context.Canceled after 1s", err, took)
			}
		})
	})
}

func TestHandshakeAnswers(t *testing.T) {
	for _, tt := range []struct {
		status          int
		header          string
		unauthenticated bool
		slow            bool
	}{
		{401, "", true, true}, {403, "", false, true}, {302, "", false, true}, {404, "", false, true}, {429, "7", false, true},
		{500, "", false, false}, {503, "9", false, false},
	} {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				cfg := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
					requests++
					w.Header().Set("Location", "http://elsewhere.test/")
					w.Header().Set("Retry-After", tt.header)
					w.WriteHeader(tt.status)
				})
				_, err := Dial(t.Context(), cfg)
				e, ok := errors.AsType[*HandshakeError](err)
				if !ok || e.Status != tt.status || e.RetryAfter != tt.header || requests != 1 {
					t.Errorf("Dial = %#v after %d requests, want status %d, Retry-After %q, one request", err, requests, tt.status, tt.header)
				}
				if errors.Is(err, ErrUnauthenticated) != tt.unauthenticated || Slow(err) != tt.slow {
					t.Errorf("%v: unauthenticated %v, slow %v", err, errors.Is(err, ErrUnauthenticated), Slow(err))
				}
			})
		})
	}
}

func TestWrongSubprotocolIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			upgrader := websocket.Upgrader{Subprotocols: []string{"graphql-ws"}}
			if ws, err := upgrader.Upgrade(w, r, nil); err == nil {
				_ = ws.Close()
			}
		})
		if _, err := Dial(t.Context(), cfg); !errors.Is(err, ErrProtocol) {
			t.Errorf("Dial = %v, want ErrProtocol", err)
		}
	})
}

func TestEndlessHandshakeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Padding", strings.Repeat("x", 2*handshakeBytes))
			w.WriteHeader(http.StatusSwitchingProtocols)
		})
		if _, err := Dial(t.Context(), cfg); !errors.Is(err, ErrTooLarge) {
			t.Errorf("Dial = %v, want ErrTooLarge", err)
		}
	})
}
