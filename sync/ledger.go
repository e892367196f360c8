package syncer

import "github.com/entcache/entcache/entitlements"

// ledger is where what arrives meets what is held and what is in the air: the part of a Syncer that decides what is believed
// (rule 1). Syncer.mu guards it, apart from evicted. It knows no clock, no goroutine and no network, so that a test can replay what
// it went through step by step (replay_test.go).
type ledger struct {
	store   Store
	stamps  *stamps
	flights map[entitlements.Key]*flight
	// resources counts the flights of each customer's resources, so that an event of a customer costs no walk over all flights.
	resources map[string]int

	taking *taking // what take is at

	// tap is told of each step before it is taken, in order. It is nil outside of tests.
	tap func(step)
}

func newLedger(store Store) ledger {
	return ledger{
		store: store, stamps: newStamps(), flights: make(map[entitlements.Key]*flight), resources: make(map[string]int), taking: newTaking(),
	}
}

// taking is one arrival while it is applied. It is made once, and used again for each, so that an event costs no closure and no copy.
type taking struct {
	in    input
	v     verdict
	apply func(*entitlements.Belief) *entitlements.Belief
}

func newTaking() *taking {
	t := &taking{}
	t.apply = func(held *entitlements.Belief) (next *entitlements.Belief) {
		next, t.v = t.in.next(held)
		return next
	}
	return t
}

// step is one of a ledger's methods together with what it was called with.
type step struct {
	kind  stepKind
	key   entitlements.Key
	input input                  // of stepTook
	set   *entitlements.Snapshot // of stepLanded: the answer
	at    arrival                // of stepBegan and stepLanded
}

type stepKind uint8

const (
	stepTook    stepKind = iota // an arrival
	stepTookOff                 // a flight
	stepBegan                   // an attempt of it
	stepLanded                  // its answer
	stepCrashed                 // it ended without one
	stepGone                    // a key was evicted
)

// blank returns the input for the next arrival, to fill in and to take: there is one. What an arrival of the same kind has filled in is
// still there, for it is filled in again.
func (l *ledger) blank(kind inputKind) *input {
	in := &l.taking.in
	if in.kind != kind {
		*in = input{kind: kind}
	}
	return in
}

// take applies one arrival, see blank, to its key: to the resident belief, and to the flight that may bring the next one. It returns the
// resident belief that stands, nil when there is none, and the verdict on it, or on what the flight will bring where that is known.
func (l *ledger) take(key entitlements.Key, in *input) (b *entitlements.Belief, v verdict) {
	if l.tap != nil {
		l.tap(step{kind: stepTook, key: key, input: *in})
	}
	l.taking.v = unchanged
	b = l.store.Update(key, l.taking.apply)
	if v = l.taking.v; b == nil {
		v = unchanged // of what has just left
	}
	f := l.flights[key]
	if f == nil {
		return b, v
	}
	if in.set != nil {
		f.newest = max(f.newest, in.set.EntitlementUpdatedAt())
	}
	switch {
	case b != nil:
		f.held = b
	case f.held != nil:
		var told verdict
		if f.held, told = in.next(f.held); in.kind == inReported {
			v = told // that is what readers will see of it
		}
	case len(f.pending) < maxPending-1:
		f.pending = append(f.pending, *in)
	default:
		f.pending, v = append(f.pending[:maxPending-1], input{kind: inAwait, at: in.at}), questioned
	}
	return b, v
}

// maxPending bounds what a flight remembers. What is more than that becomes a single question.
const maxPending = 32

// takeOff registers a flight. It begins with what is held now, which may be evicted before it lands.
func (l *ledger) takeOff(key entitlements.Key) *flight {
	if l.tap != nil {
		l.tap(step{kind: stepTookOff, key: key})
	}
	f := &flight{key: key, done: make(chan struct{})}
	if r, ok := l.store.Peek(key); ok {
		f.held = r.Belief
	}
	l.flights[key] = f
	if key.ResourceID != "" {
		l.resources[key.CustomerID]++
	}
	return f
}

