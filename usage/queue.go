package usage

import (
	"errors"
	"fmt"
)

// Lane is one of the two ways to Stigg. What waits in one does not hold up the other.
type Lane uint8

// The lanes. Their numbers are part of the format of durable queues.
const (
	Reports Lane = 0 // deltas and sets, up to 100 a call
	Events  Lane = 1 // raw events, up to 1,000 a call
)

// Lanes is all there are, for a queue to range over.
var Lanes = [...]Lane{Reports, Events}

func (l Lane) String() string {
	if l == Events {
		return "events"
	}
	return "reports"
}

// Queue keeps records from the moment they are accepted until they are delivered or set aside.
//
// Records of a lane are numbered, from 1 on, in the order of their acceptance. Reports are merged before they are sent, and what
// was merged must be merged the same way again after a restart, or its idempotency key would stand for something else: so the
// records that go together are sealed as one shipment before any of them is sent, and removed as one when all of it has arrived.
//
// Append, Last, Len and Durable may be called from any number of goroutines, also while another method runs; of the others one runs at a
// time in each lane. Package queuetest holds what a queue has to do as a test that any implementation can run.
type Queue interface {
	// Append keeps the record, as safely as this queue keeps anything, and then returns its number. After an error it is not kept,
	// unless the error says that nobody knows. Append copies nothing: the caller gives up r.Dimensions.
	Append(l Lane, r Record) (uint64, error)
	// Read returns up to max records after the one numbered after, in their order; none when there are no more.
	Read(l Lane, after uint64, max int) ([]Entry, error)
	// Seal makes one shipment of the records after the last that was sealed, up to and including last. It returns when that is as
	// safe as the records themselves.
	Seal(l Lane, last uint64) (Shipment, error)
	// Sealed returns the shipments that were sealed and not removed, in their order.
	Sealed(l Lane) ([]Shipment, error)
	// Remove forgets a shipment and its records, in any order of shipments.
	Remove(l Lane, s Shipment) error
	// Last returns the number of the record that was appended last, whatever became of it, also before the queue was opened; 0 when
	// there was none.
	Last(l Lane) uint64
	// Len returns how many records a lane holds, sealed ones included, and the sum of their [Record.Size].
	Len(l Lane) (records int, bytes int64)
	// Durable reports whether an accepted record survives the end of the process.
	Durable() bool
	// Close gives back what the queue holds. Records of a durable queue stay; no other method may be called any more, but for Last,
	// Len and Durable, and Append, which fails with [ErrClosed].
	Close() error
}

// Entry is a record and its number.
type Entry struct {
	Number uint64
	Record Record
}

// Shipment is a run of records of one lane: those numbered above After, up to and including Last.
type Shipment struct{ After, Last uint64 }

// Errors of this package, for errors.Is.
var (
	// ErrFull: as many records wait as the bound allows, and the record was not accepted.
	ErrFull = errors.New("usage: the queue is full")
	// ErrClosed: the reporter or the queue is closed, and the record was not accepted.
	ErrClosed = errors.New("usage: closed")
	// ErrShipment: a queue was asked to seal or remove what it does not hold.
	ErrShipment = errors.New("usage: no such shipment")
)

// errSeal is the error of sealing what cannot be sealed.
func errSeal(l Lane, after, last, newest uint64) error {
	return fmt.Errorf("%w: %s up to %d cannot be sealed: sealed are those up to %d, and the newest is %d", ErrShipment, l, last, after, newest)
}

// errRemove is the error of removing what is not there.
func errRemove(l Lane, s Shipment) error {
	return fmt.Errorf("%w: %s after %d up to %d", ErrShipment, l, s.After, s.Last)
}
