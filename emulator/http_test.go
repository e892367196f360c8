package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
)

func TestKeyIsRequired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		for _, key := range []string{"", "wrong", DefaultAPIKey + "x"} {
			status, body := b.post(key, `{"query":"{sdkConfiguration{showWatermark}}"}`)
			var a answer
			if err := json.Unmarshal([]byte(body), &a); err != nil || status != 401 || len(a.Errors) != 1 ||
				a.Errors[0].Extensions.Code != "Unauthenticated" || len(a.Errors[0].Extensions.TraceID) != 32 {
				t.Errorf("key %q: %d %s, want 401 with code and trace id", key, status, body)
			}
		}
	})
}

// TestBadRequests says how each kind of bad input is answered: never with data, always with a code.
func TestBadRequests(t *testing.T) {
	const state = `query($q:FetchEntitlementsQuery!){entitlementsState(query:$q){accessDeniedReason}}`
	for _, row := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"not JSON", `hello`, 400, "BadUserInput"},
		{"empty", ``, 400, "BadUserInput"},
		{"null", `null`, 400, "BadUserInput"},
		{"batch", `[{"query":"{sdkConfiguration{showWatermark}}"}]`, 400, "BadUserInput"},
		{"no query", `{}`, 400, "BadUserInput"},
		{"query of the wrong type", `{"query":7}`, 400, "BadUserInput"},
		{"syntax", `{"query":"{"}`, 400, "GRAPHQL_PARSE_FAILED"},
		{"unknown field", `{"query":"{nothing}"}`, 400, "GRAPHQL_VALIDATION_FAILED"},
		{"variable missing", `{"query":"` + state + `"}`, 200, "BadUserInput"},
		{"variable null", `{"query":"` + state + `","variables":{"q":null}}`, 200, "BadUserInput"},
		{"variable of the wrong type", `{"query":"` + state + `","variables":{"q":"c1"}}`, 200, "BadUserInput"},
		{"field missing", `{"query":"` + state + `","variables":{"q":{}}}`, 200, "BadUserInput"},
		{"field null", `{"query":"` + state + `","variables":{"q":{"customerId":null}}}`, 200, "BadUserInput"},
		{"field of the wrong type", `{"query":"` + state + `","variables":{"q":{"customerId":7}}}`, 200, "BadUserInput"},
		{"field unknown", `{"query":"` + state + `","variables":{"q":{"customerId":"c","custmerId":"c"}}}`, 200, "BadUserInput"},
		{"enum unknown", `{"query":"mutation($i:ReportUsageInput!){reportUsage(input:$i){id}}","variables":{"i":{"customerId":"c","featureId":"f","value":1,"updateBehavior":"ADD"}}}`, 200, "BadUserInput"},
		{"date broken", `{"query":"mutation($i:ReportUsageInput!){reportUsage(input:$i){id}}","variables":{"i":{"customerId":"c","featureId":"f","value":1,"createdAt":"yesterday"}}}`, 200, "BadUserInput"},
		{"subscription over POST", `{"query":"subscription{packagePublished{packageRefId}}"}`, 200, "BadUserInput"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				status, body := newBench(t, Config{}).post(DefaultAPIKey, row.body)
				var a answer
				if err := json.Unmarshal([]byte(body), &a); err != nil {
					t.Fatalf("answer %d %s: %v", status, body, err)
				}
				if status != row.status || len(a.Errors) == 0 || a.Errors[0].Extensions.Code != row.code || a.Data != nil {
					t.Errorf("answer = %d %s, want %d %s and no data", status, body, row.status, row.code)
				}
			})
		})
	}
}

func TestBodyIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{MaxBodyBytes: 100})
		if status, body := b.post(DefaultAPIKey, `{"query":"`+strings.Repeat(" ", 200)+`"}`); status != 413 || !strings.Contains(body, "BadUserInput") {
			t.Errorf("oversized body = %d %s, want 413", status, body)
		}
	})
}

func TestErrorsNameTheOperationAndCarryPathAndTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		a := b.ask(reportOne, map[string]any{"input": map[string]any{"customerId": "nobody", "featureId": "seats", "value": 1}})
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "CustomerNotFound" ||
			a.Errors[0].Path[0] != "reportUsage" || a.Errors[0].Extensions.TraceID == "" {
			t.Errorf("errors = %+v, want CustomerNotFound at reportUsage", a.Errors)
		}
	})
}

