package entcache

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/usage"
)

// pending counts what this client has reported, or reserved, and Stigg's word does not show yet, so that a check sees it at once.
//
// What a server says while a report is on its way may show that report, or may not. So the usage that arrives then is kept back until
// the report is answered: its answer shows it for certain, and its stamp orders what was kept back. Only the step that applies the
// answer takes the report out of what is pending, so that no reader sees it twice or not at all.
type pending struct {
	used   atomic.Bool // there is an account, or was: until then nobody pays for any of this
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu       sync.Mutex // guards accounts; taken before account.mu
	accounts map[Key]*account
}

// account is what is pending for one key.
type account struct {
	reserving chan struct{} // holds one from the look at what is left until it is taken

	mu      sync.Mutex // guards the following
	meters  []*meter
	applied *entitlements.Snapshot // what the answer to a report has just made: of it nothing is kept back
}

// meter is what is pending for one feature of it.
type meter struct {
	ref     Ref
	wallet  Ref                // what pays for the feature, as of the last departure; zero when nothing does
	tally   entitlements.Tally // everything reported, and what is reserved
	settled float64            // of it, what was answered or set aside
	open    int                // reports and reservations that are neither
	flying  bool               // one of them is on its way, or in doubt
	doubt   map[string]bool    // the keys of lines that may have arrived, and were not answered
	kept    []entitlements.Usage
	// What was answered while others were in doubt: the answer may show those, too.
	answeredOpen   int
	answeredDeltas float64
}

func newPending() *pending {
	p := &pending{seed: maphash.MakeSeed()}
	for i := range p.shards {
		p.shards[i].accounts = map[Key]*account{}
	}
	return p
}

// account returns the account of a key, nil when it has none.
func (p *pending) account(key Key) *account {
	if !p.used.Load() {
		return nil
	}
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[key]
}

func (p *pending) shard(key Key) *shard {
	return &p.shards[maphash.Comparable(p.seed, key)%uint64(len(p.shards))]
}

// forget strikes off the account of a key that is not resident, if nothing is open on it, and reports whether it did.
func (p *pending) forget(key Key) bool {
	if !p.used.Load() {
		return false
	}
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[key]
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.ContainsFunc(a.meters, func(m *meter) bool { return m.open > 0 }) {
		return false
	}
	delete(s.accounts, key)
	return true
}

