package syncer

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

type (
	key     = entitlements.Key
	instant = entitlements.Instant
)

// grant is a metered entitlement whose set stamp and usage stamp are given.
func grant(id string, stamp instant, limit float64) entitlements.Grant {
	return entitlements.Grant{
		ID: id, FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterFluctuating,
		IsGranted: true, UsageLimit: limit, HasUsageLimit: true, EntitlementUpdatedAt: stamp,
	}
}

func used(g entitlements.Grant, usage float64, stamp instant) entitlements.Grant {
	g.CurrentUsage, g.UsageUpdatedAt = usage, stamp
	return g
}

func validUntil(g entitlements.Grant, at time.Time) entitlements.Grant {
	g.ValidUntil = entitlements.InstantOf(at)
	return g
}

func set(k key, grants ...entitlements.Grant) *entitlements.Snapshot {
	return entitlements.NewSnapshot(k, "", grants)
}

// memory is a Store: a map. It can be full, and lose keys.
type memory struct {
	mu    sync.Mutex // guards the following
	cells map[key]*Resident
	full  bool
	gone  func(key, *entitlements.Belief)
	seen  func() // called, once, when somebody has peeked and not yet gone on
	// look is what Range waits for before it says what is there; nil when it does not wait.
	look chan struct{}
}

func newMemory() *memory { return &memory{cells: map[key]*Resident{}} }

func (m *memory) Peek(k key) (found Resident, ok bool) {
	m.mu.Lock()
	r, seen := m.cells[k], m.seen
	if m.seen = nil; r != nil {
		found, ok = *r, true
	}
	m.mu.Unlock()
	if seen != nil {
		seen()
	}
	return found, ok
}

func (m *memory) whenSeen(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = f
}

func (m *memory) Update(k key, next func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.cells[k]
	if r == nil {
		return nil
	}
	if b := next(r.Belief); b != nil {
		r.Belief = b
	}
	return r.Belief
}

func (m *memory) Insert(k key, b *entitlements.Belief) (*entitlements.Belief, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cells[k] != nil {
		return nil, false
	}
	if m.full {
		return b, false
	}
	m.cells[k] = &Resident{Key: k, Belief: b, LastRead: b.ConfirmedAt}
	return b, true
}

func (m *memory) Range(yield func(Resident) bool) {
	m.mu.Lock()
	var all []Resident
	for _, r := range m.cells {
		all = append(all, *r)
	}
	look := m.look
	m.mu.Unlock()
	if look != nil {
		<-look
	}
	for _, r := range all {
		if !yield(r) {
			return
		}
	}
}

func (m *memory) Resources(customerID string) []key {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []key
	for k := range m.cells {
		if k.CustomerID == customerID && k.ResourceID != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

func (m *memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.cells)
}

// touch is a read: it marks the key.
func (m *memory) touch(k key, now instant) *entitlements.Belief {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.cells[k]
	if r == nil {
		return nil
	}
	if r.LastRead != now {
		r.LastRead = now
		r.Reads++
	}
	return r.Belief
}

func (m *memory) evict(k key) {
	m.mu.Lock()
	r := m.cells[k]
	delete(m.cells, k)
	m.mu.Unlock()
	if r != nil && m.gone != nil {
		m.gone(k, r.Belief)
	}
}

// failing is an error that says what kind it is.
type failing struct {
	text       string
	unauth     bool
	limited    bool
	slow       bool
	final      bool
	retryAfter time.Duration
}

func (f failing) Error() string             { return f.text }
func (f failing) Unauthenticated() bool     { return f.unauth }
func (f failing) RateLimited() bool         { return f.limited }
func (f failing) Slow() bool                { return f.slow }
func (f failing) Retryable() bool           { return !f.unauth && !f.final }
func (f failing) RetryAfter() time.Duration { return f.retryAfter }

var (
	errRefused = failing{text: "key refused", unauth: true}
	errDown    = errors.New("server is down")
	errCut     = errors.New("connection cut")
)

type request struct {
	key key
	at  time.Time
}

// server is a Source with a state, that does what a test tells it to.
type server struct {
	mu      sync.Mutex // guards the following
	sets    map[key]*entitlements.Snapshot
	latency time.Duration
	fail    func(key) error
	held    map[key]chan struct{} // fetches of the key wait here, with the answer they began with
	fetches []request

	dials    []time.Time
	dialTime time.Duration
	dial     error // what Subscribe answers
	checkKey error
	mute     bool // no EventSubscribed
	stream   *stream
}

func newServer() *server {
	return &server{sets: map[key]*entitlements.Snapshot{}, held: map[key]chan struct{}{}, latency: 10 * time.Millisecond}
}

func (s *server) set(k key, grants ...entitlements.Grant) *entitlements.Snapshot {
	snapshot := set(k, grants...)
	s.do(func() { s.sets[k] = snapshot })
	return snapshot
}

// do changes the server.
func (s *server) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// hold makes the fetches of k hang, with the answer of the moment they began, until the returned function is called.
func (s *server) hold(k key) (release func()) {
	c := make(chan struct{})
	s.do(func() { s.held[k] = c })
	return func() {
		s.do(func() { delete(s.held, k) })
		close(c)
	}
}

func (s *server) Fetch(ctx context.Context, k key) (*entitlements.Snapshot, error) {
	s.mu.Lock()
	s.fetches = append(s.fetches, request{k, time.Now()})
	answer, held, latency := s.sets[k], s.held[k], s.latency
	var err error
	if s.fail != nil {
		err = s.fail(k)
	}
	s.mu.Unlock()
	if answer == nil {
		answer = entitlements.NewSnapshot(k, entitlements.CustomerNotFound, nil)
	}
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if e := sleep(ctx, latency); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (s *server) CheckKey(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checkKey
}

func (s *server) Subscribe(ctx context.Context, _ func(key) bool) (Stream, error) {
	s.mu.Lock()
	s.dials = append(s.dials, time.Now())
	d, mute := s.dialTime, s.mute
	s.mu.Unlock()
	if err := sleep(ctx, d); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dial != nil {
		return nil, s.dial
	}
	s.stream = &stream{events: make(chan entitlements.Event, 4096), cut: make(chan error, 1)}
	if !mute {
		s.stream.events <- entitlements.Event{Kind: entitlements.EventSubscribed}
	}
	return s.stream, nil
}

// send sends events on the open stream.
func (s *server) send(events ...entitlements.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		s.stream.events <- e
	}
}

// publish changes a set and tells of it.
func (s *server) publish(k key, grants ...entitlements.Grant) {
	s.send(entitlements.Event{Kind: entitlements.EventEntitlements, Key: k, Snapshot: s.set(k, grants...)})
}

// cut ends the open stream.
func (s *server) cut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream.cut <- err
}

