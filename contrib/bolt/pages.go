package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// Before bbolt sees a file, all that is in use of it is read and checked here, with ordinary reads. bbolt maps a file into memory and
// believes it: on a page that is not there it ends the process, from a goroutine of its own, where nobody can recover. Its own check
// does the same.

// What there is to know of bbolt's format. Its numbers are in the order of the machine.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader    = 16 // id uint64, flags uint16, count uint16, overflow uint32
	branchElement = 16 // pos uint32, ksize uint32, pgid uint64
	leafElement   = 16 // flags uint32, pos uint32, ksize uint32, vsize uint32
	bucketHeader  = 16 // root uint64, sequence uint64

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01

	metaSize     = 64 // magic, version, page size, flags uint32; root, sequence, freelist, high-water mark, transaction, checksum uint64
	noFreelist   = ^uint64(0)
	maxDepth     = 64
	minPageSize  = 1 << 10
	maxPageSize  = 16 << 20
	longFreelist = 0xFFFF // as a count: the count is the first element
)

var native = binary.NativeEndian

// errNoBolt: neither header has the mark of bbolt.
var errNoBolt = errors.New("it is not a file of bbolt")

// boltMeta is one of the two headers of a file, of which the one with the newer transaction counts.
type boltMeta struct{ pageSize, root, freelist, pages, transaction uint64 }

func readMeta(r io.ReaderAt, at int64) (m boltMeta, marked bool, err error) {
	var b [pageHeader + metaSize]byte
	if _, err := r.ReadAt(b[:], at); err != nil {
		return m, false, fmt.Errorf("the header at %d: %w", at, err)
	}
	h := b[pageHeader:]
	if native.Uint32(h) != boltMagic {
		return m, false, fmt.Errorf("the header at %d has not the mark of bbolt", at)
	}
	check := fnv.New64a()
	check.Write(h[:56])
	if check.Sum64() != native.Uint64(h[56:]) {
		return m, true, fmt.Errorf("the header at %d does not have its checksum", at)
	}
	if v := native.Uint32(h[4:]); v != boltVersion {
		return m, true, fmt.Errorf("%w: it is of version %d of bbolt's format, not %d", ErrFormat, v, boltVersion)
	}
	m = boltMeta{
		pageSize: uint64(native.Uint32(h[8:])), root: native.Uint64(h[16:]), freelist: native.Uint64(h[32:]), pages: native.Uint64(h[40:]),
		transaction: native.Uint64(h[48:]),
	}
	if m.pageSize < minPageSize || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0 {
		return m, true, fmt.Errorf("the header at %d has a page size of %d", at, m.pageSize)
	}
	return m, true, nil
}

// findMeta reads both headers. bbolt would go back to the older when the newer is torn, which forgets what was accepted last; a
// header is a part of one sector, so that no crash tears it, and that both are whole can be asked of any file.
func findMeta(r io.ReaderAt) (boltMeta, error) {
	first, marked, err := readMeta(r, 0)
	if err != nil {
		for size := int64(minPageSize); !marked && size <= maxPageSize; size *= 2 {
			_, marked, _ = readMeta(r, size)
		}
		if !marked {
			return first, errNoBolt
		}
		return first, err
	}
	second, _, err := readMeta(r, int64(first.pageSize))
	if err != nil {
		return first, err
	}
	if second.pageSize != first.pageSize {
		return first, errors.New("its two headers have different page sizes")
	}
	if second.transaction > first.transaction {
		return second, nil
	}
	return first, nil
}

// walker goes through the pages of a file that are in use.
type walker struct {
	r    io.ReaderAt
	meta boltMeta
	used []uint64 // a bit for each page
}

