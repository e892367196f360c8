package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/entcache/entcache/usage"
)

// Errors of this package, for errors.Is.
var (
	// ErrInUse: the file is open already, in another process or in this one.
	ErrInUse = errors.New("the file is in use: each process needs a file of its own, and opens it once")
	// ErrCorrupt: the file is not as it was written. It is left as it is.
	ErrCorrupt = errors.New("the file is corrupt, and was left as it is: restore it, or move it away to begin anew, " +
		"which loses the usage in it that Stigg has not counted")
	// ErrFormat: the file is something else, or was written by a later version.
	ErrFormat = errors.New("the file is not a usage queue that this version knows, and was left as it is: give another path, or use a newer version")
	// ErrUnknown: the disk failed at the one moment after which nobody knows whether a record was kept.
	ErrUnknown = errors.New("nobody knows whether it was kept until the file is opened again: see to the disk, and restart the program")
)

// DefaultLockTimeout is how long Open waits for a file that is in use: for a process that is about to end.
const DefaultLockTimeout = time.Second

// Option configures [Open].
type Option func(*config) error

type config struct {
	lockTimeout time.Duration
	noSync      bool // for tests of what does not depend on the disk
	maxSize     int  // for tests of a disk that is full
}

// WithLockTimeout sets how long Open waits for a file that is in use. Default [DefaultLockTimeout]; 0 does not wait.
func WithLockTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("WithLockTimeout: %v: give a positive duration, or 0 not to wait", d)
		}
		c.lockTimeout = d
		return nil
	}
}

// Open opens the queue that is kept in a file, and makes the file if there is none; its directory has to exist. See the package
// documentation for what it costs, and for files that are in use, torn or something else.
func Open(path string, opts ...Option) (*Queue, error) {
	q, err := open(path, opts...)
	if err != nil {
		return nil, fmt.Errorf("bolt: open %s: %w", path, err)
	}
	return q, nil
}

func open(path string, opts ...Option) (*Queue, error) {
	cfg := config{lockTimeout: DefaultLockTimeout}
	for _, opt := range opts {
		if err := opt(&cfg); err != nil {
			return nil, err
		}
	}
	if path == "" {
		return nil, errors.New("the path is empty: give one")
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(path); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("it is a %s, and no file: give the path of one", kindOf(info.Mode()))
	}
	q := newQueue(path)
	db, err := openDB(path, cfg, &q.state)
	if err != nil {
		return nil, err
	}
	q.db = db
	q.committing.Go(q.commitAll)
	return q, nil
}

func kindOf(m fs.FileMode) string {
	if m.IsDir() {
		return "directory"
	}
	return "device, pipe or socket"
}

// openDB locks and checks the file, reads the state that is in it, and hands it to bbolt.
func openDB(path string, cfg config, state *[len(usage.Lanes)]laneState) (db *bbolt.DB, err error) {
	options := &bbolt.Options{
		Timeout: max(cfg.lockTimeout, time.Millisecond), // zero would wait for ever
		// A list of free pages on disk would be written in each transaction, and be as long as the longest backlog there ever was.
		// Without it, bbolt finds what is free by reading what is in use, which Open does anyway.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType, // the other searches the list for each page
		NoStatistics:   true,
		NoSync:         cfg.noSync,
		MaxSize:        cfg.maxSize,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
			if err != nil {
				return nil, err
			}
			if err = lock(f, cfg.lockTimeout); err == nil {
				err = load(f, state)
			}
			if err != nil {
				f.Close()
				return nil, err
			}
			return f, nil
		},
	}
	defer func() {
		if errors.Is(err, berrors.ErrTimeout) {
			err = ErrInUse
		}
	}()
	err = guard(func() (err error) {
		db, err = bbolt.Open(path, 0o600, options)
		return err
	})
	return db, err
}

func lock(f *os.File, timeout time.Duration) error {
	const again = 20 * time.Millisecond
	for deadline := time.Now().Add(timeout); ; {
		ok, err := tryLock(f)
		switch {
		case err != nil:
			return fmt.Errorf("lock: %w", err)
		case ok:
			return nil
		case time.Now().After(deadline):
			return ErrInUse
		}
		time.Sleep(again) // the kernel's lock cannot be waited for with a timeout
	}
}

// guard makes an error of what bbolt makes a panic of, such as a page that is not what it was, or cannot be read any more.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	return f()
}

// create makes an empty queue under another name, and gives it its own when it is complete and on the disk. When somebody else
// was faster, theirs stays.
func create(path string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*.new") // readable by its owner only
	if err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	name := f.Name()
	defer os.Remove(name)
	if err := f.Close(); err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	err = errors.Join(db.Update(initialise), db.Close())
	if err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	// A link does not replace what is there, as a rename would.
	if err := os.Link(name, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make it, on a disk that has to know hard links: %w", err)
	}
	if runtime.GOOS == "windows" {
		return nil // a directory cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("make its name last: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("make its name last: %w", err)
	}
	return nil
}

