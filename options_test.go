package entcache_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
)

func TestNewRefusesBadConfiguration(t *testing.T) {
	tests := []struct {
		name string
		key  string
		opt  entcache.Option
		says string
	}{
		{"no key", "", nil, "API key is empty"},
		{"key with a line break", "server-\nkey", nil, "API key"},
		{"no scheme", "k", entcache.WithBaseURL("api.stigg.io"), "not an http or https URL"},
		{"not HTTP", "k", entcache.WithBaseURL("ftp://api.stigg.io"), "not an http or https URL"},
		{"no host", "k", entcache.WithBaseURL("https:///x"), "not an http or https URL"},
		{"query", "k", entcache.WithBaseURL("https://h/?x=1"), "query or a fragment"},
		{"unparsable", "k", entcache.WithBaseURL("http://h:port"), "WithBaseURL"},
		{"host and port alone", "k", entcache.WithBaseURL("127.0.0.1:4000"), `give one such as "https://`},
		{"credentials", "k", entcache.WithBaseURL("https://user:hunter2@h"), "user or password"},
		{"entitlement timeout", "k", entcache.WithEntitlementTimeout(0), "WithEntitlementTimeout"},
		{"write timeout", "k", entcache.WithWriteTimeout(-1), "WithWriteTimeout"},
		{"poll interval", "k", entcache.WithPollInterval(0), "WithPollInterval"},
		{"max stale", "k", entcache.WithMaxStale(-1), "WithMaxStale"},
		{"budget", "k", entcache.WithRequestBudget(0, 1), "WithRequestBudget"},
		{"burst", "k", entcache.WithRequestBudget(1, 0), "WithRequestBudget"},
		{"memory", "k", entcache.WithMaxMemory(0), "WithMaxMemory"},
		{"Edge without a scheme", "k", entcache.WithEdge("edge.stigg.io"), "WithEdge"},
		{"Edge with credentials", "k", entcache.WithEdge("https://user:hunter2@h"), "user or password"},
		{"Edge with a query", "k", entcache.WithEdge("https://h/?x=1"), "query or a fragment"},
		{"usage window", "k", entcache.WithUsageWindow(0), "WithUsageWindow"},
		{"usage bound of no records", "k", entcache.WithUsageBound(0, 1, entcache.Reject), "WithUsageBound"},
		{"usage bound of no bytes", "k", entcache.WithUsageBound(1, 0, entcache.Reject), "WithUsageBound"},
		{"tries", "k", entcache.WithSetAside(-1, nil), "WithSetAside"},
		{"reservation timeout", "k", entcache.WithReservationTimeout(0), "WithReservationTimeout"},
		{"close timeout", "k", entcache.WithCloseTimeout(-1), "WithCloseTimeout"},
		{"fallback for no feature", "k", entcache.WithFeatureFallback("", entcache.FallbackValue{}), "WithFeatureFallback"},
		{"fallback for no currency", "k", entcache.WithCurrencyFallback("", entcache.FallbackValue{}), "WithCurrencyFallback"},
	}
	for _, tt := range tests {
		c, err := entcache.New(tt.key, tt.opt)
		if err == nil || c != nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: New = %v, %v; want an error that says %q", tt.name, c, err, tt.says)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", tt.name, err)
		}
		if tt.key != "" && len(tt.key) > 1 && strings.Contains(err.Error(), tt.key) {
			t.Errorf("%s: the error shows the key: %v", tt.name, err)
		}
	}
}

func TestBaseURLIsAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var asked []string
		w := newWorld(t)
		c := w.newClient(entcache.WithBaseURL("http://stigg.test:99/eu/"), entcache.WithDialContext(func(ctx context.Context, network, addr string) (net.Conn, error) {
			asked = append(asked, addr)
			return nil, errors.New("nobody home")
		}))
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Start(ctx)
		if len(asked) == 0 || asked[0] != "stigg.test:99" {
			t.Errorf("dialled %q, want stigg.test:99", asked)
		}
		// A path is kept: below it, /graphql, once.
		for _, base := range []string{"http://stigg.test:99/eu/", "http://stigg.test:99/eu/graphql", "http://stigg.test:99/eu/graphql/"} {
			c := w.newClient(entcache.WithBaseURL(base), entcache.WithDialContext(func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("nobody home")
			}))
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c.Start(ctx)
			if _, err := c.Reload(t.Context(), entcache.Key{CustomerID: "a"}); err == nil || !strings.Contains(err.Error(), `"http://stigg.test:99/eu/graphql"`) {
				t.Errorf("%s: error %v does not name /eu/graphql", base, err)
			}
		}
	})
}

