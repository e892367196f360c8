package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
)

// command sends one request to the control interface, in this goroutine.
func (b *bench) command(method, path, body string) (int, string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.ControlHandler().ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), method, path, strings.NewReader(body)))
	return w.Code, strings.TrimSpace(w.Body.String())
}

// do is command for what has to succeed.
func (b *bench) do(path, body string) string {
	b.t.Helper()
	status, answer := b.command("POST", path, body)
	if status != http.StatusOK {
		b.t.Fatalf("POST %s %s = %d %s, want 200", path, body, status, answer)
	}
	return answer
}

// TestControlReachesEveryFault holds the control interface to all methods of Faults: each has the path of its name, and
// what it was told is in force.
func TestControlReachesEveryFault(t *testing.T) {
	const reply = `{"status":429,"headers":{"retry-after":"1"},"body":"slow"}`
	rows := map[string]struct {
		body string
		// want is a part of GET /faults afterwards, or
		want string
		// seen waits for the effect on a socket with a subscription to usage.
		seen func(b *bench, ws *wsClient)
	}{
		"Clear":      {``, `"dropEvents":0`, nil},
		"CutSockets": {``, "", func(b *bench, ws *wsClient) { wantGone(b.t, ws) }},
		"CloseSockets": {`{"code":4403,"reason":"go away"}`, "", func(b *bench, ws *wsClient) {
			ws.wantClose(4403, "go away")
		}},
		"Refuse":         {`{"on":true}`, `"refuse":true`, nil},
		"Delay":          {`{"delay":"20ms"}`, `"delay":"20ms"`, nil},
		"HangHTTP":       {`{"on":true}`, `"hang":true`, nil},
		"HalfOpen":       {`{"on":true}`, `"halfOpen":true`, nil},
		"FailNext":       {`{"n":3,"reply":` + reply + `}`, `"failNext":3`, nil},
		"FailHandshakes": {`{"n":2,"reply":` + reply + `}`, `"failHandshakes":2`, nil},
		"FailOperation":  {`{"operation":"reportUsage","code":"Boom"}`, `"failOperations":{"reportUsage":"Boom"}`, nil},
		"ReplaceReply":   {`{"operation":"edge","reply":{"body":"{"}}`, `"replaceReplies":["before","edge"]`, nil},
		"RestoreReply":   {`{"operation":"before"}`, `"replaceReplies":[]`, nil},
		"CompleteSubscriptions": {``, "", func(b *bench, ws *wsClient) {
			ws.want("complete")
		}},
		"ErrorSubscriptions": {`{"code":"Boom"}`, "", func(b *bench, ws *wsClient) {
			if m := ws.want("error"); !strings.Contains(string(m.Payload), "Boom") {
				b.t.Errorf("error = %s, want its code", m.Payload)
			}
		}},
		"InjectFrame": {`{"frame":"{\"type\":\"nonsense\"}"}`, "", func(b *bench, ws *wsClient) {
			ws.want("nonsense")
		}},
		"DropEvents": {`{"n":4}`, `"dropEvents":4`, nil},
		"DropEventsIf": {`{"match":{"kind":"usage","featureId":"seats"}}`, `"dropEventsIf":true`, func(b *bench, ws *wsClient) {
			b.report("acme", "", "seats", 1)
			b.report("acme", "", "exports", 1)
			if got := ws.wantNext("1", "usageUpdatedV2")["entitlementReference"].(map[string]any)["id"]; got != "exports" {
				b.t.Errorf("heard of %v, want exports: seats are lost", got)
			}
		}},
		"DuplicateEvents": {`{"n":5}`, `"duplicateEvents":5`, nil},
		"ReorderEvents":   {`{"n":6}`, `"reorderEvents":6`, nil},
		"ReplayEvents": {`{"n":1,"behind":1}`, "", func(b *bench, ws *wsClient) {
			b.report("acme", "", "seats", 1)
			b.report("acme", "", "exports", 1)
			b.do("/faults/replay-events", `{"n":1,"behind":1}`)
			for _, want := range []string{"seats", "exports", "seats"} {
				if got := ws.wantNext("1", "usageUpdatedV2")["entitlementReference"].(map[string]any)["id"]; got != want {
					b.t.Errorf("heard of %v, want %v", got, want)
				}
			}
		}},
		"DelayEvents": {`{"delay":"1s"}`, `"delayEvents":"1s"`, nil},
	}
	methods := reflect.TypeFor[*Faults]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		t.Run(name, func(t *testing.T) {
			row, ok := rows[name]
			if !ok {
				t.Fatalf("Faults.%s cannot be reached through the control interface: add a route to control_faults.go and a row here", name)
			}
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{})
				b.provision("acme", "", "starter")
				ws := b.connect()
				ws.subscribe("1", onUsage)
				b.Faults().ReplaceReply("before", Reply{})
				b.do("/faults/"+kebab(name), row.body)
				if _, state := b.command("GET", "/faults", ""); !strings.Contains(state, row.want) {
					t.Errorf("faults = %s, want %s", state, row.want)
				}
				if row.seen != nil {
					row.seen(b, ws)
				}
				b.Faults().Clear()
			})
			delete(rows, name)
		})
	}
	for name := range rows {
		t.Errorf("Faults has no method %s", name)
	}
}

