package entcache

import (
	"slices"
	"sync"
)

// When the account of what is pending for a key is forgotten.

// forget strikes off the account of a key that is not resident, if nothing is open on it, and reports whether it did. It lingers while
// something is unshown: a fetch that was under way before may make the key resident, and not show it either.
func (p *pending) forget(key Key) bool {
	if !p.used.Load() {
		return false
	}
	forgotten, lingers := p.shard(key).forget(key, false)
	if lingers {
		if old := p.lingering.push(key); old != (Key{}) {
			p.shard(old).forget(old, true)
		}
	}
	return forgotten
}

// forget is the same; lingering is for a key that has lingered long enough.
func (s *shard) forget(key Key, lingering bool) (forgotten, lingers bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[key]
	if a == nil {
		return false, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if lingering && !a.lingers {
		return false, false
	}
	if slices.ContainsFunc(a.meters, func(m *meter) bool { return m.open > 0 }) {
		a.lingers = a.lingers && !lingering
		return false, false
	}
	if !lingering && slices.ContainsFunc(a.meters, func(m *meter) bool { return m.unshown != 0 }) {
		lingers, a.lingers = !a.lingers, true
		return false, lingers
	}
	delete(s.accounts, key)
	return true, false
}

// maxLingering bounds how many accounts linger. Of those before nobody waits for a fetch any more, as far as that can be said.
const maxLingering = 1024

// lingering holds the keys that lingered last.
type lingering struct {
	mu   sync.Mutex
	keys []Key
	next int // the oldest, when there are maxLingering
}

// push returns the key that has to make room for another, if one has.
func (l *lingering) push(key Key) (old Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys) < maxLingering {
		l.keys = append(l.keys, key)
		return old
	}
	old, l.keys[l.next] = l.keys[l.next], key
	l.next = (l.next + 1) % maxLingering
	return old
}
