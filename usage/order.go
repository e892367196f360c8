package usage

import (
	"slices"
	"time"
)

// What goes next: the lines of one meter one after the other, whatever happens to the first of them.

// parking holds the lines of a meter while its first waits to be sent again.
type parking struct {
	lines []*line
	due   time.Time
}

// take takes the lines of the next call: parked ones that are due, then ready ones in their order. Otherwise it returns when the
// next parked one is due.
func (l *lane) take(now time.Time) (batch []*line, next time.Time) {
	var bytes int64
	fits := func(ln *line) bool {
		size := ln.record.Size()
		if len(batch) == l.limit || len(batch) > 0 && bytes+size > maxCallBytes {
			return false
		}
		bytes += size
		batch = append(batch, ln)
		return true
	}
	var alone *line // one that failed alone
	for _, p := range l.parked {
		switch {
		case now.Before(p.due):
			next = sooner(next, p.due)
		case p.lines[0].alone:
			alone = p.lines[0]
		case !fits(p.lines[0]):
			next = now
		}
	}
	if alone != nil && (!l.wasAlone || len(l.ready)+len(batch) == 0) {
		l.wasAlone = true
		return []*line{alone}, next
	}
	l.wasAlone = false          // the others have their turn
	inside := map[meter]*line{} // the last of each meter in the call
	behind := map[meter]bool{}  // of these a line has to wait for the next call
	var later []*line
	for i, ln := range l.ready {
		if p := l.parked[ln.meter]; p != nil {
			p.lines = append(p.lines, ln)
			continue
		}
		before := inside[ln.meter]
		if behind[ln.meter] || before != nil && apart(&before.record, &ln.record) {
			behind[ln.meter] = true
			later = append(later, ln)
			continue
		}
		if !fits(ln) {
			later = append(later, l.ready[i:]...)
			break
		}
		inside[ln.meter] = ln
	}
	l.ready = later
	if len(batch) == 0 && alone != nil {
		batch = append(batch, alone)
	}
	return batch, next
}

// park makes a line wait until it is due, and with it what follows of its meter.
func (l *lane) park(ln *line, due time.Time) {
	if l.heads(ln) {
		l.parked[ln.meter].due = due
		return
	}
	l.parked[ln.meter] = &parking{lines: []*line{ln}, due: due}
}

// heads reports whether a line is the one that its meter waits for.
func (l *lane) heads(ln *line) bool {
	p := l.parked[ln.meter]
	return p != nil && p.lines[0] == ln
}

// unpark ends the wait for a line; what stood behind it is ready.
func (l *lane) unpark(ln *line) {
	if l.heads(ln) {
		l.ready = slices.Concat(l.parked[ln.meter].lines[1:], l.ready)
		delete(l.parked, ln.meter)
	}
}
