package entcache_test

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/entcache/entcache/emulator"
)

// sabotage breaks something, and now and then mends everything.
func (s *sim) sabotage(r *rand.Rand) {
	f := s.stigg.Faults()
	n := r.IntN(27)
	if !s.lossy && n >= 24 { // these lose events in silence
		n -= 12
	}
	if s.outage {
		s.outage = false // once
		n = 3
	}
	s.note("sabotage %d", n)
	switch n {
	case 0, 1:
		f.CutSockets()
	case 2:
		f.CloseSockets([]int{1000, 1001, 1011, 1012, 4403, 4429, 4500}[r.IntN(7)], "bye")
	case 3: // the server is started again, and is away for a while
		f.Refuse(true)
		f.CutSockets()
		s.net.cut()
		away := time.Duration(r.IntN(45)) * time.Second
		if r.IntN(4) == 0 {
			away = simMaxStale + time.Duration(r.IntN(60))*time.Second
		}
		s.darkness(away, 21*time.Second, f.CutSockets) // the longest handshake, and cut what came of it
		f.Refuse(false)
	case 4:
		f.Delay(time.Duration(r.IntN(3000)) * time.Millisecond)
	case 5:
		f.HangHTTP(true)
		time.Sleep(time.Duration(r.IntN(20)) * time.Second)
		f.HangHTTP(false)
	case 6:
		f.FailNext(1+r.IntN(5), emulator.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {strconv.Itoa(r.IntN(6))}}})
	case 7:
		f.FailNext(1+r.IntN(5), emulator.Reply{Status: 502, Body: "<html>"})
	case 8:
		f.FailNext(1+r.IntN(3), emulator.Reply{Body: `{"data":{"entitlementsState":{"entitlementsV2":[`, Truncate: true})
	case 9:
		f.CompleteSubscriptions()
	case 10:
		f.ErrorSubscriptions("UnexpectedError")
	case 11:
		s.stigg.RevokeAPIKey(emulator.DefaultAPIKey)
		time.Sleep(time.Duration(r.IntN(10)) * time.Second)
		s.stigg.AddAPIKey(emulator.DefaultAPIKey)
		s.client.SetAPIKey(emulator.DefaultAPIKey)
	case 12:
		if err := s.stigg.UpdateCatalog(s.catalog(float64(r.IntN(3))), emulator.AllCustomers); err != nil {
			s.fail("publish: %v", err)
		}
	case 13:
		f.DuplicateEvents(1 + r.IntN(4))
	case 14, 15, 16: // with those that were lost
		f.ReplayEvents(1+r.IntN(4), r.IntN(8))
	case 17:
		f.DelayEvents(time.Duration(r.IntN(4000)) * time.Millisecond)
	case 18:
		f.HalfOpen(true)
		s.darkness(time.Duration(r.IntN(70))*time.Second, 30*time.Second, func() {})
		if !s.lossy {
			f.CutSockets()
		}
		f.HalfOpen(false)
	case 19, 20: // answers that are well-formed and say nothing
		f.FailNext(1+r.IntN(3), emulator.Reply{Body: sayNothing[r.IntN(len(sayNothing))]})
	case 21:
		s.missed(r)
	case 22:
		s.mute(r)
	case 23:
		f.InjectFrame([]byte([]string{
			`{"id":"entitlements","type":"next","payload":{"data":{"entitlementsUpdatedV2":{"customerId":"a","resourceId":null,"entitlements":[{}]}}}}`,
			`{"id":"entitlements","type":"next","payload":{"data":null}}`, `{"id":"usage","type":"next","payload":{}}`,
			`{"id":"nobody","type":"next","payload":{}}`, `{"type":"ping"}`, `{"type":"dance"}`,
		}[r.IntN(6)]))
	case 24:
		f.DropEvents(1 + r.IntN(4))
	case 25:
		f.ReorderEvents(1 + r.IntN(3))
	case 26:
		f.HalfOpen(true)
		time.Sleep(time.Duration(r.IntN(25)) * time.Second)
		f.HalfOpen(false)
	}
	if r.IntN(3) == 0 {
		s.note("mended")
		f.Clear()
	}
}

// missed lets a customer get something while the stream is dead and lose it while there is none, and tells of the first change
// again and again once there is another stream: with what is true to be fetched meanwhile, or with nothing to be fetched.
func (s *sim) missed(r *rand.Rand) {
	f, who := s.stigg.Faults(), []string{"b", "c"}[r.IntN(2)]
	f.HalfOpen(true)
	err := s.stigg.SetEntitlement(who, "", emulator.Entitlement{Feature: "audit-log"})
	time.Sleep(time.Duration(100+r.IntN(3000)) * time.Millisecond)
	f.Refuse(true)
	f.CutSockets()
	f.HalfOpen(false)
	time.Sleep(100 * time.Millisecond)
	s.stigg.ClearEntitlement(who, "", "audit-log", "")
	s.note("missed: %s, twice (%v)", who, err)
	f.Refuse(false)
	if r.IntN(2) == 0 {
		s.note("nothing can be fetched")
		f.FailOperation("entitlementsState", "OperationTimeout")
	}
	for range 30 {
		time.Sleep(time.Second)
		f.ReplayEvents(12, 0)
	}
	f.FailOperation("entitlementsState", "")
}

// mute tells of a customer's change, and not of what it means for a resource.
func (s *sim) mute(r *rand.Rand) {
	f := s.stigg.Faults()
	f.DropEventsIf(func(ev emulator.Event) bool { return ev.CustomerID == "a" && ev.ResourceID != "" })
	plan := []string{"free", "starter", "growth"}[r.IntN(3)]
	err := s.stigg.Provision("a", "", plan)
	f.DropEventsIf(nil)
	s.note("muted: a to %s (%v)", plan, err)
}

// darkness lets time pass without a stream. After notice it does again what makes it dark, and when that has arrived, a client that
// follows a stream must know.
func (s *sim) darkness(d, notice time.Duration, again func()) {
	set := func(dark bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dark = dark && !s.polling
	}
	time.Sleep(min(d, notice))
	if d <= notice {
		return
	}
	again()
	time.Sleep(4 * longestWay)
	set(true)
	time.Sleep(d - notice)
	set(false)
}

func (s *sim) isDark() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dark
}

// heal takes everything back.
func (s *sim) heal() {
	s.stigg.Faults().Clear()
	s.stigg.AddAPIKey(emulator.DefaultAPIKey)
	s.client.SetAPIKey(emulator.DefaultAPIKey)
}
