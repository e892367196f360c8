package interop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait for the server; only a test that fails waits that long.
const patience = 20 * time.Second

var (
	// server is the process that all tests share. Nil when this machine has none to offer; absent says why.
	server *process
	absent error
	node   string // the command
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(withServer{m}) }

// withServer runs the tests with the server beside them.
type withServer struct{ *testing.M }

func (w withServer) Run() int {
	var err error
	node, err = findNode()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		fmt.Fprintln(os.Stderr, "CI is set, and the interop tests cannot run:", err)
		return 1
	default:
		absent = fmt.Errorf("not run: %w", err)
		fmt.Fprintln(os.Stderr, absent)
		return w.M.Run()
	}
	if server, err = startProcess(node); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := w.M.Run()
	if err := server.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// findNode says where Node is, and whether the packages are installed.
func findNode() (string, error) {
	const advice = "npm ci in gql/internal/interop first"
	node, err := exec.LookPath("node")
	if err != nil {
		return "", fmt.Errorf("node not found; %s", advice)
	}
	text, err := os.ReadFile("package.json")
	if err != nil {
		return "", err
	}
	var wanted struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &wanted); err != nil {
		return "", fmt.Errorf("package.json: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted.Dependencies)) {
		version := wanted.Dependencies[name]
		text, err := os.ReadFile(filepath.Join("node_modules", name, "package.json"))
		if err != nil {
			return "", fmt.Errorf("npm package %s is not installed; %s", name, advice)
		}
		var installed struct{ Version string }
		if err := json.Unmarshal(text, &installed); err != nil || installed.Version != version {
			return "", fmt.Errorf("npm package %s is installed as %q, not %s; %s", name, installed.Version, version, advice)
		}
	}
	return node, nil
}

// process is a running server.mjs.
type process struct {
	cmd    *exec.Cmd
	addr   string
	stdin  io.WriteCloser
	reader sync.WaitGroup

	mu     sync.Mutex
	stages map[string]*stage
}

// happening is a line that the server writes: something it saw, on one stage.
type happening struct {
	Stage   string
	Saw     string
	ID      string
	Text    string
	Code    int
	Payload json.RawMessage
	Headers map[string]string

	Port int // of the first line
}

func startProcess(node string) (*process, error) {
	// Looked at, so that go test knows: a changed server makes its cached results stale.
	if _, err := os.ReadFile("server.mjs"); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(node, "server.mjs", "../../schema/schema.graphql"), stages: map[string]*stage{}}
	p.cmd.Stderr = os.Stderr
	p.cmd.WaitDelay = patience
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	late := time.AfterFunc(patience, p.kill)
	defer late.Stop()
	lines := bufio.NewReader(stdout)
	first, err := next(lines)
	if err != nil || first.Port == 0 {
		p.kill()
		return nil, fmt.Errorf("server.mjs says no port: %w", errors.Join(err, p.cmd.Wait()))
	}
	p.addr = fmt.Sprintf("127.0.0.1:%d", first.Port)
	p.reader.Go(func() { p.read(lines) })
	return p, nil
}

func next(lines *bufio.Reader) (h happening, err error) {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(line, &h)
}

// read hands each happening to its stage, until the process ends.
func (p *process) read(lines *bufio.Reader) {
	for {
		h, err := next(lines)
		if err != nil {
			break
		}
		p.mu.Lock()
		s := p.stages[h.Stage]
		p.mu.Unlock()
		switch {
		case s == nil: // its test is over
		case h.Saw == "command":
			s.obeyed <- struct{}{}
		default:
			s.seen <- h
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.stages {
		close(s.seen)
	}
	p.stages = nil
}

// stop ends the process: by the end of its input, or, when it does not mind that, by its id.
func (p *process) stop() error {
	_ = p.stdin.Close()
	late := time.AfterFunc(patience, p.kill)
	defer late.Stop()
	p.reader.Wait() // before Wait, which closes what it reads from
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("server.mjs: %w", err)
	}
	return nil
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }
