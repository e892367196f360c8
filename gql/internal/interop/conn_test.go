package interop

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/entcache/entcache/gql"
	"github.com/entcache/entcache/gql/internal/graphqlws"
)

// dial opens a connection below gql.Client, which sends nothing but its three subscriptions.
func (s *stage) dial() *graphqlws.Conn {
	s.Helper()
	c, err := graphqlws.Dial(s.deadline(), graphqlws.Config{
		URL:              "ws" + strings.TrimPrefix(s.url, "http") + "/graphql",
		ConnectionParams: args{"headers": args{"X-API-KEY": apiKey}},
	})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *stage) subscribe(c *graphqlws.Conn, id, query string) {
	s.Helper()
	if err := c.Subscribe(id, "", query, nil); err != nil {
		s.Fatal(err)
	}
}

// frame returns the next frame that says something.
func (s *stage) frame(c *graphqlws.Conn) (graphqlws.Frame, error) {
	for ctx := s.deadline(); ; {
		f, err := c.Next(ctx)
		if err != nil || f.Type != graphqlws.FrameAlive {
			return f, err
		}
	}
}

const packages = `subscription { packagePublished { packageRefId } }`

// TestInvalidOperation: graphql's own validation refuses one operation; the connection and its other subscriptions go on.
func TestInvalidOperation(t *testing.T) {
	s := open(t, nil)
	c := s.dial()
	s.subscribe(c, "good", packages)
	s.subscribe(c, "bad", `subscription { moonPhaseChanged { phase } }`)
	f, err := s.frame(c)
	if err != nil || f.Type != graphqlws.FrameError || f.ID != "bad" {
		t.Fatalf("frame = %v of %q, %v; want the error of bad", f.Type, f.ID, err)
	}
	var said []struct{ Message string }
	if err := json.Unmarshal(f.Payload, &said); err != nil || len(said) != 1 || !strings.Contains(said[0].Message, `"moonPhaseChanged"`) {
		t.Errorf("payload %s (%v), want one error that names moonPhaseChanged", f.Payload, err)
	}
	if err := c.Barrier(); err != nil {
		t.Fatal(err)
	}
	if f, err := s.frame(c); err != nil || f.Type != graphqlws.FrameBarrier {
		t.Fatalf("frame = %v, %v; want the barrier", f.Type, err)
	}
	s.do("publish", args{"field": "packagePublished", "value": args{"packageRefId": "plan-pro"}})
	if f, err := s.frame(c); err != nil || f.Type != graphqlws.FrameNext || f.ID != "good" || !strings.Contains(string(f.Payload), "plan-pro") {
		t.Errorf("frame = %v of %q, %v; want plan-pro for good", f.Type, f.ID, err)
	}
}

func TestCompleteEndsOneSubscription(t *testing.T) {
	s := open(t, nil)
	c := s.dial()
	s.subscribe(c, "packages", packages)
	s.subscribe(c, "usage", `subscription { usageUpdatedV2 { customerId } }`)
	if err := c.Barrier(); err != nil {
		t.Fatal(err)
	}
	if f, err := s.frame(c); err != nil || f.Type != graphqlws.FrameBarrier {
		t.Fatalf("frame = %v, %v; want the barrier", f.Type, err)
	}
	s.do("complete", args{"field": "packagePublished"})
	if f, err := s.frame(c); err != nil || f.Type != graphqlws.FrameComplete || f.ID != "packages" {
		t.Fatalf("frame = %v of %q, %v; want packages complete", f.Type, f.ID, err)
	}
	s.do("publish", usage("c1", "seats", 3))
	if f, err := s.frame(c); err != nil || f.Type != graphqlws.FrameNext || f.ID != "usage" {
		t.Errorf("frame = %v of %q, %v; want an event of usage", f.Type, f.ID, err)
	}
}

// TestQueryOverTheSocket: an operation with one answer is a `next` and a `complete`.
func TestQueryOverTheSocket(t *testing.T) {
	s := open(t, nil)
	c := s.dial()
	s.subscribe(c, "q", `query { __typename }`)
	if f, err := s.frame(c); err != nil || f.Type != graphqlws.FrameNext || string(f.Payload) != `{"data":{"__typename":"Query"}}` {
		t.Errorf("frame = %v %s, %v; want the answer", f.Type, f.Payload, err)
	}
	if f, err := s.frame(c); err != nil || f.Type != graphqlws.FrameComplete {
		t.Errorf("frame = %v, %v; want complete", f.Type, err)
	}
}

// TestMistakesOfOurs are answered with the codes that the packages choose. All of them are slow: haste does not mend them.
func TestMistakesOfOurs(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(*stage, *graphqlws.Conn)
		want int
	}{
		{"empty id", func(s *stage, c *graphqlws.Conn) { s.subscribe(c, "", packages) }, 4400},
		{"id used twice", func(s *stage, c *graphqlws.Conn) { s.subscribe(c, "a", packages); s.subscribe(c, "a", packages) }, 4409},
		{"not GraphQL", func(s *stage, c *graphqlws.Conn) { s.subscribe(c, "a", `subscription {`) }, 4500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			c := s.dial()
			tt.make(s, c)
			_, err := s.frame(c)
			e, ok := errors.AsType[*graphqlws.CloseError](err)
			if !ok || e.Code != tt.want || !graphqlws.Slow(err) {
				t.Errorf("Next = %v, slow %v; want close code %d, slow", err, graphqlws.Slow(err), tt.want)
			}
		})
	}
}

// TestKeyRefusedByTheSocketIsKnownByItsReason: graphql-ws closes with what onConnect throws, and the code of any other failure.
func TestKeyRefusedByTheSocketIsKnownByItsReason(t *testing.T) {
	s := open(t, nil)
	_, err := s.client(gql.Config{APIKey: func() string { return "server-another-key" }}).Subscribe(s.deadline(), nil)
	e, ok := errors.AsType[*graphqlws.CloseError](err)
	if !ok || e.Code != 4500 || e.Reason != "Invalid API key" || !errors.Is(err, gql.ErrUnauthenticated) {
		t.Errorf("Subscribe = %v, want code 4500 with Invalid API key, which is ErrUnauthenticated", err)
	}
}
