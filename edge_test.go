package entcache_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// atEdge is a started world whose client asks Edge.
func atEdge(t *testing.T, opts ...entcache.Option) *world {
	t.Helper()
	w := newWorld(t)
	w.client.Close()
	w.client = w.newClient(append([]entcache.Option{entcache.WithEdge(w.pipe.URL())}, opts...)...)
	w.start(w.client)
	return w
}

// asked checks how often Edge and GraphQL were asked for entitlements.
func (w *world) asked(edge, graphql int) {
	w.Helper()
	if r := w.stigg.Requests(); r["edge"] != edge || r["entitlementsState"] != graphql {
		w.Errorf("Edge was asked %d times and GraphQL %d; want %d and %d", r["edge"], r["entitlementsState"], edge, graphql)
	}
}

// TestEdgeAnswersTheFirstCheck, as Stale, and GraphQL confirms it.
func TestEdgeAnswersTheFirstCheck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := atEdge(t)
		w.stigg.Faults().FailOperation("entitlementsState", "OperationTimeout")
		w.want(w.check("acme", "seats", 2), true, entcache.Stale)
		w.stigg.Faults().Clear()
		w.after(30 * time.Second) // the fetch that confirms it had failed
		w.want(w.check("acme", "seats", 2), true, entcache.Live)
		if s := w.client.Stats(); s.Edge != 1 {
			t.Errorf("%+v", s)
		}
		if d := w.check("globex", "seats", 5); !d.HasAccess || d.Origin == entcache.Live { // GraphQL may have been as quick
			t.Errorf("%v, %v", d.HasAccess, d.Origin)
		}
		w.after(time.Second)
		w.want(w.check("globex", "seats", 5), true, entcache.Live)
	})
}

// TestEdgeThatIsBehindOnlyMovesForward: what it says gives way to what GraphQL says, and never comes back.
func TestEdgeThatIsBehindOnlyMovesForward(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := atEdge(t, entcache.WithMaxMemory(8<<10))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.pipe.URL()+"/v1/c/acme/entitlements-state.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-KEY", emulator.DefaultAPIKey)
		transport := &http.Transport{DialContext: w.pipe.DialContext}
		defer transport.CloseIdleConnections()
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		old, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		w.provision("acme", "growth")
		w.settle()
		w.stigg.Faults().ReplaceReply("edge", emulator.Reply{Body: string(old)})
		w.stigg.Faults().FailOperation("entitlementsState", "OperationTimeout")
		w.want(w.check("acme", "sso", 0), false, entcache.Stale)
		w.stigg.Faults().FailOperation("entitlementsState", "")
		w.after(30 * time.Second)
		w.want(w.check("acme", "sso", 0), true, entcache.Live)
		for n := range 20 { // others take its place in memory
			id := "other-" + string(rune('a'+n))
			w.provision(id, "growth")
			w.check(id, "sso", 0)
			w.check(id, "sso", 0)
		}
		d := w.check("acme", "sso", 0)
		if !d.HasAccess {
			t.Errorf("back to what Edge says: %v", d.Origin)
		}
	})
}

// TestWhatThisClientWroteIsNotReadFromEdge, which may not have heard of it.
func TestWhatThisClientWroteIsNotReadFromEdge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := atEdge(t)
		if _, err := w.client.Subscriptions.Provision(t.Context(), entcache.ProvisionSubscriptionInput{CustomerId: "acme", PlanId: "growth", SkipTrial: new(true)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "globex", FeatureId: "seats", Value: 1}); err != nil {
			t.Fatal(err)
		}
		w.want(w.check("acme", "sso", 0), true, entcache.Fetched)
		w.want(w.check("globex", "seats", 4), true, entcache.Fetched)
		w.asked(0, 2)
		if _, err := w.client.Reload(t.Context(), entcache.Key{CustomerID: "nobody"}); err != nil {
			t.Fatal(err)
		}
		w.asked(0, 3)
		w.provision("initech", "free")
		w.after(2 * time.Minute)
		w.check("initech", "seats", 0)
		w.settle()
		w.asked(1, 4)
	})
}

