package interop

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
)

func TestKeyIsInTheSocketAndNotInTheUpgrade(t *testing.T) {
	s := open(t, nil)
	s.follow(s.client(gql.Config{}))
	for name, value := range s.await("connection").Headers {
		if strings.Contains(value, apiKey) {
			t.Errorf("the upgrade carries the key, in %s", name)
		}
	}
	if got, want := string(s.await("connection_init").Payload), `{"headers":{"X-API-KEY":"`+apiKey+`"}}`; got != want {
		t.Errorf("connection_init carries %s, want %s", got, want)
	}
}

func TestEventsOfTheThreeSubscriptions(t *testing.T) {
	s := open(t, nil)
	stream := s.follow(s.client(gql.Config{}))
	var asked []string
	for range 3 {
		var p struct{ OperationName string }
		if err := json.Unmarshal(s.await("subscribe").Payload, &p); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, p.OperationName)
	}
	if want := []string{"OnEntitlementsUpdatedV2", "OnUsageUpdatedV2", "OnPackagePublished"}; !slices.Equal(asked, want) {
		t.Errorf("subscribed to %v, want %v", asked, want)
	}

	s.do("publish", args{"field": "entitlementsUpdatedV2", "value": args{
		"customerId": "c1", "resourceId": "r1", "entitlements": []args{seats(10, "2026-11-22T19:00:00.000Z"), wallet(100)},
	}})
	ev := s.news(stream)
	if key := (entitlements.Key{CustomerID: "c1", ResourceID: "r1"}); ev.Kind != entitlements.EventEntitlements || ev.Key != key || ev.Snapshot.Len() != 2 {
		t.Fatalf("event = %+v, want two entitlements of %v", ev, key)
	}
	now := entitlements.InstantOf(time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC))
	e, ok := ev.Snapshot.Find(entitlements.Feature("seats"), now)
	if limit, _ := e.UsageLimit(); !ok || limit != 10 {
		t.Errorf("seats: limit %v (found %v), want 10", limit, ok)
	}
	if u, ok := ev.Snapshot.Usage(entitlements.Currency("tokens")); !ok || u.Current != 40 {
		t.Errorf("tokens: usage %+v (found %v), want 40", u, ok)
	}

	s.do("publish", args{"field": "entitlementsUpdatedV2", "value": args{"customerId": "c2", "accessDeniedReason": "CustomerIsArchived"}})
	if ev := s.news(stream); ev.Kind != entitlements.EventEntitlements || ev.Key.CustomerID != "c2" || ev.Snapshot.Reason() != entitlements.CustomerIsArchived {
		t.Errorf("event = %+v, want c2 archived", ev)
	}

	s.flows(stream) // usage

	for migration, all := range map[string]bool{"ALL_CUSTOMERS": true, "NEW_CUSTOMERS": false} {
		s.do("publish", args{"field": "packagePublished", "value": args{
			"packageType": "Plan", "packageRefId": "plan-pro", "packageVersion": 2, "migrationType": migration,
		}})
		if ev := s.news(stream); ev.Kind != entitlements.EventPackagePublished || ev.AllCustomers != all {
			t.Errorf("%s: event = %+v, want a package for all customers %v", migration, ev, all)
		}
	}
}

// TestFieldThatFailsIsUnreadable: graphql sends the error of a field beside null data, in a `next`; the subscription goes on.
func TestFieldThatFailsIsUnreadable(t *testing.T) {
	s := open(t, nil)
	stream := s.follow(s.client(gql.Config{}))
	s.do("publish", args{"field": "usageUpdatedV2", "value": args{"customerId": "c1"}})
	if ev := s.news(stream); ev.Kind != entitlements.EventUnreadable || !strings.Contains(ev.Err.Error(), "non-nullable") {
		t.Errorf("event = %+v, want Unreadable with graphql's words", ev)
	}
	s.flows(stream)
}

func TestPingsOfTheServerAreAnswered(t *testing.T) {
	s := open(t, nil)
	stream := s.follow(s.client(gql.Config{}))
	for _, payload := range []any{args{"n": 1.0}, nil} {
		s.do("ping", args{"payload": payload})
		s.flows(stream) // and so the ping, which came before, has been read
		if got, want := s.await("pong").Payload, mustJSON(t, payload); string(got) != want && payload != nil {
			t.Errorf("ping of %s answered with %s", want, got)
		}
	}
	s.do("controlPing", args{"data": "beat"})
	s.flows(stream)
	if got := s.await("control pong").Text; got != "beat" {
		t.Errorf("protocol ping of %q answered with %q", "beat", got)
	}
}

