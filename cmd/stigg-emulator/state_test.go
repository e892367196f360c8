package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asCommand makes the test binary the command, for tests that need a process to kill.
const asCommand = "STIGG_EMULATOR_TEST_AS_COMMAND"

// started is a running command; stop interrupts it and returns its exit code and what it printed to standard error.
type started struct {
	url, control string
	stop         func() (int, string)
}

func start(t *testing.T, args ...string) started {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	var stderr strings.Builder
	code := make(chan int, 1)
	go func() { // joined by stop
		code <- run(ctx, append([]string{"-listen", "127.0.0.1:0", "-control", "127.0.0.1:0"}, args...), stdout, &stderr)
		stdout.Close()
	}()
	s := started{stop: func() (int, string) { interrupt(); return <-code, stderr.String() }}
	s.url, s.control = addresses(t, out)
	return s
}

// addresses reads where a command listens from the two lines that it prints.
func addresses(t *testing.T, out io.Reader) (url, control string) {
	t.Helper()
	lines := bufio.NewReader(out)
	for _, to := range []*string{&url, &control} {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the command printed %q: %v", line, err)
		}
		*to = strings.TrimSuffix(strings.Fields(line)[3], ";")
	}
	return url, control
}

func curl(t *testing.T, url, key, body string) string {
	t.Helper()
	method := "GET"
	if body != "" {
		method = "POST"
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", key)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return string(answer)
}

const askState = `{"query":"{entitlementsState(query:{customerId:\"acme\"}){entitlementsV2{...on FeatureEntitlement{feature{refId} currentUsage}}}}"}`

// TestStateOutlivesTheProcess: what was provisioned over HTTP is there again after a stop and a start, usage and all.
func TestStateOutlivesTheProcess(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state.json")
	catalog := filepath.Join(t.TempDir(), "catalog.yaml")
	if err := os.WriteFile(catalog, []byte("features: [{id: f, type: boolean}]\nproducts: [{id: a}]\nplans: [{id: p, product: a}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "-state", name)
	curl(t, s.url+"/graphql", "server-emulator-key", `{"query":"mutation{provisionCustomer(input:{customerId:\"acme\",subscriptionParams:{planId:\"growth\"}}){customer{id}}}"}`)
	curl(t, s.url+"/graphql", "server-emulator-key", `{"query":"mutation{reportUsage(input:{customerId:\"acme\",featureId:\"seats\",value:7}){id}}"}`)
	want := curl(t, s.url+"/graphql", "server-emulator-key", askState)
	if !strings.Contains(want, `"refId":"seats"},"currentUsage":7`) {
		t.Fatalf("provisioned: %s", want)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file before the end: %v, want none", err)
	}
	if code, stderr := s.stop(); code != 0 || stderr != "" {
		t.Fatalf("stopped with %d, %q", code, stderr)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want it there, for its owner only", info, err)
	}

	// Again, with a key that the file does not have and a catalog that it makes idle.
	s = start(t, "-state", name, "-api-key", "other", "-catalog", catalog)
	for _, key := range []string{"server-emulator-key", "other"} {
		if got := curl(t, s.url+"/graphql", key, askState); got != want {
			t.Errorf("after a restart, with key %s: %s\nwant %s", key, got, want)
		}
	}
	if code, stderr := s.stop(); code != 0 || !strings.Contains(stderr, "warning: the catalog is that of "+name) {
		t.Errorf("stopped with %d, %q; want a warning that -catalog is idle", code, stderr)
	}
	if left, _ := filepath.Glob(name + "*"); len(left) != 1 {
		t.Errorf("files left: %v, want the state alone", left)
	}
}

// TestAKilledCommandLeavesTheOldState: nothing is written before a clean end.
func TestAKilledCommandLeavesTheOldState(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state.json")
	s := start(t, "-state", name)
	curl(t, s.control+"/provision", "", `{"customerId":"acme","planId":"growth"}`)
	if code, stderr := s.stop(); code != 0 {
		t.Fatalf("stopped with %d, %s", code, stderr)
	}
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-listen", "127.0.0.1:0", "-control", "127.0.0.1:0", "-state", name)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, control := addresses(t, out)
	curl(t, control+"/provision", "", `{"customerId":"later","planId":"free"}`)
	if err := cmd.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	if status, ok := cmd.Wait().(*exec.ExitError); !ok || status.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the command ended with %v", status)
	}
	if now, err := os.ReadFile(name); err != nil || string(now) != string(old) {
		t.Errorf("after kill -9 the file has %d bytes (%v), want the %d it had", len(now), err, len(old))
	}
	s = start(t, "-state", name)
	if got := curl(t, s.control+"/snapshot?customerId=acme", "", ""); !strings.Contains(got, `"seats"`) {
		t.Errorf("started again: acme has %s", got)
	}
	s.stop()
}

// TestAForeignStateIsLeftAlone: a file that cannot be read as a state is an error that says what to do, and stays as it was.
func TestAForeignStateIsLeftAlone(t *testing.T) {
	s := start(t, "-state", filepath.Join(t.TempDir(), "state.json"))
	whole := curl(t, s.control+"/dump", "", "")
	s.stop()
	dir := t.TempDir()
	for text, says := range map[string]string{
		"":                               "there is nothing in it",
		whole[:len(whole)/2]:             "cut short",
		"features: []\n":                 "not JSON",
		`{"plans":[]}`:                   "format: is missing",
		whole[:2] + `"x":1,` + whole[2:]: "no such field",
		strings.Replace(whole, `"version": 1`, `"version": 9`, 1): "newer emulator",
	} {
		name := filepath.Join(dir, "state.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr strings.Builder
		code := run(t.Context(), []string{"-listen", "127.0.0.1:0", "-state", name}, &stdout, &stderr)
		if code != 1 || stdout.String() != "" || !strings.Contains(stderr.String(), says) || !strings.Contains(stderr.String(), name) || !strings.Contains(stderr.String(), "Delete it to begin anew") {
			t.Errorf("state %.30q: code %d, stdout %q, stderr %q; want 1, nothing, %q and what to do", text, code, stdout.String(), stderr.String(), says)
		}
		if now, err := os.ReadFile(name); err != nil || string(now) != text {
			t.Errorf("state %.30q is %.30q now (%v)", text, now, err)
		}
	}
	var stderr strings.Builder
	if code := run(t.Context(), []string{"-listen", "127.0.0.1:0", "-state", filepath.Join(dir, "nowhere", "state.json")}, io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), "no such file") {
		t.Errorf("a directory that is not there: code %d, %q", code, stderr.String())
	}
}

// TestASaveThatFailsLeavesTheOldState: a disk that is full halfway, say.
func TestASaveThatFailsLeavesTheOldState(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := save(name, func(w io.Writer) error {
		fmt.Fprint(w, "ne")
		return errors.New("disk full")
	})
	if err == nil || !strings.Contains(err.Error(), "disk full") || !strings.Contains(err.Error(), name) {
		t.Errorf("save = %v, want why, and which file", err)
	}
	if text, _ := os.ReadFile(name); string(text) != "old" {
		t.Errorf("the file is %q, want what it was", text)
	}
	if left, _ := filepath.Glob(name + "*"); len(left) != 1 {
		t.Errorf("files left: %v, want the state alone", left)
	}
}
