package entcache

import (
	"encoding/json"

	"github.com/entcache/entcache/gql"
	syncer "github.com/entcache/entcache/sync"
)

// What a write did is made visible here: applied when the answer says it, else waited for by the next read.

// awaitRefresh makes the next read of each key, and of the resources of those that are a customer's, wait for one fetch.
func (c *Client) awaitRefresh(keys ...Key) {
	if s := c.syncer(); s != nil {
		for _, k := range concerned(keys) {
			s.AwaitRefresh(k)
		}
	}
}

// concerned are the keys of a list, each once, and without resources whose customers are of it, too: those are asked about along with
// the customer, and what is asked about twice may be fetched twice.
func concerned(keys []Key) []Key {
	if len(keys) < 2 {
		return keys
	}
	left := make(map[Key]bool, len(keys))
	for _, k := range keys {
		left[k] = true
	}
	list := make([]Key, 0, len(keys))
	for _, k := range keys {
		_, whole := left[k.Customer()]
		if left[k] && (k.ResourceID == "" || !whole) {
			list = append(list, k)
		}
		left[k] = false
	}
	return list
}

// wrote applies the set that an answer carried for key; nil is no set. An answer whose set cannot be read is a write that
// succeeded: the next read finds out what it did.
func (c *Client) wrote(key Key, set []json.RawMessage) {
	s := c.syncer()
	if s == nil {
		return
	}
	if set == nil {
		s.AwaitRefresh(key)
		return
	}
	snapshot, err := gql.SnapshotOf(key, set)
	if err != nil {
		s.AwaitRefresh(key)
		return
	}
	s.Wrote(key, snapshot)
}

func (c *Client) syncer() *syncer.Syncer {
	if e := c.running.Load(); e != nil {
		return e.sync
	}
	return nil
}
