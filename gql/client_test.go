package gql

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

var aKey = entitlements.Key{CustomerID: "c1"}

func TestFetch(t *testing.T) {
	f, cfg := newFake(t)
	var got request
	f.post = func(w http.ResponseWriter, r *http.Request) {
		got = readRequest(t, r)
		for name, want := range map[string]string{
			"X-API-KEY": testKey, "x-graphql-operation-name": "GetEntitlementsState", "Content-Type": "application/json", "User-Agent": "entcache-go",
		} {
			if r.Header.Get(name) != want {
				t.Errorf("header %s = %q, want %q", name, r.Header.Get(name), want)
			}
		}
		reply(200, stateReply(3))(w, r)
	}
	c := mustNew(t, cfg)
	snap, err := c.Fetch(t.Context(), aKey)
	if err != nil || snap.Key() != aKey || snap.Len() != 3 {
		t.Fatalf("Fetch = %v, %v", snap, err)
	}
	if want := `{"query":{"customerId":"c1"}}`; string(got.Variables) != want || got.OperationName != "GetEntitlementsState" || got.Query != GetEntitlementsState_Operation {
		t.Errorf("sent %s with %s, want %s", got.OperationName, got.Variables, want)
	}
	if _, err = c.Fetch(t.Context(), entitlements.Key{CustomerID: "c1", ResourceID: "r1"}); err != nil {
		t.Fatal(err)
	}
	if want := `{"query":{"customerId":"c1","resourceId":"r1"}}`; string(got.Variables) != want {
		t.Errorf("sent %s, want %s", got.Variables, want)
	}
	if snap, err = c.Fetch(t.Context(), entitlements.Key{ResourceID: "r1"}); snap != nil || !errors.Is(err, ErrBadInput) {
		t.Errorf("Fetch for nobody = %v, %v; want ErrBadInput", snap, err)
	}
	if n := len(f.dials()); n != 1 {
		t.Errorf("%d connections for two requests, want 1", n)
	}
}

func TestIncompleteRepliesAreErrors(t *testing.T) {
	f, cfg := newFake(t)
	cfg.MaxResponseBytes = 1000
	c := mustNew(t, cfg)
	state := func(s string) string { return `{"data":{"entitlementsState":` + s + `}}` }
	one := func(s string) string { return state(`{"accessDeniedReason":null,"entitlementsV2":[` + s + `]}`) }
	feature := `{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":false,"feature":{"refId":"f","featureType":"BOOLEAN"}}`
	for name, body := range map[string]string{
		"empty":               ``,
		"empty object":        `{}`,
		"array":               `[]`,
		"html":                `<html>maintenance</html>`,
		"null":                `null`,
		"null data":           `{"data":null}`,
		"empty data":          `{"data":{}}`,
		"data is string":      `{"data":"x"}`,
		"null state":          state(`null`),
		"state is list":       state(`[]`),
		"empty state":         state(`{}`),
		"no list":             state(`{"accessDeniedReason":"CustomerNotFound"}`),
		"null list":           state(`{"accessDeniedReason":null,"entitlementsV2":null}`),
		"list is object":      state(`{"entitlementsV2":{}}`),
		"null element":        one(`null`),
		"string element":      one(`"x"`),
		"no typename":         one(strings.Replace(feature, "__typename", "x", 1)),
		"no isGranted":        one(strings.Replace(feature, "isGranted", "x", 1)),
		"null isGranted":      one(strings.Replace(feature, `"isGranted":true`, `"isGranted":null`, 1)),
		"isGranted is string": one(strings.Replace(feature, `"isGranted":true`, `"isGranted":"true"`, 1)),
		"no unlimited":        one(strings.Replace(feature, "hasUnlimitedUsage", "x", 1)),
		"no refId":            one(strings.Replace(feature, "refId", "x", 1)),
		"empty refId":         one(strings.Replace(feature, `"refId":"f"`, `"refId":""`, 1)),
		"no featureType":      one(strings.Replace(feature, "featureType", "x", 1)),
		"limit is string":     one(strings.Replace(feature, `"isGranted"`, `"usageLimit":"7","isGranted"`, 1)),
		"date is garbage":     one(strings.Replace(feature, `"isGranted"`, `"validUntil":"soon","isGranted"`, 1)),
		"no currency":         one(`{"__typename":"CreditEntitlement","isGranted":true}`),
		"truncated":           one(feature)[:120],
		"trailing garbage":    one(feature) + `}`,
		"too large":           one(feature) + strings.Repeat(" ", 1000),
	} {
		f.post = reply(200, body)
		snap, err := c.Fetch(t.Context(), aKey)
		e, ok := errors.AsType[*Error](err)
		if !ok || snap != nil || !errors.Is(err, ErrMalformed) || e.Op != "GetEntitlementsState" || !e.Retryable() || e.OutcomeUnknown() {
			t.Errorf("%s: Fetch = %v, %v; want ErrMalformed", name, snap, err)
		}
	}
	f.post = reply(200, one(feature))
	if _, err := c.Fetch(t.Context(), aKey); err != nil {
		t.Errorf("complete reply: %v", err)
	}
}

