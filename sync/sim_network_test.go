package syncer

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// The network of the simulation: it is the syncer's Source, and does its worst to whatever passes between it and the server.

const (
	simLongestWay = 2 * time.Second  // of a message, unless it is delayed on purpose
	simSilence    = 30 * time.Second // after which a stream without frames is given up, as graphqlws does
	simPing       = 10 * time.Second
)

var (
	errBroken  = failing{text: "502 <html>"}
	errGarbled = failing{text: "unexpected end of JSON input", final: true}
	errSilent  = errors.New("no frame within 30 s")
)

// network is guarded by sim.mu, apart from the streams.
type network struct {
	sim     *sim
	refuse  bool    // connections
	hang    bool    // requests
	revoked bool    // the API key
	fail    []error // what the next requests are answered
	pace    time.Duration
	asked   uint64
	dials   uint64
	open    *wire                // the stream that is open, as the server sees it
	backlog []entitlements.Event // of the stream before: they arrive right after the next is open
	frame   instant              // when the last frame arrived
	failed  time.Time            // when a request last failed
}

// way is how long a message takes.
func (n *network) way(r *rand.Rand) time.Duration {
	longest := 40 * time.Millisecond
	if r.IntN(12) == 0 {
		longest = simLongestWay - n.pace
	}
	return n.pace + time.Duration(r.Int64N(int64(longest))) + 1
}

func (n *network) Fetch(ctx context.Context, k key) (*entitlements.Snapshot, error) {
	set, err := n.fetch(ctx, k)
	if err != nil {
		n.sim.mu.Lock()
		n.failed = time.Now()
		n.sim.mu.Unlock()
	}
	return set, err
}

func (n *network) fetch(ctx context.Context, k key) (*entitlements.Snapshot, error) {
	s := n.sim
	s.mu.Lock()
	n.asked++
	r := rand.New(rand.NewPCG(s.seed, 1<<32+n.asked))
	s.add(line{Do: "request", Key: k})
	there, back := n.way(r), n.way(r)
	s.mu.Unlock()
	if err := sleep(ctx, there); err != nil {
		return nil, err
	}
	s.mu.Lock()
	var err error
	switch {
	case n.refuse:
		err = errDown
	case n.revoked:
		err = errRefused
	case len(n.fail) > 0:
		err, n.fail = n.fail[0], n.fail[1:]
	}
	hang, st := n.hang, s.stigg.accounts[k].last
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err == nil {
		return st.set, sleep(ctx, back)
	}
	if f, ok := err.(failing); ok && f.limited {
		s.mu.Lock()
		s.add(line{Do: "throttle", Key: k, Pause: f.retryAfter})
		s.mu.Unlock()
	}
	return nil, err
}

func (n *network) CheckKey(ctx context.Context) error {
	_, err := n.Fetch(ctx, n.sim.keys[0])
	return err
}

func (n *network) Subscribe(ctx context.Context, wanted func(key) bool) (Stream, error) {
	s := n.sim
	if s.Poll {
		return nil, ErrNoStream
	}
	s.mu.Lock()
	n.dials++
	s.add(line{Do: "dial"})
	r := rand.New(rand.NewPCG(s.seed, 2<<32+n.dials))
	there := n.way(r)
	s.mu.Unlock()
	if err := sleep(ctx, there); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case n.refuse:
		return nil, errDown
	case n.revoked:
		return nil, errRefused
	}
	w := &wire{sim: s, rnd: r, wanted: wanted, more: make(chan struct{}, 1), ended: make(chan struct{}), heard: time.Now()}
	w.push(entitlements.Event{Kind: entitlements.EventSubscribed}, w.onTime())
	for _, e := range n.backlog {
		w.push(e, w.last.Add(time.Duration(len(w.queue))))
	}
	n.backlog = nil
	n.open = w
	return w, nil
}

