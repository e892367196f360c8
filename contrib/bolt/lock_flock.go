//go:build !windows && !plan9 && !solaris && !aix && !android

package bolt

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock that bbolt takes afterwards, on the same descriptor, where taking it again is nothing: so that what is
// checked in between is what bbolt opens. It reports whether it got it. The end of the process, however it comes, gives it back.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
