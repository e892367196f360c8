package emulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

const configuration = `{"query":"query GetSdkConfiguration{sdkConfiguration{showWatermark}}"}`

// try posts with a context of its own and returns what came of it.
func (b *bench) try(ctx context.Context) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", b.pipe.URL()+"/graphql", strings.NewReader(configuration))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", DefaultAPIKey)
	resp, err := b.http.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func (b *bench) wantHealthy() {
	b.t.Helper()
	if resp, body, err := b.try(b.t.Context()); err != nil || resp.StatusCode != 200 || !strings.Contains(body, "data") {
		b.t.Errorf("request after the fault: %v %s %v, want success", resp, body, err)
	}
}

func TestCutSocketsGivesNoReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		b.Faults().CutSockets()
		if _, err := ws.next(time.Minute); err == nil || websocket.IsCloseError(err, 1000, 1001, 1011) {
			t.Errorf("read after the cut: %v, want a broken connection", err)
		}
		b.connect() // and the next one works
		synctest.Wait()
		if n := b.Sockets(); n != 1 {
			t.Errorf("sockets = %d, want 1", n)
		}
	})
}

func TestCloseSocketsSaysCodeAndReasonAfterWhatWasQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		b.Faults().InjectFrame([]byte(`{"type":"ping"}`))
		b.Faults().CloseSockets(1013, "ThrottlerException")
		ws.want("ping")
		ws.wantClose(1013, "ThrottlerException")
	})
}

func TestRefuseKeepsOpenSocketsAndTurnsTheRestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		b.wantHealthy() // leaves an idle connection in the client's pool
		b.Faults().Refuse(true)
		synctest.Wait()
		if _, _, err := b.try(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("request while refusing: %v, want ECONNREFUSED", err)
		}
		if _, _, err := b.dialWith(subprotocol); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial while refusing: %v, want ECONNREFUSED", err)
		}
		ws.barrier()
		b.Faults().Refuse(false)
		b.wantHealthy()
	})
}

func TestDelayHoldsAnswersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.Faults().Delay(3 * time.Second)
		start := time.Now()
		b.wantHealthy()
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("answered after %v, want 3s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := b.try(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("impatient client: %v, want its deadline", err)
		}
		b.Faults().Clear()
		start = time.Now()
		b.wantHealthy()
		if d := time.Since(start); d != 0 {
			t.Errorf("answered after %v once cleared, want at once", d)
		}
	})
}

func TestHangEndsWithTheClientOrClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.Faults().HangHTTP(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, _, err := b.try(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hung request: %v, want the client's own deadline", err)
		}
		broken := make(chan error)
		go func() { // joined below
			_, _, err := b.try(context.Background())
			broken <- err
		}()
		synctest.Wait()
		b.Close()
		if err := <-broken; err == nil {
			t.Error("a hung request was answered by Close")
		}
	})
}

func TestHalfOpenSwallowsEverythingInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		ws := b.connect()
		ws.subscribe("u", onUsage)
		b.Faults().HalfOpen(true)

		ws.say(`{"type":"ping"}`)
		ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
		b.report("c1", "", "api-calls", 1)
		late := b.dial()
		late.say(initKey)
		synctest.Wait()
		b.Faults().HalfOpen(false)

		b.report("c1", "", "api-calls", 1)
		if ev := ws.wantNext("u", "usageUpdatedV2"); ev["usage"].(map[string]any)["currentUsage"] != 2.0 {
			t.Errorf("first thing heard = %v, want the report made after", ev)
		}
		late.wantClose(4408, "Connection initialisation timeout") // its init was swallowed
	})
}

// TestEventFaults says for each fault what a subscriber hears of usage 1, 2, 3 and 4.
func TestEventFaults(t *testing.T) {
	for _, row := range []struct {
		name  string
		fault func(*Faults)
		want  []float64
	}{
		{"none", func(*Faults) {}, []float64{1, 2, 3, 4}},
		{"drop", func(f *Faults) { f.DropEvents(2) }, []float64{3, 4}},
		{"drop by predicate", func(f *Faults) {
			f.DropEventsIf(func(ev Event) bool { return ev.Kind == EventUsage && ev.FeatureID == "api-calls" })
		}, nil},
		{"duplicate", func(f *Faults) { f.DuplicateEvents(2) }, []float64{1, 1, 2, 2, 3, 4}},
		{"reorder once", func(f *Faults) { f.ReorderEvents(1) }, []float64{2, 1, 3, 4}},
		{"reorder twice", func(f *Faults) { f.ReorderEvents(2) }, []float64{2, 1, 4, 3}},
		{"delay", func(f *Faults) { f.DelayEvents(30 * time.Second) }, []float64{1, 2, 3, 4}},
		{"taken back", func(f *Faults) { f.DropEvents(9); f.Clear() }, []float64{1, 2, 3, 4}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{})
				b.provision("c1", "", "free")
				ws := b.connect()
				ws.subscribe("u", onUsage)
				row.fault(b.Faults())
				start := time.Now()
				for range 4 {
					b.report("c1", "", "api-calls", 1)
				}
				var got []float64
				for range row.want {
					got = append(got, ws.wantNext("u", "usageUpdatedV2")["usage"].(map[string]any)["currentUsage"].(float64))
				}
				if len(got) != len(row.want) {
					t.Fatalf("heard %v, want %v", got, row.want)
				}
				for i := range got {
					if got[i] != row.want[i] {
						t.Fatalf("heard %v, want %v", got, row.want)
					}
				}
				if waited := time.Since(start); row.name == "delay" && waited != 30*time.Second {
					t.Errorf("events came after %v, want 30s", waited)
				}
				ws.barrier() // and nothing else was heard
			})
		})
	}
}

func TestFailNextAnswersRawAndThenRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.Faults().FailNext(1, Reply{Status: 429, Header: http.Header{"Retry-After": {"7"}}, Body: `{"message":"slow down"}`})
		b.Faults().FailNext(1, Reply{Status: 502, Header: http.Header{"content-type": {"text/html"}}, Body: "<html>"})
		b.Faults().FailNext(1, Reply{Body: `{"data":{"sdkConf`, Truncate: true})
		resp, _, err := b.try(t.Context())
		if err != nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
			t.Errorf("first: %v %v, want 429 with Retry-After", resp, err)
		}
		resp, body, err := b.try(t.Context())
		if err != nil || resp.StatusCode != 502 || resp.Header.Get("Content-Type") != "text/html" || body != "<html>" {
			t.Errorf("second: %v %s %v, want a page of HTML", resp, body, err)
		}
		if _, body, err := b.try(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) || body != `{"data":{"sdkConf` {
			t.Errorf("third: %s %v, want half a document", body, err)
		}
		b.wantHealthy()
	})
}

func TestFailHandshakesLeavesRequestsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.Faults().FailHandshakes(1, Reply{Status: 503})
		b.wantHealthy()
		if _, resp, err := b.dialWith(subprotocol); err == nil || resp.StatusCode != 503 {
			t.Errorf("handshake: %v %v, want 503", resp, err)
		}
		b.connect()
	})
}

func TestFailOperationByNameOrRootField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		for _, name := range []string{"GetSdkConfiguration", "sdkConfiguration"} {
			b.Faults().FailOperation(name, "OperationTimeout")
			if _, body, _ := b.try(t.Context()); !strings.Contains(body, `"code":"OperationTimeout"`) {
				t.Errorf("failing %s: %s", name, body)
			}
			b.Faults().FailOperation(name, "")
			b.wantHealthy()
		}
		b.Faults().FailOperation("packagePublished", "Unauthenticated")
		ws.say(`{"id":"1","type":"subscribe","payload":{"query":"subscription{packagePublished{packageRefId}}"}}`)
		if m := ws.want("error"); !strings.Contains(string(m.Payload), "Unauthenticated") {
			t.Errorf("failing subscription: %s", m.Payload)
		}
	})
}

func TestReplacedReplyHidesAWriteThatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.Faults().ReplaceReply("reportUsage", Reply{Body: `{"data":null}`})
		in := map[string]any{"input": map[string]any{"customerId": "c1", "featureId": "seats", "value": 1}}
		if a := b.ask(reportOne, in); a.Data != nil || a.Errors != nil {
			t.Errorf("answer = %+v, want the replacement", a)
		}
		b.Faults().RestoreReply("reportUsage")
		if got := b.must(reportOne, in)["reportUsage"].(map[string]any)["currentUsage"]; got != 2.0 {
			t.Errorf("usage after the second report = %v, want both counted", got)
		}
	})
}

func TestServerEndsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		ws.subscribe("1", onUsage)
		b.Faults().CompleteSubscriptions()
		if m := ws.want("complete"); m.ID != "1" {
			t.Errorf("completed %q, want 1", m.ID)
		}
		ws.subscribe("1", onPackage)
		b.Faults().ErrorSubscriptions("UnexpectedError")
		if m := ws.want("error"); m.ID != "1" || !strings.Contains(string(m.Payload), "UnexpectedError") {
			t.Errorf("error frame = %q %s", m.ID, m.Payload)
		}
		if n := b.Subscriptions(); n != 0 {
			t.Errorf("subscriptions = %d, want 0", n)
		}
		ws.barrier()
	})
}

func TestInjectedFrameArrivesAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		b.Faults().InjectFrame([]byte("\x00not json"))
		if _, data, err := ws.ReadMessage(); err != nil || string(data) != "\x00not json" {
			t.Errorf("heard %q %v", data, err)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		ws.subscribe("u", onUsage)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if _, err := ws.next(time.Minute); err == nil {
			t.Error("the socket outlived Close")
		}
		if _, _, err := b.try(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("request after Close: %v, want ECONNREFUSED", err)
		}
		if n := b.Sockets() + b.Subscriptions(); n != 0 {
			t.Errorf("%d sockets and subscriptions after Close", n)
		}
	})
}