func TestEdgeServesTheSameState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		const id = "a/b ?#&%:ü"
		b.provision(id, "r/1", "growth")
		get := func(path, key string) (int, string) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", b.pipe.URL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-API-KEY", key)
			resp, err := b.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			return resp.StatusCode, string(body)
		}
		path := "/v1/c/" + url.PathEscape(id) + "/entitlements-state.json?resourceId=" + url.QueryEscape("r/1")
		status, body := get(path, DefaultAPIKey)
		var doc struct {
			Data struct {
				EntitlementsState struct {
					AccessDeniedReason *string
					Entitlements       []map[string]any
					EntitlementsV2     []map[string]any
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &doc); err != nil || status != 200 {
			t.Fatalf("edge = %d %s (%v)", status, body, err)
		}
		state := doc.Data.EntitlementsState
		if len(state.Entitlements) != 8 || len(state.EntitlementsV2) != 9 || state.AccessDeniedReason != nil {
			t.Errorf("edge lists %d and %d entitlements, want the 8 features and the wallet of growth: %s", len(state.Entitlements), len(state.EntitlementsV2), body)
		}
		if status, body := get(path, "wrong"); status != 401 {
			t.Errorf("edge with a wrong key = %d %s, want 401", status, body)
		}
		if _, body := get("/v1/c/nobody/entitlements-state.json", DefaultAPIKey); !strings.Contains(body, `"accessDeniedReason":"CustomerNotFound"`) {
			t.Errorf("edge for nobody = %s", body)
		}
		if _, body := get("/v1/config/server-sdk-configuration.json", DefaultAPIKey); !strings.Contains(body, "sdkConfiguration") {
			t.Errorf("edge configuration = %s", body)
		}
		if got := b.Requests()["edge"]; got != 3 {
			t.Errorf("edge requests counted = %d, want 3: one was refused before it was read", got)
		}
	})
}

func TestHealthNeedsNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		resp, err := b.http.Get(b.pipe.URL() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("healthz = %d, want 200", resp.StatusCode)
		}
	})
}

func TestRequestsAreCountedAndShownToTheHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []Request
		b := newBench(t, Config{OnRequest: func(r Request) { seen = append(seen, r) }})
		b.must(`query Both($q:FetchEntitlementsQuery!){entitlements:cachedEntitlements(query:$q){isGranted} sdkConfiguration{showWatermark}}`,
			map[string]any{"q": map[string]any{"customerId": "c1"}})
		if n := b.Requests(); n["cachedEntitlements"] != 1 || n["sdkConfiguration"] != 1 || len(n) != 2 {
			t.Errorf("Requests() = %v, want each root field once", n)
		}
		if len(seen) != 1 || seen[0].Name != "Both" || seen[0].Transport != "http" || seen[0].Variables["q"] == nil {
			t.Errorf("hook saw %+v", seen)
		}
	})
}

func TestScanFindsRootFields(t *testing.T) {
	for _, row := range []struct {
		document, name string
		want           operation
	}{
		{`{a b}`, "", operation{kind: "query", name: "", fields: []string{"a", "b"}}},
		{`query Q($x:[I!]=[{a:1}]) @d(a:{b:1}) {x:a(y:{z:$x}) @skip(if:$c) {deep{er}} b}`, "", operation{kind: "query", name: "Q", fields: []string{"a", "b"}}},
		{`fragment F on T{no} mutation M{m{...F}}`, "", operation{kind: "mutation", name: "M", fields: []string{"m"}}},
		{`query A{a} subscription B{b}`, "B", operation{kind: "subscription", name: "B", fields: []string{"b"}}},
		{"# {c\n{a # }\n(s:\"}\") {x} ...F ... on Query{hidden} ...@include(if:true){inner} z}", "", operation{kind: "query", name: "", fields: []string{"a", "z"}}},
		{``, "", operation{}},
		{`{`, "", operation{kind: "query", name: "", fields: nil}},
	} {
		got := scanOperation(row.document, row.name)
		if got.kind != row.want.kind || got.name != row.want.name || strings.Join(got.fields, " ") != strings.Join(row.want.fields, " ") {
			t.Errorf("scanOperation(%q, %q) = %+v, want %+v", row.document, row.name, got, row.want)
		}
	}
}

func FuzzScanOperation(f *testing.F) {
	f.Add(`query Q($x:[I!]=[{a:1}]) {x:a(y:{z:$x}) @skip(if:$c) {deep{er}} ...on T{b}}`, "Q")
	f.Add("#", "")
	f.Add("query(((", "x")
	f.Fuzz(func(t *testing.T, document, name string) { scanOperation(document, name) })
}