// send is how an event leaves the server. It is lost when no stream is open.
func (n *network) send(e entitlements.Event) {
	w := n.open
	if w == nil {
		return
	}
	s, late := n.sim, entitlements.InstantOf(time.Now().Add(time.Duration(w.rnd.Int64N(int64(simLatest)))))
	dice := w.rnd.IntN(6)
	if e.Kind == entitlements.EventPackagePublished {
		dice = 5
	}
	switch {
	case s.Lossy && dice == 0:
		s.note("the event is lost")
	case s.Lossy && dice <= 2:
		s.later(late, func() { n.deliver(e) })
		if dice == 2 {
			w.push(e, w.onTime())
		}
	case s.Late && dice <= 2:
		s.later(late, func() { n.deliver(e) })
	case s.Timeless && dice == 0 && e.Kind == entitlements.EventEntitlements:
		s.later(late, func() {
			if r, ok := s.store.Peek(e.Key); ok && r.Belief.Snapshot.Len() == 0 {
				n.deliver(e)
			}
		})
	default:
		w.push(e, w.onTime())
	}
}

// simLatest is how late an event may be, but for its way.
const simLatest = 3 * time.Second

// deliver sends an event that is late into the stream that is open by now.
func (n *network) deliver(e entitlements.Event) {
	if w := n.open; w != nil {
		w.push(e, time.Now().Add(1))
	}
}

// cut ends the stream that is open, with what is on its way.
func (n *network) cut(err error) {
	if n.open != nil {
		n.open.cut(err)
		n.open = nil
	}
}

// wire is an open stream. Its queue is guarded by sim.mu.
type wire struct {
	sim    *sim
	rnd    *rand.Rand
	wanted func(key) bool
	queue  []parcel
	last   time.Time // when what was sent last arrives
	mute   bool      // half open: nothing arrives, and nobody is told
	more   chan struct{}
	ended  chan struct{}

	heard time.Time // of the reader alone: when the last frame arrived
	pings time.Time // when the next ping is sent
}

type parcel struct {
	at    time.Time
	event entitlements.Event
	err   error
}

// onTime is when something arrives that is sent now and neither overtakes nor is overtaken.
func (w *wire) onTime() time.Time {
	at := time.Now().Add(w.sim.network.way(w.rnd))
	if !at.After(w.last) {
		at = w.last.Add(1)
	}
	w.last = at
	return at
}

func (w *wire) push(e entitlements.Event, at time.Time) {
	if w.mute {
		return
	}
	w.queue = append(w.queue, parcel{at: at, event: e})
	slices.SortStableFunc(w.queue, func(a, b parcel) int { return a.at.Compare(b.at) })
	w.wake()
}

func (w *wire) cut(err error) {
	w.queue = []parcel{{at: time.Now(), err: err}}
	w.wake()
}

func (w *wire) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// Next returns what has arrived, and writes down what the client knows of the stream from then on.
func (w *wire) Next(ctx context.Context) (entitlements.Event, error) {
	e, err := w.next(ctx)
	w.sim.mu.Lock()
	defer w.sim.mu.Unlock()
	if err == nil {
		w.sim.network.frame = entitlements.InstantOf(time.Now())
	}
	switch {
	case err != nil:
		w.sim.add(line{Do: "lost", Text: err.Error()})
	case e.Kind == entitlements.EventSubscribed:
		w.sim.add(line{Do: "open"})
	}
	return e, err
}

func (w *wire) next(ctx context.Context) (entitlements.Event, error) {
	s := w.sim
	for {
		s.mu.Lock()
		now := time.Now()
		if w.pings.IsZero() || !now.Before(w.pings) {
			w.pings = now.Add(simPing)
			w.push(entitlements.Event{Kind: entitlements.EventAlive}, w.onTime())
		}
		until := w.pings
		if end := w.heard.Add(simSilence); end.Before(until) {
			until = end
		}
		if len(w.queue) > 0 {
			p := w.queue[0]
			if !p.at.After(now) {
				w.queue = w.queue[1:]
				s.mu.Unlock()
				w.heard = now
				return w.receive(p)
			}
			if p.at.Before(until) {
				until = p.at
			}
		}
		s.mu.Unlock()
		if now.Sub(w.heard) >= simSilence {
			return entitlements.Event{}, errSilent
		}
		t := time.NewTimer(time.Until(until))
		select {
		case <-t.C:
		case <-w.more:
		case <-w.ended:
			t.Stop()
			return entitlements.Event{}, errors.New("closed")
		case <-ctx.Done():
			t.Stop()
			return entitlements.Event{}, ctx.Err()
		}
		t.Stop()
	}
}