// ended strikes off a flight.
func (l *ledger) ended(key entitlements.Key) {
	delete(l.flights, key)
	if key.ResourceID == "" {
		return
	}
	if l.resources[key.CustomerID]--; l.resources[key.CustomerID] == 0 {
		delete(l.resources, key.CustomerID)
	}
}

// answered returns a flight that has landed with what is resident, when that answers a question that arrived at or after the place
// since: whoever looked before the fetch landed, and comes after it, needs no other. Only a fetch that began after the last question
// takes the doubt away, so a belief without doubt is the answer to it. Nil when there is no such question, or no such answer.
func (l *ledger) answered(key entitlements.Key, since uint64) *flight {
	if since == 0 {
		return nil
	}
	r, ok := l.store.Peek(key)
	if !ok || r.Belief.Suspect || r.Belief.QuestionSeq < since {
		return nil
	}
	f := &flight{key: key, done: make(chan struct{}), began: r.Belief.QuestionSeq + 1, belief: r.Belief}
	close(f.done)
	return f
}

// inTheAir reports whether key is being fetched, or, of a customer, one of its resources.
func (l *ledger) inTheAir(key entitlements.Key) bool {
	return l.flights[key] != nil || (key.ResourceID == "" && l.resources[key.CustomerID] > 0)
}

// flyingResources returns the customer's resources that are being fetched.
func (l *ledger) flyingResources(customerID string) []entitlements.Key {
	n := l.resources[customerID]
	if n == 0 {
		return nil
	}
	keys := make([]entitlements.Key, 0, n)
	for k := range l.flights {
		if k.CustomerID == customerID && k.ResourceID != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// begin notes that an attempt begins at the place seq of the local order.
func (l *ledger) begin(f *flight, seq uint64) {
	if l.tap != nil {
		l.tap(step{kind: stepBegan, key: f.key, at: arrival{seq: seq}})
	}
	f.began = seq
}

// crash ends a flight that brought nothing.
func (l *ledger) crash(f *flight) {
	if l.tap != nil {
		l.tap(step{kind: stepCrashed, key: f.key})
	}
	l.ended(f.key)
}

// evicted remembers the stamps of a key that is no longer resident. Unlike the rest it may be called by anybody at any time.
func (l *ledger) evicted(key entitlements.Key, b *entitlements.Belief) {
	if l.tap != nil {
		l.tap(step{kind: stepGone, key: key})
	}
	l.stamps.note(key, b.Newest, b.LearnedAt)
}

// land ends a flight with an answer: it is ordered against what is resident, or becomes it. It returns what is believed now,
// the verdict on the answer, and whether the key is resident.
func (l *ledger) land(f *flight, answer *entitlements.Snapshot, at arrival) (b *entitlements.Belief, v verdict, resident bool) {
	if l.tap != nil {
		l.tap(step{kind: stepLanded, key: f.key, set: answer, at: at})
	}
	l.ended(f.key)
	for {
		b = l.store.Update(f.key, func(held *entitlements.Belief) *entitlements.Belief {
			var next *entitlements.Belief
			next, v = applyAnswer(held, answer, at)
			return next
		})
		if b != nil {
			return b, v, true
		}
		b, v = l.first(f, answer, at)
		if b, resident = l.store.Insert(f.key, b); b != nil {
			return b, v, resident
		}
	}
}

// first is what the answer makes of a key that is not resident, with what arrived during the flight.
func (l *ledger) first(f *flight, answer *entitlements.Snapshot, at arrival) (*entitlements.Belief, verdict) {
	if f.held != nil {
		b, v := applyAnswer(f.held, answer, at)
		b.Newest = max(b.Newest, f.newest)
		return b, v
	}
	newest, learned := l.stamps.of(f.key)
	b := firstBelief(answer, newest, learned, at)
	for _, in := range f.pending {
		if in.at.seq > at.seq { // what met an earlier attempt is part of the answer
			b, _ = in.next(b)
		}
	}
	b.Newest = max(b.Newest, f.newest) // not held, but known to have been: a late duplicate of it is no news
	b.LearnedAt = at.landed            // only now: nobody has seen a set that what arrived during the flight could be late for
	return b, unchanged
}
