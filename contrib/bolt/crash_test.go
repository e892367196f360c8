package bolt_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const crashCatalog = `
features:
  - {id: calls, name: Calls, type: number, meter: incremental, unit: call, units: calls}
  - {id: seats, name: Seats, type: number, meter: fluctuating, unit: seat, units: seats}
  - {id: work, name: Work, type: number, meter: incremental, unit: unit, units: units, events: {name: job, aggregate: sum, field: n}}
products:
  - {id: app, name: App}
plans:
  - id: all
    product: app
    name: All
    entitlements: [{feature: calls, unlimited: true}, {feature: seats, unlimited: true}, {feature: work, unlimited: true}]
`

// TestKilledAtAnyMoment: processes that accept usage are killed, round after round, on one queue file, while Stigg hangs, refuses,
// answers what is no answer, or is killed itself. What a process was told is accepted is counted once in the end; what it was not
// told of is counted once or not at all.
//
// It is about real processes, so that it takes real time: the delays are those after which something is killed, and nothing is waited
// for by them. ENTCACHE_SEED repeats the delays, though not what they meet.
func TestKilledAtAnyMoment(t *testing.T) {
	const rounds, slotsOfRound, customers = 56, 250, 200
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ENTCACHE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("ENTCACHE_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("ENTCACHE_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, seed))
	stigg := startStigg(t)
	for i := range customers {
		stigg.control("/provision", map[string]any{"customerId": fmt.Sprint("customer-", i), "planId": "all"})
	}
	path := filepath.Join(t.TempDir(), "usage.db")
	attempted, accepted, slot, found := map[int]bool{}, map[int]bool{}, 0, 0
	outcome := func(status int) map[string]any {
		return map[string]any{"status": status, "headers": map[string]string{"Retry-After": "1"}, "body": "<html>no answer</html>"}
	}
	lost := func(reply map[string]any) {
		for _, name := range []string{"reportUsageBulk", "reportEvent"} {
			stigg.control("/faults/replace-reply", map[string]any{"operation": name, "reply": reply})
		}
	}
	for round := range rounds {
		last := round == rounds-1
		killStigg := false
		switch round % 8 {
		case 1:
			stigg.control("/faults/hang-http", map[string]any{"on": true})
		case 2:
			stigg.control("/faults/refuse", map[string]any{"on": true})
		case 3:
			lost(outcome(http.StatusBadGateway)) // it is counted all the same
		case 4:
			stigg.control("/faults/fail-next", map[string]any{"n": 3, "reply": outcome(http.StatusTooManyRequests)})
		case 5:
			lost(map[string]any{"body": `{"data":`, "truncate": true}) // and so it is here
		case 6:
			killStigg = true
		}
		if last {
			stigg.control("/faults/clear", nil)
		}
		c := startChild(t, plan{URL: stigg.front.URL, Path: path, First: slot, Last: slot + slotsOfRound, Ends: last})
		if !last {
			if round%2 == 0 { // otherwise it may be killed while it opens the file
				c.wait("= ")
			}
			if killStigg {
				stigg.killed()
			}
			timer := time.NewTimer(time.Duration(random.Int64N(int64(150 * time.Millisecond))))
			select {
			case <-timer.C:
			case <-c.ended:
				timer.Stop()
			}
			c.kill()
		}
		c.join()
		stigg.control("/faults/clear", nil)
		for _, line := range c.lines {
			kind, rest, _ := strings.Cut(line, " ")
			n, err := strconv.Atoi(rest)
			switch {
			case kind == "!" || err != nil:
				t.Errorf("round %d: %s", round, line)
			case kind == "+":
				attempted[n] = true
				slot = max(slot, n+1)
			case kind == "=":
				accepted[n] = true
			case kind == "open" && n > 0:
				found++
			}
		}
	}
	stigg.control("/clock/advance", map[string]any{"by": "1m"}) // raw events are counted a moment after they came
	counted, wrong := 0, 0
	for i := range customers {
		var snapshot struct {
			Entitlements []struct {
				FeatureID string
				Usage     float64
			}
		}
		stigg.read("/snapshot?customerId="+fmt.Sprint("customer-", i), &snapshot)
		if len(snapshot.Entitlements) != features {
			t.Fatalf("customer-%d has %d entitlements", i, len(snapshot.Entitlements))
		}
		for _, e := range snapshot.Entitlements {
			stigg.totals[fmt.Sprint("customer-", i)+"/"+e.FeatureID] = uint64(e.Usage)
		}
	}
	for n := range customers * features * digits {
		customer, feature, digit := meterOf(n)
		times := stigg.totals[customer+"/"+featureIDs[feature]] >> (2 * digit) & 3
		counted += int(times)
		if accepted[n] && times != 1 || attempted[n] && times > 1 || !attempted[n] && times != 0 {
			if wrong++; wrong <= 10 {
				t.Errorf("slot %d, of %s of %s: attempted %v, accepted %v, counted %d times", n, featureIDs[feature], customer, attempted[n], accepted[n], times)
			}
		}
	}
	if wrong > 10 {
		t.Errorf("and %d more", wrong-10)
	}
	t.Logf("%d attempted, %d accepted, %d counted; %d of %d processes found some of their predecessors'", len(attempted), len(accepted), counted, found, rounds)
	if len(accepted) < 20*rounds || found < rounds/4 {
		t.Errorf("%d accepted, %d processes found something: this test kills too early, or too late", len(accepted), found)
	}
}