// receive does what the decoder does: it leaves out what nobody wants.
func (w *wire) receive(p parcel) (entitlements.Event, error) {
	e := p.event
	if p.err != nil || (e.Kind != entitlements.EventEntitlements && e.Kind != entitlements.EventUsage) {
		return e, p.err
	}
	if !w.wanted(e.Key) {
		return entitlements.Event{Kind: entitlements.EventSkipped, Key: e.Key}, nil
	}
	if _, held := w.sim.store.Peek(e.Key); held && w.sim.Timeless && w.rnd.IntN(3) == 0 {
		w.sim.mu.Lock()
		w.push(e, time.Now().Add(time.Duration(w.rnd.Int64N(int64(simLatest)))))
		w.sim.mu.Unlock()
	}
	return e, nil
}

func (w *wire) Close() error {
	w.sim.mu.Lock()
	defer w.sim.mu.Unlock()
	if w.sim.network.open == w {
		w.sim.network.open = nil
	}
	close(w.ended)
	return nil
}

// sabotage breaks something, and may mend it again later. It is called with no lock held.
func (s *sim) sabotage(pick func(int) int) {
	n := &s.network
	do := func(text string, f func()) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.note("%s", text)
		f()
	}
	times := 1 + pick(4)
	switch pick(12) {
	case 0, 1:
		do("the socket is cut", func() { n.cut(errCut) })
	case 2:
		do("the server goes away", func() { n.cut(failing{text: "1012 restarting", slow: pick(2) == 0}) })
	case 3:
		do("connections are refused", func() { n.refuse = true; n.cut(errCut) })
		time.Sleep(s.pause(pick, 40*time.Second))
		do("connections are accepted", func() { n.refuse = false })
	case 4:
		do("messages take longer", func() { n.pace = time.Duration(1 + pick(int(simLongestWay/2))) })
		time.Sleep(s.pause(pick, 10*time.Second))
		do("messages take no longer", func() { n.pace = 0 })
	case 5:
		do("requests hang", func() { n.hang = true })
		time.Sleep(s.pause(pick, 20*time.Second))
		do("requests are answered", func() { n.hang = false })
	case 6:
		do("429", func() {
			for range times {
				n.fail = append(n.fail, failing{text: "429", limited: true, retryAfter: time.Duration(pick(4)) * time.Second})
			}
		})
	case 7:
		do("502", func() { n.fail = append(n.fail, slices.Repeat([]error{errBroken}, times)...) })
	case 8:
		do("truncated JSON", func() { n.fail = append(n.fail, slices.Repeat([]error{errGarbled}, times)...) })
	case 9:
		do("the key is revoked", func() { n.revoked = true; n.cut(errRefused) })
		time.Sleep(s.pause(pick, 20*time.Second))
		if pick(8) == 0 { // and only the next probe finds out
			do("the key is restored", func() { n.revoked = false })
			break
		}
		do("the key is restored, and set anew", func() { n.revoked = false })
		s.sync.KeyChanged()
	case 10:
		do("the socket is half open", func() {
			if n.open != nil {
				n.open.mute, n.open.queue = true, nil
			}
		})
		time.Sleep(s.pause(pick, 45*time.Second))
	case 11:
		k := key{}
		if pick(3) > 0 {
			k = s.keys[pick(len(s.keys))]
		}
		do("an event that cannot be read", func() {
			n.send(entitlements.Event{Kind: entitlements.EventUnreadable, Key: k, Err: errGarbled})
		})
	}
}

// heal mends everything for good.
func (n *network) heal() {
	n.refuse, n.hang, n.revoked, n.fail, n.pace = false, false, false, nil, 0
}
