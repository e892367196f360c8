// Package bolt keeps accepted usage in a file until Stigg has counted it, so that it survives the end of the process, however that
// comes: an accepted record is on the disk before Append returns. It is a [usage.Queue] for entcache.WithUsageQueue, on
// [bbolt], one file of which it owns.
//
//	queue, err := bolt.Open("/var/lib/shop/usage.db")
//	client, err := entcache.New(key, entcache.WithUsageQueue(queue)) // which closes it
//
// # Speed
//
// Accepting costs one transaction of bbolt, which is two fdatasync calls, and callers who come meanwhile share the next one: nobody
// waits for a clock. README.md of this directory has figures.
//
// # One process
//
// The file is locked for as long as it is open: see [ErrInUse]. Programs that run more than one process give each a file of its own.
// It has to be on a disk of this machine that knows hard links, where locks and fsync do what they say; most network file systems do
// not qualify.
//
// # A file that is torn, or not ours
//
// Open reads all that the file holds, and answers [ErrCorrupt] or [ErrFormat] rather than begin with less than was accepted; the file
// is left as it is. Every record has a checksum over itself, its number and its lane, every page that is in use must be where its
// parent says, and the numbers must be without a gap, so that a missing record is noticed as a changed one is. That costs about what
// delivering the records will: reading them once. What cannot be noticed is an older copy of the whole file, and damage to what is not
// in use. Should bbolt still fail on a page that changed while it was open, that is an error of that call too, and no end of the
// process.
//
// An empty file is corrupt as well: a new one gets its name when it is complete, and what else empties a file would empty it in
// silence. A crash during the first Open leaves a file with a name like usage.db.123.new, which can be deleted, and nothing else.
//
// # Errors of Append
//
// A record that was not accepted is not kept, and the next may well be: the disk was full, say. When the disk reports that it
// could not write what makes the transaction valid, nobody knows: the error is [ErrUnknown], and every call fails from then on, until
// the file is opened again, which tells.
//
// # Size
//
// The file grows with what waits, to about twice the bytes of the records and in steps of 16 MB beyond that size, and never shrinks:
// what was delivered is room for what comes. To make it smaller while the program is down, copy it with bbolt's own
// command, "bbolt compact -o new.db usage.db", and put the copy in its place. It is readable by its owner only, for it names
// customers; the permissions of a file that exists are left alone.
//
// # Format
//
// All numbers are big-endian unless said otherwise; a bucket is one of bbolt's.
//
//	bucket "meta"         "format" → "entcache usage queue"
//	                      "version" → uint32: 1
//	                      "lane-N" → uint64 number of the last record, uint64 number up to which records are sealed, checksum
//	bucket "records-N"    uint64 number → record
//	bucket "shipments-N"  uint64 after → uint64 last, checksum
//
// N is the number of a [usage.Lane]. A record is
//
//	checksum, byte Kind, byte flags (1: Alone, 2: has dimensions), uint64 bits of Value, int64 seconds since 1970, uint32 nanoseconds,
//	and CustomerID, ResourceID, FeatureID, EventName, Key, and the dimensions if it has them, each as a uvarint length and bytes
//
// A checksum is the uint32 CRC-32C of what stands behind it, or before it if nothing does, followed by a byte N and by the key.
//
// [bbolt]: https://pkg.go.dev/go.etcd.io/bbolt
package bolt