func (s *server) asked(k key) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.fetches {
		if r.key == k {
			n++
		}
	}
	return n
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.fetches...)
}

func (s *server) dialed() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.dials...)
}

type stream struct {
	events chan entitlements.Event
	cut    chan error
}

func (st *stream) Next(ctx context.Context) (entitlements.Event, error) {
	select {
	case e := <-st.events:
		return e, nil
	case err := <-st.cut:
		return entitlements.Event{}, err
	case <-ctx.Done():
		return entitlements.Event{}, ctx.Err()
	}
}

func (st *stream) Close() error { return nil }

// world is a syncer with its server and store, inside a bubble.
type world struct {
	*Syncer
	t      *testing.T
	server *server
	store  *memory
}

// inWorld runs story in a bubble with a syncer that is started once setup has had its way, and closes it at the end.
func inWorld(t *testing.T, setup func(*Config, *server), story func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, server: newServer(), store: newMemory()}
		cfg := Config{Source: w.server, Store: w.store}
		if setup != nil {
			setup(&cfg, w.server)
		}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.Syncer, w.store.gone = s, s.Evicted
		s.Start()
		defer s.Close()
		synctest.Wait()
		story(w)
	})
}

// load is a first read.
func (w *world) load(k key) *entitlements.Belief {
	w.t.Helper()
	b, err := w.Load(w.t.Context(), k, 0)
	if err != nil {
		w.t.Fatalf("Load(%v): %v", k, err)
	}
	return b
}

// read is what a client's check does with a resident key: marks it, and says when it is not Live.
func (w *world) read(k key) (b *entitlements.Belief, live bool) {
	w.t.Helper()
	now := entitlements.InstantOf(time.Now())
	if b = w.store.touch(k, now); b == nil {
		w.t.Fatalf("%v is not resident", k)
	}
	if _, live = w.Fresh(b, now); !live {
		w.Want(k)
	}
	return b, live
}

func (w *world) live(k key, want bool) {
	w.t.Helper()
	if b, live := w.read(k); live != want {
		w.t.Errorf("%v: live = %v, want %v (generation %d of %d, suspect %v)", k, live, want, b.Generation, w.Syncer.live.Load(), b.Suspect)
	}
}

func (w *world) state(want State) {
	w.t.Helper()
	synctest.Wait()
	if st := w.Status(); st.State != want {
		w.t.Errorf("state = %v (last error %v), want %v", st.State, st.Err, want)
	}
}

func (w *world) limit(k key, id string, want float64) {
	w.t.Helper()
	r, _ := w.store.Peek(k)
	if got := limitOf(r.Belief, id); got != want {
		w.t.Errorf("limit of %s = %v, want %v", id, got, want)
	}
}

func limitOf(b *entitlements.Belief, id string) float64 {
	if b == nil {
		return -2
	}
	e, ok := b.Snapshot.Find(entitlements.Feature(id), 1)
	if !ok {
		return -1
	}
	l, _ := e.UsageLimit()
	return l
}

func usageOf(b *entitlements.Belief, id string) float64 {
	u, ok := b.Snapshot.Usage(entitlements.Feature(id))
	if !ok {
		return -1
	}
	return u.Current
}

// wait lets virtual time pass, and everything that happens in it.
func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func customers(n int) []key {
	keys := make([]key, n)
	for i := range keys {
		keys[i] = key{CustomerID: string(rune('A'+i/26/26%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))}
	}
	return keys
}
