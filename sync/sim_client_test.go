package syncer

import (
	"context"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// What goes on in this process: readers, evictions, writes.

func (s *sim) readAll() {
	for _, k := range s.keys {
		for i := range simFeatures {
			s.check(k, simFeatures[i])
		}
	}
}

// read is one check.
func (s *sim) read(pick func(int) int) {
	k, f := s.keys[pick(len(s.keys))], simFeatures[pick(len(simFeatures))]
	if s.Calm && k == s.keys[1] && pick(40) > 0 {
		return // one that is read now and then
	}
	s.check(k, f)
}

// check does what the root package's GetEntitlement does, and writes down what came of it.
func (s *sim) check(k key, feature string) {
	from := entitlements.InstantOf(time.Now())
	b, origin, memory, failed := s.believe(k, from)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := line{Do: "read", Key: k, Feature: feature, From: from, Failed: failed, Frame: s.network.frame}
	if b != nil {
		at := entitlements.InstantOf(time.Now())
		v := look(b, k, feature, at)
		v.Origin, v.Memory = origin, memory
		v.AsOf = b.ConfirmedAt
		if origin != entitlements.Fetched {
			v.AsOf, _ = s.sync.Fresh(b, at)
		}
		l.See = &v
	}
	s.add(l)
}

// awaits is the root package's: how many fetches one read waits for.
const awaits = 4

// believe does what the root package's belief does, with two differences. There is no WithMaxStale, so whatever is held may be
// served, and an answer that came of a fetch that was under way is never too old. And what a read found, or fetched, before it
// gave up is not served once it is no longer resident: the replay could not tell where it came from. failed says that it waited in
// vain, and may be behind what this client wrote.
func (s *sim) believe(k key, now instant) (b *entitlements.Belief, origin entitlements.Origin, memory, failed bool) {
	var since uint64
	if b = s.store.touch(k, now); b != nil {
		if !b.AwaitRefresh {
			if _, live := s.sync.Fresh(b, now); live {
				return b, entitlements.Live, true, false
			}
			s.sync.Want(k)
			return b, entitlements.Stale, true, false
		}
		since = b.QuestionSeq
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*simTimeout)
	defer cancel()
	for range awaits {
		fetched, err := s.sync.Load(ctx, k, since)
		if err != nil {
			break
		}
		if !fetched.AwaitRefresh {
			if fetched.Suspect {
				return fetched, entitlements.Stale, false, false
			}
			return fetched, entitlements.Fetched, false, false
		}
		since = max(fetched.QuestionSeq, fetched.GrantSeq)
	}
	if r, ok := s.store.Peek(k); ok {
		return r.Belief, entitlements.Stale, true, true
	}
	return nil, entitlements.Fallback, false, true
}

// forget evicts something, or lets nothing in for a while.
func (s *sim) forget(pick func(int) int) {
	if k := s.keys[pick(len(s.keys))]; pick(20) > 0 {
		if _, ok := s.store.Peek(k); ok {
			s.store.evict(k)
		}
		return
	}
	s.full(true)
	time.Sleep(s.pause(pick, 5*time.Second))
	s.full(false)
}

func (s *sim) full(full bool) {
	s.mu.Lock()
	s.add(line{Do: "full", Full: full})
	s.mu.Unlock()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.full = full
}

// race changes a customer, and lets a reader fetch it before the event arrives.
func (s *sim) race(pick func(int) int) {
	if k := s.keys[pick(len(s.keys))]; pick(2) == 0 {
		switch {
		case s.Late:
			s.blink()
			return
		case s.Lossy:
			s.haunt(k, false)
			return
		case s.Timeless && pick(2) == 0:
			s.haunt(k, true)
			return
		case s.Timeless:
			s.echo(k)
			return
		}
	}
	k := s.keys[2*pick(2)] // one with a resource
	s.mu.Lock()
	s.stigg.put(k, tier)
	e := event(s.stigg.record(k))
	if w := s.network.open; w != nil {
		w.last = time.Now().Add(simLongestWay / 2)
		w.push(e, w.onTime())
	}
	s.mu.Unlock()
	s.check(key{CustomerID: k.CustomerID, ResourceID: "site"}, tier)
	if _, ok := s.store.Peek(k); ok {
		s.store.evict(k)
	}
	time.Sleep(time.Nanosecond)
	s.check(k, tier)
}

// blink cuts the stream between two changes of each key: the next stream begins with the first, and nobody tells of the second.
func (s *sim) blink() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		s.stigg.put(k, seats)
		s.network.backlog = append(s.network.backlog, event(s.stigg.record(k)))
	}
	s.note("the socket is cut before the events")
	s.network.cut(errCut)
	for _, k := range s.keys {
		s.stigg.put(k, seats)
		s.stigg.record(k)
	}
}

