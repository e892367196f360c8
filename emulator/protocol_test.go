package emulator

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

const initKey = `{"type":"connection_init","payload":{"headers":{"X-API-KEY":"` + DefaultAPIKey + `"}}}`

// TestSocketRules says each rule of the subprotocol as: what a client says, and how the socket is closed for it.
func TestSocketRules(t *testing.T) {
	for _, row := range []struct {
		name   string
		say    []string
		code   int
		reason string
	}{
		{"silence is closed", nil, 4408, "Connection initialisation timeout"},
		{"unknown key", []string{`{"type":"connection_init","payload":{"headers":{"X-API-KEY":"no"}}}`}, 4401, "Invalid API key"},
		{"no payload", []string{`{"type":"connection_init"}`}, 4401, "Invalid API key"},
		{"key of the wrong type", []string{`{"type":"connection_init","payload":{"headers":{"X-API-KEY":7}}}`}, 4401, "Invalid API key"},
		{"payload of the wrong type", []string{`{"type":"connection_init","payload":[1]}`}, 4401, "Invalid API key"},
		{"init twice", []string{initKey, initKey}, 4429, "Too many initialisation requests"},
		{"subscribe first", []string{`{"id":"1","type":"subscribe","payload":{"query":"{sdkConfiguration{showWatermark}}"}}`}, 4401, "Unauthorized"},
		{"not JSON", []string{`hello`}, 4400, "Invalid message received: not a JSON object of the protocol"},
		{"server's message", []string{`{"type":"connection_ack"}`}, 4400, `Invalid message received: unexpected message type "connection_ack"`},
		{"no id", []string{initKey, `{"type":"subscribe","payload":{"query":"{x}"}}`}, 4400, "Invalid message received: subscribe without an id"},
		{"no query", []string{initKey, `{"id":"1","type":"subscribe","payload":{}}`}, 4400, "Invalid message received: subscribe without a query"},
		{"complete without id", []string{initKey, `{"type":"complete"}`}, 4400, "Invalid message received: complete without an id"},
		{"id in use", []string{
			initKey,
			`{"id":"1","type":"subscribe","payload":{"query":"subscription{packagePublished{packageRefId}}"}}`,
			`{"id":"1","type":"subscribe","payload":{"query":"subscription{packagePublished{packageRefId}}"}}`,
		}, 4409, "Subscriber for 1 already exists"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{})
				ws := b.dial()
				for _, frame := range row.say {
					ws.say(frame)
				}
				ws.wantClose(row.code, row.reason)
				ws.Close()
				synctest.Wait()
				if n := b.Sockets(); n != 0 {
					t.Errorf("sockets = %d after the close, want 0", n)
				}
			})
		})
	}
}

func TestSubprotocolIsRequired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		for _, offered := range [][]string{nil, {"graphql-ws"}} {
			ws, _, err := b.dialWith(offered...)
			if err != nil {
				t.Fatalf("dial offering %q: %v", offered, err)
			}
			ws.wantClose(4406, "Subprotocol not acceptable")
		}
	})
}

func TestKeyIsFoundAtEitherLevelInAnyCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{APIKeys: []string{"k"}})
		for _, payload := range []string{
			`{"headers":{"X-API-KEY":"k","source":"x"}}`, `{"headers":{"x-api-key":"k"}}`, `{"Headers":{"X-Api-Key":"k"}}`, `{"x-api-key":"k"}`,
		} {
			ws := b.dial()
			ws.say(`{"type":"connection_init","payload":` + payload + `}`)
			ws.want("connection_ack")
		}
	})
}

func TestPongEchoesPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := newBench(t, Config{}).dial()
		ws.say(`{"type":"ping","payload":{"n":1}}`) // allowed before init
		if m := ws.want("pong"); string(m.Payload) != `{"n":1}` {
			t.Errorf("pong payload = %s, want the ping's", m.Payload)
		}
		ws.say(`{"type":"ping"}`)
		if m := ws.want("pong"); m.Payload != nil {
			t.Errorf("pong payload = %s, want none", m.Payload)
		}
	})
}

func TestServerPingsWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := newBench(t, Config{PingInterval: 20 * time.Second}).connect()
		start := time.Now()
		ws.want("ping")
		ws.say(`{"type":"pong"}`)
		ws.want("ping")
		if waited := time.Since(start); waited != 40*time.Second {
			t.Errorf("second ping after %v, want 40s", waited)
		}
	})
}

func TestQueriesAndMutationsWorkOverTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		ws := b.connect()
		ws.say(`{"id":"q","type":"subscribe","payload":{"query":"query Q($q:FetchEntitlementsQuery!){entitlementsState(query:$q){entitlements{feature{refId}}}}","variables":{"q":{"customerId":"c1"}},"operationName":"Q"}}`)
		if data := ws.wantNext("q", "entitlementsState"); len(data["entitlements"].([]any)) != 4 {
			t.Errorf("entitlements over the socket = %v, want the four of free", data)
		}
		if m := ws.want("complete"); m.ID != "q" {
			t.Errorf("completed %q, want q", m.ID)
		}
		ws.say(`{"id":"q","type":"subscribe","payload":{"query":"mutation{archiveCustomer(input:{customerId:\"nobody\"}){id}}"}}`)
		m := ws.want("next")
		if !strings.Contains(string(m.Payload), `"code":"CustomerNotFound"`) {
			t.Errorf("failed mutation = %s, want a result with the error in it", m.Payload)
		}
		ws.want("complete")
	})
}

func TestInvalidOperationIsAnErrorFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := newBench(t, Config{}).connect()
		for _, query := range []string{
			`subscription{noSuchThing{x}}`, `subscription{packagePublished}`, `{entitlementsState{x}}`, `subscription{`,
			`subscription{a:packagePublished{packageRefId} b:packagePublished{packageRefId}}`,
		} {
			payload, _ := json.Marshal(map[string]string{"query": query})
			ws.say(`{"id":"1","type":"subscribe","payload":` + string(payload) + `}`)
			m := ws.want("error")
			var errs []struct {
				Message    string
				Extensions struct{ Code string }
			}
			if err := json.Unmarshal(m.Payload, &errs); err != nil || len(errs) == 0 || errs[0].Extensions.Code == "" || m.ID != "1" {
				t.Errorf("%s: error frame %s, want a list of errors with codes", query, m.Payload)
			}
			ws.barrier() // the id is free again and the socket lives
		}
	})
}

func TestSelectionIsEachSubscribersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		ws := b.connect()
		ws.subscribe("1", `subscription{packagePublished{ref:packageRefId}}`)
		ws.subscribe("2", `subscription($no:Boolean=false){packagePublished{migrationType packageType @include(if:$no)}}`)
		if err := b.PublishPlan(Plan{ID: "new", Product: "app"}, NewCustomers); err != nil {
			t.Fatal(err)
		}
		if got := ws.want("next").Payload; string(got) != `{"data":{"packagePublished":{"ref":"new"}}}` {
			t.Errorf("first subscriber heard %s", got)
		}
		if got := ws.want("next").Payload; string(got) != `{"data":{"packagePublished":{"migrationType":"NEW_CUSTOMERS"}}}` {
			t.Errorf("second subscriber heard %s", got)
		}
	})
}

func TestCompletedSubscriptionHearsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		ws := b.connect()
		ws.subscribe("u", onUsage)
		ws.say(`{"id":"u","type":"complete"}`)
		ws.say(`{"id":"unknown","type":"complete"}`)
		ws.barrier()
		b.report("c1", "", "api-calls", 1)
		ws.subscribe("u", onUsage) // the id is free; what was before is not told
		b.report("c1", "", "api-calls", 1)
		if ev := ws.wantNext("u", "usageUpdatedV2"); ev["usage"].(map[string]any)["currentUsage"] != 2.0 {
			t.Errorf("first event heard = %v, want the second report's", ev)
		}
		if n := b.Subscriptions(); n != 1 {
			t.Errorf("subscriptions = %d, want 1", n)
		}
	})
}

func TestRevokedKeyClosesItsSocketsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.AddAPIKey("second")
		ws := b.connect()
		other := b.dial()
		other.say(`{"type":"connection_init","payload":{"x-api-key":"second"}}`)
		other.want("connection_ack")

		b.RevokeAPIKey(DefaultAPIKey)

		ws.wantClose(4401, "Invalid API key")
		other.barrier()
		if status, body := b.post(DefaultAPIKey, `{"query":"{sdkConfiguration{showWatermark}}"}`); status != 401 || !strings.Contains(body, `"code":"Unauthenticated"`) {
			t.Errorf("request with the revoked key = %d %s, want 401 Unauthenticated", status, body)
		}
	})
}

func TestSlowConsumerIsCutAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{SocketQueue: 4})
		b.provision("c1", "", "free")
		slow, quick := b.connect(), b.connect()
		slow.subscribe("u", onUsage)
		quick.subscribe("u", onUsage)
		for i := range 200 {
			b.report("c1", "", "api-calls", 1)
			if got := quick.wantNext("u", "usageUpdatedV2")["usage"].(map[string]any)["currentUsage"]; got != float64(i+1) {
				t.Fatalf("event %d shows usage %v", i+1, got)
			}
		}
		synctest.Wait()
		if n := b.Sockets(); n != 1 {
			t.Errorf("sockets = %d, want the quick one alone", n)
		}
	})
}

func TestHugeFrameEndsTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{MaxBodyBytes: 1 << 10})
		ws := b.connect()
		ws.WriteMessage(websocket.TextMessage, []byte(strings.Repeat(" ", 2<<10)))
		if _, err := ws.next(time.Minute); err == nil {
			t.Error("a frame over the limit was accepted")
		}
		ws.Close()
		synctest.Wait()
		if n := b.Sockets(); n != 0 {
			t.Errorf("sockets = %d, want 0", n)
		}
	})
}

func TestPanicInAHookEndsItsOwnRequestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := true
		b := newBench(t, Config{OnRequest: func(Request) {
			if panics {
				panic("a hook of the user's")
			}
		}})
		ws := b.connect()
		ws.say(`{"id":"1","type":"subscribe","payload":{"query":"{sdkConfiguration{showWatermark}}"}}`)
		if _, err := ws.next(time.Minute); err == nil {
			t.Error("the socket outlived the panic")
		}
		if _, _, err := b.try(t.Context()); err == nil {
			t.Error("the request was answered")
		}
		panics = false
		b.wantHealthy()
		b.connect()
	})
}

func FuzzInitPayload(f *testing.F) {
	f.Add(`{"headers":{"X-API-KEY":"k"}}`)
	f.Add(`{"x-api-key":"k","headers":[]}`)
	f.Add(`{"headers":null}`)
	f.Fuzz(func(t *testing.T, payload string) {
		if key := keyOf(json.RawMessage(payload)); key != "" && !json.Valid([]byte(payload)) {
			t.Errorf("keyOf(%q) = %q from what is not JSON", payload, key)
		}
	})
}

// TestTheSchemaDescribesItself: tools of other languages make their types from what introspection answers.
func TestTheSchemaDescribesItself(t *testing.T) {
	b := newBench(t, Config{})
	data := b.must(`{__schema{queryType{name} types{name kind fields{name args{name type{kind name ofType{name}}}} inputFields{name}}}}`, nil)
	known := map[any]bool{}
	for _, x := range data["__schema"].(map[string]any)["types"].([]any) {
		known[x.(map[string]any)["name"]] = true
	}
	if !known["ProvisionCustomerInput"] || !known["EntitlementsState"] {
		t.Errorf("%d types, without those of the API", len(known))
	}
}