// TestEdgeThatIsAwayIsNotWaitedForTwice: GraphQL answers, and the next customer is not sent there at once.
func TestEdgeThatIsAwayIsNotWaitedForTwice(t *testing.T) {
	for name, away := range map[string]func(*world){
		"HTML":    func(w *world) { w.stigg.Faults().ReplaceReply("edge", emulator.Reply{Status: 200, Body: "<html>"}) },
		"503":     func(w *world) { w.stigg.Faults().ReplaceReply("edge", emulator.Reply{Status: 503}) },
		"no data": func(w *world) { w.stigg.Faults().ReplaceReply("edge", emulator.Reply{Body: `{"data":null}`}) },
	} {
		bubble(t, func(t *testing.T) {
			w := atEdge(t)
			away(w)
			w.want(w.check("acme", "seats", 2), true, entcache.Fetched)
			w.want(w.check("globex", "seats", 5), true, entcache.Fetched)
			if r := w.stigg.Requests(); r["edge"] != 1 {
				t.Errorf("%s: Edge was asked %d times", name, r["edge"])
			}
			w.after(time.Minute)
			w.check("nobody", "seats", 0)
			if r := w.stigg.Requests(); r["edge"] != 2 {
				t.Errorf("%s: Edge was asked %d times a minute later", name, r["edge"])
			}
		})
	}
}

// TestAnswersOfEdgeAreAMinuteOld: so far behind it may be, and no more is claimed for them. Where that is too old, GraphQL is waited for.
func TestAnswersOfEdgeAreAMinuteOld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := atEdge(t)
		w.stigg.Faults().FailOperation("entitlementsState", "OperationTimeout")
		asked := time.Now()
		d := w.check("acme", "seats", 2)
		w.want(d, true, entcache.Stale)
		if age := asked.Sub(d.AsOf.Time()); age < time.Minute || age > time.Minute+time.Second {
			t.Errorf("confirmed %v before it was asked, want a minute", age)
		}
	})
	// 0: for nothing, it is known before.
	for max, edge := range map[time.Duration]int{time.Minute: 0, time.Minute + 500*time.Millisecond: 1} {
		bubble(t, func(t *testing.T) {
			w := atEdge(t, entcache.WithMaxStale(max))
			w.stigg.Faults().Delay(time.Second)
			w.want(w.check("acme", "seats", 2), true, entcache.Fetched)
			if r := w.stigg.Requests(); r["edge"] != edge || r["entitlementsState"] != 1 {
				t.Errorf("WithMaxStale(%v): Edge was asked %d times and GraphQL %d; want %d and 1", max, r["edge"], r["entitlementsState"], edge)
			}
		})
	}
}

// TestIdsInTheAddressesOfEdge: whatever an id holds, Edge answers for it and nobody else.
func TestIdsInTheAddressesOfEdge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := atEdge(t)
		w.stigg.Faults().FailOperation("entitlementsState", "OperationTimeout") // Edge alone answers
		for _, id := range []string{"a/b", "a?b#c", "a&b=c", "a b+c", "%2F", "ä", "..;x"} {
			if err := errors.Join(w.stigg.Provision(id, "", "free"), w.stigg.Provision(id, "r/1 &x", "starter")); err != nil {
				t.Fatal(err)
			}
			w.settle() // what comes over the stream while Edge is asked would have GraphQL asked as well
			w.want(w.check(id, "seats", 2), true, entcache.Stale)
			w.want(w.check(id, "seats", 3), false, entcache.Stale)
			d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: id, ResourceID: "r/1 &x", FeatureID: "seats", RequestedUsage: 5})
			if err != nil || !d.HasAccess || d.Origin != entcache.Stale {
				t.Errorf("%q: %v, %v (%v)", id, d.HasAccess, d.Origin, err)
			}
		}
	})
}