// running is a child that runs.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines []string
	ended chan struct{}

	mu    sync.Mutex // guards the following
	heard *sync.Cond
}

func startChild(t *testing.T, p plan) *running {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &running{t: t, cmd: cmd, ended: make(chan struct{})}
	c.heard = sync.NewCond(&c.mu)
	go func() { // ends with the child, and join waits for it
		for s := bufio.NewScanner(out); s.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, s.Text())
			c.heard.Broadcast()
			c.mu.Unlock()
		}
		c.mu.Lock()
		close(c.ended)
		c.heard.Broadcast()
		c.mu.Unlock()
	}()
	return c
}

// wait waits for a line that begins so.
func (c *running) wait(prefix string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for seen := 0; ; c.heard.Wait() {
		for ; seen < len(c.lines); seen++ {
			if strings.HasPrefix(c.lines[seen], prefix) {
				return
			}
		}
		select {
		case <-c.ended:
			return
		default:
		}
	}
}

func (c *running) kill() { _ = c.cmd.Process.Kill() } // SIGKILL

// join waits for its end. A child that does not come to it is killed, and says nothing of what it did.
func (c *running) join() {
	timer := time.AfterFunc(30*time.Second, c.kill)
	defer timer.Stop()
	<-c.ended
	_ = c.cmd.Wait()
}

// stigg is an emulator in a process of its own, behind a proxy that stays while it is killed.
type stigg struct {
	t                     *testing.T
	binary, catalog, file string
	cmd                   *exec.Cmd
	controlURL            string
	front                 *httptest.Server
	transport             *http.Transport
	totals                map[string]uint64

	mu  sync.RWMutex // held for reading by each request on its way, and guards the following
	url *url.URL
}

func startStigg(t *testing.T) *stigg {
	t.Helper()
	dir := t.TempDir()
	s := &stigg{
		t: t, binary: filepath.Join(dir, "stigg-emulator"), catalog: filepath.Join(dir, "catalog.yaml"), file: filepath.Join(dir, "state"),
		transport: &http.Transport{}, totals: map[string]uint64{},
	}
	if out, err := exec.Command("go", "build", "-o", s.binary, "github.com/entcache/entcache/cmd/stigg-emulator").CombinedOutput(); err != nil {
		t.Fatalf("build the emulator: %v\n%s", err, out)
	}
	if err := os.WriteFile(s.catalog, []byte(crashCatalog), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(s.url) },
		Transport: s.transport,
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	s.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		proxy.ServeHTTP(w, r)
	}))
	s.front.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() {
		s.front.CloseClientConnections()
		s.front.Close()
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.transport.CloseIdleConnections()
	})
	return s
}

// start starts the emulator with the state that its predecessor left.
func (s *stigg) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.binary, "-listen", "127.0.0.1:0", "-control", "127.0.0.1:0", "-catalog", s.catalog, "-state", s.file)
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var urls []string
	for len(urls) < 2 && lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) > 3 {
			urls = append(urls, strings.TrimSuffix(words[3], ";"))
		}
	}
	if len(urls) < 2 {
		s.t.Fatalf("the emulator did not start: %v", lines.Err())
	}
	s.controlURL = urls[1]
	if s.url, err = url.Parse(urls[0]); err != nil {
		s.t.Fatal(err)
	}
}

// killed kills the emulator and starts it with what it had. It had answered all that it was asked: what it says is counted is in its
// state, so that what is missing in the end is not of this test's making.
func (s *stigg) killed() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.get("/dump")
	if err := os.WriteFile(s.file, state, 0o600); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.transport.CloseIdleConnections()
	s.start()
}

func (s *stigg) control(path string, in any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	if in == nil {
		body = nil
	}
	s.answer(http.MethodPost, path, body)
}

func (s *stigg) get(path string) []byte { return s.answer(http.MethodGet, path, nil) }

func (s *stigg) read(path string, into any) {
	s.t.Helper()
	if err := json.Unmarshal(s.get(path), into); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stigg) answer(method, path string, body []byte) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.controlURL+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: s.transport}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v: %s", path, resp.Status, err, text)
	}
	return text
}