// haunt gives something and takes it away again, or everything with it, and delivers the event when a fetch has seen that it is
// gone.
func (s *sim) haunt(k key, archive bool) {
	s.mu.Lock()
	if a := s.stigg.accounts[k]; a.archived && archive {
		a.archived = false
		s.say(s.stigg.record(k))
		s.mu.Unlock()
		return
	}
	e := event(s.give(k))
	if a := s.stigg.accounts[k]; archive {
		a.archived = true
	} else {
		delete(a.grants, beta)
	}
	s.stigg.record(k)
	s.mu.Unlock()
	s.fetch(k)
	s.mu.Lock()
	s.note("the event is late")
	s.network.deliver(e)
	s.mu.Unlock()
}

// echo gives something that is seen, takes it away while the key is not resident, and lets the event come again.
func (s *sim) echo(k key) {
	s.mu.Lock()
	st := s.give(k)
	s.say(st)
	s.mu.Unlock()
	time.Sleep(simLongestWay)
	r, ok := s.store.Peek(k)
	s.mu.Lock()
	a := s.stigg.accounts[k]
	if ok = ok && r.Belief.Newest == a.last.set.EntitlementUpdatedAt(); ok { // nothing is on its way
		delete(a.grants, beta)
		s.stigg.record(k)
	}
	s.mu.Unlock()
	if !ok {
		return
	}
	s.store.evict(k)
	s.fetch(k)
	s.mu.Lock()
	s.note("the event comes again")
	s.network.deliver(event(st))
	s.mu.Unlock()
}

// give grants beta. The caller holds mu.
func (s *sim) give(k key) *state {
	e := grant(beta, s.stigg.stamp(), 1e6+s.stigg.next())
	s.stigg.accounts[k].grants[beta] = e
	return s.stigg.record(k)
}

// fetch is a reader who asks in so many words.
func (s *sim) fetch(k key) {
	ctx, cancel := context.WithTimeout(context.Background(), simTimeout)
	defer cancel()
	s.sync.Reload(ctx, k) // an error is answered by the check that follows
	s.check(k, beta)
}

// write is something that this client does to its own customer, followed at once by a check that must show it.
func (s *sim) write(pick func(int) int) {
	k := s.mine
	there, back := s.pause(pick, 100*time.Millisecond), s.pause(pick, simLongestWay)
	kind, behind := pick(4), time.Duration(pick(40))*time.Millisecond
	time.Sleep(there)
	s.mu.Lock()
	if pick(2) == 0 { // somebody else, a moment before
		if u, ok := s.stigg.use(k, seats); ok {
			s.sayUsage(k, u)
		}
		s.mu.Unlock()
		time.Sleep(s.pause(pick, 20*time.Millisecond))
		s.mu.Lock()
	}
	if s.network.refuse || s.network.revoked || s.network.hang || s.stigg.accounts[k].archived {
		s.mu.Unlock()
		return
	}
	var u entitlements.Usage
	if kind < 2 {
		var ok bool
		if u, ok = s.stigg.use(k, seats); !ok {
			s.mu.Unlock()
			return // refused
		}
		s.sayUsage(k, u)
	} else {
		s.stigg.put(k, tier)
		s.stigg.record(k)
		s.say(s.stigg.accounts[k].last)
	}
	st := s.stigg.accounts[k].last
	s.mu.Unlock()
	time.Sleep(back)
	switch {
	case kind < 2:
		// An answer may name the moment of the report instead of that of the calculation, and so be behind what is held.
		if r, ok := s.store.Peek(k); ok {
			if held, ok := r.Belief.Snapshot.Usage(u.Ref); ok && held.Current != u.Current && held.UpdatedAt > u.UpdatedAt-instant(behind) {
				u.UpdatedAt -= instant(behind)
			}
		}
		s.sync.WroteUsage(k, u)
	case kind == 2:
		s.sync.Wrote(k, st.set)
	case kind == 3:
		s.sync.AwaitRefresh(k)
	}
	s.mu.Lock()
	wrote := line{Do: "wrote", Key: k, State: st.id}
	if kind < 2 {
		wrote.Feature = seats
	}
	s.add(wrote)
	s.mu.Unlock()
	time.Sleep(time.Nanosecond)
	s.check(k, seats)
	s.check(k, tier)
	s.check(key{CustomerID: k.CustomerID, ResourceID: "site"}, tier)
}