// TestKeepaliveOfTheServer: useServer hangs up on a client that leaves one of its protocol pings unanswered for an interval.
func TestKeepaliveOfTheServer(t *testing.T) {
	const interval = 500 * time.Millisecond
	s := open(t, args{"keepAlive": interval.Milliseconds()})
	// Each of our own pings makes Next return; in between, it reads.
	stream := s.follow(s.client(gql.Config{DeadPeer: 3 * interval}))
	for began := time.Now(); time.Since(began) < 3*interval+interval/2; {
		if _, err := stream.Next(s.deadline()); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		s.await("control pong")
	}
	s.flows(stream)
}

func TestOurPingsKeepAQuietStreamAlive(t *testing.T) {
	s := open(t, nil)
	const deadPeer = 1200 * time.Millisecond
	stream := s.follow(s.client(gql.Config{DeadPeer: deadPeer}))
	for range 6 { // at a third of deadPeer: twice as long as silence may last
		ev, err := stream.Next(s.deadline())
		if err != nil || ev.Kind != entitlements.EventAlive {
			t.Fatalf("Next = %+v, %v, want the pong to our ping", ev, err)
		}
		s.await("ping")
	}
	s.flows(stream)
}

func TestFragmentsWithPingsBetweenThem(t *testing.T) {
	s := open(t, nil)
	stream := s.follow(s.client(gql.Config{}))
	frame := mustJSON(t, args{"id": s.await("subscribe").ID, "type": "next", "payload": args{"data": args{"entitlementsUpdatedV2": args{
		"customerId": "c1", "resourceId": nil, "entitlements": []args{},
	}}}})
	s.do("fragments", args{"parts": []string{frame[:1], frame[1:20], frame[20:90], frame[90:]}})
	if ev := s.news(stream); ev.Kind != entitlements.EventEntitlements || ev.Key.CustomerID != "c1" {
		t.Errorf("event = %+v, want the entitlements of c1", ev)
	}
	s.flows(stream)
}

// TestCloseSaysGoodbye: a server learns at once that we left, and stops its sources.
func TestCloseSaysGoodbye(t *testing.T) {
	s := open(t, nil)
	stream := s.follow(s.client(gql.Config{}))
	_ = stream.Close()
	for range 3 {
		s.await("complete")
	}
	if h := s.await("close"); h.Code != 1000 {
		t.Errorf("the server saw us leave with code %d %q, want 1000", h.Code, h.Text)
	}
	if _, err := stream.Next(t.Context()); err == nil {
		t.Error("Next after Close: no error")
	}
}

func TestServerThatAcknowledgesLate(t *testing.T) {
	s := open(t, args{"init": "wait"})
	opened := make(chan error, 1)
	c := s.client(gql.Config{})
	go func() { // waited for below
		stream, err := c.Subscribe(s.deadline(), nil)
		if err == nil {
			_ = stream.Close()
		}
		opened <- err
	}()
	s.await("connection_init")
	select {
	case err := <-opened:
		t.Fatalf("Subscribe = %v before the acknowledgement", err)
	default:
	}
	s.do("ack", nil)
	if err := <-opened; err != nil {
		t.Errorf("Subscribe = %v after a late acknowledgement", err)
	}
}

// TestSubscribedPromisesNoMoreThanTheServer: the protocol has no word for "your subscription is in force". graphql-ws answers our
// ping while a source that takes its time is not there yet; what happens in between is nobody's to deliver. (Sources that are there
// at once are there before the pong: every other test relies on it.)
func TestSubscribedPromisesNoMoreThanTheServer(t *testing.T) {
	s := open(t, args{"source": "wait"})
	stream := s.follow(s.client(gql.Config{}))
	s.do("publish", usage("c1", "seats", 1)) // missed
	s.do("ready", nil)
	for range 3 {
		s.await("feed")
	}
	s.flows(stream)
}

func TestServerThatNeverAcknowledges(t *testing.T) {
	s := open(t, args{"init": "wait"})
	_, err := s.client(gql.Config{AckTimeout: 300 * time.Millisecond}).Subscribe(s.deadline(), nil)
	if !errors.Is(err, gql.ErrTimeout) || verdict(err) != retry {
		t.Errorf("Subscribe = %v (%s), want ErrTimeout (%s)", err, verdict(err), retry)
	}
	s.await("close")
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
