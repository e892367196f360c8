package gql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// newTLSFake is a fake that speaks TLS and HTTP/2, for example.com, and the roots that trust it.
func newTLSFake(t *testing.T) (*fakeStigg, *x509.CertPool) {
	f := &fakeStigg{pipeListener: newPipeListener(), t: t}
	srv := httptest.NewUnstartedServer(f)
	_ = srv.Listener.Close()
	srv.Listener = f
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return f, roots
}

func TestNetworkSettingsHoldForBothProtocols(t *testing.T) {
	f, roots := newTLSFake(t)
	major := 0
	f.post = func(w http.ResponseWriter, r *http.Request) {
		major = r.ProtoMajor
		reply(200, `{"data":{"sdkConfiguration":null}}`)(w, r)
	}
	f.script = func(p *peer) { p.accept(); p.waitGone() }
	base := Config{Endpoint: "https://example.com/graphql", APIKey: func() string { return testKey }}
	trusting := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	for name, change := range map[string]func(*Config){
		"own transport": func(c *Config) { c.TLSClientConfig, c.DialContext, c.Proxy = trusting, f.dial, noProxy },
		"caller's transport": func(c *Config) {
			c.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: trusting.Clone(), DialContext: f.dial, ForceAttemptHTTP2: true}}
		},
		"caller's transport, changed": func(c *Config) {
			c.HTTPClient = &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true}}
			c.TLSClientConfig, c.DialContext, c.Proxy = trusting, f.dial, noProxy
		},
		"other round tripper": func(c *Config) {
			c.HTTPClient = &http.Client{Transport: roundTripper{&http.Transport{TLSClientConfig: trusting.Clone(), DialContext: f.dial, ForceAttemptHTTP2: true}}}
			c.TLSClientConfig, c.DialContext, c.Proxy = trusting, f.dial, noProxy
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := base
			change(&cfg)
			c := mustNew(t, cfg)
			if cfg.HTTPClient != nil {
				defer cfg.HTTPClient.CloseIdleConnections()
			}
			if err := c.CheckKey(t.Context()); err != nil || major != 2 {
				t.Errorf("CheckKey = %v over HTTP/%d, want HTTP/2", err, major)
			}
			// After HTTP has been used: net/http puts h2 into the configuration that it shares with us.
			s, err := c.Subscribe(t.Context(), nil)
			if err != nil {
				t.Fatalf("Subscribe = %v", err)
			}
			_ = s.Close()
		})
	}
	t.Run("distrusting", func(t *testing.T) {
		cfg := base
		cfg.DialContext, cfg.Proxy = f.dial, noProxy
		c := mustNew(t, cfg)
		_, streamErr := c.Subscribe(t.Context(), nil)
		_, err := ReportUsage(t.Context(), c, ReportUsageInput{CustomerId: "c1", FeatureId: "f"})
		if e, ok := errors.AsType[*Error](err); !ok || e.OutcomeUnknown() {
			t.Errorf("ReportUsage = %v, want a failure that is known", err)
		}
		for _, err := range []error{c.CheckKey(t.Context()), streamErr} {
			if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
				t.Errorf("got %v, want an unknown authority", err)
			}
		}
	})
}

type roundTripper struct{ *http.Transport }

func TestProxyHoldsForBothProtocols(t *testing.T) {
	f, cfg := newFake(t)
	var seen []string
	f.post = func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusBadGateway)
	}
	proxy := http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.test:3128"})
	for _, change := range []func(*Config){
		func(c *Config) { c.Proxy = proxy },
		func(c *Config) {
			c.Proxy, c.DialContext, c.HTTPClient = nil, nil, &http.Client{Transport: &http.Transport{Proxy: proxy, DialContext: f.dial}}
		},
	} {
		seen = nil
		cfg := cfg
		change(&cfg)
		c := mustNew(t, cfg)
		if err := c.CheckKey(t.Context()); err == nil {
			t.Error("no error through a proxy that refuses")
		}
		if _, err := c.Subscribe(t.Context(), nil); err == nil {
			t.Error("no error through a proxy that refuses")
		}
		if len(seen) != 2 || seen[0] != "POST stigg.test" || seen[1] != "CONNECT stigg.test:80" {
			t.Errorf("the proxy saw %q, want a POST and a CONNECT", seen)
		}
		if cfg.HTTPClient != nil {
			cfg.HTTPClient.CloseIdleConnections()
		}
	}
	for _, addr := range f.dials() {
		if addr != "proxy.test:3128" {
			t.Errorf("dialled %s past the proxy", addr)
		}
	}
}

func TestOwnTransport(t *testing.T) {
	cfg, err := Config{APIKey: func() string { return testKey }, AttemptTimeout: time.Second, QueryTimeout: time.Second, MutationTimeout: 2 * time.Second}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTransport(cfg)
	if tr.MaxIdleConnsPerHost != 64 || tr.HTTP2.SendPingTimeout != 10*time.Second ||
		tr.HTTP2.PingTimeout != 5*time.Second || tr.Proxy == nil || !tr.ForceAttemptHTTP2 {
		t.Errorf("transport = %+v", tr)
	}
}