func wantGone(t *testing.T, ws *wsClient) {
	t.Helper()
	if m, err := ws.next(time.Minute); err == nil {
		t.Errorf("heard %s, want a broken socket", m.Type)
	}
}

// kebab writes CutSockets as cut-sockets, and HangHTTP as hang-http.
func kebab(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// TestControlFaultEndsByItself: "for" takes back what it began, and nothing that was set since.
func TestControlFaultEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.do("/faults/refuse", `{"on":true,"for":"10s"}`)
		b.do("/faults/delay", `{"delay":"1s","for":"10s"}`)
		time.Sleep(5 * time.Second)
		b.do("/faults/delay", `{"delay":"2s"}`)
		time.Sleep(4 * time.Second)
		if s := b.Faults().state(); !s.Refuse || s.Delay != "2s" {
			t.Errorf("after 9s: %+v, want both in force", s)
		}
		time.Sleep(time.Minute)
		if s := b.Faults().state(); s.Refuse || s.Delay != "2s" {
			t.Errorf("after a minute: %+v, want the refusal over and the second delay in force", s)
		}
		b.do("/faults/refuse", `{"on":true,"for":"10h"}`) // Close does not wait for it
	})
}

// TestControlOperations tells one account's story through the control interface.
func TestControlOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{History: 100, RequestLog: 100})
		for _, step := range []struct{ path, body, read, want string }{
			{"/provision", `{"customerId":"acme","planId":"starter"}`, "/snapshot?customerId=acme", `"featureId":"seats","limit":5,"usage":0`},
			{"/report", `{"customerId":"acme","featureId":"seats","delta":2}`, "/snapshot?customerId=acme", `"featureId":"seats","limit":5,"usage":2`},
			{"/set-entitlement", `{"customerId":"acme","entitlement":{"feature":"seats","limit":9}}`, "/snapshot?customerId=acme", `"limit":9,"usage":2`},
			{"/deny-entitlement", `{"customerId":"acme","entitlement":{"feature":"seats","limit":9},"reason":"BudgetExceeded"}`, "/snapshot?customerId=acme", `"BudgetExceeded"`},
			{"/clear-entitlement", `{"customerId":"acme","featureId":"seats"}`, "/snapshot?customerId=acme", `"limit":5,"usage":2`},
			{"/grant-promotional", `{"customerId":"acme","entitlement":{"feature":"sso"},"for":"1h"}`, "/snapshot?customerId=acme", `"featureId":"sso"`},
			{"/publish-plan", `{"plan":{"id":"starter","product":"app","entitlements":[{"feature":"seats","limit":7}]},"migration":"ALL_CUSTOMERS"}`, "/snapshot?customerId=acme", `"limit":7`},
			{"/update-catalog", `{"catalog":{"features":[{"id":"sso","type":"boolean"}],"products":[{"id":"p"}],"plans":[{"id":"starter","product":"p","entitlements":[{"feature":"sso"}]}]},"migration":"ALL_CUSTOMERS"}`, "/history?customerId=acme&since=7", `"index":7`},
			{"/recalculate", `{"customerId":"acme"}`, "/history?customerId=acme&since=8", `"index":8`},
			{"/archive", `{"customerId":"acme"}`, "/snapshot?customerId=acme", `"CustomerIsArchived"`},
			{"/unarchive", `{"customerId":"acme"}`, "/history?customerId=acme&resourceId=&since=9", `"index":10`},
			{"/clock/set", `{"to":"2001-02-03T00:00:00Z"}`, "/clock", `{"now":"2001-02-03T00:00:00Z"}`},
			{"/clock/advance", `{"by":"24h"}`, "/clock", `{"now":"2001-02-04T00:00:00Z"}`},
			{"/revoke-api-key", `{"key":"` + DefaultAPIKey + `"}`, "/history?customerId=acme&since=12", `[]`},
			{"/add-api-key", `{"key":"fresh"}`, "/sockets", `{"sockets":0,"subscriptions":0}`},
		} {
			b.do(step.path, step.body)
			if _, got := b.command("GET", step.read, ""); !strings.Contains(got, step.want) {
				t.Errorf("after %s %s, GET %s = %s, want %s in it", step.path, step.body, step.read, got, step.want)
			}
		}
		if status, _ := b.post("fresh", `{"query":"{sdkConfiguration{showWatermark}}"}`); status != 200 {
			t.Errorf("with the key that was added: %d", status)
		}
		if status, _ := b.post(DefaultAPIKey, `{"query":"{sdkConfiguration{showWatermark}}"}`); status != 401 {
			t.Errorf("with the key that was revoked: %d", status)
		}
		b.connectWith("fresh")
		if _, got := b.command("GET", "/sockets", ""); got != `{"sockets":1,"subscriptions":0}` {
			t.Errorf("sockets = %s", got)
		}
		if _, got := b.command("GET", "/requests?since=1", ""); !strings.Contains(got, `"counts":{"sdkConfiguration":1}`) || !strings.Contains(got, `{"index":1,`) || strings.Contains(got, `{"index":0,`) {
			t.Errorf("requests since 1 = %s", got)
		}
		b.post("fresh", `{"query":"subscription{usageUpdatedV2{customerId}}"}`)
	})
}

