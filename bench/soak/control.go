package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// control speaks to the control interface of the emulator.
type control struct {
	server *server
	http   *http.Client
}

func newControl(s *server) *control {
	return &control{s, &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}}
}

// refusal is an operation that the emulated account refused, such as a change of an archived customer.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// fields is a request body.
type fields map[string]any

func (c *control) post(ctx context.Context, path string, body fields) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.send(ctx, http.MethodPost, path, text, nil)
}

func (c *control) get(ctx context.Context, path string, answer any) error {
	return c.send(ctx, http.MethodGet, path, nil, answer)
}

func (c *control) send(ctx context.Context, method, path string, body []byte, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.server.control+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return fmt.Errorf("control: %s: %w", path, err)
	case resp.StatusCode == http.StatusUnprocessableEntity:
		return &refusal{string(text)}
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("control: %s %s: %d %s", path, body, resp.StatusCode, text)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("control: %s: %w", path, err)
	}
	return nil
}

// history returns the states of a key from index since on.
func (c *control) history(ctx context.Context, key entcache.Key, since int) ([]emulator.State, error) {
	query := url.Values{"customerId": {key.CustomerID}, "resourceId": {key.ResourceID}, "since": {strconv.Itoa(since)}}
	var states []emulator.State
	return states, c.get(ctx, "/history?"+query.Encode(), &states)
}

// requests returns the request log from index since on.
func (c *control) requests(ctx context.Context, since int) ([]emulator.LoggedRequest, error) {
	var answer struct{ Log []emulator.LoggedRequest }
	err := c.get(ctx, "/requests?since="+strconv.Itoa(since), &answer)
	return answer.Log, err
}
