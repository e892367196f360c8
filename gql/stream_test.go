package gql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

const usageEvent = `{"data":{"usageUpdatedV2":{"customerId":"c1","resourceId":"r1","entitlementReference":{"id":"f","type":"%s"},"usage":{"currentUsage":%s,"usageUpdatedAt":"2026-11-22T19:11:00.000Z","usagePeriodStart":null,"usagePeriodEnd":"2026-12-01T00:00:00.000Z"}}}}`

// follow runs script behind an accepted stream and returns the events until the stream ends, and its end.
func follow(t *testing.T, wanted func(entitlements.Key) bool, script func(p *peer, ids map[string]string)) ([]entitlements.Event, error) {
	t.Helper()
	f, cfg := newFake(t)
	f.script = func(p *peer) {
		script(p, p.accept())
		p.waitGone()
	}
	s, err := mustNew(t, cfg).Subscribe(t.Context(), wanted)
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var list []entitlements.Event
	for {
		ev, err := s.Next(t.Context())
		if err != nil {
			mustNotLeak(t, err)
			if _, again := s.Next(t.Context()); again != err {
				t.Errorf("Next after the end = %v, want the same error", again)
			}
			return list, err
		}
		list = append(list, ev)
	}
}

// one sends a single payload on the stream of an operation and returns its event.
func one(t *testing.T, op, payload string, wanted func(entitlements.Key) bool) (ev entitlements.Event) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		list, _ := follow(t, wanted, func(p *peer, ids map[string]string) {
			p.send(`{"id":%q,"type":"next","payload":%s}`, ids[op], payload)
			p.close(1000, "")
		})
		if len(list) != 2 || list[0].Kind != entitlements.EventSubscribed {
			t.Fatalf("events = %+v, want Subscribed and one more", list)
		}
		ev = list[1]
	})
	return ev
}

func TestSubscribeSendsTheKeyInsideTheSocketOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFake(t)
		var init map[string]any
		f.script = func(p *peer) {
			init = p.expect("connection_init")
			p.send(`{"type":"connection_ack"}`)
			p.waitGone()
		}
		s, err := mustNew(t, cfg).Subscribe(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		if got := fmt.Sprint(init["payload"]); got != "map[headers:map[X-API-KEY:"+testKey+"]]" {
			t.Errorf("connection_init carries %s", got)
		}
	})
}

func TestEntitlementsEvent(t *testing.T) {
	ev := one(t, "OnEntitlementsUpdatedV2", entitlementsEvent("c1", 3), nil)
	if ev.Kind != entitlements.EventEntitlements || ev.Key != aKey || ev.Snapshot.Key() != aKey || ev.Snapshot.Len() != 3 {
		t.Errorf("event = %+v", ev)
	}
	ev = one(t, "OnEntitlementsUpdatedV2", `{"data":{"entitlementsUpdatedV2":{"customerId":"c1","resourceId":"r","accessDeniedReason":"CustomerIsArchived","entitlements":[]}}}`, nil)
	if ev.Kind != entitlements.EventEntitlements || ev.Key.ResourceID != "r" || ev.Snapshot.Reason() != entitlements.CustomerIsArchived {
		t.Errorf("event = %+v", ev)
	}
}

func TestUsageEvent(t *testing.T) {
	ev := one(t, "OnUsageUpdatedV2", fmt.Sprintf(usageEvent, "CREDIT", "7.5"), nil)
	want := entitlements.Usage{Ref: entitlements.Currency("f"), Current: 7.5, UpdatedAt: at("2026-11-22T19:11:00Z"), PeriodEnd: at("2026-12-01T00:00:00Z")}
	if ev.Kind != entitlements.EventUsage || ev.Key != (entitlements.Key{CustomerID: "c1", ResourceID: "r1"}) || ev.Usage != want {
		t.Errorf("event = %+v, want %+v", ev, want)
	}
	if ev = one(t, "OnUsageUpdatedV2", fmt.Sprintf(usageEvent, "MOONLIGHT", "7"), nil); ev.Kind != entitlements.EventUnknown || ev.Key.CustomerID != "c1" {
		t.Errorf("event = %+v, want Unknown of c1", ev)
	}
	if ev = one(t, "OnUsageUpdatedV2", fmt.Sprintf(usageEvent, "FEATURE", "null"), nil); ev.Kind != entitlements.EventUnreadable || ev.Key.CustomerID != "c1" {
		t.Errorf("event = %+v, want Unreadable of c1", ev)
	}
}

