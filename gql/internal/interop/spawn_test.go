package interop

import (
	"bufio"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// emulatorKey is the key that cmd/stigg-emulator accepts.
const emulatorKey = "server-emulator-key"

// running is an emulator in a process of its own.
type running struct{ url, control string }

var announced = regexp.MustCompile(`at (http://127\.0\.0\.1:\d+)`)

// startEmulator runs the command until the end of the test.
func startEmulator(t *testing.T, command string, flags ...string) running {
	t.Helper()
	cmd := exec.Command(command, append([]string{"-listen", "127.0.0.1:0", "-api-key", emulatorKey}, flags...)...)
	out := spawn(t, cmd, func() error { return cmd.Process.Signal(os.Interrupt) })
	var e running
	for _, url := range []*string{&e.url, &e.control} {
		line, err := out.ReadString('\n')
		m := announced.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("the emulator says %q (%v), and no URL", line, err)
		}
		if *url = m[1]; !slices.Contains(flags, "-control") {
			break
		}
	}
	return e
}

// operate posts to the control interface.
func (e running) operate(t *testing.T, path, body string) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(e.control+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("POST %s %s: %s %s", path, body, resp.Status, text)
	}
}

// spawn starts a process, and at the end of the test asks it to end, kills it by its id when it does not mind that, and wants it to
// have ended well.
func spawn(t *testing.T, cmd *exec.Cmd, ask func() error) *bufio.Reader {
	t.Helper()
	cmd.Stderr = t.Output()
	cmd.WaitDelay = patience
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Whoever waits for a line that does not come hears the end of the output.
	late := time.AfterFunc(10*patience, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Reset(patience)
		defer late.Stop()
		_ = ask()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", cmd.Path, err)
		}
	})
	return bufio.NewReader(stdout)
}

// buildEmulator builds the command.
func buildEmulator(t *testing.T) string {
	t.Helper()
	// Looked at, so that go test knows: the emulator is not imported, and a change of it makes cached results stale.
	for _, dir := range []string{emulatorDir, "../../../cmd/stigg-emulator", "../../schema"} {
		if err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"client.mjs", "../../../go.sum"} {
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	command := filepath.Join(t.TempDir(), "stigg-emulator")
	build := exec.Command("go", "build", "-o", command, "github.com/entcache/entcache/cmd/stigg-emulator")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return command
}
