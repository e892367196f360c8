package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
)

// apiKey is the key that every stage accepts.
const apiKey = "server-interop-key"

// args are the arguments of a command; server.mjs lists both.
type args map[string]any

// stage is a test's own part of the server.
type stage struct {
	*testing.T
	url    string // without /graphql
	name   string
	seen   chan happening // what the server saw, in order; closed when the server is gone
	obeyed chan struct{}  // one for each command
}

var opened atomic.Uint64

// open sets a stage up for the test, or skips the test where there is no server.
func open(t *testing.T, how args) *stage {
	t.Helper()
	if server == nil {
		t.Skip(absent)
	}
	// Its own also among runs of the same test: what a stage sees late must not appear on the next.
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), opened.Add(1))
	// The server's reader must not wait for a test: far more room than any test makes things happen.
	s := &stage{T: t, url: "http://" + server.addr + "/" + name, name: name, seen: make(chan happening, 1<<12), obeyed: make(chan struct{}, 16)}
	server.mu.Lock()
	if server.stages == nil {
		t.Fatal("the server is gone")
	}
	server.stages[name] = s
	server.mu.Unlock()
	t.Cleanup(func() {
		server.mu.Lock()
		defer server.mu.Unlock()
		delete(server.stages, name)
	})
	all := args{"apiKey": apiKey}
	for k, v := range how {
		all[k] = v
	}
	s.do("open", all)
	return s
}

// do gives a command and waits until it is carried out.
func (s *stage) do(command string, with args) {
	s.Helper()
	line := args{"stage": s.name, "command": command}
	for k, v := range with {
		line[k] = v
	}
	text, err := json.Marshal(line)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := server.stdin.Write(append(text, '\n')); err != nil {
		s.Fatalf("%s: %v", command, err)
	}
	select {
	case <-s.obeyed:
	case <-s.deadline().Done():
		s.Fatalf("%s: the server did not obey in %v", command, patience)
	}
}

// await returns the next thing of a kind that the server saw, passing over others.
func (s *stage) await(saw string) happening {
	s.Helper()
	late := s.deadline()
	for {
		select {
		case h, ok := <-s.seen:
			if !ok {
				s.Fatalf("the server is gone, and did not see a %q", saw)
			}
			if h.Saw == saw {
				return h
			}
		case <-late.Done():
			s.Fatalf("the server did not see a %q in %v", saw, patience)
		}
	}
}

func (s *stage) deadline() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	s.Cleanup(cancel)
	return ctx
}

// client is a gql.Client of the stage.
func (s *stage) client(cfg gql.Config) *gql.Client {
	s.Helper()
	cfg.Endpoint = s.url + "/graphql"
	if cfg.APIKey == nil {
		cfg.APIKey = func() string { return apiKey }
	}
	c, err := gql.New(cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	return c
}

// follow opens a stream that has passed EventSubscribed.
func (s *stage) follow(c *gql.Client) *gql.Stream {
	s.Helper()
	stream, err := c.Subscribe(s.deadline(), nil)
	if err != nil {
		s.Fatalf("Subscribe: %v", err)
	}
	s.Cleanup(func() { _ = stream.Close() })
	if ev := s.news(stream); ev.Kind != entitlements.EventSubscribed {
		s.Fatalf("first event is %v (%v), want Subscribed", ev.Kind, ev.Err)
	}
	return stream
}

// news returns the next event that is not a mere sign of life.
func (s *stage) news(stream *gql.Stream) entitlements.Event {
	s.Helper()
	for {
		ev, err := stream.Next(s.deadline())
		if err != nil {
			s.Fatalf("Next: %v", err)
		}
		if ev.Kind != entitlements.EventAlive {
			return ev
		}
	}
}

// end returns what ends the stream.
func (s *stage) end(stream *gql.Stream) error {
	s.Helper()
	for ctx := s.deadline(); ; {
		if _, err := stream.Next(ctx); err != nil {
			if ctx.Err() != nil {
				s.Fatalf("the stream did not end in %v", patience)
			}
			return err
		}
	}
}

// flows wants the stream to carry what is published now.
func (s *stage) flows(stream *gql.Stream) {
	s.Helper()
	want := float64(time.Now().UnixMilli())
	s.do("publish", usage("c1", "seats", want))
	if ev := s.news(stream); ev.Kind != entitlements.EventUsage || ev.Key.CustomerID != "c1" || ev.Usage.Current != want {
		s.Errorf("published a usage of %v for c1, got %+v", want, ev)
	}
}

// usage publishes usage of a feature.
func usage(customer, feature string, current float64) args {
	return args{"field": "usageUpdatedV2", "value": args{
		"customerId":           customer,
		"entitlementReference": args{"id": feature, "type": "FEATURE"},
		"usage":                args{"currentUsage": current, "usageUpdatedAt": "2026-11-22T19:11:00.000Z", "usagePeriodEnd": "2026-12-01T00:00:00.000Z"},
	}}
}

// seats is an entitlement to a numeric feature.
func seats(limit float64, updated string) args {
	return args{
		"__typename": "FeatureEntitlement", "isGranted": true, "hasUnlimitedUsage": false, "usageLimit": limit, "currentUsage": 2,
		"entitlementUpdatedAt": updated, "usageUpdatedAt": updated,
		"feature": args{"refId": "seats", "displayName": "Seats", "featureType": "NUMBER", "meterType": "Fluctuating"},
	}
}

// wallet is an entitlement to credits.
func wallet(limit float64) args {
	return args{
		"__typename": "CreditEntitlement", "isGranted": true, "usageLimit": limit, "currentUsage": 40,
		"currency": args{"currencyId": "tokens", "displayName": "Tokens"},
	}
}