func TestCompressedReplyIsBoundedAfterDecompression(t *testing.T) {
	f, cfg := newFake(t)
	cfg.MaxResponseBytes = 1 << 20
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 8<<20))
	_ = z.Close()
	f.post = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding = %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}
	if _, err := mustNew(t, cfg).Fetch(t.Context(), aKey); !errors.Is(err, ErrMalformed) {
		t.Errorf("Fetch = %v, want ErrMalformed", err)
	}
}

func TestAbsenceIsData(t *testing.T) {
	f, cfg := newFake(t)
	c := mustNew(t, cfg)
	for _, list := range []string{"[]", "null"} {
		f.post = reply(200, `{"data":{"entitlementsState":{"accessDeniedReason":"CustomerNotFound","entitlementsV2":`+list+`}}}`)
		snap, err := c.Fetch(t.Context(), aKey)
		if err != nil || snap.Reason() != entitlements.CustomerNotFound || snap.Len() != 0 {
			t.Errorf("Fetch with list %s = %v, %v; want a snapshot with the reason", list, snap, err)
		}
	}
}

func TestErrorsOfTheAPI(t *testing.T) {
	withCode := func(code string) string {
		return fmt.Sprintf(`{"data":null,"errors":[{"message":"it failed","path":["x"],"extensions":{"code":%q,"traceId":"t-1"}},{"message":"and this"}]}`, code)
	}
	for _, tt := range []struct {
		status   int
		body     string
		is       error
		again    bool // Retryable as a query
		mutation bool // Retryable as a mutation
		unknown  bool // OutcomeUnknown as a mutation
	}{
		{200, withCode("CustomerNotFound"), ErrNotFound, false, false, false},
		{200, withCode("CUSTOMER_NOT_FOUND"), ErrNotFound, false, false, false},
		{400, withCode("PromotionalEntitlementNotFoundError"), ErrNotFound, false, false, false},
		{200, withCode("Unauthenticated"), ErrUnauthenticated, false, false, false},
		{200, withCode("UNAUTHENTICATED"), ErrUnauthenticated, false, false, false},
		{200, withCode("ApiKeyExpired"), ErrUnauthenticated, false, false, false},
		{401, ``, ErrUnauthenticated, false, false, false},
		{403, `<html>`, ErrForbidden, false, false, false},
		{200, withCode("IdentityForbidden"), ErrForbidden, false, false, false},
		{429, `slow down`, ErrRateLimited, true, true, false},
		{200, withCode("RateLimitExceeded"), ErrRateLimited, true, true, false},
		{200, withCode("BadUserInput"), ErrBadInput, false, false, false},
		{200, withCode("VALIDATION_ERROR"), ErrBadInput, false, false, false},
		{400, `{}`, ErrBadInput, false, false, false},
		{200, withCode("DuplicatedEntityNotAllowed"), ErrConflict, false, false, false},
		{200, withCode("ObjectAlreadyBeingUsedByAnotherRequestError"), ErrConflict, true, true, false},
		{200, withCode("OperationTimeout"), nil, true, true, false},
		{200, withCode("UnexpectedError"), nil, true, false, true},
		{500, withCode("INTERNAL_SERVER_ERROR"), nil, true, false, true},
		{200, withCode("SomethingNew"), nil, false, false, false},
		{500, ``, nil, true, false, true},
		{502, `<html>bad gateway</html>`, nil, true, false, true},
		{503, `{"errors":[]}`, nil, true, false, true},
		{302, ``, nil, false, false, false},
		{204, ``, nil, false, false, false},
		{200, `{"data":null}`, ErrMalformed, true, false, true},
		{200, `{"data":{"entitlementsState":{"entitlementsV2":[{}]},"reportUsage":{}},"errors":[{"message":"m","extensions":{"code":"ApiKeyExpired"}}]}`, ErrUnauthenticated, false, false, false},
		{200, `{"errors":{"message":"not a list"}}`, ErrMalformed, true, false, true},
		{200, `{"errors":[3]}`, ErrMalformed, true, false, true},
	} {
		t.Run(fmt.Sprintf("%d %.60s", tt.status, tt.body), func(t *testing.T) {
			f, cfg := newFake(t)
			f.post = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", "17")
				reply(tt.status, tt.body)(w, r)
			}
			c := mustNew(t, cfg)
			_, err := c.Fetch(t.Context(), aKey)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("Fetch = %v, want *Error", err)
			}
			for _, sentinel := range []error{ErrNotFound, ErrUnauthenticated, ErrForbidden, ErrRateLimited, ErrBadInput, ErrConflict, ErrMalformed} {
				if errors.Is(err, sentinel) != (sentinel == tt.is) {
					t.Errorf("%v: Is(%v) = %v, want %v", err, sentinel, errors.Is(err, sentinel), tt.is)
				}
			}
			if e.Status != tt.status || e.RetryAfter != 17*time.Second || e.Retryable() != tt.again || e.OutcomeUnknown() {
				t.Errorf("%v: status %d, Retry-After %v, Retryable %v, OutcomeUnknown %v", e, e.Status, e.RetryAfter, e.Retryable(), e.OutcomeUnknown())
			}
			if e.Code != "" && strings.Contains(tt.body, "t-1") && (e.TraceID != "t-1" || e.Message != "it failed (and 1 more)") {
				t.Errorf("%v: trace %q, message %q", e, e.TraceID, e.Message)
			}
			_, err = ReportUsage(t.Context(), c, ReportUsageInput{CustomerId: "c", FeatureId: "f"})
			if e, ok = errors.AsType[*Error](err); !ok || e.Op != "ReportUsage" || e.Retryable() != tt.mutation || e.OutcomeUnknown() != tt.unknown {
				t.Errorf("as mutation: %v: Retryable %v, OutcomeUnknown %v", err, e.Retryable(), e.OutcomeUnknown())
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for in, want := range map[string]time.Duration{
			"99999999999999999999": 24 * time.Hour, "-99999999999999999999": 0,
			"": 0, "3": 3 * time.Second, " 3 ": 3 * time.Second, "-3": 0, "999999999999999999": 24 * time.Hour, "soon": 0,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
			time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
		} {
			if in == "999999999999999999" && math.MaxInt < 1<<60 {
				continue
			}
			if got := retryAfter(in); got != want {
				t.Errorf("retryAfter(%q) = %v, want %v", in, got, want)
			}
		}
	})
}