func TestPackageEvent(t *testing.T) {
	for migration, all := range map[string]bool{`"ALL_CUSTOMERS"`: true, `"NEW_CUSTOMERS"`: false, `"SOME_CUSTOMERS"`: true} {
		ev := one(t, "OnPackagePublished", `{"data":{"packagePublished":{"packageType":"Plan","packageRefId":"p","packageVersion":2,"migrationType":`+migration+`}}}`, nil)
		if ev.Kind != entitlements.EventPackagePublished || ev.AllCustomers != all {
			t.Errorf("%s: event = %+v", migration, ev)
		}
	}
}

func TestUnwantedEventsAreSkippedWhereverTheirIdsAre(t *testing.T) {
	nobody := func(entitlements.Key) bool { return false }
	key := entitlements.Key{CustomerID: "c\n1", ResourceID: "r1"}
	for name, payload := range map[string]string{
		"first":           `{"data":{"entitlementsUpdatedV2":{"customerId":"c\n1","resourceId":"r1","entitlements":[{"this":"is not even read`,
		"last":            `{"data":{"entitlementsUpdatedV2":{"accessDeniedReason":null,"entitlements":[{"__typename":7}],"resourceId":"r1","customerId":"c\u000a1"}}}`,
		"around":          `{"data":{"entitlementsUpdatedV2":{"customerId":"c\n1","entitlements":[{}],"resourceId":"r1"}}}`,
		"body is garbage": `{"data":{"entitlementsUpdatedV2":{"resourceId":"r1","customerId":"c\n1","entitlements":7}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if ev := one(t, "OnEntitlementsUpdatedV2", payload+`}`, nobody); ev.Kind != entitlements.EventSkipped || ev.Key != key || ev.Snapshot != nil {
				t.Errorf("event = %+v, want Skipped of %v", ev, key)
			}
		})
	}
	asked := entitlements.Key{}
	ev := one(t, "OnUsageUpdatedV2", fmt.Sprintf(usageEvent, "FEATURE", "7"), func(k entitlements.Key) bool { asked = k; return false })
	if ev.Kind != entitlements.EventSkipped || asked.CustomerID != "c1" || asked.ResourceID != "r1" {
		t.Errorf("event = %+v after being asked for %v", ev, asked)
	}
}

func TestUnreadableEventsDoNotEndTheStream(t *testing.T) {
	for name, tt := range map[string]struct {
		payload string
		key     entitlements.Key
	}{
		"null payload":  {`null`, entitlements.Key{}},
		"empty":         {`{}`, entitlements.Key{}},
		"null data":     {`{"data":null}`, entitlements.Key{}},
		"null event":    {`{"data":{"entitlementsUpdatedV2":null}}`, entitlements.Key{}},
		"other field":   {`{"data":{"somethingElse":{}}}`, entitlements.Key{}},
		"no customer":   {`{"data":{"entitlementsUpdatedV2":{"resourceId":"r","entitlements":[]}}}`, entitlements.Key{}},
		"null customer": {`{"data":{"entitlementsUpdatedV2":{"customerId":null,"entitlements":[]}}}`, entitlements.Key{}},
		"ids only":      {`{"data":{"entitlementsUpdatedV2":{"customerId":"c1"}}}`, entitlements.Key{}},
		"no list":       {`{"data":{"entitlementsUpdatedV2":{"customerId":"c1","accessDeniedReason":null}}}`, aKey},
		"null list":     {`{"data":{"entitlementsUpdatedV2":{"customerId":"c1","entitlements":null}}}`, aKey},
		"bad element":   {`{"data":{"entitlementsUpdatedV2":{"customerId":"c1","entitlements":[{}]}}}`, aKey},
		"only errors":   {`{"errors":[{"message":"resolver failed","extensions":{"code":"UnexpectedError"}}],"data":null}`, entitlements.Key{}},
		"and errors":    {`{"data":{"entitlementsUpdatedV2":{"customerId":"c1","entitlements":[]}},"errors":[{"message":"in part"}]}`, aKey},
	} {
		t.Run(name, func(t *testing.T) {
			ev := one(t, "OnEntitlementsUpdatedV2", tt.payload, nil)
			if _, ok := errors.AsType[*Error](ev.Err); !ok || ev.Kind != entitlements.EventUnreadable || ev.Key != tt.key || ev.Snapshot != nil {
				t.Errorf("event = %+v, want Unreadable of %v", ev, tt.key)
			}
		})
	}
}

func TestStreamsEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		script func(p *peer, id string)
		is     error
		slow   bool
	}{
		"complete": {func(p *peer, id string) { p.send(`{"id":%q,"type":"complete"}`, id) }, ErrCompleted, false},
		"error": {func(p *peer, id string) {
			p.send(`{"id":%q,"type":"error","payload":[{"message":"m","extensions":{"code":"BadUserInput"}}]}`, id)
		}, ErrBadInput, false},
		"bare error": {func(p *peer, id string) { p.send(`{"id":%q,"type":"error"}`, id) }, nil, false},
		"expired key": {func(p *peer, id string) {
			p.send(`{"id":%q,"type":"error","payload":[{"message":"%s","extensions":{"code":"API_KEY_EXPIRED"}}]}`, id, testKey)
		}, ErrUnauthenticated, false},
		"expired, next": {func(p *peer, id string) {
			p.send(`{"id":%q,"type":"next","payload":{"data":{"entitlementsUpdatedV2":null},"errors":[{"message":"m","extensions":{"code":"Unauthenticated"}}]}}`, id)
		}, ErrUnauthenticated, false},
		"bad key":    {func(p *peer, _ string) { p.close(4403, "Invalid API key "+testKey) }, ErrUnauthenticated, true},
		"throttled":  {func(p *peer, _ string) { p.close(1011, "ThrottlerException: Too Many Requests") }, ErrRateLimited, true},
		"too fast":   {func(p *peer, _ string) { p.close(4429, "") }, nil, true},
		"going away": {func(p *peer, _ string) { p.close(1001, "") }, nil, false},
		"cut":        {func(p *peer, _ string) { _ = p.ws.NetConn().Close() }, nil, false},
		"malformed":  {func(p *peer, _ string) { p.send(`{`) }, nil, true},
		"silent":     {func(p *peer, _ string) {}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := follow(t, nil, func(p *peer, ids map[string]string) { tt.script(p, ids["OnEntitlementsUpdatedV2"]) })
				e, ok := errors.AsType[*Error](err)
				if !ok || tt.is != nil && !errors.Is(err, tt.is) || e.Slow() != tt.slow {
					t.Fatalf("end = %v, slow %v; want %v, slow %v", err, e.Slow(), tt.is, tt.slow)
				}
				if tt.is != ErrUnauthenticated && errors.Is(err, ErrUnauthenticated) {
					t.Errorf("end = %v must not stop for good", err)
				}
			})
		})
	}
}

func TestSubscribeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFake(t)
		f.script = func(p *peer) {
			p.expect("connection_init")
			p.close(4403, "Invalid API key")
			p.waitGone()
		}
		c := mustNew(t, cfg)
		if _, err := c.Subscribe(t.Context(), nil); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("Subscribe = %v, want ErrUnauthenticated", err)
		}
		f.script = func(p *peer) { p.waitGone() }
		if _, err := c.Subscribe(t.Context(), nil); !errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Subscribe without an ack = %v, want ErrTimeout", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Subscribe(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Subscribe = %v, want the ctx's error", err)
		}
	})
}

func TestUpgradeIsRefused(t *testing.T) {
	f, cfg := newFake(t)
	for status, is := range map[int]error{401: ErrUnauthenticated, 403: ErrForbidden, 429: ErrRateLimited, 503: nil} {
		refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "21")
			w.WriteHeader(status)
		})
		f.upgrade = refuse
		_, err := mustNew(t, cfg).Subscribe(t.Context(), nil)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Status != status || e.RetryAfter != 21*time.Second || e.Slow() != (status < 500) || is != nil && !errors.Is(err, is) {
			t.Errorf("Subscribe answered %d = %v", status, err)
		}
	}
}

func TestCloseUnblocksNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFake(t)
		f.script = func(p *peer) { p.accept(); p.waitGone() }
		s, err := mustNew(t, cfg).Subscribe(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { _ = s.Close() })
		for err == nil {
			_, err = s.Next(t.Context())
		}
		if _, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Next = %v, want *Error of net.ErrClosed", err)
		}
		_ = s.Close()
	})
}

func TestContextEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cfg := newFake(t)
		f.script = func(p *peer) { p.accept(); p.waitGone() }
		s, err := mustNew(t, cfg).Subscribe(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for err == nil {
			_, err = s.Next(ctx)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next = %v, want the ctx's error", err)
		}
	})
}

var eventSeeds = []string{
	entitlementsEvent("c1", 4), fmt.Sprintf(usageEvent, "FEATURE", "1"), fmt.Sprintf(usageEvent, "NEW", `"x"`),
	`{"data":{"packagePublished":{"migrationType":"ALL_CUSTOMERS"}}}`, `{"errors":[{"message":"m"}],"data":null}`, `{}`, `null`,
	`{"data":{"entitlementsUpdatedV2":{"entitlements":[],"customerId":"c1"}}}`,
	`{"data":{"entitlementsUpdatedV2":{"customerId":"c1","accessDeniedReason":"CustomerNotFound","entitlements":null}}},"x":1`,
	`{"data":{"usageUpdatedV2":{"usage":{"currentUsage":1},"entitlementReference":{"type":"CREDIT","id":"c"},"resourceId":"","customerId":"c1"}}}`,
	`{"data":{"packagePublished":{"migrationType":"NEW_CUSTOMERS"}},"errors":null}`,
	`{"data":{"entitlementsUpdatedV2":{"customerId":"c1","entitlements":[{` + aFeature + `}],"resourceId":5}}}`,
}

// FuzzEvent holds the decoder of event payloads against a slow one that is built on encoding/json, and what is skipped against
// what is read.
func FuzzEvent(f *testing.F) {
	for i, s := range eventSeeds {
		f.Add(i%len(subscriptions), s)
	}
	f.Fuzz(func(t *testing.T, which int, payload string) {
		sub := &subscriptions[uint(which)%uint(len(subscriptions))]
		read := func(wanted bool) entitlements.Event {
			d := eventDecoder{wanted: func(k entitlements.Key) bool {
				if k.CustomerID == "" {
					t.Fatalf("%q: asked for nobody", payload)
				}
				return wanted
			}}
			ev, fatal := d.event(sub, []byte(payload))
			if fatal != nil && ev.Kind != entitlements.EventUnreadable {
				t.Fatalf("%q: fatal %v beside %+v", payload, fatal, ev)
			}
			return ev
		}
		ev := read(true)
		checkEvent(t, sub, payload, ev)
		ok := false
		switch ev.Kind {
		case entitlements.EventEntitlements:
			ok = ev.Snapshot != nil && ev.Snapshot.Key() == ev.Key && ev.Key.CustomerID != "" && ev.Err == nil
		case entitlements.EventUsage:
			ok = ev.Usage.Ref.ID != "" && ev.Key.CustomerID != "" && ev.Err == nil
		case entitlements.EventUnknown:
			ok = ev.Key.CustomerID != ""
		case entitlements.EventPackagePublished:
			ok = ev.Err == nil
		case entitlements.EventUnreadable:
			ok = errors.Is(ev.Err, ErrMalformed) || strings.Contains(payload, "errors") || strings.Contains(payload, `\u`)
		}
		if !ok {
			t.Fatalf("%q: %+v", payload, ev)
		}
		if ev.Kind == entitlements.EventPackagePublished {
			return
		}
		if skipped := read(false); skipped.Kind != entitlements.EventSkipped && skipped.Kind != entitlements.EventUnreadable ||
			skipped.Kind == entitlements.EventSkipped && ev.Err == nil && skipped.Key != ev.Key {
			t.Fatalf("%q: unwanted gives %+v, wanted %+v", payload, skipped, ev)
		}
	})
}

func benchmarkEvent(b *testing.B, wanted bool, kind entitlements.EventKind) {
	payload := []byte(entitlementsEvent("customer-17", 20))
	d := eventDecoder{decoder: decoder{names: newInterner()}, wanted: func(entitlements.Key) bool { return wanted }}
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if ev, _ := d.event(&subscriptions[0], payload); ev.Kind != kind {
			b.Fatal(ev)
		}
	}
}

func BenchmarkSkipEvent(b *testing.B)   { benchmarkEvent(b, false, entitlements.EventSkipped) }
func BenchmarkDecodeEvent(b *testing.B) { benchmarkEvent(b, true, entitlements.EventEntitlements) }
