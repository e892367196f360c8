package usage

import (
	"slices"
	"sync"
)

// chunkSize is how many records are allocated at once: few enough that one slow shipment keeps little else in memory.
const chunkSize = 256

// Memory is a [Queue] that ends with the process. Make one with [NewMemory].
type Memory struct {
	mu     sync.Mutex // guards the following
	lanes  [len(Lanes)]memoryLane
	closed bool
}

// memoryLane is a list of chunks, of which those without a record left are given up wherever they stand.
type memoryLane struct {
	base     uint64     // how many records came before the first chunk: a multiple of chunkSize
	chunks   []*chunk   // nil where all of it was removed
	newest   uint64     // the number of the last record
	sealed   uint64     // up to which number records are sealed
	open     []Shipment // sealed and not removed, in their order
	spare    *chunk     // to use again
	waiting  int
	waitSize int64
}

type chunk struct {
	records [chunkSize]Record
	left    int // not removed, of those that were appended
}

// NewMemory returns an empty queue.
func NewMemory() *Memory { return &Memory{} }

var _ Queue = (*Memory)(nil)

// Append implements [Queue]. It takes one short lock, and allocates once in 256 records.
func (m *Memory) Append(l Lane, r Record) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	q := &m.lanes[l]
	at := int(q.newest - q.base)
	if at == len(q.chunks)*chunkSize {
		c := q.spare
		if q.spare = nil; c == nil {
			c = new(chunk)
		}
		q.chunks = append(q.chunks, c)
	}
	c := q.chunks[at/chunkSize]
	c.records[at%chunkSize] = r
	c.left++
	q.newest++
	q.waiting++
	q.waitSize += r.Size()
	return q.newest, nil
}

// Read implements [Queue].
func (m *Memory) Read(l Lane, after uint64, max int) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := &m.lanes[l]
	if after >= q.newest { // also because after+1 could be 0
		return nil, nil
	}
	var list []Entry
	if n := min(max, q.waiting); n > 0 && after < q.newest {
		list = make([]Entry, 0, min(uint64(n), q.newest-after))
	}
	for n := after + 1; n <= q.newest && len(list) < max; n++ {
		if r := q.at(n); r != nil && r.Kind != 0 {
			list = append(list, Entry{Number: n, Record: *r})
		}
	}
	return list, nil
}

// Seal implements [Queue].
func (m *Memory) Seal(l Lane, last uint64) (Shipment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := &m.lanes[l]
	if last <= q.sealed || last > q.newest {
		return Shipment{}, errSeal(l, q.sealed, last, q.newest)
	}
	s := Shipment{After: q.sealed, Last: last}
	q.sealed = last
	q.open = append(q.open, s)
	return s, nil
}

// Sealed implements [Queue].
func (m *Memory) Sealed(l Lane) ([]Shipment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.lanes[l].open), nil
}

// Remove implements [Queue].
func (m *Memory) Remove(l Lane, s Shipment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := &m.lanes[l]
	i := slices.Index(q.open, s)
	if i < 0 {
		return errRemove(l, s)
	}
	q.open = slices.Delete(q.open, i, i+1)
	for n := s.After + 1; n <= s.Last; n++ {
		r := q.at(n)
		q.waiting--
		q.waitSize -= r.Size()
		*r = Record{}
		q.spend(n)
	}
	return nil
}

// Last implements [Queue].
func (m *Memory) Last(l Lane) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lanes[l].newest
}

// Len implements [Queue].
func (m *Memory) Len(l Lane) (records int, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lanes[l].waiting, m.lanes[l].waitSize
}

// Durable implements [Queue]: it is not.
func (m *Memory) Durable() bool { return false }

// Close implements [Queue].
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// at returns the place of a record, nil when the whole chunk is gone.
func (q *memoryLane) at(n uint64) *Record {
	if n <= q.base {
		return nil
	}
	i := int(n - 1 - q.base)
	c := q.chunks[i/chunkSize]
	if c == nil {
		return nil
	}
	return &c.records[i%chunkSize]
}

// spend notes that a record is gone, and gives up its chunk when it was the last that it would ever hold.
func (q *memoryLane) spend(n uint64) {
	i := int(n-1-q.base) / chunkSize
	c := q.chunks[i]
	c.left--
	if c.left > 0 || q.base+uint64(i+1)*chunkSize > q.newest {
		return
	}
	q.spare, q.chunks[i] = c, nil
	for len(q.chunks) > 0 && q.chunks[0] == nil {
		q.chunks = q.chunks[1:]
		q.base += chunkSize
	}
}