// connectWith is connect with another key.
func (b *bench) connectWith(key string) {
	b.t.Helper()
	c := b.dial()
	c.say(`{"type":"connection_init","payload":{"headers":{"x-api-key":"` + key + `"}}}`)
	c.want("connection_ack")
}

// TestControlSaysWhatIsWrong: each error names the field and how to mend it.
func TestControlSaysWhatIsWrong(t *testing.T) {
	b := newBench(t, Config{})
	b.provision("acme", "", "starter")
	for _, row := range []struct {
		method, path, body string
		status             int
		field, code, says  string
	}{
		{"POST", "/nothing", ``, 404, "", "", "GET / lists"},
		{"GET", "/provision", ``, 405, "", "", "takes POST, not GET"},
		{"POST", "/snapshot", ``, 405, "", "", "takes GET"},
		{"POST", "/provision", `{`, 400, "body", "", "not a JSON object"},
		{"POST", "/provision", `[]`, 400, "body", "", "array"},
		{"POST", "/provision", `{} {}`, 400, "body", "", "after"},
		{"POST", "/provision", `{}`, 400, "customerId", "", "missing"},
		{"POST", "/provision", `{"customer":"acme"}`, 400, "customer", "", "known are customerId, resourceId, planId"},
		{"POST", "/provision", `{"customerId":7}`, 400, "customerId", "", "give a string"},
		{"POST", "/provision", `{"customerId":"acme","planId":"nonsense"}`, 422, "", "PlanNotFound", "nonsense"},
		{"POST", "/report", `{"customerId":"acme"}`, 400, "featureId", "", "missing"},
		{"POST", "/report", `{"customerId":"acme","featureId":"seats","delta":"2"}`, 400, "delta", "", "give a number"},
		{"POST", "/report", `{"customerId":"nobody","featureId":"seats","delta":1}`, 422, "", "CustomerNotFound", "nobody"},
		{"POST", "/grant-promotional", `{"customerId":"acme"}`, 400, "entitlement", "", "missing"},
		{"POST", "/grant-promotional", `{"customerId":"acme","entitlement":{"feature":"sso"},"for":"1h","until":"2030-01-01T00:00:00Z"}`, 400, "for", "", "not both"},
		{"POST", "/set-entitlement", `{"customerId":"acme","entitlement":{"feature":"nonsense"}}`, 422, "", "BadUserInput", "nonsense"},
		{"POST", "/set-entitlement", `{"customerId":"acme","entitlement":{"feature":"seats","limit":"9"}}`, 400, "entitlement.limit", "", "give a number"},
		{"POST", "/set-entitlement", `{"customerId":"acme","entitlement":"seats"}`, 400, "entitlement", "", "give an object"},
		{"POST", "/set-entitlement", `{"customerId":"acme","entitlement":{"feature":"seats","limti":9}}`, 400, "entitlement.limti", "", "known are feature, currency, limit, unlimited"},
		{"POST", "/publish-plan", `{"plan":{"id":"p","entitlements":[{"feature":"seats"},{"feature":"api-calls","creditRate":{"curency":"x"}}]}}`, 400, "plan.entitlements[1].creditRate.curency", "", "known are currency, amount"},
		{"POST", "/faults/fail-next", `{"n":1,"Reply":{"status":429,"header":{}}}`, 400, "Reply.header", "", "known are status, headers, body, truncate"},
		{"POST", "/clear-entitlement", `{"customerId":"acme"}`, 400, "featureId", "", "currencyId"},
		{"POST", "/publish-plan", `{"plan":{"id":"p","product":"nowhere"},"migration":"ALL_CUSTOMERS"}`, 400, "plans[4].product", "", "nowhere"},
		{"POST", "/publish-plan", `{"plan":{"id":"p","product":"app"}}`, 400, "migration", "", "ALL_CUSTOMERS"},
		{"POST", "/update-catalog", `{}`, 400, "catalog", "", "missing"},
		{"POST", "/add-api-key", `{}`, 400, "key", "", "missing"},
		{"POST", "/faults/refuse", `{"on":"yes"}`, 400, "on", "", "give a boolean"},
		{"POST", "/faults/refuse", `{"on":true,"for":"soon"}`, 400, "for", "", "duration"},
		{"POST", "/faults/delay", `{"delay":"-1s"}`, 400, "delay", "", "duration"},
		{"POST", "/faults/drop-events", `{"n":-1}`, 400, "n", "", "from 0"},
		{"POST", "/faults/drop-events", `{"n":1.5}`, 400, "n", "", "whole number"},
		{"POST", "/faults/fail-next", `{"n":1}`, 400, "reply", "", "missing"},
		{"POST", "/faults/fail-next", `{"n":1,"reply":{"status":99}}`, 400, "reply.status", "", "from 200"},
		{"POST", "/faults/close-sockets", `{"code":7}`, 400, "code", "", "from 1000"},
		{"POST", "/faults/close-sockets", `{"code":4000,"reason":"` + strings.Repeat("x", 124) + `"}`, 400, "reason", "", "124 bytes"},
		{"POST", "/faults/clear", `{"on":true}`, 400, "on", "", "known are nothing"},
		{"GET", "/snapshot", ``, 400, "customerId", "", "missing"},
		{"GET", "/snapshot?customer=acme", ``, 400, "customer", "", "takes customerId, resourceId"},
		{"GET", "/history?customerId=acme&since=x", ``, 400, "since", "", "index"},
	} {
		status, body := b.command(row.method, row.path, row.body)
		var got controlError
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != row.status || got.Field != row.field || got.Code != row.code || !strings.Contains(got.Error, row.says) {
			t.Errorf("%s %s %s = %d %s\nwant %d, field %q, code %q, saying %q", row.method, row.path, row.body, status, body, row.status, row.field, row.code, row.says)
		}
	}
	if s := b.Faults().state(); s.Refuse || s.FailNext > 0 || s.DropEvents > 0 {
		t.Errorf("faults = %+v: a request that is wrong changes nothing", s)
	}
}

