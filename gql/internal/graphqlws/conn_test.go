package graphqlws

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestSubscribeAndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, func(p *peer) {
			init := p.expect("connection_init")
			if want := map[string]any{"headers": map[string]any{"X-API-KEY": "k"}}; !reflect.DeepEqual(init["payload"], want) {
				t.Errorf("connection_init carries %v, want %v", init["payload"], want)
			}
			p.send(`{"type":"connection_ack","payload":{"any":"thing"}}`)
			sub := p.expect("subscribe")
			if want := map[string]any{"operationName": "OnX", "query": "subscription OnX { x }"}; sub["id"] != "a" || !reflect.DeepEqual(sub["payload"], want) {
				t.Errorf("subscribe = %v", sub)
			}
			p.send(`{"type":"next","id":"nobody","payload":{}}`)
			p.send(`{"type":"from the future"}`)
			p.send(`{"id":"a","type":"next","payload":{"data":{"x":1}}}`)
			p.send(` { "payload" : {"data":{"x":2}} , "type" : "n\u0065xt" , "id":"a" } `)
			p.send(`{"id":"a","type":"error","payload":[{"message":"no"}]}`)
			p.send(`{"id":"a","type":"complete"}`) // the subscription is over already
			p.expect("subscribe")
			p.send(`{"id":"b","type":"complete"}`)
			p.waitGone()
		})
		cfg.ConnectionParams = map[string]any{"headers": map[string]string{"X-API-KEY": "k"}}
		c := mustDial(t, cfg)
		if err := c.Subscribe("a", "OnX", "subscription OnX { x }", nil); err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct {
			typ         FrameType
			id, payload string
		}{
			{FrameAlive, "", ""}, {FrameAlive, "", ""}, {FrameNext, "a", `{"data":{"x":1}}`}, {FrameNext, "a", `{"data":{"x":2}}`},
			{FrameError, "a", `[{"message":"no"}]`}, {FrameAlive, "", ""},
		} {
			f, err := c.Next(t.Context())
			if err != nil || f.Type != want.typ || f.ID != want.id || string(f.Payload) != want.payload {
				t.Fatalf("Next = %v %q %s, %v; want %v", f.Type, f.ID, f.Payload, err, want)
			}
		}
		if err := c.Subscribe("b", "OnY", "subscription OnY { y }", nil); err != nil {
			t.Fatal(err)
		}
		if f := nextNews(t, c); f.Type != FrameComplete || f.ID != "b" {
			t.Errorf("got %v of %q, want complete of b", f.Type, f.ID)
		}
	})
}

func TestServerPingsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustDial(t, serve(t, func(p *peer) {
			p.expect("connection_init")
			p.send(`{"type":"ping","payload":{"n":1}}`) // before the ack, as any server may
			if m := p.expect("pong"); !reflect.DeepEqual(m["payload"], map[string]any{"n": 1.0}) {
				t.Errorf("pong = %v, want the payload back", m)
			}
			p.send(`{"type":"connection_ack"}`)
			p.send(`{"type":"ping"}`)
			if m := p.expect("pong"); m["payload"] != nil {
				t.Errorf("pong = %v, want no payload", m)
			}
			answered := make(chan string, 1)
			p.ws.SetPongHandler(func(data string) error { answered <- data; return nil })
			_ = p.ws.WriteControl(websocket.PingMessage, []byte("beat"), time.Now().Add(time.Second))
			if got := <-answered; got != "beat" {
				t.Errorf("WebSocket pong carries %q, want it back", got)
			}
			p.close(1001, "")
			p.waitGone()
		}))
		if err := endOf(t, c); !isClose(err, 1001) {
			t.Errorf("end = %v, want close 1001", err)
		}
	})
}

func isClose(err error, code int) bool {
	e, ok := errors.AsType[*CloseError](err)
	return ok && e.Code == code
}

func TestSilentPeerIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustDial(t, serve(t, func(p *peer) {
			p.ack()
			p.waitGone() // half-open: takes everything, says nothing
		}))
		start := time.Now()
		err := endOf(t, c)
		if took := time.Since(start); !errors.Is(err, ErrDeadPeer) || took < 30*time.Second || took > 30*time.Second+closeGrace {
			t.Errorf("end = %v after %v, want ErrDeadPeer after 30s", err, took)
		}
		if _, again := c.Next(t.Context()); again != err {
			t.Errorf("Next after the end = %v, want the same error", again)
		}
	})
}

func TestQuietPeerThatAnswersPingsLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustDial(t, serve(t, func(p *peer) {
			p.ack()
			p.answerPings()
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		alive := 0
		for {
			_, err := c.Next(ctx)
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("end = %v, want the ctx's error", err)
				}
				break
			}
			alive++
		}
		if alive != 59 && alive != 60 { // one every 10s
			t.Errorf("%d signs of life in 10 minutes, want 60", alive)
		}
	})
}

func TestBarrier(t *testing.T) {
	for name, pong := range map[string]string{
		"echoed":  `{"type":"pong","payload":{"barrier":1}}`,
		"counted": `{"type":"pong"}`,
		"foreign": `{"type":"pong","payload":"whatever"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mustDial(t, serve(t, func(p *peer) {
					p.ack()
					p.expect("subscribe")
					p.expect("ping")
					p.send(pong)
					p.send(pong) // a heartbeat; the barrier is past
					p.close(1000, "")
					p.waitGone()
				}))
				if err := errors.Join(c.Subscribe("a", "", "subscription { x }", nil), c.Barrier()); err != nil {
					t.Fatal(err)
				}
				if f := nextNews(t, c); f.Type != FrameBarrier {
					t.Fatalf("got %v, want the barrier", f.Type)
				}
				if err := endOf(t, c); !isClose(err, 1000) {
					t.Errorf("end = %v, want close 1000", err)
				}
			})
		})
	}
}

func TestUnansweredBarrierEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustDial(t, serve(t, func(p *peer) {
			p.ack()
			for range 60 { // data flows, but our messages are not read
				time.Sleep(time.Second)
				p.send(`{"type":"ping"}`)
			}
			p.waitGone()
		}))
		start := time.Now()
		if err := c.Barrier(); err != nil {
			t.Fatal(err)
		}
		err := endOf(t, c)
		if took := time.Since(start); !errors.Is(err, ErrDeadPeer) || took > 30*time.Second+closeGrace {
			t.Errorf("end = %v after %v, want ErrDeadPeer after 30s", err, took)
		}
	})
}

func TestPeerThatDoesNotReadIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := serve(t, func(p *peer) {
			p.expect("connection_init")
			close(p.paused) // it may be reading one more already
			p.send(`{"type":"connection_ack"}`)
			for range 100 {
				time.Sleep(time.Second)
				p.send(`{"type":"pong"}`)
			}
		})
		cfg.WriteTimeout = 3 * time.Second
		c := mustDial(t, cfg)
		start := time.Now()
		err := c.Subscribe("a", "", "subscription { x }", nil)
		if err == nil {
			err = c.Subscribe("b", "", "subscription { x }", nil)
		}
		if took := time.Since(start); err == nil || took != 3*time.Second {
			t.Errorf("Subscribe = %v after %v, want an error after 3s", err, took)
		}
	})
}

func TestFramesThatEndTheConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		send func(*peer)
		want error
	}{
		"not JSON":       {func(p *peer) { p.send(`{"type":"next"`) }, ErrProtocol},
		"no type":        {func(p *peer) { p.send(`{}`) }, ErrProtocol},
		"type is number": {func(p *peer) { p.send(`{"type":1}`) }, ErrProtocol},
		"id is object":   {func(p *peer) { p.send(`{"type":"next","id":{}}`) }, ErrProtocol},
		"empty":          {func(p *peer) { p.send(``) }, ErrProtocol},
		"binary":         {func(p *peer) { _ = p.ws.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"ping"}`)) }, ErrProtocol},
		"too large":      {func(p *peer) { p.send(`{"type":"ping","payload":"` + strings.Repeat("x", 1000) + `"}`) }, ErrTooLarge},
		"torn":           {func(p *peer) { _, _ = p.ws.NetConn().Write([]byte{0x81, 0x7e, 0x01}) }, nil},
		"bad opcode":     {func(p *peer) { _, _ = p.ws.NetConn().Write([]byte{0x8f, 0x00}) }, ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := serve(t, func(p *peer) {
					p.ack()
					tt.send(p)
				})
				cfg.ReadLimit = 512
				err := endOf(t, mustDial(t, cfg))
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("end = %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func TestCloseSaysGoodbyeAndUnblocksNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		completed, left := make(chan any, 1), make(chan error, 1)
		c := mustDial(t, serve(t, func(p *peer) {
			p.ack()
			completed <- p.expect("complete")["id"]
			p.waitGone()
			left <- p.closed
		}))
		if err := c.Subscribe("a", "", "subscription { x }", nil); err != nil {
			t.Fatal(err)
		}
		var readers sync.WaitGroup
		readers.Go(func() {
			if err := endOf(t, c); !errors.Is(err, ErrClosed) {
				t.Errorf("Next = %v, want ErrClosed", err)
			}
		})
		synctest.Wait()
		for range 3 {
			readers.Go(func() { _ = c.Close() })
		}
		readers.Wait()
		if id := <-completed; id != "a" {
			t.Errorf("completed %v, want a", id)
		}
		if err := <-left; !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Errorf("client left with %v, want close 1000", err)
		}
		if err := c.Subscribe("b", "", "subscription { x }", nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Subscribe after Close = %v, want ErrClosed", err)
		}
	})
}

func TestCloseDoesNotWaitForAStalledPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustDial(t, serve(t, func(p *peer) {
			p.expect("connection_init")
			close(p.paused)
			p.send(`{"type":"connection_ack"}`)
			time.Sleep(time.Minute)
		}))
		start := time.Now()
		if _ = c.Close(); time.Since(start) > closeGrace {
			t.Errorf("Close took %v, want at most %v", time.Since(start), closeGrace)
		}
	})
}

func TestContextEndsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mustDial(t, serve(t, func(p *peer) {
			p.ack()
			p.send(`{"type":"ping"}`)
			p.answerPings()
		}))
		if _, err := c.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Next(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("Next = %v, want context.Canceled", err)
		}
		if _, err := c.Next(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("Next = %v, want the reason of the end", err)
		}
	})
}

func TestConcurrentWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		c := mustDial(t, serve(t, func(p *peer) {
			p.ack()
			for range n {
				p.expect("subscribe")
				p.send(`{"type":"ping"}`)
			}
			p.close(1000, "all here")
			p.waitGone()
		}))
		var writers sync.WaitGroup
		for i := range n {
			writers.Go(func() {
				if err := c.Subscribe(fmt.Sprint(i), "", "subscription { x }", nil); err != nil {
					t.Errorf("Subscribe %d: %v", i, err)
				}
			})
		}
		if err := endOf(t, c); !isClose(err, 1000) {
			t.Errorf("end = %v", err)
		}
		writers.Wait()
	})
}

func TestCloseCodes(t *testing.T) {
	for _, tt := range []struct {
		code            int
		reason          string
		unauthenticated bool
		slow            bool
	}{
		{1000, "", false, false}, {1001, "", false, false}, {1006, "", false, false}, {1011, "", false, false}, {1012, "", false, false},
		{1013, "", false, false}, {4408, "", false, false}, {4499, "", false, false}, {4504, "", false, false}, {3000, "", false, false},
		{1002, "", false, true}, {1003, "", false, true}, {1008, "", false, true}, {1009, "", false, true},
		{4400, "", false, true}, {4401, "Unauthorized", false, true}, {4403, "Forbidden", false, true}, {4404, "", false, false},
		{4004, "", false, true}, {4005, "", false, true}, {4406, "", false, true}, {4409, "", false, true}, {4429, "", false, true}, {4500, "", false, true},
		{4403, "Invalid API key", true, true}, {1000, "invalid api KEY: gone", true, false},
		{1011, "ThrottlerException: Too Many Requests", false, true}, {1000, "rate limited", false, true}, {1013, "Rate limit hit", false, true},
	} {
		err := fmt.Errorf("stream: %w", &CloseError{tt.code, tt.reason})
		if errors.Is(err, ErrUnauthenticated) != tt.unauthenticated || Slow(err) != tt.slow {
			t.Errorf("%v: unauthenticated %v, slow %v", err, errors.Is(err, ErrUnauthenticated), Slow(err))
		}
	}
}

// BenchmarkNext reads frames off a pipe: what is left of garbage is gorilla's reader of each message.
func BenchmarkNext(b *testing.B) {
	frame := []byte(`{"id":"a","type":"next","payload":{"data":{"x":"` + strings.Repeat("x", 10_000) + `"}}}`)
	wire := append([]byte{0x81, 126, byte(len(frame) >> 8), byte(len(frame))}, frame...)
	cfg := serve(b, func(p *peer) {
		p.ack()
		p.expect("subscribe")
		for {
			if _, err := p.ws.NetConn().Write(wire); err != nil {
				return
			}
		}
	})
	c, err := Dial(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Subscribe("a", "", "subscription { x }", nil); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if f, err := c.Next(b.Context()); err != nil || f.Type != FrameNext {
			b.Fatal(f.Type, err)
		}
	}
}
