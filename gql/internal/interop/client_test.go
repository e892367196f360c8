package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/entcache/entcache"
)

// TestClientFollowsTheServer is the whole client against the packages: fetched, followed, dropped, converged, refused, restored.
func TestClientFollowsTheServer(t *testing.T) {
	s := open(t, nil)
	changes := 0
	state := func(limit float64) []args {
		changes++
		list := []args{seats(limit, fmt.Sprintf("2026-11-22T19:%02d:00.000Z", changes))}
		s.do("state", args{"customer": "acme", "value": args{"entitlementsV2": list}})
		return list
	}
	publish := func(limit float64) {
		s.do("publish", args{"field": "entitlementsUpdatedV2", "value": args{"customerId": "acme", "entitlements": state(limit)}})
	}
	state(10)

	c, err := entcache.New(apiKey, entcache.WithBaseURL(s.url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Start(s.deadline()); err != nil {
		t.Fatal(err)
	}
	limit := func() float64 {
		d, err := c.GetEntitlement(s.deadline(), entcache.Query{CustomerID: "acme", FeatureID: "seats"})
		if err != nil {
			t.Fatal(err)
		}
		n, _ := d.Entitlement.UsageLimit()
		return n
	}
	becomes := func(want float64) {
		t.Helper()
		s.until(fmt.Sprintf("a limit of %v", want), func() bool { return limit() == want })
	}

	if got := limit(); got != 10 {
		t.Fatalf("limit = %v, want 10, as fetched", got)
	}
	if got := s.await("request").Text; got != "GetEntitlementsState" {
		t.Errorf("asked for %s", got)
	}
	publish(5)
	becomes(5)

	state(20) // nobody says so: the socket drops first
	s.do("terminate", nil)
	s.await("close")
	s.await("connection")
	becomes(20)
	s.until("Live", func() bool { return c.Status().State == entcache.StateLive })
	publish(30)
	becomes(30)

	s.do("rekey", args{"apiKey": "server-second-key"})
	closeWith(4500, "Invalid API key")(s)
	s.until("Off", func() bool { return c.Status().State == entcache.StateOff })
	if got := limit(); got != 30 {
		t.Errorf("limit = %v while Off, want 30, as last known", got)
	}
	state(40)
	if err := c.SetAPIKey("server-second-key"); err != nil {
		t.Fatal(err)
	}
	becomes(40)
	s.until("Live", func() bool { return c.Status().State == entcache.StateLive })
	publish(50)
	becomes(50)

	s.await("close") // of the stream that was refused
	_ = c.Close()
	if h := s.await("close"); h.Code != 1000 {
		t.Errorf("the server saw the client leave with code %d %q, want 1000", h.Code, h.Text)
	}
}

// until waits for something that the client does not announce.
func (s *stage) until(what string, holds func() bool) {
	s.Helper()
	late := s.deadline()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-late.Done():
			s.Fatalf("no %s in %v", what, patience)
		}
	}
}
