package emulator

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzControl sends anything to every path of the control interface. Whatever it is, the answer is JSON; what is accepted was JSON;
// what is refused names the field, or the code with which the account refused it; and the emulator is none the worse.
func FuzzControl(f *testing.F) {
	var e *Emulator
	left := 0
	renew := func(t testing.TB) {
		if left--; left > 0 {
			return
		}
		if e != nil {
			e.Close()
		}
		var err error
		if e, err = New(Config{History: 5, RequestLog: 5}); err != nil {
			t.Fatal(err)
		}
		left = 500
	}
	renew(f)
	f.Cleanup(func() { e.Close() })
	for i, r := range e.control.routes {
		f.Add(i, `{"customerId":"acme"}`, "customerId=acme&since=0")
		body, _ := json.Marshal(map[string]any{strings.Join(r.takes, ""): 1})
		f.Add(i, string(body), "since=-1")
		f.Add(i, "", "")
	}
	f.Add(0, "", "=1")
	for _, body := range []string{
		`{"customerId":"acme","planId":"growth"}`, `{"customerId":"acme","entitlement":{"feature":"sso"},"for":"1h"}`, `{"on":true,"for":"1ms"}`,
		`{"n":2}`, `{"n":-1}`, `{"n":1e9}`, `{"customerId":"acme","featureId":"seats","delta":1e308}`, `{"catalog":{"features":[]},"migration":"x"}`,
		`{"plan":{"id":"free","product":"x"}}`, `{"duration":"-1s"}`, `{"frame":"{}"}`, `[]`, `null`, `{} x`, `{"a":`, "\x00",
	} {
		for i := range e.control.routes {
			f.Add(i, body, "")
		}
	}
	f.Fuzz(func(t *testing.T, which int, body, query string) {
		renew(t)
		route := e.control.routes[uint(which)%uint(len(e.control.routes))]
		if _, err := url.ParseQuery(query); err != nil {
			return
		}
		r := httptest.NewRequest(route.method, "http://emulator"+route.path, strings.NewReader(body))
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		e.ControlHandler().ServeHTTP(w, r)
		answer := w.Body.Bytes()
		if !json.Valid(answer) {
			t.Fatalf("%s %q: answer %q", route.path, body, answer)
		}
		var said controlError
		_ = json.Unmarshal(answer, &said) // a success may be anything
		switch w.Code {
		case 200:
			if text := strings.TrimSpace(body); route.method == "POST" && text != "" && !json.Valid([]byte(text)) {
				t.Fatalf("%s accepted %q", route.path, body)
			}
		case 400:
			if said.Field == "" || !strings.Contains(said.Error, said.Field) {
				t.Fatalf("%s %q %q: 400 %s does not name what is wrong", route.path, body, query, answer)
			}
		case 422:
			if said.Error == "" {
				t.Fatalf("%s %q: 422 %s does not say why", route.path, body, answer)
			}
		default:
			t.Fatalf("%s %q: %d %s", route.path, body, w.Code, answer)
		}
		e.Snapshot("acme", "") // panics if what was accepted cannot be calculated with
	})
}