func TestControlIsListedAndDocumented(t *testing.T) {
	b := newBench(t, Config{})
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, contents := b.command("GET", "/", "")
	for _, r := range b.control.routes {
		if !strings.Contains(contents, `"path":"`+r.path+`"`) {
			t.Errorf("GET / does not list %s", r.path)
		}
		if !strings.Contains(string(text), r.path) {
			t.Errorf("doc.go does not name %s", r.path)
		}
		for _, field := range r.takes {
			if !strings.Contains(contents, `"`+field+`"`) {
				t.Errorf("GET / does not say that %s takes %s", r.path, field)
			}
		}
	}
}

// TestControlExamplesWork, each as GET / shows it, one after the other: whatever takes something has one, but for a whole state, and
// names most of what it takes.
func TestControlExamplesWork(t *testing.T) {
	b := newBench(t, Config{History: 10})
	b.provision("acme", "", "growth")
	_, contents := b.command("GET", "/", "")
	var entries []struct {
		Method, Path string
		Takes        []string
		Example      json.RawMessage
	}
	if err := json.Unmarshal([]byte(contents), &entries); err != nil || len(entries) == 0 {
		t.Fatal(contents, err)
	}
	b.do("/provision", `{"customerId":"acme","resourceId":"site","planId":"starter"}`)
	for _, e := range entries {
		switch {
		case e.Path == "/load" || len(e.Takes) == 0 && e.Example == nil:
			continue
		case e.Example == nil:
			t.Errorf("%s takes %v, and has no example", e.Path, e.Takes)
			continue
		case len(e.Takes) == 0:
			t.Errorf("%s takes nothing, and has an example", e.Path)
		}
		path, body := e.Path, string(e.Example)
		if e.Method == "GET" {
			if err := json.Unmarshal(e.Example, &path); err != nil {
				t.Errorf("%s: %v", e.Path, err)
			}
			body = ""
		}
		either := []string{"until", "currencyId", "checkoutId"} // of two that exclude each other
		for _, name := range e.Takes {
			if !strings.Contains(string(e.Example), name) && !slices.Contains(either, name) {
				t.Errorf("the example of %s does not show %s", e.Path, name)
			}
		}
		want := http.StatusOK
		if path == "/checkout/complete" {
			want = http.StatusUnprocessableEntity // the demo catalog has no billing, and so no checkout is open
		}
		if status, answer := b.command(e.Method, path, body); status != want {
			t.Errorf("%s %s %s = %d %s", e.Method, path, body, status, answer)
		}
		b.Faults().Clear()
	}
}