// initialise writes what a queue has from the beginning.
func initialise(tx *bbolt.Tx) error {
	meta, err := tx.CreateBucket([]byte(metaBucket))
	if err != nil {
		return err
	}
	err = errors.Join(
		meta.Put([]byte(nameKey), []byte(formatName)),
		meta.Put([]byte(versionKey), binary.BigEndian.AppendUint32(nil, formatVersion)),
	)
	for _, l := range usage.Lanes {
		_, err1 := tx.CreateBucket(names[l].records)
		_, err2 := tx.CreateBucket(names[l].shipments)
		err = errors.Join(err, err1, err2, meta.Put(names[l].state, encodeNumbers(l, names[l].state, 0, 0)))
	}
	return err
}

// load checks a file and reads the state that is in it.
func load(f *os.File, state *[len(usage.Lanes)]laneState) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return fmt.Errorf("%w: it is empty", ErrCorrupt)
	}
	c := contents{meta: map[string][]byte{}}
	err = walk(f, info.Size(), c.visit)
	switch {
	case c.foreign(err != nil):
		return fmt.Errorf("%w: it is of another program, with bbolt", ErrFormat)
	case c.version > formatVersion:
		return fmt.Errorf("%w: it has version %d, and this knows %d", ErrFormat, c.version, formatVersion)
	case errors.Is(err, ErrFormat):
		return err
	case errors.Is(err, errNoBolt):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case err == nil:
		err = c.complete(state)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

// contents is what a file holds, as it is found.
type contents struct {
	meta    map[string][]byte
	version uint32
	other   []string // buckets that no queue has
	lanes   [len(usage.Lanes)]struct {
		shipments []usage.Shipment
		numbers   []span // of records
		size      int64
	}
}

// span is a run of records that are there: those above after, up to and including last.
type span struct{ after, last uint64 }

func (c *contents) visit(bucket, k, v []byte) error {
	if string(bucket) == metaBucket {
		c.meta[string(k)] = bytes.Clone(v)
		if string(k) == versionKey && len(v) == 4 {
			c.version = binary.BigEndian.Uint32(v)
		}
		return nil
	}
	for _, l := range usage.Lanes {
		q := &c.lanes[l]
		switch {
		case string(bucket) != string(names[l].records) && string(bucket) != string(names[l].shipments):
			continue
		case len(k) != 8:
			return fmt.Errorf("%x is no number", k)
		}
		n := binary.BigEndian.Uint64(k)
		if string(bucket) == string(names[l].shipments) {
			s := usage.Shipment{After: n}
			if err := decodeNumbers(v, l, k, &s.Last); err != nil {
				return fmt.Errorf("the shipment after %d %w", n, err)
			}
			q.shipments = append(q.shipments, s)
			return nil
		}
		r, err := decode(v, l, k)
		if err != nil {
			return fmt.Errorf("record %d %w", n, err)
		}
		q.size += r.Size()
		if i := len(q.numbers) - 1; i >= 0 && q.numbers[i].last == n-1 {
			q.numbers[i].last = n
		} else {
			q.numbers = append(q.numbers, span{n - 1, n})
		}
		return nil
	}
	c.other = append(c.other, string(bucket))
	return nil
}

// foreign reports whether another program wrote the file: one that could be read, and has not the name of a queue.
func (c *contents) foreign(failed bool) bool {
	name, ok := c.meta[nameKey]
	return !failed && (!ok || string(name) != formatName)
}

// complete checks that what was found is all there is to be, and makes a state of it: the records of the shipments that were not
// removed, and those that were not sealed, without a gap.
func (c *contents) complete(state *[len(usage.Lanes)]laneState) error {
	if c.version != formatVersion || len(c.other) > 0 {
		return fmt.Errorf("it has version %d, and other buckets %q", c.version, c.other)
	}
	for _, l := range usage.Lanes {
		q, s := &c.lanes[l], laneState{}
		if err := decodeNumbers(c.meta[string(names[l].state)], l, names[l].state, &s.last, &s.sealed); err != nil {
			return fmt.Errorf("the state of the %s %w", l, err)
		}
		var want []span
		add := func(after, last uint64) {
			if i := len(want) - 1; i >= 0 && want[i].last == after {
				want[i].last = last
			} else if after < last {
				want = append(want, span{after, last})
			}
			s.records += int(last - after)
		}
		var before uint64
		for _, x := range q.shipments {
			if x.After < before || x.Last <= x.After || x.Last > s.sealed {
				return fmt.Errorf("the shipment of %s after %d up to %d is not one that was sealed", l, x.After, x.Last)
			}
			before = x.Last
			add(x.After, x.Last)
		}
		if s.sealed > s.last {
			return fmt.Errorf("the %s are sealed up to %d, and the last is %d", l, s.sealed, s.last)
		}
		add(s.sealed, s.last)
		if !slices.Equal(q.numbers, want) {
			return fmt.Errorf("of the %s, those numbered %v are there, and not those numbered %v", l, q.numbers, want)
		}
		s.bytes, s.shipments = q.size, q.shipments
		state[l] = s
	}
	return nil
}

func (s span) String() string { return fmt.Sprintf("%d to %d", s.after+1, s.last) }