func TestServerThatNeverAnswers(t *testing.T) {
	for name, hang := range map[string]http.HandlerFunc{
		"no headers": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // until then a server does not notice that the client left
			<-r.Context().Done()
		},
		"half a body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"data":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, cfg := newFake(t)
				f.post = hang
				cfg.AttemptTimeout, cfg.MutationTimeout = 3*time.Second, 20*time.Second
				c := mustNew(t, cfg)

				start := time.Now()
				_, err := c.Fetch(t.Context(), aKey)
				if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || !e.Retryable() || time.Since(start) != 3*time.Second {
					t.Errorf("Fetch = %v after %v, want ErrTimeout alone after 3s", err, time.Since(start))
				}
				start = time.Now()
				_, err = ReportUsage(t.Context(), c, ReportUsageInput{CustomerId: "c1", FeatureId: "f"})
				if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrTimeout) || !e.OutcomeUnknown() || e.Retryable() || time.Since(start) != 20*time.Second {
					t.Errorf("ReportUsage = %v after %v, want ErrTimeout of unknown outcome after 20s", err, time.Since(start))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err = c.Fetch(ctx, aKey)
				if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) || e.Retryable() {
					t.Errorf("Fetch = %v, want the ctx's error", err)
				}
				cause := errors.New("user left")
				gone, leave := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { leave(cause) })
				if _, err = c.Fetch(gone, aKey); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
					t.Errorf("Fetch = %v, want the ctx's error and its cause", err)
				}
			})
		})
	}
}

