package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are what steps run, and where.
type programs struct {
	path, dir map[program]string
}

// build builds what the steps need, into a directory of the caller's.
func build(ctx context.Context, root, bin string, steps []step, progress io.Writer) (programs, error) {
	p := programs{map[program]string{}, map[program]string{}}
	for _, st := range steps {
		if p.path[st.program] != "" {
			continue
		}
		path := filepath.Join(bin, fmt.Sprintf("program%d", st.program))
		var dir string
		args := []string{"build", "-o", path, "./cmd/subjects"}
		var env []string
		switch st.program {
		case ours:
			dir = filepath.Join(root, "bench")
		case peers:
			dir, env = filepath.Join(root, "bench", "peers"), []string{"GOWORK=off"}
		case gqlTests:
			dir, args = filepath.Join(root, "gql"), []string{"test", "-c", "-o", path, "."}
		case syncTests:
			dir, args = filepath.Join(root, "sync"), []string{"test", "-c", "-o", path, "."}
		}
		fmt.Fprintf(progress, "in %s: go %s\n", dir, strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("go %s in %s: %w\n%s", strings.Join(args, " "), dir, err, out)
		}
		p.path[st.program], p.dir[st.program] = path, dir
	}
	return p, nil
}

// top finds the root of the repository from a directory in it.
func top(dir string) (string, error) {
	for at := dir; ; {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return at, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("not in the repository: run it from there, as go run ./bench/cmd/compare")
		}
		at = up
	}
}
