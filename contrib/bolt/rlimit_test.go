//go:build linux || darwin

package bolt_test

import (
	"errors"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/usage"
)

// fillDisk is a child that accepts more than the system lets it write.
func fillDisk(p plan, say func(format string, args ...any)) int {
	signal.Ignore(syscall.SIGXFSZ) // the write fails then
	queue, err := bolt.Open(p.Path)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: p.FileSize, Max: p.FileSize})
	}
	if err != nil {
		say("! %v", err)
		return 1
	}
	refused := 0
	for slot := p.First; slot < p.Last && refused < 3; slot++ {
		switch _, err := queue.Append(usage.Reports, report(slot)); {
		case err == nil:
			say("= %d", slot)
		case errors.Is(err, bolt.ErrUnknown):
			say("! %v", err)
		default:
			refused++
			say("full %v", err)
		}
	}
	if err := queue.Close(); err != nil {
		say("! %v", err)
	}
	return 0
}

// TestAFileThatMayNotGrow, as the system says it and not a test: what was accepted is there, and nothing else.
func TestAFileThatMayNotGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	c := startChild(t, plan{Path: path, Last: 20_000, FileSize: 128 << 10})
	c.join()
	accepted, full := 0, 0
	for _, line := range c.lines {
		switch kind, _, _ := strings.Cut(line, " "); kind {
		case "=":
			accepted++
		case "full":
			full++
			if !strings.Contains(line, "file too large") {
				t.Error(line)
			}
		default:
			t.Error(line)
		}
	}
	if accepted < 100 || full != 3 {
		t.Fatalf("%d accepted, %d refused", accepted, full)
	}
	if n, _ := opened(t, path).Len(usage.Reports); n != accepted {
		t.Errorf("%d are there, %d were accepted", n, accepted)
	}
}

// TestAnotherProcessHasTheFile, until it is killed.
func TestAnotherProcessHasTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	c := startChild(t, plan{URL: "http://127.0.0.1:1", Path: path, Last: 1})
	c.wait("= ")
	_, err := bolt.Open(path, bolt.WithLockTimeout(0))
	if !errors.Is(err, bolt.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	c.kill()
	if n := opened(t, path).Last(usage.Reports); n != 1 { // waits for its end
		t.Errorf("the last is %d", n)
	}
	c.join()
}
