package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is an emulator on a pipe with a client of each kind. Inside a synctest bubble it runs on virtual time.
type bench struct {
	*Emulator
	t    *testing.T
	pipe *Pipe
	http *http.Client
}

func newBench(t *testing.T, config Config) *bench {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	e, err := New(config)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	b := &bench{Emulator: e, t: t, pipe: e.Pipe()}
	transport := &http.Transport{DialContext: b.pipe.DialContext}
	b.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		e.Close()
		transport.CloseIdleConnections()
	})
	return b
}

// post sends body and returns status and raw answer.
func (b *bench) post(key, body string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "POST", b.pipe.URL()+"/graphql", bytes.NewReader([]byte(body)))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("X-API-KEY", key)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatalf("post: %v", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatalf("read answer: %v", err)
	}
	return resp.StatusCode, string(raw)
}

type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct{ Code, TraceID string }
	}
}

// ask executes a document; the answer may hold errors.
func (b *bench) ask(document string, variables map[string]any) answer {
	b.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		b.t.Fatal(err)
	}
	_, raw := b.post(DefaultAPIKey, string(body))
	var a answer
	if err := json.Unmarshal([]byte(raw), &a); err != nil {
		b.t.Fatalf("answer %q: %v", raw, err)
	}
	return a
}

// must is ask for a document that has to succeed.
func (b *bench) must(document string, variables map[string]any) map[string]any {
	b.t.Helper()
	a := b.ask(document, variables)
	if len(a.Errors) > 0 {
		b.t.Fatalf("%s: %+v", document, a.Errors)
	}
	return a.Data
}

// provision puts a customer, or a resource of it, on a plan.
func (b *bench) provision(customerID, resourceID, planID string) {
	b.t.Helper()
	if err := b.Provision(customerID, resourceID, planID); err != nil {
		b.t.Fatalf("Provision(%s, %s, %s): %v", customerID, resourceID, planID, err)
	}
}

func (b *bench) report(customerID, resourceID, featureID string, delta float64) {
	b.t.Helper()
	if _, err := b.Report(customerID, resourceID, featureID, delta); err != nil {
		b.t.Fatalf("Report(%s, %s, %s, %v): %v", customerID, resourceID, featureID, delta, err)
	}
}

func (b *bench) usage(customerID, resourceID, featureID string) float64 {
	b.t.Helper()
	ent, ok := b.Snapshot(customerID, resourceID).Find(featureID)
	if !ok {
		b.t.Fatalf("Snapshot(%s, %s) has no %s", customerID, resourceID, featureID)
	}
	return ent.Usage
}

// wsClient is a client of the socket that says exactly what it is told.
type wsClient struct {
	*websocket.Conn
	t *testing.T
}

type wsMessage struct {
	ID      string
	Type    string
	Payload json.RawMessage
}

// dial opens a socket without introducing itself.
func (b *bench) dial() *wsClient {
	b.t.Helper()
	c, resp, err := b.dialWith(subprotocol)
	if err != nil {
		b.t.Fatalf("dial: %v (%v)", err, resp)
	}
	return c
}

func (b *bench) dialWith(protocols ...string) (*wsClient, *http.Response, error) {
	d := websocket.Dialer{NetDialContext: b.pipe.DialContext, Subprotocols: protocols}
	conn, resp, err := d.DialContext(context.Background(), "ws://emulator.invalid/graphql", nil)
	if err != nil {
		return nil, resp, err
	}
	b.t.Cleanup(func() { conn.Close() })
	return &wsClient{conn, b.t}, resp, nil
}

// connect opens a socket and introduces itself.
func (b *bench) connect() *wsClient {
	b.t.Helper()
	c := b.dial()
	c.say(`{"type":"connection_init","payload":{"headers":{"x-api-key":"` + DefaultAPIKey + `"}}}`)
	c.want("connection_ack")
	return c
}

func (c *wsClient) say(frame string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		c.t.Fatalf("say %s: %v", frame, err)
	}
}