func TestHTTPClientProxyAndTLSHoldForBothTransports(t *testing.T) {
	// The proxy is asked about every connection, HTTP and WebSocket, and refuses: no I/O happens.
	for name, option := range map[string]func(proxy func(*http.Request) (*url.URL, error)) entcache.Option{
		"WithProxy": entcache.WithProxy,
		"WithHTTPClient": func(proxy func(*http.Request) (*url.URL, error)) entcache.Option {
			return entcache.WithHTTPClient(&http.Client{Transport: &http.Transport{Proxy: proxy}})
		},
	} {
		bubble(t, func(t *testing.T) {
			var mu sync.Mutex
			var urls []string
			c, err := entcache.New("k", entcache.WithBaseURL("https://stigg.test"), option(func(r *http.Request) (*url.URL, error) {
				mu.Lock()
				defer mu.Unlock()
				urls = append(urls, r.URL.String())
				return nil, errors.New("no way out")
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c.Start(ctx)
			opened := len(urls)
			if opened == 0 {
				t.Errorf("%s: not asked about the stream", name)
			}
			c.Usage.Report(ctx, entcache.ReportUsageInput{CustomerId: "a", FeatureId: "b", Value: 1})
			if _, err := c.Reload(t.Context(), entcache.Key{CustomerID: "a"}); err == nil {
				t.Errorf("%s: an answer from nowhere", name)
			}
			mu.Lock()
			defer mu.Unlock()
			if all := strings.Join(urls[opened:], " "); !strings.Contains(all, "https://stigg.test/graphql") {
				t.Errorf("%s: asked about %q, want HTTP as well", name, urls)
			}
		})
	}
}

func TestTLSConfigIsUsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		var hello []string
		serverTLS := &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			mu.Lock()
			defer mu.Unlock()
			hello = append(hello, h.ServerName)
			return nil, errors.New("not today")
		}}
		c := w.newClient(entcache.WithBaseURL("https://stigg.test"), entcache.WithTLSConfig(&tls.Config{ServerName: "pinned.test"}),
			entcache.WithDialContext(func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() { // ends with the pipe, which the failed handshake closes
					defer server.Close()
					tls.Server(server, serverTLS).Handshake()
				}()
				return client, nil
			}))
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Start(ctx)
		c.Reload(ctx, entcache.Key{CustomerID: "a"})
		mu.Lock()
		defer mu.Unlock()
		if len(hello) < 2 || strings.Trim(strings.Join(hello, ""), "pined.ts") != "" || hello[0] != "pinned.test" {
			t.Errorf("server names %q, want pinned.test from HTTP and WebSocket", hello)
		}
	})
}

func TestEntitlementTimeoutBoundsACheck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithEntitlementTimeout(3*time.Second))
		w.stigg.Faults().HangHTTP(true)
		began := time.Now()
		_, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "acme", FeatureID: "seats"})
		if took := time.Since(began); err == nil || took > 3*time.Second || took < time.Second {
			t.Errorf("took %v with %v, want at most 3s", took, err)
		}
	})
}

func TestWriteTimeoutBoundsAWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithWriteTimeout(3*time.Second))
		w.stigg.Faults().HangHTTP(true)
		began := time.Now()
		_, err := w.client.Customers.Provision(t.Context(), entcache.ProvisionCustomerInput{CustomerId: new("acme")})
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v with %v, want 3s", took, err)
		}
		if e, ok := errors.AsType[*entcache.APIError](err); !ok || !e.OutcomeUnknown() {
			t.Errorf("%v does not say that the outcome is unknown", err)
		}
		// A report is repeated, all in the same time.
		began = time.Now()
		_, err = w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1})
		if took := time.Since(began); took > 3*time.Second || err == nil {
			t.Errorf("a report took %v with %v, want at most 3s", took, err)
		}
		w.stigg.Faults().HangHTTP(false)
		w.stigg.Faults().FailNext(9, emulator.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}})
		began = time.Now()
		_, err = w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1})
		if took := time.Since(began); took > 0 || !errors.Is(err, entcache.ErrRateLimited) {
			t.Errorf("a report that would have to wait for a minute took %v with %v", took, err)
		}
	})
}

func TestMaxStaleBoundsWhatIsServed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithMaxStale(time.Minute))
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
		w.stigg.Faults().Refuse(true)
		w.stigg.Faults().CutSockets()
		w.after(50 * time.Second)
		w.want(w.check("acme", "seats", 1), true, entcache.Stale)
		w.after(20 * time.Second)
		d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1})
		w.want(d, false, entcache.Fallback)
		if err == nil {
			t.Error("no explanation")
		}
		if d, ok := w.client.Peek(entcache.Query{CustomerID: "acme", FeatureID: "seats"}); ok || d.Origin != entcache.Fallback {
			t.Errorf("Peek serves %v", d.Origin)
		}
	})
}

