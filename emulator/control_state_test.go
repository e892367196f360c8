package emulator

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// TestControlCarriesTheState: what GET /dump answers, POST /load takes, however large a body may otherwise be.
func TestControlCarriesTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newBench(t, Config{}), newBench(t, Config{MaxBodyBytes: 1000})
		a.provision("acme", "", "starter")
		status, text := a.command("GET", "/dump", "")
		if want := strings.TrimSpace(a.dump()); status != http.StatusOK || text != want {
			t.Errorf("GET /dump = %d %s", status, firstDifference(want, text))
		}
		if status, _ := a.command("GET", "/dump?x=1", ""); status != http.StatusBadRequest {
			t.Errorf("GET /dump?x=1 = %d, want 400", status)
		}
		if got := b.do("/load", text); !strings.Contains(got, `"now":"2000`) {
			t.Errorf("POST /load = %s, want the clock", got)
		}
		if _, ok := b.Snapshot("acme", "").Find("exports"); !ok {
			t.Error("loaded: acme is not there")
		}
		if status, got := b.command("POST", "/provision", `{"customerId":"`+strings.Repeat("x", 2000)+`"}`); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a body of 2000 bytes elsewhere = %d %s, want 413", status, got)
		}
		for body, want := range map[string]string{"": `"field":"body"`, text[:99]: `"field":"body"`, `{"format":"x"}`: `"field":"format"`} {
			if status, got := b.command("POST", "/load", body); status != http.StatusBadRequest || !strings.Contains(got, want) {
				t.Errorf("POST /load %s = %d %s, want 400 and %s", body, status, got, want)
			}
		}
		b.do("/reset", "")
		if got := b.Snapshot("acme", "").AccessDeniedReason; got != "CustomerNotFound" {
			t.Errorf("after POST /reset acme is %q", got)
		}
		if status, got := b.command("POST", "/reset", `{"hard":true}`); status != http.StatusBadRequest {
			t.Errorf("POST /reset with a field = %d %s", status, got)
		}
	})
}
