package entcache

import (
	"encoding/json"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
	syncer "github.com/entcache/entcache/sync"
)

// What a write did is made visible here: applied when the answer says it, else waited for by the next read.

// awaitRefresh makes the next read of each key, and of the resources of those that are a customer's, wait for one fetch.
func (c *Client) awaitRefresh(keys ...Key) {
	if s := c.syncer(); s != nil {
		for _, k := range keys {
			s.AwaitRefresh(k)
		}
	}
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

// wroteUsage applies the usage that the answer to a report for key carried, or waits for it when the answer does not say, or is
// about another key.
func (c *Client) wroteUsage(key Key, out *ReportedUsage) {
	s := c.syncer()
	if s == nil {
		return
	}
	counted, usages := out.Usages()
	if counted != key || out.CurrentUsage == nil {
		s.AwaitRefresh(key)
		return
	}
	if c.pending.account(key) != nil {
		s.Reported(key, usages, func(s *entitlements.Snapshot) *entitlements.Snapshot { return c.pending.apply(key, s) })
		c.pending.apply(key, nil)
		return
	}
	for _, u := range usages {
		s.WroteUsage(key, u)
	}
}

func (c *Client) syncer() *syncer.Syncer {
	if e := c.running.Load(); e != nil {
		return e.sync
	}
	return nil
}
