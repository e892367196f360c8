package interop

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache/gql"
	"github.com/entcache/entcache/gql/internal/graphqlws"
)

// What the supervisor of package syncer makes of the end of a stream: it comes back as usual, at the slow end of its backoff, or
// only when the key has changed.
const (
	retry           = "retry"
	slow            = "slow"
	unauthenticated = "unauthenticated"
)

func verdict(err error) string {
	e, ok := errors.AsType[*gql.Error](err)
	switch {
	case !ok:
		return fmt.Sprintf("no verdict: %T is not a *gql.Error", err)
	case errors.Is(err, gql.ErrUnauthenticated):
		return unauthenticated
	case e.Slow():
		return slow
	}
	return retry
}

func closeWith(code int, reason string) func(*stage) {
	return func(s *stage) { s.do("close", args{"code": code, "reason": reason}) }
}

func command(name string, with args) func(*stage) {
	return func(s *stage) { s.do(name, with) }
}

// TestEveryEndHasItsVerdict ends an open stream in each way there is, and wants the next stream to carry events again.
func TestEveryEndHasItsVerdict(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*stage)
		code int           // of the close frame; 0 when it did not end with one
		is   error         // that the error matches, besides
		dead time.Duration // Config.DeadPeer, where it matters
		want string
	}{
		{name: "closed 1000", end: closeWith(1000, "bye"), code: 1000, want: retry},
		{name: "restarted", end: command("restart", nil), code: 1001, want: retry},
		{name: "closed 1008", end: closeWith(1008, "policy"), code: 1008, want: slow},
		{name: "closed 1011", end: closeWith(1011, "internal error"), code: 1011, want: retry},
		{name: "closed 1012", end: closeWith(1012, "restart"), code: 1012, want: retry},
		{name: "closed 1013", end: closeWith(1013, "try again later"), code: 1013, want: retry},
		{name: "closed 4400", end: closeWith(4400, "Invalid message received"), code: 4400, want: slow},
		{name: "closed 4403", end: closeWith(4403, "Forbidden"), code: 4403, want: slow},
		{name: "closed 4408", end: closeWith(4408, "Connection initialisation timeout"), code: 4408, want: retry},
		{name: "closed 4429", end: closeWith(4429, "Too many initialisation requests"), code: 4429, want: slow},
		{name: "closed 4500", end: closeWith(4500, "Internal server error"), code: 4500, want: slow},
		{name: "throttled", end: closeWith(4500, "ThrottlerException: Too Many Requests"), code: 4500, is: gql.ErrRateLimited, want: slow},
		{name: "key revoked", end: closeWith(4500, "Invalid API key"), code: 4500, want: unauthenticated},
		{name: "dropped", end: command("terminate", nil), code: 1006, want: retry},
		{name: "reset", end: command("reset", nil), want: retry},
		{name: "frozen", end: command("freeze", nil), is: graphqlws.ErrDeadPeer, dead: 1500 * time.Millisecond, want: retry},
		{name: "entitlements completed", end: command("complete", args{"field": "entitlementsUpdatedV2"}), is: gql.ErrCompleted, want: retry},
		{name: "usage completed", end: command("complete", args{"field": "usageUpdatedV2"}), is: gql.ErrCompleted, want: retry},
		{name: "packages completed", end: command("complete", args{"field": "packagePublished"}), is: gql.ErrCompleted, want: retry},
		{name: "source fails", end: command("fail", args{"field": "usageUpdatedV2", "message": "broker gone"}), want: retry},
		{name: "too large", end: command("publish", usage(strings.Repeat("c", 1<<17), "seats", 1)), is: graphqlws.ErrTooLarge, want: slow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			c := s.client(gql.Config{DeadPeer: tt.dead, MaxFrameBytes: 1 << 16})
			stream := s.follow(c)
			s.flows(stream)

			tt.end(s)
			err := s.end(stream)
			if got := verdict(err); got != tt.want {
				t.Errorf("%v: verdict %s, want %s", err, got, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v: not %v", err, tt.is)
			}
			if e, ok := errors.AsType[*graphqlws.CloseError](err); tt.code != 0 && (!ok || e.Code != tt.code) {
				t.Errorf("%v: want close code %d", err, tt.code)
			}

			s.flows(s.follow(c))
		})
	}
}

// TestEveryRefusalHasItsVerdict opens a stream that the server does not want.
func TestEveryRefusalHasItsVerdict(t *testing.T) {
	for _, tt := range []struct {
		name  string
		how   args
		key   string
		is    error
		after time.Duration
		want  string
	}{
		{name: "bad key", key: "server-another-key", is: graphqlws.ErrUnauthenticated, want: unauthenticated},
		{name: "onConnect says no", how: args{"init": "refuse"}, want: slow},
		{name: "upgrade answered 401", how: args{"upgrade": 401}, want: unauthenticated},
		{name: "upgrade answered 404", how: args{"upgrade": 404}, want: slow},
		{name: "upgrade answered 429", how: args{"upgrade": 429, "retryAfter": 7}, is: gql.ErrRateLimited, after: 7 * time.Second, want: slow},
		{name: "upgrade answered 503", how: args{"upgrade": 503, "retryAfter": 9}, after: 9 * time.Second, want: retry},
		{
			name: "subscription refused for the key",
			how: args{"refusals": args{"OnUsageUpdatedV2": []args{{
				"message": "expired", "extensions": args{"code": "ApiKeyExpired", "traceId": "t1"},
			}}}},
			want: unauthenticated,
		},
		{
			name: "subscription refused for the scope",
			how:  args{"refusals": args{"OnPackagePublished": []args{{"message": "no", "extensions": args{"code": "IdentityForbidden"}}}}},
			is:   gql.ErrForbidden, want: retry,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, tt.how)
			key := tt.key
			if key == "" {
				key = apiKey
			}
			stream, err := s.client(gql.Config{APIKey: func() string { return key }}).Subscribe(s.deadline(), nil)
			if err == nil {
				t.Cleanup(func() { _ = stream.Close() })
				err = s.end(stream)
			}
			if got := verdict(err); got != tt.want {
				t.Errorf("%v: verdict %s, want %s", err, got, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v: not %v", err, tt.is)
			}
			if e, ok := errors.AsType[*gql.Error](err); ok && e.RetryAfter != tt.after {
				t.Errorf("%v: retry after %v, want %v", err, e.RetryAfter, tt.after)
			}
			if strings.Contains(err.Error(), key) {
				t.Errorf("%v: the key is in it", err)
			}
		})
	}
}
