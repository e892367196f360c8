package bolt

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/entcache/entcache/usage"
)

// Who changes the file: one goroutine, which does all that was asked for while it did the last, in one transaction. bbolt's own Batch
// lost: it waits for 10 ms whether or not anybody comes, or, told not to wait, makes a transaction for each.

type opKind uint8

const (
	opAppend opKind = iota
	opSeal
	opRemove
)

// op is a change that somebody waits for.
type op struct {
	kind     opKind
	lane     usage.Lane
	record   []byte // to append
	text     uint32 // the checksum of its text
	size     int64
	number   uint64         // to seal; of what was appended
	shipment usage.Shipment // to remove; what was sealed
	err      error
	done     chan struct{} // has room for one
}

func newOp(kind opKind, l usage.Lane) *op {
	return &op{kind: kind, lane: l, done: make(chan struct{}, 1)}
}

// do has a change made, and waits for it.
func (q *Queue) do(o *op) error {
	p := &q.pending
	p.Lock()
	if err := p.broken; err != nil || p.closed {
		p.Unlock()
		if p.closed && err == nil || p.closed && o.kind == opAppend {
			return usage.ErrClosed
		}
		return err
	}
	p.ops = append(p.ops, o)
	if len(p.ops) == 1 {
		p.wake.Signal()
	}
	p.Unlock()
	<-o.done
	return o.err
}

// commitAll makes changes until the queue is closed and there are none left.
func (q *Queue) commitAll() {
	p := &q.pending
	var batch []*op
	for {
		p.Lock()
		for len(p.ops) == 0 && !p.closed {
			p.wake.Wait()
		}
		// Those whom the last transaction has just answered, and who come again at once, shall be in this one, not in the next. This
		// takes microseconds, where a transaction takes milliseconds.
		for before := 0; before < len(p.ops); {
			before = len(p.ops)
			p.Unlock()
			runtime.Gosched()
			p.Lock()
		}
		batch, p.ops = p.ops, batch[:0]
		broken := p.broken
		p.Unlock()
		if len(batch) == 0 {
			return
		}
		if broken == nil {
			broken = q.commit(batch)
			if broken != nil {
				p.Lock()
				p.broken = broken
				p.Unlock()
			}
		} else {
			for _, o := range batch {
				o.err = broken
			}
		}
		for _, o := range batch {
			o.done <- struct{}{}
		}
		clear(batch)
	}
}

// commit makes changes in one transaction, and leaves in each what became of it. One that cannot be made takes no other along. It
// returns an error when the file cannot be changed any more.
func (q *Queue) commit(batch []*op) (broken error) {
	for left := slices.Clone(batch); len(left) > 0; {
		culprit, id, err := q.transact(left)
		if culprit != nil {
			culprit.err = err
			left = slices.DeleteFunc(left, func(o *op) bool { return o == culprit })
			continue
		}
		if err == nil {
			return nil
		}
		if q.written(id) {
			err = fmt.Errorf("%w: %w", ErrUnknown, err)
			broken = err
		}
		for _, o := range left {
			o.err = err
		}
		return broken
	}
	return nil
}

// transact makes changes, and says which of them failed, if it was one of them.
func (q *Queue) transact(batch []*op) (culprit *op, id int, err error) {
	next := q.state // this goroutine alone changes it
	err = guard(func() error {
		tx, err := q.db.Begin(true)
		if err != nil {
			return err
		}
		defer tx.Rollback() // of no consequence once it is committed
		id = tx.ID()
		changed := false
		for _, o := range batch {
			culprit = o
			if o.err = o.check(&next[o.lane]); o.err != nil {
				continue
			}
			if err := o.apply(tx, &next[o.lane]); err != nil {
				return err
			}
			changed = true
		}
		culprit = nil
		if !changed {
			return nil
		}
		for _, l := range usage.Lanes {
			if s := &next[l]; s.last != q.state[l].last || s.sealed != q.state[l].sealed {
				k := names[l].state
				if err := tx.Bucket([]byte(metaBucket)).Put(k, encodeNumbers(l, k, s.last, s.sealed)); err != nil {
					return err
				}
			}
		}
		return finish(tx)
	})
	if err == nil {
		q.mu.Lock()
		q.state = next
		q.mu.Unlock()
	}
	return culprit, id, err
}

// finish commits. Tests make it fail.
var finish = (*bbolt.Tx).Commit

// written reports whether a transaction that failed may be found valid all the same: its header was written, and it failed at making
// that last, or bbolt is in no state to tell.
func (q *Queue) written(id int) bool {
	if id == 0 {
		return false // it never began
	}
	written := true
	err := guard(func() error {
		return q.db.View(func(tx *bbolt.Tx) error {
			written = tx.ID() >= id
			return nil
		})
	})
	return err != nil || written
}

// check reports whether the change can be made in that state.
func (o *op) check(s *laneState) error {
	switch o.kind {
	case opSeal:
		if o.number <= s.sealed || o.number > s.last {
			return fmt.Errorf("%w: %s up to %d cannot be sealed: sealed are those up to %d, and the newest is %d",
				usage.ErrShipment, o.lane, o.number, s.sealed, s.last)
		}
	case opRemove:
		if !slices.Contains(s.shipments, o.shipment) {
			return fmt.Errorf("%w: %s after %d up to %d", usage.ErrShipment, o.lane, o.shipment.After, o.shipment.Last)
		}
	}
	return nil
}

// apply makes the change, in the file and in the state.
func (o *op) apply(tx *bbolt.Tx, s *laneState) error {
	n := &names[o.lane]
	records, shipments := tx.Bucket(n.records), tx.Bucket(n.shipments)
	switch o.kind {
	case opAppend:
		records.FillPercent = 0.95 // numbers only grow: half a page would stay empty for ever
		o.number = s.last + 1
		k := key(o.number)
		place(o.record, o.text, o.lane, k)
		if err := records.Put(k, o.record); err != nil {
			return err
		}
		s.last++
		s.records++
		s.bytes += o.size
	case opSeal:
		o.shipment = usage.Shipment{After: s.sealed, Last: o.number}
		k := key(s.sealed)
		if err := shipments.Put(k, encodeNumbers(o.lane, k, o.number)); err != nil {
			return err
		}
		s.sealed = o.number
		s.shipments = append(slices.Clone(s.shipments), o.shipment)
	case opRemove:
		if err := shipments.Delete(key(o.shipment.After)); err != nil {
			return err
		}
		c := records.Cursor()
		for i := o.shipment.After + 1; i <= o.shipment.Last; i++ {
			k, v := c.Seek(key(i))
			if !bytes.Equal(k, key(i)) {
				return fmt.Errorf("%w: record %d of the %s is gone", ErrCorrupt, i, o.lane)
			}
			r, err := decode(v, o.lane, k)
			if err != nil {
				return fmt.Errorf("%w: record %d of the %s %w", ErrCorrupt, i, o.lane, err)
			}
			if err := c.Delete(); err != nil {
				return err
			}
			s.records--
			s.bytes -= r.Size()
		}
		s.shipments = slices.DeleteFunc(slices.Clone(s.shipments), func(x usage.Shipment) bool { return x == o.shipment })
	}
	return nil
}
