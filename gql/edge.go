package gql

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/entcache/entcache/entitlements"
)

const edgeOp = "Edge entitlements-state"

var errNoEdge = errors.New("there is no Config.EdgeEndpoint")

// FetchEdge is Fetch by Stigg's Edge API: a document that a CDN serves, sooner than GraphQL, and with what was so a moment ago (Stigg
// calls it eventually consistent). An id may hold any character.
func (c *Client) FetchEdge(ctx context.Context, key entitlements.Key) (*entitlements.Snapshot, error) {
	switch {
	case key.CustomerID == "":
		return nil, &Error{Op: edgeOp, Err: fmt.Errorf("%w: no customer id", ErrBadInput), unsent: true}
	case c.cfg.EdgeEndpoint == "":
		return nil, &Error{Op: edgeOp, Err: fmt.Errorf("%w: %w", ErrBadInput, errNoEdge), unsent: true}
	}
	return c.state(ctx, edgeOp, key, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, edgeURL(c.cfg.EdgeEndpoint, key), nil)
		if err != nil {
			return nil, err
		}
		req.Header["X-Api-Version"] = []string{"1"}
		return req, nil
	})
}

// edgeURL is where the Edge API has the state of a key. An id that is a step in a path by itself is escaped as well, or it would lead
// elsewhere.
func edgeURL(base string, key entitlements.Key) string {
	id := url.PathEscape(key.CustomerID)
	if strings.Trim(id, ".") == "" {
		id = strings.ReplaceAll(id, ".", "%2E")
	}
	u := strings.TrimRight(base, "/") + "/v1/c/" + id + "/entitlements-state.json"
	if key.ResourceID != "" {
		u += "?resourceId=" + url.QueryEscape(key.ResourceID)
	}
	return u
}
