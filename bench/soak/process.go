package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// server is cmd/stigg-emulator in a process of its own. It keeps its addresses over a kill.
type server struct {
	binary  string
	catalog string
	listen  string
	control string
	process *exec.Cmd // nil while it does not run
}

// build compiles the emulator's command into dir.
func build(ctx context.Context, dir string) (*server, error) {
	s := &server{binary: filepath.Join(dir, "stigg-emulator"), listen: "127.0.0.1:0", control: "127.0.0.1:0"}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "github.com/entcache/entcache/cmd/stigg-emulator").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build the emulator; run the soak from within the repository: %w\n%s", err, out)
	}
	return s, nil
}

// start runs the emulator and returns when it listens.
func (s *server) start(apiKey string) error {
	s.process = exec.Command(s.binary, "-listen", s.listen, "-control", s.control, "-api-key", apiKey,
		"-catalog", s.catalog, "-history", strconv.Itoa(historyKept), "-request-log", "20000")
	s.process.Stderr = os.Stderr
	stdout, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		s.process = nil
		return fmt.Errorf("start the emulator: %w", err)
	}
	lines := bufio.NewReader(stdout)
	for _, addr := range []*string{&s.listen, &s.control} {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("read the emulator's address: %w", errors.Join(err, s.kill()))
		}
		if *addr, err = addressIn(line); err != nil {
			return errors.Join(err, s.kill())
		}
	}
	return nil
}

// addressIn finds the address in what the emulator prints: "… at http://127.0.0.1:4000 with …".
func addressIn(line string) (string, error) {
	for word := range strings.FieldsSeq(line) {
		if u, err := url.Parse(strings.TrimSuffix(word, ";")); err == nil && u.Scheme == "http" {
			return u.Host, nil
		}
	}
	return "", fmt.Errorf("no address in %q", line)
}

// kill ends the process by its id, at once, as kill -9 does, and waits until it is gone. It may be called again.
func (s *server) kill() error {
	if s.process == nil {
		return nil
	}
	p := s.process
	s.process = nil
	if err := p.Process.Kill(); err != nil {
		return fmt.Errorf("kill the emulator: %w", err)
	}
	if out, ok := p.Stdout.(io.Closer); ok {
		out.Close()
	}
	if err := p.Wait(); err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); !ended {
			return fmt.Errorf("wait for the emulator: %w", err)
		}
	}
	return nil
}