func TestUnreachableServerHasSeenNothing(t *testing.T) {
	f, cfg := newFake(t)
	_ = f.Close()
	_, err := ReportUsage(t.Context(), mustNew(t, cfg), ReportUsageInput{CustomerId: "c1", FeatureId: "f"})
	if e, ok := errors.AsType[*Error](err); !ok || e.OutcomeUnknown() || !e.Retryable() {
		t.Errorf("ReportUsage = %v, want a failure that is known and worth another try", err)
	}
}

func TestBrokenConnectionLeavesTheOutcomeOpen(t *testing.T) {
	f, cfg := newFake(t)
	seen := 0
	f.post = func(w http.ResponseWriter, r *http.Request) {
		seen++
		if seen == 1 {
			reply(200, `{"data":{"reportUsage":{"id":"1","featureId":"f","customerId":"c","timestamp":"2026-11-22T19:10:00Z"}}}`)(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}
	c := mustNew(t, cfg)
	if _, err := ReportUsage(t.Context(), c, ReportUsageInput{CustomerId: "c1", FeatureId: "f"}); err != nil {
		t.Fatal(err)
	}
	// The second goes over the same connection, which is what tempts net/http to repeat it.
	_, err := ReportUsage(t.Context(), c, ReportUsageInput{CustomerId: "c1", FeatureId: "f", IdempotencyKey: new("k")})
	if e, ok := errors.AsType[*Error](err); !ok || !e.OutcomeUnknown() || e.Retryable() || seen != 2 {
		t.Errorf("ReportUsage = %v, server saw %d; want unknown outcome after one request", err, seen-1)
	}
}

func TestRedirectIsNotFollowedWithTheKey(t *testing.T) {
	f, cfg := newFake(t)
	f.post = func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "stigg.test" {
			t.Errorf("request to %s with key %q", r.Host, r.Header.Get("X-API-KEY"))
		}
		http.Redirect(w, r, "http://evil.test/graphql", http.StatusTemporaryRedirect)
	}
	client := &http.Client{}
	cfg.HTTPClient = client
	_, err := mustNew(t, cfg).Fetch(t.Context(), aKey)
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusTemporaryRedirect {
		t.Errorf("Fetch = %v, want status 307", err)
	}
	if client.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

func TestKeyAppearsInNoError(t *testing.T) {
	f, cfg := newFake(t)
	quoted, _ := json.Marshal("bad key " + testKey)
	for _, body := range []string{
		`{"errors":[{"message":` + string(quoted) + `,"extensions":{"code":` + string(quoted) + `,"traceId":` + string(quoted) + `}}]}`,
		`{"data":{"reportUsage":{"id":"1","featureId":"f","customerId":"c","timestamp":` + string(quoted) + `}}}`,
	} {
		for _, status := range []int{200, 401, 500} {
			f.post = reply(status, body)
			c := mustNew(t, cfg)
			_, err := ReportUsage(t.Context(), c, ReportUsageInput{CustomerId: "c1", FeatureId: "f"})
			if err == nil {
				t.Fatal("no error")
			}
			mustNotLeak(t, err)
			mustNotLeak(t, errors.Unwrap(err))
		}
	}
	_ = f.Close()
	_, err := mustNew(t, cfg).Fetch(t.Context(), aKey)
	mustNotLeak(t, err)
}

func TestBadKeysAreRefusedUnprinted(t *testing.T) {
	f, cfg := newFake(t)
	for _, key := range []string{"", "$ecret\n", "$ecret\x00", "\x7f$ecret", " $ecret", "$ecret "} {
		cfg.APIKey = func() string { return key }
		c := mustNew(t, cfg)
		_, err := c.Fetch(t.Context(), aKey)
		_, streamErr := c.Subscribe(t.Context(), nil)
		for _, err := range []error{err, streamErr, ValidateAPIKey(key)} {
			if !errors.Is(err, ErrUnauthenticated) {
				t.Errorf("key %q: %v, want ErrUnauthenticated", key, err)
			}
			mustNotLeak(t, err)
		}
	}
	if n := len(f.dials()); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestKeyIsAskedForEachTime(t *testing.T) {
	f, cfg := newFake(t)
	var got []string
	f.post = func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("X-API-KEY"))
		reply(200, `{"data":{"sdkConfiguration":null}}`)(w, r)
	}
	n := 0
	cfg.APIKey = func() string { n++; return fmt.Sprint("key-", n) }
	c := mustNew(t, cfg)
	if err := errors.Join(c.CheckKey(t.Context()), c.CheckKey(t.Context())); err != nil || fmt.Sprint(got) != "[key-1 key-2]" {
		t.Errorf("keys %v, %v", got, err)
	}
}

func TestCheckKey(t *testing.T) {
	f, cfg := newFake(t)
	c := mustNew(t, cfg)
	f.post = reply(200, `{"data":{"sdkConfiguration":{"sentryDsn":null,"showWatermark":true}}}`)
	if err := c.CheckKey(t.Context()); err != nil {
		t.Error(err)
	}
	f.post = reply(401, ``)
	if err := c.CheckKey(t.Context()); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("CheckKey = %v, want ErrUnauthenticated", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{APIKey: func() string { return testKey }}
	for name, change := range map[string]func(*Config){
		"no key":           func(c *Config) { c.APIKey = nil },
		"scheme":           func(c *Config) { c.Endpoint = "ftp://x/" },
		"no host":          func(c *Config) { c.Endpoint = "https:///graphql" },
		"not a URL":        func(c *Config) { c.Endpoint = "http://a b:$ecret@%zz" },
		"credentials":      func(c *Config) { c.Endpoint = "https://user:$ecret@x/" },
		"ws scheme":        func(c *Config) { c.WebSocketEndpoint = "https://x/" },
		"negative timeout": func(c *Config) { c.AttemptTimeout = -1 },
		"negative limit":   func(c *Config) { c.MaxFrameBytes = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			mustNotLeak(t, err)
		}
	}
	cfg, err := good.withDefaults()
	if err != nil || cfg.Endpoint != "https://api.stigg.io/graphql" || cfg.WebSocketEndpoint != "wss://api.stigg.io/graphql" || cfg.AttemptTimeout != 10*time.Second {
		t.Errorf("defaults = %+v, %v", cfg, err)
	}
	good.Endpoint = "http://localhost:4000/x?y=1"
	if cfg, err = good.withDefaults(); err != nil || cfg.WebSocketEndpoint != "ws://localhost:4000/x?y=1" {
		t.Errorf("WebSocketEndpoint = %q, %v", cfg.WebSocketEndpoint, err)
	}
}