// subscribe opens a subscription and waits until it stands.
func (c *wsClient) subscribe(id, document string) {
	c.t.Helper()
	payload, _ := json.Marshal(map[string]any{"query": document})
	c.say(`{"id":"` + id + `","type":"subscribe","payload":` + string(payload) + `}`)
	c.barrier()
}

// barrier waits until the server has handled all that was said so far.
func (c *wsClient) barrier() {
	c.t.Helper()
	c.say(`{"type":"ping"}`)
	c.want("pong")
}

// hear reads one message, failing the test when none comes within a minute.
func (c *wsClient) hear() wsMessage {
	c.t.Helper()
	m, err := c.next(time.Minute)
	if err != nil {
		c.t.Fatalf("hear: %v", err)
	}
	return m
}

func (c *wsClient) next(patience time.Duration) (wsMessage, error) {
	c.SetReadDeadline(time.Now().Add(patience))
	_, data, err := c.ReadMessage()
	if err != nil {
		return wsMessage{}, err
	}
	var m wsMessage
	return m, json.Unmarshal(data, &m)
}

func (c *wsClient) want(kind string) wsMessage {
	c.t.Helper()
	m := c.hear()
	if m.Type != kind {
		c.t.Fatalf("heard %s %s, want %s", m.Type, m.Payload, kind)
	}
	return m
}

// wantNext returns the data of the next event of a subscription's root field.
func (c *wsClient) wantNext(id, field string) map[string]any {
	c.t.Helper()
	m := c.want("next")
	var p answer
	if err := json.Unmarshal(m.Payload, &p); err != nil || len(p.Errors) > 0 || m.ID != id {
		c.t.Fatalf("heard id %s %s (%v), want data of %s", m.ID, m.Payload, err, id)
	}
	data, _ := p.Data[field].(map[string]any)
	return data
}

// wantClose reads until the socket is closed and checks why.
func (c *wsClient) wantClose(code int, reason string) {
	c.t.Helper()
	for {
		_, err := c.next(time.Minute)
		if err == nil {
			continue
		}
		ce, ok := err.(*websocket.CloseError)
		if !ok || ce.Code != code || ce.Text != reason {
			c.t.Fatalf("closed with %v, want %d %q", err, code, reason)
		}
		return
	}
}

const (
	onEntitlements = `subscription{entitlementsUpdatedV2{customerId resourceId accessDeniedReason entitlements{__typename ...on FeatureEntitlement{feature{refId} usageLimit currentUsage entitlementUpdatedAt} ...on CreditEntitlement{currency{currencyId} usageLimit entitlementUpdatedAt}}}}`
	onUsage        = `subscription{usageUpdatedV2{customerId resourceId entitlementReference{id type} usage{currentUsage usageUpdatedAt usagePeriodStart usagePeriodEnd}}}`
	onPackage      = `subscription{packagePublished{accountId environmentId packageType packageRefId packageVersion migrationType}}`
	subscribeTo    = `mutation($input:ProvisionSubscriptionInput!){provisionSubscriptionV2(input:$input){status subscription{subscriptionId status plan{refId}} entitlementsV2{__typename ...on FeatureEntitlement{feature{refId} usageLimit entitlementUpdatedAt}}}}`
	reportOne      = `mutation($input:ReportUsageInput!){reportUsage(input:$input){id featureId customerId resourceId currentUsage credit{currencyId currentUsage consumed timestamp} usagePeriodStart usagePeriodEnd nextResetDate timestamp}}`
)

// dataOf returns the data of a message of a subscription that has one root field.
func dataOf(t *testing.T, m wsMessage) map[string]any {
	t.Helper()
	var p answer
	if err := json.Unmarshal(m.Payload, &p); err != nil || len(p.Errors) > 0 {
		t.Fatalf("heard %s (%v), want data", m.Payload, err)
	}
	for _, v := range p.Data {
		return v.(map[string]any)
	}
	return nil
}
