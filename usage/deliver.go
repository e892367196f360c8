package usage

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/entcache/entcache/internal/retry"
)

const (
	// refusedPause is how long a record waits that was refused, times how often it was: for its customer, say, to be provisioned.
	refusedPause = time.Second
	// failuresAlone is how often a record may make Stigg fail, alone in its call and while others arrive, before it is set aside:
	// at a Stigg that fails every other call, one in a thousand gets there.
	failuresAlone = 10
	// longestWish bounds how long Stigg is left alone because it asks for it: a header gone wrong must not hold up usage for a day.
	longestWish = 5 * time.Minute
	// longestPause is how long a lane, or a record that makes Stigg fail, waits at most, unless Stigg asks for more.
	longestPause = 30 * time.Second
)

// deliver makes a call, and the smaller ones that follow from a refusal, and sees to the outcome.
func (l *lane) deliver(ctx context.Context, batch []*line) {
	rest, failure := l.attempt(ctx, batch)
	l.ready = slices.Concat(slices.DeleteFunc(rest, l.heads), l.ready) // a parked one is still where it was, and due
	if failure == nil || ctx.Err() != nil {                            // done, or cut off by Close
		return
	}
	if failure.Means == Failed {
		l.limit = (len(batch) + 1) / 2
		if len(batch) == 1 {
			l.failedAlone(batch[0], failure)
		}
	}
	again := l.trouble() != nil
	l.setTrouble(failure.Err)
	l.until = time.Now().Add(max(l.backoff.Next(), spread(failure.RetryAfter)))
	if again { // one failure is no state; Stats.Retried counts it
		l.tell(slog.LevelWarn, "usage is not delivered, and waits", failure.Err)
	}
}

// answered: Stigg takes calls, so that nothing is in the way any more.
func (l *lane) answered() {
	l.backoff.Reset()
	l.setTrouble(nil)
	if l.told != "" {
		l.told = ""
		l.r.cfg.Logger.Info("entcache: usage is delivered again", "lane", l.lane.String())
	}
}

// tell logs what is in the way when that begins; an outage of an hour has a hundred failures, and two lines.
func (l *lane) tell(level slog.Level, what string, err error) {
	if l.told != what {
		l.told = what
		l.r.cfg.Logger.Log(context.Background(), level, "entcache: "+what, "lane", l.lane.String(), "error", err)
	}
}

// attempt sends lines in one call. When Stigg refuses it, it is cut in two, down to the line that is refused alone. It returns what
// was not sent, because a call failed for another reason.
func (l *lane) attempt(ctx context.Context, lines []*line) (rest []*line, failure *Failure) {
	lines = slices.Clone(lines)
	lines = slices.DeleteFunc(lines, func(ln *line) bool { // one of its meter was refused just now: it goes behind
		p := l.parked[ln.meter]
		if p == nil || p.lines[0] == ln {
			return false
		}
		p.lines = append(p.lines, ln)
		return true
	})
	if len(lines) == 0 {
		return nil, nil
	}
	failure = l.call(ctx, lines)
	switch {
	case failure == nil:
		l.delivered(lines)
		return nil, nil
	case failure.Means != Refused:
		return lines, failure
	case len(lines) == 1:
		l.refused(lines[0], failure)
		return nil, nil
	}
	half := len(lines) / 2
	if rest, failure = l.attempt(ctx, lines[:half]); failure != nil {
		return append(rest, lines[half:]...), failure
	}
	return l.attempt(ctx, lines[half:])
}

// call makes one call.
func (l *lane) call(ctx context.Context, lines []*line) *Failure {
	ctx, cancel := context.WithTimeout(ctx, l.r.cfg.CallTimeout)
	defer cancel()
	list := make([]Line, len(lines))
	for i, ln := range lines {
		list[i] = l.outgoing(ln)
	}
	l.r.count.calls.Add(1)
	err := l.r.cfg.Sender.Send(ctx, l.lane, list)
	if err == nil {
		return nil
	}
	l.r.count.failed.Add(1)
	if f, ok := errors.AsType[*Failure](err); ok && f != nil {
		believed := *f
		believed.RetryAfter = min(f.RetryAfter, longestWish)
		return &believed
	}
	return &Failure{Err: err}
}

// outgoing is a line as the sender, and the program, see it.
func (l *lane) outgoing(ln *line) Line {
	out := Line{Record: ln.record}
	for _, e := range ln.parts {
		if e.Number > l.inherited {
			out.Accepted++
			if e.Record.Kind == Delta {
				out.Deltas += e.Record.Value
			}
		}
	}
	return out
}

// delivered sees to lines that Stigg has counted.
func (l *lane) delivered(lines []*line) {
	l.answered()
	l.limit = min(2*l.limit, l.max)
	l.arrivals++
	for _, ln := range lines {
		l.r.count.sent.Add(uint64(len(ln.parts)))
		l.r.count.merged.Add(uint64(len(ln.parts) - 1))
		l.settle(ln)
	}
}

// refused sees to a line that Stigg refused when it was sent alone. That it answers at all says that nothing else is wrong.
func (l *lane) refused(ln *line, f *Failure) {
	l.answered()
	if ln.refusals++; ln.refusals >= l.r.cfg.Tries {
		l.setAside(ln, ln.refusals, f.Err)
		return
	}
	pause := retry.Jitter(time.Duration(ln.refusals)*refusedPause, 0.2)
	l.park(ln, time.Now().Add(max(pause, spread(f.RetryAfter))))
}

// failedAlone sees to a line that was sent alone, and not answered. That others arrived since it last failed says that Stigg is
// well, and the line is not: it waits longer each time, and lets others go first.
func (l *lane) failedAlone(ln *line, f *Failure) {
	ln.alone = true
	if l.arrivals > ln.arrivals {
		ln.failures++
		ln.arrivals = l.arrivals
	}
	l.ready = slices.DeleteFunc(l.ready, func(other *line) bool { return other == ln })
	if ln.failures >= failuresAlone {
		l.setAside(ln, ln.failures, f.Err)
		return
	}
	l.park(ln, time.Now().Add(min(refusedPause<<ln.failures, longestPause)))
}

// setAside gives a line up, in the sight of the program.
func (l *lane) setAside(ln *line, tries int, err error) {
	l.r.count.setAside.Add(uint64(len(ln.parts)))
	l.r.cfg.OnSetAside(SetAside{Line: l.outgoing(ln), Records: ln.records(), Err: err, Tries: tries})
	l.settle(ln)
}

// LogSetAside returns what logs, as an error and without its dimensions, what is set aside: for where nobody else is told. A nil logger
// is [slog.Default], as it is by then, so that nothing which is lost is lost in silence.
func LogSetAside(logger *slog.Logger) func(SetAside) {
	return func(s SetAside) {
		to := logger
		if to == nil {
			to = slog.Default()
		}
		r := &s.Line.Record
		to.Error("entcache: usage that Stigg refuses is set aside, and lost; see WithSetAside", "records", len(s.Records), "kind", r.Kind.String(),
			"customer", r.CustomerID, "resource", r.ResourceID, "feature", r.FeatureID, "event", r.EventName, "value", r.Value,
			"key", r.Key, "at", r.At, "tries", s.Tries, "error", s.Err)
	}
}

// settle is the end of a line: its records wait no longer.
func (l *lane) settle(ln *line) {
	l.unpark(ln)
	ln.shipment.open--
}

// spread is what Stigg asks to wait, and up to a fifth more, so that those who were told the same do not come back together.
func spread(after time.Duration) time.Duration { return after + retry.Jitter(after/10, 1) }
