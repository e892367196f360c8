package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/entcache/entcache/bench/internal/report"
)

// measureAll builds and runs what the settings ask for.
func measureAll(ctx context.Context, s settings, args []string, progress io.Writer) (*report.Run, error) {
	steps, err := s.steps()
	if err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	root, err := top(here)
	if err != nil {
		return nil, err
	}
	bin, err := os.MkdirTemp("", "compare")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bin)
	programs, err := build(ctx, root, bin, steps, progress)
	if err != nil {
		return nil, err
	}
	result := &report.Run{
		Date: time.Now().UTC().Truncate(time.Second), Command: strings.Join(append([]string{"go run ./bench/cmd/compare"}, args...), " "),
		Machine: thisMachine(ctx, root),
	}
	result.Samples, result.Thrown, err = rounds(ctx, s, steps, programs.runner(s), progress)
	return result, err
}

var modelName = regexp.MustCompile(`(?m)^model name\s*:\s*(.+)$`)

func thisMachine(ctx context.Context, root string) report.Machine {
	first := func(text []byte, words int) string {
		list := strings.Fields(string(text))
		return strings.Join(list[:min(words, len(list))], " ")
	}
	m := report.Machine{
		CPUs: runtime.NumCPU(), Model: runtime.GOARCH, System: runtime.GOOS, Toolchain: runtime.Version(), Commit: "unknown", Load: "unknown",
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := modelName.FindSubmatch(text); found != nil {
			m.Model = string(found[1])
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += " " + first(text, 1)
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = first(text, 3)
	}
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = root
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	if commit, err := git("rev-parse", "--short", "HEAD"); err == nil {
		m.Commit = commit
		if changes, err := git("status", "--porcelain", "--", "*.go", "*go.mod"); err != nil || changes != "" {
			m.Commit += ", with changes"
		}
	}
	return m
}
