package entcache_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// TestWhatOthersUseIsSeenWhileReportsFail: what Stigg says beyond what this client has reported is not kept back for as long as reports
// are not answered, or it would grant what others have used up.
func TestWhatOthersUseIsSeenWhileReportsFail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "api-calls", 1), true, entcache.Fetched)
		w.stigg.Faults().ReplaceReply("ReportUsageBulk", emulator.Reply{Status: http.StatusBadGateway, Body: "<html>bad gateway</html>"})
		w.report(calls("acme", 3))
		w.after(10 * time.Second)
		if _, err := w.stigg.Report("acme", "", "api-calls", 97); err != nil { // which makes 100 of 100
			t.Fatal(err)
		}
		w.after(2 * time.Minute)
		if d := w.check("acme", "api-calls", 1); d.HasAccess {
			t.Errorf("granted by a client that shows %v, of it %v pending, when 100 of 100 are used", d.Entitlement.CurrentUsage(), d.Entitlement.PendingUsage())
		}
		w.stigg.Faults().RestoreReply("ReportUsageBulk")
		w.flush()
		w.counted("acme", 100)
		w.sees("acme", 100, 0)
	})
}

// TestAnAnswerOfNothingIsNone: what it does not mention was not counted for certain, and goes again.
func TestAnAnswerOfNothingIsNone(t *testing.T) {
	for _, body := range []string{`{"data":{"reportUsageBulk":null}}`, `{"data":{"reportUsageBulk":[]}}`, `{"data":{}}`, `{"data":null}`, `{}`} {
		bubble(t, func(t *testing.T) {
			w := started(t)
			w.stigg.Faults().FailNext(1, emulator.Reply{Status: http.StatusOK, Body: body})
			w.report(calls("acme", 3))
			w.flush()
			if w.counted("acme", 3); t.Failed() {
				t.Log("after an answer of", body)
			}
		})
	}
}
