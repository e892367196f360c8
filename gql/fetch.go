package gql

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/entcache/entcache/entitlements"
)

const fetchOp = "GetEntitlementsState"

// Fetch asks for everything a key may do, once. "No such customer", "archived" and "no active subscription" are snapshots with a
// reason. The error is an [*Error]; with one, nothing is known that was not known before.
func (c *Client) Fetch(ctx context.Context, key entitlements.Key) (*entitlements.Snapshot, error) {
	if key.CustomerID == "" {
		return nil, &Error{Op: fetchOp, Err: fmt.Errorf("%w: no customer id", ErrBadInput), unsent: true}
	}
	return c.state(ctx, fetchOp, key, func(ctx context.Context) (*http.Request, error) {
		body, err := fetchBody(key)
		if err != nil {
			return nil, err
		}
		return c.post(ctx, fetchOp, body)
	})
}

// state makes one request that is answered with the state of key.
func (c *Client) state(ctx context.Context, op string, key entitlements.Key, request func(context.Context) (*http.Request, error)) (*entitlements.Snapshot, error) {
	var snap *entitlements.Snapshot
	err := c.call(ctx, op, c.cfg.AttemptTimeout, false, request, func(body []byte) error {
		var unknown int
		var err error
		if snap, unknown, err = decodeState(body, key, c.names); unknown > 0 {
			c.unknown.Add(uint64(unknown))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

// fetchHead is what the bodies of all fetches begin with. A client that starts asks by the hundred thousand, and to escape the query
// anew takes longer than to send it.
var fetchHead = sync.OnceValues(func() ([]byte, error) {
	head, err := requestBody(fetchOp, GetEntitlementsState_Operation, nil)
	if err != nil {
		return nil, err
	}
	return append(head[:len(head)-1], `,"variables":{"query":{"customerId":"`...), nil
})

// fetchBody is requestBody for a fetch. It is written by hand as long as the ids are what ids are, and nothing in them is escaped.
func fetchBody(key entitlements.Key) ([]byte, error) {
	if !plain(key.CustomerID) || !plain(key.ResourceID) {
		in := __GetEntitlementsStateInput{Query: FetchEntitlementsQuery{CustomerId: key.CustomerID}}
		if resource := key.ResourceID; resource != "" {
			in.Query.ResourceId = &resource // the key's own would put every key on the heap
		}
		return requestBody(fetchOp, GetEntitlementsState_Operation, in)
	}
	head, err := fetchHead()
	if err != nil {
		return nil, err
	}
	const between, end = `","resourceId":"`, `"}}}`
	body := make([]byte, 0, len(head)+len(key.CustomerID)+len(between)+len(key.ResourceID)+len(end))
	body = append(append(body, head...), key.CustomerID...)
	if key.ResourceID != "" {
		body = append(append(body, between...), key.ResourceID...)
	}
	return append(body, end...), nil
}

// plain reports whether s stands in JSON as it is, in any of the ways to write that.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&': // encoding/json escapes the last three, for HTML
			return false
		}
	}
	return true
}