func TestControlRefusesWebPages(t *testing.T) {
	b := newBench(t, Config{})
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/faults/refuse", strings.NewReader(`{"on":true}`))
	req.Header.Set("Origin", "http://example.org")
	w := httptest.NewRecorder()
	b.ControlHandler().ServeHTTP(w, req)
	if w.Code != http.StatusForbidden || b.Faults().refusing() {
		t.Errorf("a web page's request = %d, refusing = %v, want 403 and no effect", w.Code, b.Faults().refusing())
	}
}

// TestControlListensApart: the interface has an address of its own, on loopback, that no fault touches, and Close ends it.
func TestControlListensApart(t *testing.T) {
	b := newBench(t, Config{})
	if url, err := b.ListenControl("0.0.0.0:0"); err == nil {
		t.Errorf("control at %s, want an error: other machines reach it", url)
	}
	url, err := b.ListenControl("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	b.Faults().Refuse(true)
	b.Faults().HangHTTP(true)
	resp, err := client.Get(url + "/faults")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(body), `"hang":true`) {
		t.Errorf("GET /faults = %s", body)
	}
	b.Close()
	if resp, err := client.Get(url + "/faults"); err == nil {
		resp.Body.Close()
		t.Error("control answers after Close")
	}
	if status, _ := b.command("GET", "/faults", ""); status != http.StatusServiceUnavailable {
		t.Errorf("ControlHandler after Close = %d, want 503", status)
	}
}
