package usage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// What a call to Stigg takes, and what is waited for.
const (
	// MaxReports and MaxEvents are how many Stigg takes in one call.
	MaxReports = 100
	MaxEvents  = 1000
	// maxCallBytes is how large a call becomes, unless a single record is larger.
	maxCallBytes = 512 << 10
	// maxShipment is how many records are merged into one call at most.
	maxShipment = 10_000

	// DefaultWindow is how long a record waits for others to go with it. At one call a second for each process, ten processes
	// stay within the 600 calls a minute that Stigg allows an API key.
	DefaultWindow = time.Second
	// DefaultMaxRecords and DefaultMaxBytes bound what waits: an hour of outage at 25 records a second, in up to 64 MB.
	DefaultMaxRecords = 100_000
	DefaultMaxBytes   = 64 << 20
	// DefaultTries is how often a record that Stigg refuses is sent before it is set aside.
	DefaultTries = 3
	// DefaultCallTimeout bounds one call.
	DefaultCallTimeout = 30 * time.Second
)

// Sender takes lines to Stigg. Each call holds lines of one lane, as many as Stigg takes at most, and has counted all of them when
// it returns nil. An error is a [*Failure] where the sender knows what the failure means for the lines; any other is taken for
// [Failed]. It is called from one goroutine for each lane.
type Sender interface {
	Send(ctx context.Context, l Lane, lines []Line) error
}

// Line is what goes to Stigg as one element of a call.
type Line struct {
	Record
	// Accepted is how many of the records that were merged into the line this reporter accepted itself; the others it found in the
	// queue. Deltas is the sum of the deltas among the former.
	Accepted int
	Deltas   float64
}

// Failure is an error of a [Sender], with what it means for the records that were sent.
type Failure struct {
	Err   error
	Means Meaning
	// RetryAfter is how long Stigg asks to wait, if it does; believed up to five minutes.
	RetryAfter time.Duration
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Meaning is what a failed call says of its lines.
type Meaning uint8

const (
	// Failed: the call may have been counted, in part or whole, and nobody knows why it was not answered. The records are sent
	// again, in smaller calls, so that one which makes Stigg fail is found.
	Failed Meaning = iota
	// Away: Stigg took none of them, for a reason that has nothing to do with them, such as a rate limit, a key that is refused, or
	// a connection that was not made. They are sent again as they are, for as long as it takes.
	Away
	// Refused: Stigg will not have one of them at least. The others are delivered without it.
	Refused
)

// SetAside is what becomes of records that are not delivered: those of one line of a call, which Stigg refuses.
type SetAside struct {
	// Line is what Stigg refused, and Records what it was made of.
	Line    Line
	Records []Record
	// Err is what Stigg says of them.
	Err error
	// Tries is how often they were sent.
	Tries int
}

// Config configures a [Reporter]. Zero values mean the defaults.
type Config struct {
	Sender Sender // required
	Queue  Queue  // default: NewMemory()
	// Window is how long a record waits for others, unless a call is full before. Default [DefaultWindow].
	Window time.Duration
	// MaxRecords and MaxBytes bound what waits. Default [DefaultMaxRecords], [DefaultMaxBytes]. A record that is larger than MaxBytes
	// alone is never accepted.
	MaxRecords int
	MaxBytes   int64
	// Block makes Accept wait for room while the queue is full. Otherwise it fails with [ErrFull].
	Block bool
	// Tries is how often a record that Stigg refuses is sent before it is set aside. Default [DefaultTries].
	Tries int
	// CallTimeout bounds one call of Sender. Default [DefaultCallTimeout].
	CallTimeout time.Duration
	// OnSetAside is told what was set aside; after it returned, the records are gone. It may be told of the same records again after
	// a crash. It is called from one goroutine for each lane, which delivers nothing meanwhile, and must not call Flush or Close.
	// Nil: they are logged as an error, without their dimensions, to Logger or else to slog.Default, and counted.
	OnSetAside func(SetAside)
	Logger     *slog.Logger // default: nothing is logged, but for what is set aside
}

func (c Config) withDefaults() (Config, error) {
	if c.Sender == nil {
		return c, errors.New("usage: Config.Sender is nil: give one")
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"Window", int64(c.Window)}, {"MaxRecords", int64(c.MaxRecords)}, {"MaxBytes", c.MaxBytes},
		{"Tries", int64(c.Tries)}, {"CallTimeout", int64(c.CallTimeout)},
	} {
		if f.value < 0 {
			return c, fmt.Errorf("usage: Config.%s is %d: give a positive one, or 0 for the default", f.name, f.value)
		}
	}
	if c.Queue == nil {
		c.Queue = NewMemory()
	}
	if c.OnSetAside == nil {
		c.OnSetAside = LogSetAside(c.Logger)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Window = defaulted(c.Window, DefaultWindow)
	c.MaxRecords = defaulted(c.MaxRecords, DefaultMaxRecords)
	c.MaxBytes = defaulted(c.MaxBytes, DefaultMaxBytes)
	c.Tries = defaulted(c.Tries, DefaultTries)
	c.CallTimeout = defaulted(c.CallTimeout, DefaultCallTimeout)
	return c, nil
}

func defaulted[T ~int | ~int64](given, otherwise T) T {
	if given == 0 {
		return otherwise
	}
	return given
}

// UndeliveredError says what Close, or Flush, could not deliver.
type UndeliveredError struct {
	// Waiting is how many records have not been delivered.
	Waiting int
	// Durable: they are kept, and will be delivered by the next reporter on the same queue. Otherwise they are lost when the process
	// ends.
	Durable bool
	// Records are those that Close leaves behind in a queue that is not durable. Nil after Flush.
	Records []Record
	// Err is why: the failure that was met last, or the end of the context.
	Err error
}

func (e *UndeliveredError) Error() string {
	fate := "not delivered"
	switch {
	case e.Durable:
		fate = "not delivered yet, and kept in the queue"
	case e.Records != nil:
		fate = "not delivered, and lost unless the program saves them"
	}
	return fmt.Sprintf("usage: %d records are %s: %v", e.Waiting, fate, e.Err)
}

func (e *UndeliveredError) Unwrap() error { return e.Err }
