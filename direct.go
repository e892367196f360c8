package entcache

import (
	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/usage"
)

// direct is a call that reports usage and waits for the answer, beside those of the meter: they may be for the same feature at the same
// time, and then the answer to one may show the other. So it departs, is answered and lands as they do. But nothing of it is pending as
// long as nobody was told that it is counted: when the answer can be applied, that is all that readers see of it.
type direct struct {
	delivery
	flight
	keys []Key
}

// directLine is a report as the delivery sees it.
func directLine(customer string, resource *string, feature string, value float64, b *UsageUpdateBehavior, key string) line {
	ln := usage.Line{
		Record:   usage.Record{Kind: usage.Delta, CustomerID: customer, ResourceID: deref(resource), FeatureID: feature, Value: value, Key: key},
		Accepted: 1, Deltas: value,
	}
	if b != nil && *b == UsageSet {
		ln.Kind, ln.Deltas = usage.Set, 0
	}
	return line{Line: ln, ref: entitlements.Feature(feature)}
}

// directly begins a call. It has to land, whatever becomes of it.
func (c *Client) directly(lines []line) *direct {
	d := &direct{delivery: delivery{c}, keys: keysOf(lines)}
	for i := range lines {
		lines[i].direct = true
		if c.cfg.localUsage {
			c.expect(meterKey(&lines[i].Record), lines[i].ref, 0)
		}
	}
	d.flight = d.depart(lines)
	d.carry(1)
	return d
}

// carry notes what those lines that are not answered carry, or, with -1, carry no more.
func (d *direct) carry(sign float64) {
	if !d.c.cfg.localUsage {
		return
	}
	d.c.pending.lines(d.lines, func(_ *account, m *meter, ln *line) {
		if ln.Accepted > 0 {
			m.direct += sign * ln.Deltas
		}
	})
}

// answered applies the answers, one for each line: the next check shows what was reported.
func (d *direct) answered(answers []answer) {
	d.delivery.answered(d.flight, answers)
	for i := range d.lines {
		ln := &d.lines[i]
		if ln.Kind == usage.Set && len(answers) == len(d.lines) && d.c.cfg.localUsage {
			d.replaced(ln, &answers[i])
		}
		ln.Accepted, ln.Deltas = 0, 0 // settled, or to be settled by those that it waits for
	}
}

// replaced applies the answer to a set also where others of its meter are on their way: what it replaced is not to be seen any more.
func (d *direct) replaced(ln *line, told *answer) {
	key := meterKey(&ln.Record)
	s := d.c.syncer()
	if s == nil || told.key != key || !told.told {
		return
	}
	if a := d.c.pending.account(key); a != nil {
		a.settling.Lock()
		defer a.settling.Unlock()
	}
	s.Reported(key, told.usages, func(s *entitlements.Snapshot, _ bool) *entitlements.Snapshot { return d.c.pending.apply(key, s) })
	d.c.pending.apply(key, nil)
}

// land ends the call.
func (d *direct) land() {
	d.carry(-1)
	d.landed(d.flight)
	for i := range d.lines {
		if ln := &d.lines[i]; ln.Accepted > 0 && d.c.cfg.localUsage { // not answered
			d.c.unexpect(meterKey(&ln.Record), ln.ref, 0)
		}
	}
}