// TestOutageIsBridgedForADay: that is the default.
func TestOutageIsBridgedForADay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
		w.stigg.Faults().Refuse(true)
		w.stigg.Faults().CutSockets()
		w.after(24*time.Hour - time.Minute)
		w.want(w.check("acme", "seats", 1), true, entcache.Stale)
		w.after(2 * time.Minute)
		d, err := w.client.GetEntitlement(t.Context(), entcache.Query{CustomerID: "acme", FeatureID: "seats"})
		w.want(d, false, entcache.Fallback)
		if err == nil {
			t.Error("a fallback without an explanation")
		}
	})
}

// A stream that is silent without being closed is Live until its deadline: the bound holds for those answers too.
func TestMaxStaleBoundsLiveAnswersToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithMaxStale(5*time.Second), entcache.WithEntitlementTimeout(time.Second))
		w.want(w.check("acme", "seats", 1), true, entcache.Fetched)
		w.stigg.Faults().HalfOpen(true)
		w.stigg.Faults().HangHTTP(true)
		for range 30 {
			w.after(time.Second)
			q := entcache.Query{CustomerID: "acme", FeatureID: "seats"}
			if d, _ := w.client.GetEntitlement(t.Context(), q); d.Origin != entcache.Fallback && d.Age() > 5*time.Second {
				t.Fatalf("%v and %v old, with a bound of 5s", d.Origin, d.Age())
			}
			if d, ok := w.client.Peek(q); ok && d.Age() > 5*time.Second {
				t.Fatalf("Peek: %v and %v old, with a bound of 5s", d.Origin, d.Age())
			}
		}
	})
}

func TestMaxStaleZeroSetsNoBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithMaxStale(0))
		w.want(w.check("acme", "sso", 0), false, entcache.Fetched)
		w.stigg.Faults().Refuse(true)
		w.stigg.Faults().CutSockets()
		w.after(25 * time.Hour)
		w.want(w.check("acme", "sso", 0), false, entcache.Stale)
	})
}

func TestDenyWhileSuspect(t *testing.T) {
	for _, deny := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			var opts []entcache.Option
			if deny {
				opts = append(opts, entcache.WithDenyWhileSuspect())
			}
			w := started(t, opts...)
			w.want(w.check("globex", "seats", 1), true, entcache.Fetched)
			// An event arrives after the one that overtook it, and the fetch that would decide hangs.
			w.stigg.Faults().HangHTTP(true)
			w.stigg.Faults().ReorderEvents(1)
			w.provision("globex", "growth")
			w.provision("globex", "starter")
			w.settle()
			w.want(w.check("globex", "seats", 1), !deny, entcache.Stale)
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const bound = 64 << 10
		w := started(t, entcache.WithMaxMemory(bound))
		for i := range 200 {
			w.check(fmt.Sprintf("customer-%d", i), "seats", 1)
			id := fmt.Sprintf("paying-%d", i)
			w.provision(id, "growth")
			w.check(id, "seats", 1)
		}
		s := w.client.Status()
		if s.MemoryBytes > bound || s.Resident == 0 || s.Resident == 400 {
			t.Errorf("%d bytes with %d resident, want at most %d bytes and not everybody", s.MemoryBytes, s.Resident, bound)
		}
		if st := w.client.Stats(); st.Evicted+st.Refused == 0 {
			t.Errorf("stats %+v: nobody gave way", st)
		}
	})
}

