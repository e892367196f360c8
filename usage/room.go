package usage

import "sync"

// room bounds what waits, by records and by bytes.
type room struct {
	maxRecords int
	maxBytes   int64

	mu      sync.Mutex // guards the following
	records int
	bytes   int64
	freed   chan struct{} // closed when something is given back; nil while nobody waits for that
}

// take takes the place of one record. When there is none it returns a channel that is closed when there may be one.
func (r *room) take(size int64) (full <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.records < r.maxRecords && r.bytes+size <= r.maxBytes {
		r.records++
		r.bytes += size
		return nil
	}
	if r.freed == nil {
		r.freed = make(chan struct{})
	}
	return r.freed
}

// force takes room without asking for it.
func (r *room) force(records int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records += records
	r.bytes += bytes
}

// give gives room back, and wakes whoever waits for it.
func (r *room) give(records int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records -= records
	r.bytes -= bytes
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}
