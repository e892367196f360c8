package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/entcache/entcache/emulator"
)

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestServesUntilInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	code := make(chan int)
	go func() { code <- run(ctx, []string{"-listen", "127.0.0.1:0", "-api-key", "k1"}, stdout, io.Discard) }() // joined below

	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.Fields(line)[3]
	if !strings.HasPrefix(url, "http://127.0.0.1:") || !strings.Contains(line, "k1") || !strings.Contains(line, "curl -s "+url) {
		t.Errorf("printed %q, want URL, key and an example", line)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/graphql", strings.NewReader(`{"query":"{sdkConfiguration{showWatermark}}"}`))
	req.Header.Set("X-API-KEY", "k1")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if want := `{"data":{"sdkConfiguration":{"showWatermark":false}}}`; string(body) != want {
		t.Errorf("answer = %s, want %s", body, want)
	}

	interrupt()
	if got := <-code; got != 0 {
		t.Errorf("exit code = %d, want 0", got)
	}
}

// With -rate-limits the 31st update of a customer within a minute is refused, and says when it may come again; without it nothing is.
func TestRateLimitsWhenAsked(t *testing.T) {
	for _, row := range []struct {
		args   []string
		status int
		after  string
	}{{nil, http.StatusOK, ""}, {[]string{"-rate-limits"}, http.StatusTooManyRequests, "60"}} {
		ctx, interrupt := context.WithCancel(t.Context())
		out, stdout := io.Pipe()
		code := make(chan int)
		go func() { code <- run(ctx, append([]string{"-listen", "127.0.0.1:0"}, row.args...), stdout, io.Discard) }() // joined below
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		var status int
		var after string
		for range 31 {
			body := `{"query":"mutation($in:UpdateCustomerInput!){updateOneCustomer(input:$in){id}}","variables":{"in":{"customerId":"acme","name":"Acme"}}}`
			req, err := http.NewRequestWithContext(t.Context(), "POST", strings.Fields(line)[3]+"/graphql", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-API-KEY", emulator.DefaultAPIKey)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			status, after = resp.StatusCode, resp.Header.Get("Retry-After")
		}
		// On a slow machine part of the minute is over by then.
		if status != row.status || (after == "") != (row.after == "") {
			t.Errorf("with %v: the last of 31 is %d, Retry-After %q; want %d, about %q", row.args, status, after, row.status, row.after)
		}
		interrupt()
		if got := <-code; got != 0 {
			t.Errorf("exit code = %d, want 0", got)
		}
	}
}

func TestServesControlOnASecondAddress(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	code := make(chan int)
	args := []string{"-listen", "127.0.0.1:0", "-control", "127.0.0.1:0", "-history", "10", "-request-log", "10"}
	go func() { code <- run(ctx, args, stdout, io.Discard) }() // joined below

	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSuffix(strings.Fields(line)[3], ";")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	ask(client.Post(url+"/provision", "application/json", strings.NewReader(`{"customerId":"acme","planId":"growth"}`)))
	if got := ask(client.Get(url + "/history?customerId=acme")); !strings.Contains(got, `"sso"`) {
		t.Errorf("history = %s, want the plan that was provisioned", got)
	}

	interrupt()
	if got := <-code; got != 0 {
		t.Errorf("exit code = %d, want 0", got)
	}
}

// An empty catalog is a legal one, and seldom what was meant.
func TestEmptyCatalogIsServedWithAWarning(t *testing.T) {
	for text, want := range map[string]string{
		"": "0 features and 0 plans", "# nothing yet\n": "0 features and 0 plans",
		"features: [{id: sso, type: boolean}]\n":              "1 features and 0 plans",
		"products: [{id: a}]\nplans: [{id: p, product: a}]\n": "0 features and 1 plans",
		emulator.DemoCatalogYAML():                            "",
	} {
		name := filepath.Join(t.TempDir(), "catalog.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		interrupted, interrupt := context.WithCancel(t.Context())
		interrupt()
		var stdout, stderr strings.Builder
		code := run(interrupted, []string{"-listen", "127.0.0.1:0", "-catalog", name}, &stdout, &stderr)
		if code != 0 || !strings.Contains(stdout.String(), "Stigg emulator at") {
			t.Errorf("catalog %.20q: code %d, stdout %q; want it served", text, code, stdout.String())
		}
		if got := stderr.String(); want == "" && got != "" || want != "" && (!strings.Contains(got, "warning: "+name) || !strings.Contains(got, want)) {
			t.Errorf("catalog %.20q: stderr %q, want %q", text, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "catalog.yaml")
	if err := os.WriteFile(broken, []byte("features: []\nproducts: []\nplans:\n  - {id: p, product: nowhere}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // parts
	}{
		{"prints the demo catalog", []string{"-print-catalog"}, 0, emulator.DemoCatalogYAML(), ""},
		{"help is no failure", []string{"-h"}, 0, "", "-allow-remote"},
		{"unknown flag", []string{"-nonsense"}, 2, "", "nonsense"},
		{"stray argument", []string{"serve"}, 2, "", `"serve"`},
		{"empty key", []string{"-api-key", ""}, 2, "", "-api-key"},
		{"all interfaces", []string{"-listen", ":4000"}, 2, "", "-allow-remote"},
		{"another machine's view", []string{"-listen", "192.0.2.1:4000"}, 2, "", "-allow-remote"},
		{"another machine's control", []string{"-listen", "127.0.0.1:0", "-allow-remote", "-control", ":4001"}, 2, "", "-control"},
		{"control without a port", []string{"-listen", "127.0.0.1:0", "-control", "127.0.0.1"}, 2, "", "-control"},
		{"negative history", []string{"-history", "-1"}, 2, "", "-history"},
		{"missing catalog", []string{"-listen", "127.0.0.1:0", "-catalog", broken + "x"}, 1, "", "no such file"},
		{"broken catalog", []string{"-listen", "127.0.0.1:0", "-catalog", broken}, 1, "", `line 4: plans[0].product: there is no product "nowhere"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(t.Context(), row.args, &stdout, &stderr)
			if code != row.code || !strings.Contains(stdout.String(), row.stdout) || !strings.Contains(stderr.String(), row.stderr) {
				t.Errorf("run(%q) = %d, stdout %q, stderr %q; want %d, %q, %q",
					row.args, code, stdout.String(), stderr.String(), row.code, row.stdout, row.stderr)
			}
		})
	}
}
