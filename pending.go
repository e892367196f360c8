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

// meter is what is pending for one feature of it, or for one wallet.
type meter struct {
	ref     Ref
	wallet  Ref                // what pays for a feature, as of the last departure; zero when nothing does
	tally   entitlements.Tally // everything reported, and what is reserved
	settled float64            // of it, what was answered or set aside
	open    int                // reports and reservations that are neither
	out     int                // lines that are on their way
	doubt   map[string]bool    // the keys of lines that may have arrived, and were not answered
	kept    []entitlements.Usage
	// What was answered while others were on their way or in doubt: the answer may show those, too.
	answeredOpen   int
	answeredDeltas float64
}

// flying reports whether what the server says of the usage may show a report that counts as pending.
func (m *meter) flying() bool { return m.out > 0 || len(m.doubt) > 0 }

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
func (p *pending) add(key Key, ref Ref, amount float64) (a *account, fresh bool) {
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
	m := a.meter(ref)
	if m == nil {
		m, fresh = &meter{ref: ref}, true
		a.meters = append(a.meters, m)
	}
	m.open++
	m.tally.Set(m.tally.Total() + amount)
	return a, fresh
}

// meter finds the meter of a feature or wallet. a.mu is held.
func (a *account) meter(ref Ref) *meter {
	for _, m := range a.meters {
		if m.ref == ref {
			return m
		}
	}
	return nil
}

// group lists the meters whose usages are told by one another's answers: m, and those that draw on the same wallet. a.mu is held.
func (a *account) group(m *meter) []*meter {
	w := m.draws()
	if w == (Ref{}) {
		return []*meter{m}
	}
	var list []*meter
	for _, o := range a.meters {
		if o.draws() == w {
			list = append(list, o)
		}
	}
	return list
}

// draws is the wallet that a report of the meter changes; zero when it changes none.
func (m *meter) draws() Ref {
	if m.ref.Kind == entitlements.KindCredit {
		return m.ref
	}
	return m.wallet
}

// correct changes an amount that was added, which stays open.
func (p *pending) correct(key Key, ref Ref, by float64) { p.change(key, ref, by, 0) }

// drop takes back an amount that was added.
func (p *pending) drop(key Key, ref Ref, amount float64) { p.change(key, ref, -amount, 1) }

