package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/entcache/entcache/emulator"
)

// load gives e the state in a file; loaded is false when there is no such file. An error leaves both as they were.
func load(e *emulator.Emulator, name string) (loaded bool, err error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		// Whether it can be written is better known now than after a day's work.
		if _, err := os.Stat(filepath.Dir(name)); err != nil {
			return false, fmt.Errorf("-state %s: %w", name, err)
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("-state: %w", err)
	}
	defer f.Close()
	if err := e.Load(f); err != nil {
		if _, ok := errors.AsType[*emulator.StateError](err); ok {
			return false, fmt.Errorf("-state %s: %w\nThe file was left as it is. Delete it to begin anew, or name another", name, err)
		}
		return false, fmt.Errorf("-state %s: %w", name, err)
	}
	return true, nil
}

// save replaces a file by what dump writes: whoever reads it sees the old text or the new one, whatever happens meanwhile. It is
// readable by its owner only, for it holds API keys.
func save(name string, dump func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("save the state, %s is as it was before: %w", name, err)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp") // in the same directory: rename crosses no file system
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := dump(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil { // or a crash could leave the new name with an empty file
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	// The file is whole either way. This makes its name last, where a directory can be synced.
	if d, err := os.Open(filepath.Dir(name)); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}