func TestFallbackOrder(t *testing.T) {
	c, err := entcache.New("k",
		entcache.WithFallback(entcache.FallbackValue{AccessDeniedReason: entcache.Revoked}),
		entcache.WithFeatureFallback("both", entcache.FallbackValue{AccessDeniedReason: entcache.BudgetExceeded}),
		entcache.WithCurrencyFallback("both", entcache.FallbackValue{HasAccess: true}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		q    entcache.Query
		want entcache.Reason
	}{
		{"general", entcache.Query{CustomerID: "a", FeatureID: "other"}, entcache.Revoked},
		{"by feature", entcache.Query{CustomerID: "a", FeatureID: "both"}, entcache.BudgetExceeded},
		{"by currency", entcache.Query{CustomerID: "a", CurrencyID: "both"}, ""},
		{"of the call", entcache.Query{CustomerID: "a", FeatureID: "both", Fallback: &entcache.FallbackValue{HasAccess: true}}, ""},
	} {
		d, err := c.GetEntitlement(t.Context(), tt.q)
		if d.AccessDeniedReason != tt.want || d.HasAccess != (tt.want == "") || d.Origin != entcache.Fallback || !errors.Is(err, entcache.ErrNotStarted) {
			t.Errorf("%s: %v %q %v (%v), want %q", tt.name, d.HasAccess, d.AccessDeniedReason, d.Origin, err, tt.want)
		}
	}
}

func TestOffline(t *testing.T) {
	c, err := entcache.New("", entcache.WithOffline(), entcache.WithFeatureFallback("sso", entcache.FallbackValue{HasAccess: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Start(t.Context()); err != nil {
		t.Error(err)
	}
	d, err := c.GetEntitlement(t.Context(), entcache.Query{CustomerID: "a", FeatureID: "sso"})
	if !d.HasAccess || d.Origin != entcache.Fallback || !errors.Is(err, entcache.ErrOffline) {
		t.Errorf("check: %+v, %v", d, err)
	}
	if _, err := c.GetEntitlement(t.Context(), entcache.Query{FeatureID: "sso"}); !errors.Is(err, entcache.ErrInvalidQuery) {
		t.Errorf("a check without a customer: %v", err)
	}
	if out, err := c.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "a", FeatureId: "b", Value: 1}); err != nil || out.Id == "" {
		t.Errorf("report: %+v, %v", out, err)
	}
	if _, err := c.Customers.Provision(t.Context(), entcache.ProvisionCustomerInput{CustomerId: new("a")}); !errors.Is(err, entcache.ErrOffline) {
		t.Errorf("provision: %v", err)
	}
	if err := c.Prefetch(t.Context(), []entcache.Key{{CustomerID: "a"}}, nil); !errors.Is(err, entcache.ErrOffline) {
		t.Errorf("prefetch: %v", err)
	}
}

func TestSourceReplacesTheAPI(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, err := entcache.New("k", entcache.WithSource(residentSource{[]string{"f"}}))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d, err := c.GetEntitlement(t.Context(), entcache.Query{CustomerID: "a", FeatureID: "f"}); !d.HasAccess || err != nil {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestLoggerHearsOfStatesAndNeverOfTheKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		w := started(t, entcache.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		w.check("acme", "seats", 1)
		w.stigg.Faults().CutSockets()
		w.after(time.Minute)
		w.stigg.RevokeAPIKey(emulator.DefaultAPIKey)
		w.after(time.Minute)
		w.client.Close()
		text := log.String()
		for _, want := range []string{`level=INFO msg="entcache: live"`, "level=WARN", "level=ERROR"} {
			if !strings.Contains(text, want) {
				t.Errorf("the log lacks %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, emulator.DefaultAPIKey) || strings.Contains(text, "acme") {
			t.Errorf("the log shows the key, or a check:\n%s", text)
		}
		lines := strings.Count(text, "\n")
		if n := strings.Count(text, `msg="entcache: `); n != lines {
			t.Errorf("%d of %d lines say whose they are:\n%s", n, lines, text)
		}
		if lines > 6 {
			t.Errorf("%d lines for two incidents:\n%s", lines, text)
		}
	})
}

func TestPollIntervalShowsInTheBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithPollInterval(time.Minute))
		if b := w.client.Status().Bound; b != 10*time.Minute {
			t.Errorf("bound while Live is %v, want ten poll intervals", b)
		}
		w.stigg.Faults().Refuse(true)
		w.stigg.Faults().CutSockets()
		w.settle()
		if b := w.client.Status().Bound; b != time.Minute {
			t.Errorf("bound without a stream is %v, want the poll interval", b)
		}
	})
}

func TestRequestBudgetHolds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithRequestBudget(60, 2), entcache.WithEntitlementTimeout(time.Hour))
		began := time.Now()
		for i := range 7 {
			w.check(fmt.Sprintf("customer-%d", i), "seats", 1)
		}
		if took := time.Since(began); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("seven misses at one a second after a burst of two took %v, want 5s", took)
		}
	})
}

func TestNoOptionIsNeeded(t *testing.T) {
	c, err := entcache.New("k")
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.GetEntitlement(t.Context(), entcache.Query{CustomerID: "a", FeatureID: "b"})
	if d.HasAccess || d.AccessDeniedReason != entitlements.Unknown || !errors.Is(err, entcache.ErrNotStarted) {
		t.Errorf("before Start: %+v, %v", d, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
