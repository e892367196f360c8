package entcache

import (
	"slices"
	"sync"
	"sync/atomic"
)

// When the account of what is pending for a key is forgotten.

// forget strikes off the account of a key that is not resident, if nothing is open on it, and reports whether it did. It lingers while
// something is unshown: a fetch that was under way before may make the key resident, and not show it either.
func (p *pending) forget(key Key) bool {
	if !p.used.Load() {
		return false
	}
	l := lingerer{key, p.lingering.last.Add(1)}
	forgotten, lingers := p.shard(key).forget(l, false)
	if lingers {
		if old := p.lingering.push(l); old.number != 0 {
			p.shard(old.key).forget(old, true)
		}
	}
	return forgotten
}

// stays notes that a key is resident after all: its account does not linger.
func (p *pending) stays(key Key) {
	if a := p.account(key); a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.lingers = 0
	}
}

// forget is the same; turn says that l has lingered long enough.
func (s *shard) forget(l lingerer, turn bool) (forgotten, lingers bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[l.key]
	if a == nil {
		return false, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if turn && a.lingers != l.number {
		return false, false // it has been resident, or had something open, since then
	}
	if slices.ContainsFunc(a.meters, func(m *meter) bool { return m.open > 0 }) {
		if turn {
			a.lingers = 0
		}
		return false, false
	}
	if !turn && slices.ContainsFunc(a.meters, func(m *meter) bool { return m.unshown != 0 }) {
		if lingers = a.lingers == 0; lingers {
			a.lingers = l.number
		}
		return false, lingers
	}
	delete(s.accounts, l.key)
	return true, false
}

// maxLingering bounds how many accounts linger. Of those before nobody waits for a fetch any more, as far as that can be said.
const maxLingering = 1024

// lingerer is a key whose account lingers, and which time that is: a key may do so again while it is still among the last.
type lingerer struct {
	key    Key
	number uint64 // from one
}

// lingering holds those that lingered last.
type lingering struct {
	last atomic.Uint64 // number given

	mu   sync.Mutex
	list []lingerer
	next int // the oldest, when there are maxLingering
}

// push returns the one that has to make room for another, if one has.
func (l *lingering) push(x lingerer) (old lingerer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) < maxLingering {
		l.list = append(l.list, x)
		return old
	}
	old, l.list[l.next] = l.list[l.next], x
	l.next = (l.next + 1) % maxLingering
	return old
}