// add opens an amount on a meter. fresh says that the meter is new, and does not count yet with what is resident.
func (p *pending) add(key Key, feature string, amount float64) (a *account, fresh bool) {
	s := p.shard(key)
	s.mu.Lock() // to the end, so that the account is not forgotten meanwhile
	defer s.mu.Unlock()
	a = s.accounts[key]
	if a == nil {
		a = &account{reserving: make(chan struct{}, 1)}
		s.accounts[key] = a
		p.used.Store(true)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meter(feature)
	if m == nil {
		m, fresh = &meter{ref: entitlements.Feature(feature)}, true
		a.meters = append(a.meters, m)
	}
	m.open++
	m.tally.Set(m.tally.Total() + amount)
	return a, fresh
}

// meter finds the meter of a feature. a.mu is held.
func (a *account) meter(feature string) *meter {
	for _, m := range a.meters {
		if m.ref.ID == feature {
			return m
		}
	}
	return nil
}

// correct changes an amount that was added, which stays open.
func (p *pending) correct(key Key, feature string, by float64) { p.change(key, feature, by, 0) }

// drop takes back an amount that was added.
func (p *pending) drop(key Key, feature string, amount float64) { p.change(key, feature, -amount, 1) }

func (p *pending) change(key Key, feature string, by float64, closed int) {
	a := p.account(key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meter(feature)
	if m == nil {
		return
	}
	m.open -= closed
	m.tally.Set(m.tally.Total() + by)
	if m.open == 0 {
		m.tally.Set(m.settled) // rounding apart, it is
	}
}

// lines calls do for each line's meter, with the lock of its account held. Lines without one, as those that another process accepted,
// are passed over.
func (p *pending) lines(lines []usage.Line, do func(*meter, *usage.Line)) {
	for i := range lines {
		ln := &lines[i]
		a := p.account(meterKey(&ln.Record))
		if a == nil {
			continue
		}
		a.mu.Lock()
		if m := a.meter(ln.FeatureID); m != nil {
			do(m, ln)
		}
		a.mu.Unlock()
	}
}

// depart notes that lines are on their way.
func (p *pending) depart(lines []usage.Line, wallet func(Key, Ref) Ref) {
	if !p.used.Load() {
		return
	}
	p.lines(lines, func(m *meter, ln *usage.Line) {
		m.flying, m.wallet = true, wallet(meterKey(&ln.Record), m.ref)
	})
}

// overheard is a usage that was kept back.
type overheard struct {
	key   Key
	usage entitlements.Usage
}

// lost notes that lines went out, and no answer came.
func (p *pending) lost(lines []usage.Line) {
	p.lines(lines, func(m *meter, ln *usage.Line) {
		if m.doubt == nil {
			m.doubt = map[string]bool{}
		}
		m.doubt[ln.Key] = true
	})
}

// landed notes that lines are not on their way any more, and returns what was kept back for them. What is kept back for a meter that
// others are in doubt on stays so.
func (p *pending) landed(lines []usage.Line) (kept []overheard) {
	p.lines(lines, func(m *meter, ln *usage.Line) {
		if m.flying = len(m.doubt) > 0; m.flying {
			return
		}
		for _, u := range m.kept {
			kept = append(kept, overheard{meterKey(&ln.Record), u})
		}
		m.kept = nil
	})
	return kept
}

// answer prepares to take lines of one key out of what is pending. now is what of their usages can be applied, along the change of
// the snapshot that goes with it, and done, to be called after that, closes the lines.
func (p *pending) answer(key Key, lines []usage.Line, usages []entitlements.Usage) (now []entitlements.Usage, along func(*entitlements.Snapshot) *entitlements.Snapshot, done func()) {
	type part struct {
		m       *meter
		settled float64
	}
	var parts []part
	now = slices.Clone(usages)
	p.lines(lines, func(m *meter, ln *usage.Line) { delete(m.doubt, ln.Key) })
	p.lines(lines, func(m *meter, ln *usage.Line) {
		if len(m.doubt) > 0 {
			now = slices.DeleteFunc(now, func(u entitlements.Usage) bool {
				if u.Ref != m.ref && u.Ref != m.wallet {
					return false
				}
				m.keep(u)
				return true
			})
			return
		}
		at := slices.IndexFunc(parts, func(x part) bool { return x.m == m })
		if at < 0 {
			at = len(parts)
			parts = append(parts, part{m, m.settled + m.answeredDeltas})
		}
		parts[at].settled += ln.Deltas
	})
	along = func(s *entitlements.Snapshot) *entitlements.Snapshot {
		for _, x := range parts {
			s = s.WithTally(x.m.ref, &x.m.tally, x.settled)
		}
		return p.apply(key, s)
	}
	return now, along, func() {
		p.apply(key, nil)
		p.lines(lines, func(m *meter, ln *usage.Line) {
			m.answeredOpen += ln.Accepted
			m.answeredDeltas += ln.Deltas
		})
		p.lines(lines, func(m *meter, _ *usage.Line) {
			if len(m.doubt) > 0 {
				return
			}
			m.open -= m.answeredOpen
			m.settled += m.answeredDeltas
			m.answeredOpen, m.answeredDeltas = 0, 0
			if m.open == 0 {
				m.tally.Set(m.settled) // rounding apart, it is
			}
		})
	}
}

// apply marks a snapshot as one that the answer to a report of this client has made.
func (p *pending) apply(key Key, s *entitlements.Snapshot) *entitlements.Snapshot {
	if a := p.account(key); a != nil {
		a.mu.Lock()
		a.applied = s
		a.mu.Unlock()
	}
	return s
}

// meterKey is whose usage a record reports.
func meterKey(r *usage.Record) Key { return Key{CustomerID: r.CustomerID, ResourceID: r.ResourceID} }

// count makes a snapshot count what is pending for its key. anew is for a snapshot that enters the cache: what has been settled by now
// is shown by it, or the next read waits for one that shows it. Otherwise what counts already is left as it is.
func (p *pending) count(key Key, s *entitlements.Snapshot, anew bool) *entitlements.Snapshot {
	a := p.account(key)
	if a == nil {
		return s.Uncounted() // of an account that was forgotten while the snapshot was on its way
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.meters {
		if tally, _ := s.Counts(m.ref); tally != &m.tally || anew {
			s = s.WithTally(m.ref, &m.tally, m.settled)
		}
	}
	return s
}

// counted is a belief whose snapshot counts what is pending; the same one when it does already.
func (p *pending) counted(key Key, b *entitlements.Belief, anew bool) *entitlements.Belief {
	s := p.count(key, b.Snapshot, anew)
	if s == b.Snapshot {
		return b
	}
	n := *b
	n.Snapshot = s
	return &n
}

// guard is what a change of a belief comes to: the usage of a meter on which a report is on its way stays as it was, and what is
// pending counts.
func (p *pending) guard(key Key, held, next *entitlements.Belief) *entitlements.Belief {
	if next == nil || next.Snapshot == held.Snapshot {
		return next
	}
	a := p.account(key)
	if a == nil {
		return next
	}
	n := *next
	n.Snapshot = a.keepBack(held.Snapshot, next.Snapshot)
	return p.counted(key, &n, false)
}

// keepBack puts the usage of meters that fly, and of the wallets that pay for them, back to what is held.
func (a *account) keepBack(held, next *entitlements.Snapshot) *entitlements.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	if next == a.applied {
		return next
	}
	for _, m := range a.meters {
		if !m.flying {
			continue
		}
		for _, ref := range []Ref{m.ref, m.wallet} {
			was, ok := held.Usage(ref)
			is, still := next.Usage(ref)
			if !ok || !still || is.UpdatedAt == was.UpdatedAt && is.Current == was.Current && is.PeriodStart == was.PeriodStart {
				continue
			}
			next = next.WithUsage(was)
			m.keep(is)
		}
	}
	return next
}

// keep remembers a usage that was kept back, the latest of each entitlement.
func (m *meter) keep(u entitlements.Usage) {
	for i := range m.kept {
		if k := &m.kept[i]; k.Ref == u.Ref {
			if u.UpdatedAt >= k.UpdatedAt {
				*k = u
			}
			return
		}
	}
	m.kept = append(m.kept, u)
}
