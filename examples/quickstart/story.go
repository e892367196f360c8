package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/entcache/entcache"
)

// story tells what happens and remembers what did not happen as promised.
type story struct {
	out      io.Writer
	chapters int
	kept     int     // promises seen kept
	broken   []error // and the others
}

func (s *story) chapter(title string) {
	s.chapters++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.chapters, title)
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

// expect notes whether a promise was kept. The story goes on; end tells.
func (s *story) expect(kept bool, format string, args ...any) {
	if kept {
		s.kept++
		return
	}
	err := fmt.Errorf("not as promised: "+format, args...)
	s.broken = append(s.broken, err)
	s.say("%v", err)
}

// patience is how long the story waits for what should take milliseconds, on a machine that is busy with other things.
const patience = 10 * time.Second

// await looks until what is so, and notes when it does not come about in time.
func (s *story) await(ctx context.Context, what string, so func() bool) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(100 * time.Microsecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-deadline.C:
			s.expect(false, "%s within %v", what, patience)
			return
		case <-ctx.Done():
			s.expect(false, "%s: %v", what, context.Cause(ctx))
			return
		}
	}
}

// check asks a question that has an answer.
func (s *story) check(ctx context.Context, c *entcache.Client, q entcache.Query) entcache.Decision {
	d, err := c.GetEntitlement(ctx, q)
	if err != nil {
		s.expect(false, "%v of %v is answered: %v", q.Ref(), q.Key(), err)
	}
	return d
}

// cold asks about a customer for the first time, which asks Stigg.
func (s *story) cold(ctx context.Context, c *entcache.Client, q entcache.Query) entcache.Decision {
	began := time.Now()
	d := s.check(ctx, c, q)
	s.say("Cold: %s, in %v. The customer was fetched from Stigg.", verdict(d), round(time.Since(began)))
	s.expect(d.Origin == entcache.Fetched, "the first check is Fetched, not %v", d.Origin)
	return d
}

// hot asks the same again, often, and measures.
func (s *story) hot(ctx context.Context, c *entcache.Client, q entcache.Query) {
	const batch, long = 1000, 200 * time.Millisecond
	fetches := c.Stats().Fetches
	var d entcache.Decision
	n, began := 0, time.Now()
	for time.Since(began) < long {
		for range batch {
			d, _ = c.GetEntitlement(ctx, q)
		}
		n += batch
	}
	took := time.Since(began)
	s.say("Hot: %s, %d times, %.0f ns each. No request was made.", verdict(d), n, float64(took.Nanoseconds())/float64(n))
	s.expect(d.Origin == entcache.Live, "checks after the first are Live, not %v", d.Origin)
	s.expect(c.Stats().Fetches == fetches, "a hot check makes no request")
}

// end closes the story: its last line, or everything that was not as promised.
func (s *story) end() error {
	if len(s.broken) > 0 {
		return errors.Join(s.broken...)
	}
	fmt.Fprintf(s.out, "\nok: everything as promised (%d expectations)\n", s.kept)
	return nil
}

// verdict puts a decision into words.
func verdict(d entcache.Decision) string {
	if d.HasAccess {
		return fmt.Sprintf("yes (%v)", d.Origin)
	}
	return fmt.Sprintf("no, %s (%v)", d.AccessDeniedReason, d.Origin)
}

// round keeps what a reader wants of a duration: three digits.
func round(d time.Duration) time.Duration {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
}
