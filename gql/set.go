package gql

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql/internal/scan"
)

// set is an entitlement set while it is being read.
type set struct {
	list   *[]entitlements.Grant
	reason string
	seen   bool // the list was there, if only as null
	isNull bool
}

func (d *decoder) newSet() set {
	return set{list: grantLists.Get().(*[]entitlements.Grant)}
}

// release gives the list back, without what it held on to.
func (s *set) release() {
	clear((*s.list)[:cap(*s.list)])
	*s.list = (*s.list)[:0]
	grantLists.Put(s.list)
}

// read reads the list, or null.
func (s *set) read(d *decoder) {
	s.seen, s.isNull = true, d.Null()
	*s.list = (*s.list)[:0]
	if !s.isNull {
		*s.list = d.grants(*s.list)
	}
}

// snapshot packs the set. A list that is absent is an error. One that is null is an error too, unless the server gives the
// reason why there is nothing: that denies everything, whatever the list would have held.
func (s *set) snapshot(d *decoder, key entitlements.Key) *entitlements.Snapshot {
	if !s.seen || s.isNull && s.reason == "" {
		d.Fail(errMissing)
	}
	if d.Err() != nil {
		return nil
	}
	return entitlements.NewSnapshot(key, entitlements.Reason(s.reason), *s.list)
}

// grantLists keeps the lists that sets are decoded into. NewSnapshot does not keep them.
var grantLists = sync.Pool{New: func() any { return new([]entitlements.Grant) }}

// SnapshotOf packs the entitlementsV2 of a write's answer. A nil list is null on the wire and means that the server did not
// say: the result is nil, and what is known of key stays as it is.
func SnapshotOf(key entitlements.Key, list []json.RawMessage) (*entitlements.Snapshot, error) {
	if list == nil {
		return nil, nil
	}
	grants := make([]entitlements.Grant, 0, len(list))
	for _, raw := range list {
		d := decoder{Scanner: scan.New(raw)}
		var g entitlements.Grant
		known := d.grant(&g)
		if d.End(); d.Err() != nil {
			return nil, fmt.Errorf("entitlements of %v: %w: %w", key, ErrMalformed, d.Err())
		}
		if known {
			grants = append(grants, g)
		}
	}
	return entitlements.NewSnapshot(key, "", grants), nil
}
