package simtest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLeftNamesWhoIsStillThere: whoever sleeps, whoever waits, and nobody of another bubble or of none.
func TestLeftNamesWhoIsStillThere(t *testing.T) {
	elsewhere := make(chan struct{})
	defer close(elsewhere)
	go func() { <-elsewhere }() // joined by nobody: it ends with the test
	synctest.Test(t, func(t *testing.T) {
		if left := Left(); left != "" {
			t.Errorf("nobody has been started, and Left names\n%s", left)
		}
		wait := make(chan struct{})
		go func() { <-wait }()
		go func() { time.Sleep(time.Minute) }()
		synctest.Wait()
		if left := Left(); strings.Count(left, "goroutine ") != 4 || strings.Count(left, "TestLeftNamesWhoIsStillThere") != 4 {
			t.Errorf("two wait, each named with who made it; Left names\n%s", left)
		}
		close(wait)
		synctest.Wait()
		if left := Left(); !strings.Contains(left, "time.Sleep") || strings.Contains(left, "chan receive") {
			t.Errorf("one sleeps; Left names\n%s", left)
		}
		time.Sleep(time.Hour)
		if left := Left(); left != "" {
			t.Errorf("all are gone, and Left names\n%s", left)
		}
	})
}