func (p *pending) change(key Key, ref Ref, by float64, closed int) {
	a := p.account(key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meter(ref)
	if m == nil {
		return
	}
	m.open -= closed
	m.tally.Set(m.tally.Total() + by)
	if m.open == 0 {
		m.tally.Set(m.settled) // rounding apart, it is
	}
}

// line is a report on its way: one that the reporter delivers, or one of a call that waits for its answer. It may be of a wallet.
type line struct {
	usage.Line
	ref Ref // what it is of
}

// linesOf is what the reporter delivers.
func linesOf(delivered []usage.Line) []line {
	lines := make([]line, len(delivered))
	for i, ln := range delivered {
		lines[i] = line{ln, entitlements.Feature(ln.FeatureID)}
	}
	return lines
}

// lines calls do for each line's meter, with the lock of its account held. Lines without one, as those that another process accepted,
// are passed over.
func (p *pending) lines(lines []line, do func(*account, *meter, *line)) {
	for i := range lines {
		ln := &lines[i]
		a := p.account(meterKey(&ln.Record))
		if a == nil {
			continue
		}
		a.mu.Lock()
		if m := a.meter(ln.ref); m != nil {
			do(a, m, ln)
		}
		a.mu.Unlock()
	}
}

// flight is a call that carries lines.
type flight struct {
	lines  []line
	meters []departed // of those lines that have one
}

type departed struct {
	account *account
	meter   *meter
}

// depart notes that lines are on their way. Whoever calls it calls landed, too.
func (p *pending) depart(lines []line, wallet func(Key, Ref) Ref) flight {
	f := flight{lines: lines}
	for i := range lines {
		ln := &lines[i]
		key := meterKey(&ln.Record)
		a := p.account(key)
		if a == nil {
			continue
		}
		pays := wallet(key, ln.ref)
		a.mu.Lock()
		if m := a.meter(ln.ref); m != nil {
			m.out++
			m.wallet = pays
			f.meters = append(f.meters, departed{a, m})
		}
		a.mu.Unlock()
	}
	return f
}

// out is how many lines of a meter the flight carries.
func (f *flight) out(m *meter) (n int) {
	for i := range f.meters {
		if f.meters[i].meter == m {
			n++
		}
	}
	return n
}

// overheard is a usage that was kept back.
type overheard struct {
	key   Key
	usage entitlements.Usage
}

// lost notes that lines went out, and no answer came.
func (p *pending) lost(lines []line) {
	p.lines(lines, func(_ *account, m *meter, ln *line) {
		if m.doubt == nil {
			m.doubt = map[string]bool{}
		}
		m.doubt[ln.Key] = true
	})
}

// landed notes that a flight is over, and returns what was kept back for its lines, unless others of their groups are on their way or
// in doubt.
func (p *pending) landed(f flight) (kept []overheard) {
	for _, d := range f.meters {
		d.account.mu.Lock()
		d.meter.out--
		d.account.mu.Unlock()
	}
	p.lines(f.lines, func(a *account, m *meter, ln *line) {
		group := a.group(m)
		if slices.ContainsFunc(group, (*meter).flying) {
			return
		}
		for _, o := range group {
			for _, u := range o.kept {
				kept = append(kept, overheard{meterKey(&ln.Record), u})
			}
			o.kept = nil
		}
	})
	return kept
}

// answer prepares to take those lines of a flight that are of one key out of what is pending. What is said of a meter of whose group
// others are on their way, or in doubt, waits for them; those of it that wait for these come with them.
func (p *pending) answer(f flight, key Key, lines []line, usages []entitlements.Usage) *landing {
	l := &landing{pending: p, key: key, lines: lines, usages: slices.Clone(usages)}
	p.lines(lines, func(_ *account, m *meter, ln *line) {
		l.part(m).shown += ln.Deltas
		delete(m.doubt, ln.Key)
	})
	p.lines(lines, func(a *account, m *meter, _ *line) {
		group := a.group(m)
		x := l.part(m)
		x.waits = slices.ContainsFunc(group, func(o *meter) bool { return len(o.doubt) > 0 || o.out > f.out(o) })
		if x.waits {
			l.usages = slices.DeleteFunc(l.usages, func(u entitlements.Usage) bool {
				if u.Ref != m.ref && u.Ref != m.wallet {
					return false
				}
				m.keep(u)
				return true
			})
			return
		}
		l.ready = true
		for _, o := range group {
			if o.answeredOpen > 0 { // what those answers said goes with these
				l.part(o)
				l.usages, o.kept = append(l.usages, o.kept...), nil
			}
		}
	})
	return l
}

// landing is how lines of one key cease to be pending: usages is what can be applied, in one step with along, and done comes after that.
type landing struct {
	pending *pending
	key     Key
	lines   []line
	usages  []entitlements.Usage
	parts   []*part
	ready   bool // a part does not wait
}

type part struct {
	meter *meter
	shown float64 // of its tally, once all is applied
	waits bool
}

func (l *landing) part(m *meter) *part {
	for _, x := range l.parts {
		if x.meter == m {
			return x
		}
	}
	x := &part{meter: m, shown: m.settled + m.answeredDeltas}
	l.parts = append(l.parts, x)
	return x
}

// along is the change of the snapshot that goes with the usages.
func (l *landing) along(s *entitlements.Snapshot) *entitlements.Snapshot {
	for _, x := range l.parts {
		if !x.waits {
			s = s.WithTally(x.meter.ref, &x.meter.tally, x.shown)
		}
	}
	return l.pending.apply(l.key, s)
}

// done closes the lines.
func (l *landing) done() {
	p := l.pending
	p.apply(l.key, nil)
	p.lines(l.lines, func(_ *account, m *meter, ln *line) {
		m.answeredOpen += ln.Accepted
		m.answeredDeltas += ln.Deltas
	})
	a := p.account(l.key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range l.parts {
		if m := x.meter; !x.waits {
			m.open -= m.answeredOpen
			m.settled += m.answeredDeltas
			m.answeredOpen, m.answeredDeltas = 0, 0
			if m.open == 0 {
				m.tally.Set(m.settled) // rounding apart, it is
			}
		}
	}
}

// answeredMeanwhile returns, for each key, those of lines that were not counted, as lines of nothing, of whose groups others were
// answered that waited for them.
func (p *pending) answeredMeanwhile(lines []line) map[Key][]line {
	var by map[Key][]line
	p.lines(lines, func(a *account, m *meter, ln *line) {
		if !slices.ContainsFunc(a.group(m), func(o *meter) bool { return o.answeredOpen > 0 }) {
			return
		}
		if by == nil {
			by = map[Key][]line{}
		}
		nothing := line{usage.Line{Record: ln.Record}, ln.ref}
		nothing.Key = "" // it stays in doubt, if it is
		key := meterKey(&ln.Record)
		by[key] = append(by[key], nothing)
	})
	return by
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
		if !m.flying() {
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
