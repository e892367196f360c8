package entcache

import (
	"hash/maphash"
	"math"
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

	lingering lingering
}

type shard struct {
	// entry is held while a meter is made, and while a key becomes resident: whoever has made one finds the key resident, and has it count
	// (see expect), or it enters counting. The first report of a feature may so wait for a customer to enter memory, which takes
	// microseconds. It is taken before mu, and after the locks of the syncer and of a landing.
	entry    sync.Mutex
	mu       sync.Mutex // guards accounts; taken before account.mu
	accounts map[Key]*account
}

// account is what is pending for one key.
type account struct {
	reserving chan struct{} // holds one from the look at what is left until it is taken
	// settling is held from the look at what an answer shows until all of it is settled, and taken before any other lock: of two answers
	// for one key, one would undo what the other is about to do.
	settling sync.Mutex

	mu      sync.Mutex // guards the following
	meters  []*meter
	departs uint64                 // how many lines have departed
	lingers uint64                 // it would have been forgotten, but that something is unshown: the number of its lingerer, or zero
	applied *entitlements.Snapshot // what the answer to a report has just made: of it nothing is kept back
}

// meter is what is pending for one feature of it, or for one wallet.
type meter struct {
	ref     Ref
	wallet  Ref                // what pays for a feature, as of the last departure; zero when nothing does
	tally   entitlements.Tally // everything reported, and what is reserved
	settled float64            // of it, what was answered or set aside
	open    int                // reports and reservations that are neither
	counts  bool               // it has been seen to count with what is resident
	out     int                // lines that are on their way
	doubt   map[string]bool    // the keys of lines that may have arrived, and were not answered
	direct  float64            // on their way, and not part of the tally
	// stranger is that a line departed when nobody knew what pays for it: until it lands, others of its wallet did not wait for it.
	stranger bool
	landings int // in which it is being settled
	kept     []kept
	tied     bool // of what was kept back, something was as new as something else: a fetch has to decide
	// unshown is what was counted, by answers that did not say what it led to, or said what cannot be ordered. It stays pending for the
	// readers until a fetch shows it; missed is that one has, and a report was on its way.
	unshown float64
	missed  bool
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

// add opens an amount on a meter. fresh says that the meter is new, and may not count yet with what is resident: until whoever adds to it
// has made it, and said so.
func (p *pending) add(key Key, ref Ref, amount float64) (a *account, fresh bool) {
	s := p.shard(key)
	if a, fresh = s.open(key, ref, amount, false); a != nil {
		return a, fresh
	}
	s.entry.Lock()
	defer s.entry.Unlock()
	p.used.Store(true)
	return s.open(key, ref, amount, true)
}

// open is add; where there is no meter, or a worn one, it makes one if it may, and else does nothing.
func (s *shard) open(key Key, ref Ref, amount float64, create bool) (a *account, fresh bool) {
	s.mu.Lock() // to the end, so that the account is not forgotten meanwhile
	defer s.mu.Unlock()
	a = s.accounts[key]
	if a == nil {
		if !create {
			return nil, false
		}
		a = &account{reserving: make(chan struct{}, 1)}
		s.accounts[key] = a
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meter(ref)
	if m == nil || m.worn() {
		if !create {
			return nil, false
		}
		a.meters = slices.DeleteFunc(a.meters, func(x *meter) bool { return x == m || len(a.meters) >= manyMeters && x.idle() })
		m = &meter{ref: ref}
		a.meters = append(a.meters, m)
	}
	m.open++
	m.tally.Set(m.tally.Total() + amount)
	return a, !m.counts
}

// wornAt is the total from which on a tally begins anew when nothing is open on it: beside a larger one, small amounts are rounded away.
const wornAt = 1 << 40

func (m *meter) worn() bool { return m.idle() && !(math.Abs(m.settled) < wornAt) }

// idle reports whether nothing is pending on the meter, nor will be by itself. What counts it shows all of it.
func (m *meter) idle() bool {
	return m.open == 0 && !m.flying() && m.unshown == 0 && len(m.kept) == 0 && m.landings == 0
}

// manyMeters is how many an account has when those that are idle are struck off it: features are whatever the program is asked for.
const manyMeters = 64

// resident notes that what is resident of a's key counts its meter of ref, if it does.
func (a *account) resident(ref Ref, b *entitlements.Belief) {
	if b == nil {
		return
	}
	tally, _ := b.Snapshot.Counts(ref)
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.meter(ref); m != nil && tally == &m.tally {
		m.counts = true
	}
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

// flies reports whether what the server says of the usage of a meter, or of the wallet that it draws on, may show a report that counts as
// pending. a.mu is held.
func (a *account) flies(m *meter) bool { return slices.ContainsFunc(a.group(m), (*meter).flying) }

// draws is the wallet that a report of the meter changes; zero when it changes none.
func (m *meter) draws() Ref {
	if m.ref.Kind == entitlements.KindCredit {
		return m.ref
	}
	return m.wallet
}

// unshow makes pending again what an answer had settled, x, because the fetch that was under way does not show it.
func (p *pending) unshow(key Key, x *part) {
	a, _ := p.add(key, x.meter.ref, 0)
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meter(x.meter.ref)
	m.unshown += x.before + x.answered + x.direct - x.refused - x.held
	if none := (Ref{}); m.wallet == none { // the account was forgotten meanwhile
		m.wallet = x.meter.wallet
	}
	m.open--
}

// reshow is the opposite, for a report that was answered later: what shows that shows whatever was answered before.
func (p *pending) reshow(key Key, x *part) {
	a := p.account(key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m := a.meter(x.meter.ref); {
	case m == x.meter:
		m.unshown = m.settled - x.before - x.answered
	case m != nil && m.settled == 0: // the account was forgotten meanwhile
		m.unshown = 0
	}
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
	ref    Ref  // what it is of
	pays   Ref  // the wallet that paid for it, where an answer says so
	direct bool // it is of a call that waits for the answer: it is pending only when that has come, and cannot be applied
}

// linesOf is what the reporter delivers.
func linesOf(delivered []usage.Line) []line {
	lines := make([]line, len(delivered))
	for i, ln := range delivered {
		lines[i] = line{Line: ln, ref: entitlements.Feature(ln.FeatureID)}
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
			s = s.WithTally(m.ref, &m.tally, m.settled-m.unshown)
		}
	}
	return s
}

// seen is a snapshot as a read sees it, which may have held it for long: what it counted when it arrived it goes on counting, also when
// its account has been forgotten; and of a meter that is newer it shows nothing yet.
func (p *pending) seen(key Key, s *entitlements.Snapshot) *entitlements.Snapshot {
	a := p.account(key)
	if a == nil {
		return s
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.meters {
		tally, shown := s.Counts(m.ref)
		if tally == &m.tally {
			continue
		}
		if tally != nil {
			shown -= tally.Total() // and that, too, is pending
		}
		s = s.WithTally(m.ref, &m.tally, shown)
	}
	return s
}

// counted is a belief whose snapshot counts what is pending; the same one when it does already.
func (p *pending) counted(key Key, b *entitlements.Belief, anew bool) *entitlements.Belief {
	return withSnapshot(b, p.count(key, b.Snapshot, anew))
}

// withSnapshot is b with another snapshot; b itself when it is no other.
func withSnapshot(b *entitlements.Belief, s *entitlements.Snapshot) *entitlements.Belief {
	if s == b.Snapshot {
		return b
	}
	n := *b
	n.Snapshot = s
	return &n
}

// enter notes that a key that was not resident becomes so: by what shows all that is settled, unless the next read waits for that.
func (p *pending) enter(key Key, b *entitlements.Belief) {
	a := p.account(key)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lingers = 0
	for _, m := range a.meters {
		if !b.AwaitRefresh {
			m.unshown, m.missed = 0, a.flies(m) // what is about to become unshown, it may show or not
		}
	}
}
