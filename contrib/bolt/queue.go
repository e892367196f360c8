package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/entcache/entcache/usage"
)

// Queue is a [usage.Queue] in a file. Make one with [Open]. All methods may be called from any number of goroutines.
type Queue struct {
	path       string
	db         *bbolt.DB
	committing sync.WaitGroup // the goroutine of commitAll, which Close joins

	pending struct {
		sync.Mutex // guards the following
		wake       *sync.Cond
		ops        []*op
		closed     bool
		broken     error // why nothing can be changed any more
	}

	mu    sync.RWMutex // guards the following, which commitAll alone changes
	state [len(usage.Lanes)]laneState

	// reading is held for reading while the file is read, so that Close begins after the last of them.
	reading sync.RWMutex
	closing sync.Once
	result  error // of Close, once it is complete
}

// laneState is what the file says of a lane. Its shipments are never changed, but replaced.
type laneState struct {
	last, sealed uint64
	shipments    []usage.Shipment // sealed and not removed, in their order
	records      int
	bytes        int64
}

var _ usage.Queue = (*Queue)(nil)

func newQueue(path string) *Queue {
	q := &Queue{path: path}
	q.pending.wake = sync.NewCond(&q.pending)
	return q
}

// Append implements [usage.Queue]: it returns when the record is on the disk. After an error the record is not kept, unless the
// error is [ErrUnknown].
func (q *Queue) Append(l usage.Lane, r usage.Record) (uint64, error) {
	b, text, err := encode(&r)
	if err != nil {
		return 0, q.failed("accept a record", err)
	}
	o := newOp(opAppend, l)
	o.record, o.text, o.size = b, text, r.Size()
	if err := q.do(o); err != nil {
		return 0, q.failed("accept a record", err)
	}
	return o.number, nil
}

// Seal implements [usage.Queue].
func (q *Queue) Seal(l usage.Lane, last uint64) (usage.Shipment, error) {
	o := newOp(opSeal, l)
	o.number = last
	if err := q.do(o); err != nil {
		return usage.Shipment{}, q.failed("seal", err)
	}
	return o.shipment, nil
}

// Remove implements [usage.Queue].
func (q *Queue) Remove(l usage.Lane, s usage.Shipment) error {
	o := newOp(opRemove, l)
	o.shipment = s
	return q.failed("remove", q.do(o))
}

// Sealed implements [usage.Queue].
func (q *Queue) Sealed(l usage.Lane) ([]usage.Shipment, error) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return slices.Clone(q.state[l].shipments), nil
}

// Read implements [usage.Queue].
func (q *Queue) Read(l usage.Lane, after uint64, max int) ([]usage.Entry, error) {
	if max <= 0 || after >= q.Last(l) {
		return nil, nil
	}
	q.reading.RLock()
	defer q.reading.RUnlock()
	q.pending.Lock()
	closed := q.pending.closed
	q.pending.Unlock()
	if closed {
		return nil, usage.ErrClosed
	}
	var list []usage.Entry
	err := guard(func() error {
		return q.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket(names[l].records).Cursor()
			for k, v := c.Seek(key(after + 1)); k != nil && len(list) < max; k, v = c.Next() {
				r, err := decode(v, l, k)
				if err != nil {
					return fmt.Errorf("%w: record %x of the %s %w", ErrCorrupt, k, l, err)
				}
				list = append(list, usage.Entry{Number: binary.BigEndian.Uint64(k), Record: r})
			}
			return nil
		})
	})
	if err != nil {
		return nil, q.failed("read", err)
	}
	return list, nil
}

// Last implements [usage.Queue].
func (q *Queue) Last(l usage.Lane) uint64 {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.state[l].last
}

// Len implements [usage.Queue].
func (q *Queue) Len(l usage.Lane) (records int, bytes int64) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.state[l].records, q.state[l].bytes
}

// Durable implements [usage.Queue]: it is.
func (q *Queue) Durable() bool { return true }

// Close implements [usage.Queue]: it gives the file back. What was being accepted is accepted first. Close may be called more than
// once; each returns the same when it is done.
func (q *Queue) Close() error {
	q.closing.Do(func() {
		q.pending.Lock()
		q.pending.closed = true
		q.pending.wake.Signal()
		q.pending.Unlock()
		q.committing.Wait()
		q.reading.Lock()
		defer q.reading.Unlock()
		if err := guard(q.db.Close); err != nil {
			q.result = q.failed("close", err)
		}
	})
	return q.result
}

// failed says what could not be done to which file. The errors of package usage are complete as they are.
func (q *Queue) failed(what string, err error) error {
	if err == nil || errors.Is(err, usage.ErrClosed) || errors.Is(err, usage.ErrShipment) {
		return err
	}
	return fmt.Errorf("bolt: %s: %s: %w", q.path, what, err)
}
