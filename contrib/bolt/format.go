package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/entcache/entcache/usage"
)

// The format, which doc.go describes. JSON for records lost: it holds neither every string nor every time, and takes twice the room.
const (
	formatName    = "entcache usage queue"
	formatVersion = 1

	metaBucket = "meta"
	nameKey    = "format"
	versionKey = "version"
)

// laneNames are the keys and buckets of one lane.
type laneNames struct{ state, records, shipments []byte }

var names = func() (n [len(usage.Lanes)]laneNames) {
	for _, l := range usage.Lanes {
		n[l] = laneNames{
			state: fmt.Appendf(nil, "lane-%d", l), records: fmt.Appendf(nil, "records-%d", l), shipments: fmt.Appendf(nil, "shipments-%d", l),
		}
	}
	return n
}()

// Castagnoli has an instruction of its own on amd64 and arm64.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	flagAlone      = 1
	flagDimensions = 2
	flagsKnown     = flagAlone | flagDimensions

	sumSize   = 4
	fixedSize = sumSize + 1 + 1 + 8 + 8 + 4 // of a record, before its strings

	// maxRecord keeps clear of what bbolt takes as a value, 2 GB.
	maxRecord = 1 << 30
)

var errTooLarge = errors.New("the record is larger than 1 GB")

// key is a number as a key, whose order is that of the numbers.
func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// sum goes on from the checksum of a text to that of its place.
func sum(text uint32, l usage.Lane, key []byte) uint32 {
	return crc32.Update(crc32.Update(text, castagnoli, []byte{byte(l)}), castagnoli, key)
}

// encode writes a record, with room for its checksum, and returns the checksum of its text alone.
func encode(r *usage.Record) (b []byte, text uint32, err error) {
	strings := [...]string{r.CustomerID, r.ResourceID, r.FeatureID, r.EventName, r.Key}
	size := fixedSize + len(r.Dimensions) + binary.MaxVarintLen64
	for _, s := range strings {
		size += len(s) + binary.MaxVarintLen64
	}
	if size > maxRecord {
		return nil, 0, errTooLarge
	}
	var flags byte
	if r.Alone {
		flags |= flagAlone
	}
	if r.Dimensions != nil {
		flags |= flagDimensions
	}
	b = make([]byte, sumSize, size)
	b = append(b, byte(r.Kind), flags)
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(r.Value))
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(r.At.Nanosecond()))
	for _, s := range strings {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	if r.Dimensions != nil {
		b = binary.AppendUvarint(b, uint64(len(r.Dimensions)))
		b = append(b, r.Dimensions...)
	}
	return b, crc32.Checksum(b[sumSize:], castagnoli), nil
}

// place writes the checksum of what encode returned.
func place(b []byte, text uint32, l usage.Lane, key []byte) {
	binary.BigEndian.PutUint32(b, sum(text, l, key))
}

// decode reads a record. Nothing of it refers to b afterwards, which is bbolt's.
func decode(b []byte, l usage.Lane, key []byte) (usage.Record, error) {
	var r usage.Record
	if len(b) < fixedSize {
		return r, errors.New("is too short")
	}
	if binary.BigEndian.Uint32(b) != sum(crc32.Checksum(b[sumSize:], castagnoli), l, key) {
		return r, errors.New("does not have the checksum that it was written with")
	}
	b = b[sumSize:]
	flags := b[1]
	r.Kind, r.Alone = usage.Kind(b[0]), flags&flagAlone != 0
	r.Value = math.Float64frombits(binary.BigEndian.Uint64(b[2:]))
	r.At = time.Unix(int64(binary.BigEndian.Uint64(b[10:])), int64(binary.BigEndian.Uint32(b[18:]))).UTC()
	rest := string(b[fixedSize-sumSize:]) // one copy, which the strings share
	take := func() (s string, ok bool) {
		n, size := uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return "", false
		}
		s, rest = rest[size:size+int(n)], rest[size+int(n):]
		return s, true
	}
	for _, to := range []*string{&r.CustomerID, &r.ResourceID, &r.FeatureID, &r.EventName, &r.Key} {
		var ok bool
		if *to, ok = take(); !ok {
			return r, errors.New("ends within a string")
		}
	}
	if flags&flagDimensions != 0 {
		s, ok := take()
		if !ok {
			return r, errors.New("ends within its dimensions")
		}
		r.Dimensions = []byte(s)
	}
	if flags&^byte(flagsKnown) != 0 || rest != "" {
		return r, errors.New("has more than this version knows")
	}
	return r, nil
}

// uvarint is [binary.Uvarint] of a string.
func uvarint(s string) (uint64, int) {
	var b [binary.MaxVarintLen64]byte
	return binary.Uvarint(b[:copy(b[:], s)])
}

// numbers are the uint64s of a state or a shipment, with their checksum.
func encodeNumbers(l usage.Lane, key []byte, numbers ...uint64) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return binary.BigEndian.AppendUint32(b, sum(crc32.Checksum(b, castagnoli), l, key))
}

func decodeNumbers(b []byte, l usage.Lane, key []byte, numbers ...*uint64) error {
	text := 8 * len(numbers)
	if len(b) != text+sumSize {
		return fmt.Errorf("has %d bytes, not %d", len(b), text+sumSize)
	}
	if binary.BigEndian.Uint32(b[text:]) != sum(crc32.Checksum(b[:text], castagnoli), l, key) {
		return errors.New("does not have the checksum that it was written with")
	}
	for i, to := range numbers {
		*to = binary.BigEndian.Uint64(b[8*i:])
	}
	return nil
}
