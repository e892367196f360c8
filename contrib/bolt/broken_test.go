package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/usage"
)

// everything is all that a queue answers.
type everything struct {
	last    [len(usage.Lanes)]uint64
	records [len(usage.Lanes)]int
	bytes   [len(usage.Lanes)]int64
	sealed  [len(usage.Lanes)][]usage.Shipment
	entries [len(usage.Lanes)][]usage.Entry
}

func everythingOf(q usage.Queue) (e everything, err error) {
	for _, l := range usage.Lanes {
		e.last[l] = q.Last(l)
		e.records[l], e.bytes[l] = q.Len(l)
		var err1, err2 error
		e.sealed[l], err1 = q.Sealed(l)
		e.entries[l], err2 = q.Read(l, 0, 1<<30)
		err = errors.Join(err, err1, err2)
	}
	return e, err
}

// lived makes a file that has seen some life: records of all sizes, some delivered, some sealed, in pages of every kind.
func lived(t *testing.T) (path string, want everything) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "usage.db")
	q := opened(t, path, bolt.WithoutSync())
	filled(t, q, 900)
	for i := range 300 {
		e := report(i)
		e.Kind, e.FeatureID, e.EventName = usage.Event, "", "signed-in"
		if i%100 == 0 {
			e.Dimensions = fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("x", 9000))
		}
		if _, err := q.Append(usage.Events, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range usage.Lanes {
		var list []usage.Shipment
		for _, last := range []uint64{30, 80, 81, 200, 250} {
			s, err := q.Seal(l, last)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
		}
		for _, i := range []int{0, 3} {
			if err := q.Remove(l, list[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, err := everythingOf(q)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	return path, want
}

// holdsAllOrSays opens a file that was tampered with: it is refused, or everything is there, and goes on to be. It reports whether
// it was refused.
func holdsAllOrSays(t *testing.T, path, what string, want everything) bool {
	t.Helper()
	q, err := bolt.Open(path, bolt.WithoutSync())
	if err != nil {
		if !errors.Is(err, bolt.ErrCorrupt) && !errors.Is(err, bolt.ErrFormat) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want ErrCorrupt, or ErrFormat, of %s", what, err, path)
		}
		return true
	}
	defer q.Close()
	got, err := everythingOf(q)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: opened, and holds %v of %v records, %v", what, got.records, want.records, err)
		return false
	}
	filled(t, q, 50) // in whatever pages it takes for free
	for _, l := range usage.Lanes {
		sealed, _ := q.Sealed(l)
		if s, err := q.Seal(l, q.Last(l)); err == nil {
			sealed = append(sealed, s)
		}
		for _, s := range sealed {
			if err := q.Remove(l, s); err != nil {
				t.Errorf("%s: opened, and Remove fails: %v", what, err)
			}
		}
		if n, bytes := q.Len(l); n != 0 || bytes != 0 {
			t.Errorf("%s: opened, and %d records of %d bytes are left when all are removed", what, n, bytes)
		}
	}
	return false
}

// TestATruncatedFile: whatever is missing at its end.
func TestATruncatedFile(t *testing.T) {
	path, want := lived(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(t.TempDir(), "torn.db")
	page, refused, total := os.Getpagesize(), 0, 0
	for size := 0; size <= len(whole); size += page {
		for _, less := range []int{0, 1, page / 2} {
			if size < less {
				continue
			}
			if err := os.WriteFile(torn, whole[:size-less], 0o600); err != nil {
				t.Fatal(err)
			}
			total++
			if holdsAllOrSays(t, torn, fmt.Sprintf("%d of %d bytes", size-less, len(whole)), want) {
				refused++
			}
		}
	}
	if refused < total/4 || refused == total {
		t.Errorf("%d of %d were refused: the test cuts in the wrong place", refused, total)
	}
}

// TestAFlippedBit in a page that is in use is found, wherever it is; elsewhere it does not matter.
func TestAFlippedBit(t *testing.T) {
	path, want := lived(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const seed = 20261128
	random := rand.New(rand.NewPCG(seed, seed))
	page := os.Getpagesize()
	flipped := filepath.Join(t.TempDir(), "flipped.db")
	refused := 0
	const flips = 800
	for i := range flips {
		at := random.IntN(len(whole))
		if i%2 == 0 { // where pages say what they are
			at = at/page*page + random.IntN(80)
		}
		bit := byte(1) << random.IntN(8)
		whole[at] ^= bit
		if err := os.WriteFile(flipped, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		whole[at] ^= bit
		if holdsAllOrSays(t, flipped, fmt.Sprintf("bit %#x at %d, seed %d", bit, at, seed), want) {
			refused++
		}
	}
	if refused < flips/10 {
		t.Errorf("%d of %d were refused: the test flips in the wrong place", refused, flips)
	}
	t.Logf("%d of %d were refused", refused, flips)
}

// TestATornHeader: bbolt would go back to the other, which is of the transaction before, without a word.
func TestATornHeader(t *testing.T) {
	path, want := lived(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for header := range 2 {
		for i := range 64 {
			at := header*os.Getpagesize() + 16 + i
			whole[at] ^= 0x10
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			whole[at] ^= 0x10
			if !holdsAllOrSays(t, path, fmt.Sprint("byte ", at), want) {
				t.Errorf("a change of byte %d of header %d is not refused", i, header)
			}
		}
	}
}

// TestAFileThatIsSomethingElse is refused with what to do, and left as it is.
func TestAFileThatIsSomethingElse(t *testing.T) {
	dir := t.TempDir()
	bbolts := func(name string, change func(tx *bbolt.Tx) error) string {
		path := filepath.Join(dir, name)
		db, err := bbolt.Open(path, 0o600, nil)
		if err == nil {
			err = errors.Join(db.Update(change), db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	ours := func(name string, change func(tx *bbolt.Tx) error) string {
		if err := opened(t, filepath.Join(dir, name)).Close(); err != nil {
			t.Fatal(err)
		}
		return bbolts(name, change)
	}
	text := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put := func(bucket, key, value string) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(bucket))
			if err != nil {
				return err
			}
			return b.Put([]byte(key), []byte(value))
		}
	}
	random := rand.NewChaCha8([32]byte{1})
	garbage := make([]byte, 100_000)
	_, _ = random.Read(garbage)
	for _, row := range []struct {
		path string
		is   error
		says string
	}{
		{text("empty", ""), bolt.ErrCorrupt, "empty"},
		{text("short", "x"), bolt.ErrFormat, "not a file of bbolt"},
		{text("text", strings.Repeat("not a queue\n", 10_000)), bolt.ErrFormat, "not a file of bbolt"},
		{text("garbage", string(garbage)), bolt.ErrFormat, "not a file of bbolt"},
		{text("zeros", strings.Repeat("\x00", 1<<20)), bolt.ErrFormat, "not a file of bbolt"},
		{bbolts("others", put("users", "1", "zoe")), bolt.ErrFormat, "another program"},
		{bbolts("nothing", func(*bbolt.Tx) error { return nil }), bolt.ErrFormat, "another program"},
		{bbolts("alike", put("meta", "format", "shopping list")), bolt.ErrFormat, "another program"},
		{ours("newer", put("meta", "version", "\x00\x00\x00\x02")), bolt.ErrFormat, "version 2"},
		{ours("version", put("meta", "version", "")), bolt.ErrCorrupt, "version"},
		{ours("lane", put("meta", "lane-1", "")), bolt.ErrCorrupt, "state of the events"},
		{ours("bucket", put("more", "k", "v")), bolt.ErrCorrupt, "other buckets"},
		{ours("record", put("records-0", "\x00\x00\x00\x00\x00\x00\x00\x01", "xyz")), bolt.ErrCorrupt, "record 1 is too short"},
		{ours("key", put("records-0", "one", "xyz")), bolt.ErrCorrupt, "no number"},
	} {
		before, err := os.ReadFile(row.path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = bolt.Open(row.path)
		if !errors.Is(err, row.is) || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), row.path) {
			t.Errorf("%s: %v; want %q", filepath.Base(row.path), err, row.says)
		}
		if after, err := os.ReadFile(row.path); err != nil || string(after) != string(before) {
			t.Errorf("%s was changed, %v", filepath.Base(row.path), err)
		}
	}
	for path, says := range map[string]string{
		"": "empty", dir: "directory", filepath.Join(dir, "none", "usage.db"): "no such file", os.DevNull: "device",
	} {
		if _, err := bolt.Open(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want %q", path, err, says)
		}
	}
	if _, err := bolt.Open(filepath.Join(dir, "x"), bolt.WithLockTimeout(-1)); err == nil || !strings.Contains(err.Error(), "WithLockTimeout") {
		t.Errorf("%v", err)
	}
}

// TestAFileThatBboltCompacted, which is how one is made smaller, is taken up.
func TestAFileThatBboltCompacted(t *testing.T) {
	path, want := lived(t)
	from, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	compacted := filepath.Join(t.TempDir(), "compacted.db")
	to, err := bbolt.Open(compacted, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bbolt.Compact(to, from, 0), to.Close(), from.Close()); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{compacted, path} { // the other has got a list of free pages
		if holdsAllOrSays(t, p, "compacted", want) {
			t.Errorf("%s is refused", p)
		}
	}
}

// TestAFileThatChangesWhileItIsOpen, by another's hand: calls fail, and the process goes on.
func TestAFileThatChangesWhileItIsOpen(t *testing.T) {
	for what, change := range map[string]func(f *os.File, size int64) error{
		"cut":   func(f *os.File, size int64) error { return f.Truncate(8192) },
		"zeros": func(f *os.File, size int64) error { _, err := f.WriteAt(make([]byte, size-8192), 8192); return err },
	} {
		path, _ := lived(t)
		q, err := bolt.Open(path, bolt.WithoutSync())
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err == nil {
			err = errors.Join(change(f, info.Size()), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if list, err := q.Read(usage.Reports, 0, 1000); !errors.Is(err, bolt.ErrCorrupt) {
			t.Errorf("%s: Read has %d entries, %v", what, len(list), err)
		}
		if _, err := q.Append(usage.Reports, report(1)); err == nil {
			t.Errorf("%s: Append works", what)
		}
		if _, err := q.Append(usage.Reports, report(1)); err == nil {
			t.Errorf("%s: Append works", what)
		}
		_ = q.Close()
	}
}

// TestADiskThatIsFull: what does not fit is not accepted, what was is there, and what is delivered makes room again.
func TestADiskThatIsFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	q := opened(t, path, bolt.WithoutSync(), bolt.WithMaxSize(256<<10))
	accepted := 0
	var full error
	for full == nil && accepted < 100_000 {
		if _, full = q.Append(usage.Reports, report(accepted)); full == nil {
			accepted++
		}
	}
	if accepted < 100 || full == nil || errors.Is(full, bolt.ErrUnknown) || !strings.Contains(full.Error(), path) {
		t.Fatalf("%d accepted, then %v", accepted, full)
	}
	if n, _ := q.Len(usage.Reports); n != accepted || q.Last(usage.Reports) != uint64(accepted) {
		t.Fatalf("%d held, the last is %d, %d were accepted", n, q.Last(usage.Reports), accepted)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = opened(t, path)
	if n, _ := q.Len(usage.Reports); n != accepted {
		t.Fatalf("opened again: %d held, %d were accepted", n, accepted)
	}
	drained(t, q)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = opened(t, path, bolt.WithoutSync(), bolt.WithMaxSize(256<<10))
	if n, err := q.Append(usage.Reports, report(0)); err != nil || n != uint64(accepted)+1 {
		t.Errorf("when there is room again: %d, %v", n, err)
	}
}

// TestADiskThatFails before a record is valid, and at the moment that makes it so.
func TestADiskThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	broken := errors.New("input/output error")
	q := opened(t, path)
	restore := bolt.Finish(func(tx *bbolt.Tx) error { _ = tx.Rollback(); return broken })
	defer func() { restore() }()
	if n, err := q.Append(usage.Reports, report(1)); !errors.Is(err, broken) || errors.Is(err, bolt.ErrUnknown) || n != 0 {
		t.Errorf("before: %d, %v", n, err)
	}
	restore()
	if n, err := q.Append(usage.Reports, report(2)); err != nil || n != 1 {
		t.Errorf("afterwards: %d, %v", n, err)
	}
	restore = bolt.Finish(func(tx *bbolt.Tx) error { return errors.Join(tx.Commit(), broken) })
	if n, err := q.Append(usage.Reports, report(3)); !errors.Is(err, broken) || !errors.Is(err, bolt.ErrUnknown) || n != 0 {
		t.Errorf("at the moment: %d, %v", n, err)
	}
	restore()
	if n, err := q.Append(usage.Reports, report(4)); !errors.Is(err, bolt.ErrUnknown) {
		t.Errorf("when nobody knows: %d, %v", n, err)
	}
	if _, err := q.Seal(usage.Reports, 1); !errors.Is(err, bolt.ErrUnknown) {
		t.Errorf("when nobody knows: %v", err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	if n := opened(t, path).Last(usage.Reports); n != 2 {
		t.Errorf("opened again, the last is %d", n)
	}
}

// TestManyOpenANewFile: it is made once, one has it, and the others hear that it is in use.
func TestManyOpenANewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var got []*bolt.Queue
	for range 8 {
		wg.Go(func() {
			q, err := bolt.Open(path, bolt.WithLockTimeout(0))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				got = append(got, q)
			case !errors.Is(err, bolt.ErrInUse) || !strings.Contains(err.Error(), path):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Fatalf("%d have it open", len(got))
	}
	if _, err := bolt.Open(path); !errors.Is(err, bolt.ErrInUse) {
		t.Errorf("while it is open: %v", err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := got[0].Close(); err != nil {
		t.Error(err)
	}
	if err := got[0].Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	opened(t, path)
}

// TestOneChangeThatFailsTakesNoOtherAlong: a shipment cannot be removed, since one of its records is not what it was, and records that
// came to be in the same transaction are accepted.
func TestOneChangeThatFailsTakesNoOtherAlong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.db")
	q := opened(t, path)
	marked := report(0)
	marked.CustomerID = "the record that is changed"
	for _, r := range []usage.Record{report(1), marked, report(2)} {
		if _, err := q.Append(usage.Reports, r); err != nil {
			t.Fatal(err)
		}
	}
	s, err := q.Seal(usage.Reports, 3)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at := 0; ; at++ { // in every page that holds it, in use or not
		i := bytes.Index(text[at:], []byte(marked.CustomerID))
		if i < 0 {
			break
		}
		at += i
		if _, err := f.WriteAt([]byte("X"), int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	defer bolt.Finish(func(tx *bbolt.Tx) error {
		once.Do(func() { close(held); <-hold })
		return tx.Commit()
	})()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = q.Append(usage.Reports, report(3)) }) // is under way while the others come
	<-held
	for i := range 10 {
		wg.Go(func() {
			if _, err := q.Append(usage.Reports, report(4+i)); err != nil {
				t.Errorf("Append: %v", err)
			}
		})
	}
	wg.Go(func() {
		if err := q.Remove(usage.Reports, s); !errors.Is(err, bolt.ErrCorrupt) || !strings.Contains(err.Error(), "record 2 of the reports") {
			t.Errorf("Remove: %v", err)
		}
	})
	close(hold)
	wg.Wait()
	if list, err := q.Read(usage.Reports, 0, 10); !errors.Is(err, bolt.ErrCorrupt) || list != nil {
		t.Errorf("Read: %d entries, %v", len(list), err)
	}
	if list, err := q.Read(usage.Reports, 3, 100); err != nil || len(list) != 11 {
		t.Errorf("Read of what came later: %d entries, %v", len(list), err)
	}
}
