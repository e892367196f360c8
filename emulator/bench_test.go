package emulator

import (
	"context"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// What the emulator itself costs, so that a benchmark of a client can tell its own share.

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		e, err := New(Config{})
		if err != nil {
			b.Fatal(err)
		}
		e.Close()
	}
}

func BenchmarkReadState(b *testing.B) {
	e, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	if err := e.Provision("c1", "", "enterprise"); err != nil {
		b.Fatal(err)
	}
	req := request{Query: edgeState, Variables: map[string]any{"query": map[string]any{"customerId": "c1"}}}
	b.ReportAllocs()
	for b.Loop() {
		if resp := e.execute(context.Background(), req); len(resp.Errors) > 0 {
			b.Fatal(resp.Errors)
		}
	}
}

func BenchmarkReportToOneSubscriber(b *testing.B) {
	e, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	if err := e.Provision("c1", "", "free"); err != nil {
		b.Fatal(err)
	}
	d := websocket.Dialer{NetDialContext: e.Pipe().DialContext, Subprotocols: []string{subprotocol}}
	conn, _, err := d.Dial("ws://emulator.invalid/graphql", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for _, say := range []string{initKey, `{"id":"1","type":"subscribe","payload":{"query":"` + onUsage + `"}}`, `{"type":"ping"}`} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(say)); err != nil {
			b.Fatal(err)
		}
	}
	hear := func(kind string) {
		for {
			_, data, err := conn.ReadMessage()
			if err != nil {
				b.Fatal(err)
			}
			if strings.Contains(string(data), `"type":"`+kind+`"`) {
				return
			}
		}
	}
	hear("pong")
	for b.Loop() {
		if _, err := e.Report("c1", "", "api-calls", 1); err != nil {
			b.Fatal(err)
		}
		hear("next")
	}
}
