package emulator

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestHistoryHoldsEveryState follows one customer through each kind of change and wants each to be logged once, in order.
func TestHistoryHoldsEveryState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{History: 100})
		if past := b.HistoryOf("acme", "", 0); past != nil {
			t.Errorf("history of nobody = %+v, want none", past)
		}
		story := []struct {
			does string
			do   func() error
			want string // what the log then ends in
		}{
			{"provision", func() error { return b.Provision("acme", "", "growth") }, "calls 0/10000 sso "},
			{"report", func() error { _, err := b.Report("acme", "", "api-calls", 7); return err }, "calls 7/10000 sso "},
			{"promote", func() error {
				return b.GrantPromotional("acme", Entitlement{Feature: "audit-log"}, time.Now().Add(time.Hour))
			}, "calls 7/10000 sso audit-log "},
			{"let the promotion expire", func() error { time.Sleep(time.Hour); b.Snapshot("acme", ""); return nil }, "calls 7/10000 sso "},
			{"deny", func() error { return b.DenyEntitlement("acme", "", Entitlement{Feature: "sso"}, "Revoked") }, "calls 7/10000 sso:Revoked "},
			{"let the month end", func() error { time.Sleep(31 * 24 * time.Hour); b.Snapshot("acme", ""); return nil }, "calls 0/10000 sso:Revoked "},
			{"archive", func() error { return b.ArchiveCustomer("acme") }, "CustomerIsArchived"},
			{"unarchive", func() error { return b.UnarchiveCustomer("acme") }, "calls - sso:Revoked "},
		}
		for i, step := range story {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.does, err)
			}
			past := b.HistoryOf("acme", "", 0)
			if len(past) != i+1 {
				t.Fatalf("%s: %d states, want %d: %+v", step.does, len(past), i+1, past)
			}
			last := past[i]
			if got := brief(last.Snapshot); got != step.want || last.Index != i || !last.At.Equal(time.Now()) {
				t.Errorf("%s: state %d at %v is %q, want %d now, %q", step.does, last.Index, last.At, got, i, step.want)
			}
			if got, want := fmt.Sprint(brief(b.Snapshot("acme", ""))), brief(last.Snapshot); got != want {
				t.Errorf("%s: snapshot %q, logged %q", step.does, got, want)
			}
		}
		for _, s := range b.HistoryOf("acme", "", 0) {
			for _, ent := range s.Entitlements {
				if !ent.EntitlementStamp.Equal(s.Stamp) || ent.UsageStamp.IsZero() {
					t.Errorf("state %d of %v: stamps %v and %v, want those of the set and of the usage", s.Index, s.Stamp, ent.EntitlementStamp, ent.UsageStamp)
				}
			}
		}
		if past := b.HistoryOf("acme", "", 3); len(past) != len(story)-3 || past[0].Index != 3 {
			t.Errorf("history since 3 = %d states from %d", len(past), past[0].Index)
		}
	})
}

// brief writes what the story above changes.
func brief(s Snapshot) string {
	if s.AccessDeniedReason != "" {
		return s.AccessDeniedReason
	}
	text := "calls -"
	if ent, ok := s.Find("api-calls"); ok {
		text = fmt.Sprintf("calls %v/%v", ent.Usage, deref(ent.Limit))
	}
	text += " "
	for _, id := range []string{"sso", "audit-log"} {
		if ent, ok := s.Find(id); ok {
			text += id
			if ent.AccessDeniedReason != "" {
				text += ":" + ent.AccessDeniedReason
			}
			text += " "
		}
	}
	return text
}

// TestHistoryIsWrittenBeforeItIsTold: a client that acts on an event finds its state in the log.
func TestHistoryIsWrittenBeforeItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{History: 10})
		var logged []int
		b.Faults().DropEventsIf(func(ev Event) bool { // called with the emulator locked
			logged = append(logged, len(b.state.customers["acme"].scopes[ev.ResourceID].past))
			return false
		})
		b.provision("acme", "", "growth")
		b.report("acme", "", "api-calls", 1)
		b.report("acme", "", "ai-answers", 250)                // empties the wallet
		if want := "[1 2 3 3 3]"; fmt.Sprint(logged) != want { // the last one is three events: a set and two usages
			t.Errorf("states logged at each event = %v, want %s: every change before it is told", logged, want)
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	b := newBench(t, Config{History: 3})
	b.provision("acme", "", "starter")
	for range 100 {
		b.report("acme", "", "seats", 1)
	}
	past := b.HistoryOf("acme", "", 0)
	if len(past) != 3 || past[2].Index != 100 {
		t.Errorf("history = %d states up to %d, want 3 up to 100", len(past), past[len(past)-1].Index)
	}
	if n := len(b.state.customers["acme"].scopes[""].past); n > 6 {
		t.Errorf("%d states in memory, want at most twice as many as are kept", n)
	}
}

func TestHistoryIsOptional(t *testing.T) {
	b := newBench(t, Config{})
	b.provision("acme", "", "starter")
	if past := b.HistoryOf("acme", "", 0); past != nil {
		t.Errorf("history = %+v without being asked for", past)
	}
}

// TestHistoryOfResources: each key has its own log; a change of the customer is a state of each resource that was acted on.
func TestHistoryOfResources(t *testing.T) {
	b := newBench(t, Config{History: 10})
	b.provision("acme", "site", "starter") // the customer itself is made with it, and has nothing
	b.provision("acme", "", "free")
	own, site := b.HistoryOf("acme", "", 0), b.HistoryOf("acme", "site", 0)
	if len(own) != 2 || own[0].AccessDeniedReason != "NoActiveSubscription" || len(own[1].Entitlements) == 0 {
		t.Errorf("history of the customer = %+v, want nothing and then a plan", own)
	}
	if len(site) != 2 || !site[1].Stamp.After(site[0].Stamp) {
		t.Errorf("history of the resource = %+v, want two sets", site)
	}
	if other := b.HistoryOf("acme", "other", 0); other != nil {
		t.Errorf("history of a resource that nobody acted on = %+v", other)
	}
}

// TestRequestLogHoldsWhatFaultsSpoiled: requests are logged as they arrive, and as many as asked for.
func TestRequestLogHoldsWhatFaultsSpoiled(t *testing.T) {
	b := newBench(t, Config{RequestLog: 4})
	b.post(DefaultAPIKey, `no JSON`)
	b.Faults().FailNext(1, Reply{Status: 500})
	b.post(DefaultAPIKey, `{"query":"query State{entitlementsState(query:{customerId:\"c\"}){accessDeniedReason}}"}`)
	b.post("wrong", `{"query":"{sdkConfiguration{showWatermark}}"}`)
	b.connect().subscribe("1", onPackage)
	var got []string
	for _, r := range b.RequestLog(0) {
		got = append(got, fmt.Sprint(r.Index, r.Transport, r.Name, r.Fields))
	}
	want := fmt.Sprint([]string{
		fmt.Sprint(1, "http", "State", []string{"entitlementsState"}), fmt.Sprint(2, "http", "", []string{"sdkConfiguration"}),
		fmt.Sprint(3, "handshake", "", []string{}), fmt.Sprint(4, "websocket", "", []string{"packagePublished"}),
	})
	if fmt.Sprint(got) != want {
		t.Errorf("log = %v\nwant  %v", got, want)
	}
	if late := b.RequestLog(4); len(late) != 1 {
		t.Errorf("log since 4 = %v, want one", late)
	}
}