// walk checks all that is in use of a file, and calls visit for each value, in the order of keys within a bucket. Bucket is the name
// of a bucket of the top level; there are none below.
func walk(r io.ReaderAt, size int64, visit func(bucket, key, value []byte) error) error {
	m, err := findMeta(r)
	if err != nil {
		return err
	}
	if held := uint64(size) / m.pageSize; held < m.pages {
		return fmt.Errorf("it ends after %d of %d pages", held, m.pages)
	}
	w := &walker{r: r, meta: m, used: make([]uint64, m.pages/64+1)}
	w.use(0, 2)
	var buckets [][2][]byte
	err = w.tree(m.root, nil, nil, 0, func(flags uint32, k, v []byte) error {
		if flags != bucketFlag {
			return fmt.Errorf("%q at the top is no bucket", k)
		}
		buckets = append(buckets, [2][]byte{bytes.Clone(k), bytes.Clone(v)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range buckets {
		err := w.bucket(b[1], func(flags uint32, k, v []byte) error {
			if flags != 0 {
				return fmt.Errorf("%x is no value", k)
			}
			return visit(b[0], k, v)
		})
		if err != nil {
			return fmt.Errorf("bucket %q: %w", b[0], err)
		}
	}
	return w.freelist()
}

// use notes that pages are in use, and refuses those that are already, or are not there.
func (w *walker) use(id, count uint64) error {
	if id >= w.meta.pages || count > w.meta.pages-id {
		return fmt.Errorf("pages %d to %d lie beyond the end, which is %d", id, id+count-1, w.meta.pages)
	}
	for p := id; p < id+count; p++ {
		if w.used[p/64]&(1<<(p%64)) != 0 {
			return fmt.Errorf("page %d is in use twice", p)
		}
		w.used[p/64] |= 1 << (p % 64)
	}
	return nil
}

// page reads a page and those that it runs over.
func (w *walker) page(id uint64) ([]byte, error) {
	if err := w.use(id, 1); err != nil {
		return nil, err
	}
	b := make([]byte, w.meta.pageSize)
	if _, err := w.r.ReadAt(b, int64(id*w.meta.pageSize)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	if got := native.Uint64(b); got != id {
		return nil, fmt.Errorf("page %d says that it is page %d", id, got)
	}
	over := uint64(native.Uint32(b[12:]))
	if over == 0 {
		return b, nil
	}
	if err := w.use(id+1, over); err != nil {
		return nil, err
	}
	b = make([]byte, (over+1)*w.meta.pageSize)
	if _, err := w.r.ReadAt(b, int64(id*w.meta.pageSize)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return b, nil
}

// tree goes through what is below a page. Its first key is the one that its parent knows it by, which bbolt relies on when it replaces
// the page, and all are below high; nil is the parent of none, and no bound.
func (w *walker) tree(id uint64, first, high []byte, depth int, leaf func(flags uint32, k, v []byte) error) error {
	if depth > maxDepth {
		return errors.New("it is deeper than any file")
	}
	b, err := w.page(id)
	if err != nil {
		return err
	}
	if native.Uint16(b[8:]) == leafPage {
		return leaves(b, first, high, leaf)
	}
	if flags := native.Uint16(b[8:]); flags != branchPage {
		return fmt.Errorf("page %d is of kind %#x, and neither branch nor leaf", id, flags)
	}
	count := uint64(native.Uint16(b[10:]))
	if count == 0 || pageHeader+count*branchElement > uint64(len(b)) {
		return fmt.Errorf("page %d has %d branches", id, count)
	}
	type branch struct {
		key []byte
		id  uint64
	}
	branches := make([]branch, count)
	for i := range branches {
		at := uint64(pageHeader + i*branchElement)
		e := b[at:]
		k, ok := within(b, at, native.Uint32(e), native.Uint32(e[4:]))
		if !ok || len(k) == 0 || i > 0 && bytes.Compare(k, branches[i-1].key) <= 0 || high != nil && bytes.Compare(k, high) >= 0 ||
			i == 0 && first != nil && !bytes.Equal(k, first) {
			return fmt.Errorf("page %d: branch %d is out of order", id, i)
		}
		branches[i] = branch{k, native.Uint64(e[8:])}
	}
	for i, x := range branches {
		above := high
		if i+1 < len(branches) {
			above = branches[i+1].key
		}
		if err := w.tree(x.id, x.key, above, depth+1, leaf); err != nil {
			return err
		}
	}
	return nil
}

// leaves goes through a leaf page.
func leaves(b, first, high []byte, leaf func(flags uint32, k, v []byte) error) error {
	id, count := native.Uint64(b), uint64(native.Uint16(b[10:]))
	if pageHeader+count*leafElement > uint64(len(b)) || count == 0 && first != nil {
		return fmt.Errorf("page %d has %d leaves", id, count)
	}
	var last []byte
	for i := range count {
		at := pageHeader + i*leafElement
		e := b[at:]
		pos, ksize, vsize := native.Uint32(e[4:]), native.Uint32(e[8:]), native.Uint32(e[12:])
		k, ok := within(b, at, pos, ksize)
		v, fits := within(b, at, pos+ksize, vsize)
		if !ok || !fits || ksize == 0 || pos+ksize < pos || bytes.Compare(k, last) <= 0 || high != nil && bytes.Compare(k, high) >= 0 ||
			i == 0 && first != nil && !bytes.Equal(k, first) {
			return fmt.Errorf("page %d: leaf %d is out of order", id, i)
		}
		if err := leaf(native.Uint32(e), k, v); err != nil {
			return err
		}
		last = k
	}
	return nil
}

// within returns a part of a page that an element at some place refers to.
func within(page []byte, at uint64, pos, size uint32) ([]byte, bool) {
	from := at + uint64(pos)
	to := from + uint64(size)
	if to > uint64(len(page)) {
		return nil, false
	}
	return page[from:to:to], true
}

// bucket goes through a bucket, which has a tree of its own or is small enough to be kept in its parent's.
func (w *walker) bucket(value []byte, leaf func(flags uint32, k, v []byte) error) error {
	if len(value) < bucketHeader {
		return errors.New("it has no header")
	}
	if root := native.Uint64(value); root != 0 {
		return w.tree(root, nil, nil, 0, leaf)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader || native.Uint16(inline[8:]) != leafPage {
		return errors.New("it has no page")
	}
	return leaves(inline, nil, nil, leaf)
}

// freelist checks that what is free is not in use. Our own files have no such list, since it would be written anew each time; bbolt's
// command writes one.
func (w *walker) freelist() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	b, err := w.page(w.meta.freelist)
	if err != nil {
		return fmt.Errorf("the list of free pages: %w", err)
	}
	count, ids := uint64(native.Uint16(b[10:])), b[pageHeader:]
	if count == longFreelist {
		count, ids = native.Uint64(ids), ids[8:]
	}
	if native.Uint16(b[8:]) != freelistPage || count > uint64(len(ids)/8) {
		return errors.New("there is no list of free pages where one should be")
	}
	for i := range count {
		if err := w.use(native.Uint64(ids[8*i:]), 1); err != nil {
			return fmt.Errorf("the list of free pages: %w", err)
		}
	}
	return nil
}
