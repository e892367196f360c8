package gql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Khan/genqlient/graphql"
)

// keepBody is the largest buffer that is kept for the next reply.
const keepBody = 1 << 20

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// MakeRequest implements graphql.Client for generated functions, those of this package and those a program generates for
// operations of its own. It makes one attempt. resp.Data is filled only when the reply is complete and free of errors.
func (c *Client) MakeRequest(ctx context.Context, req *graphql.Request, resp *graphql.Response) error {
	return c.do(ctx, req.OpName, req.Query, req.Variables, func(body []byte) error {
		data, failed, err := split(body)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if e := firstError(failed); e != nil {
			return e
		}
		if data == nil {
			return fmt.Errorf("%w: no data", ErrMalformed)
		}
		if resp == nil || resp.Data == nil {
			return nil
		}
		if err := requireComplete(data, reflect.TypeOf(resp.Data)); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if err := json.Unmarshal(data, resp.Data); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		return nil
	})
}

// do sends one request and gives the body of a 200 to decode, which must not keep it. The error is an *Error.
func (c *Client) do(ctx context.Context, op, query string, variables any, decode func(body []byte) error) error {
	mutation := strings.HasPrefix(strings.TrimSpace(query), "mutation")
	timeout := c.cfg.QueryTimeout
	if mutation {
		timeout = c.cfg.MutationTimeout
	}
	return c.call(ctx, op, timeout, mutation, func(ctx context.Context) (*http.Request, error) {
		body, err := requestBody(op, query, variables)
		if err != nil {
			return nil, err
		}
		return c.post(ctx, op, body)
	}, decode)
}

func (c *Client) post(ctx context.Context, op string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header["Content-Type"] = []string{"application/json"}
	req.Header["X-Graphql-Operation-Name"] = []string{op}
	return req, nil
}

// call makes one request of one operation. The error is an *Error.
func (c *Client) call(ctx context.Context, op string, timeout time.Duration, mutation bool, request func(context.Context) (*http.Request, error), decode func([]byte) error) error {
	key := c.cfg.APIKey()
	status, after, sent, err := 0, time.Duration(0), false, ValidateAPIKey(key)
	if err == nil {
		attempt, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
		defer cancel()
		status, after, sent, err = c.attempt(attempt, request, key, decode)
		err = inTime(ctx, attempt, err)
	}
	if err == nil {
		return nil
	}
	e := &Error{Err: err}
	if found, ok := errors.AsType[*Error](err); ok {
		// A copy: it may be another call's, for which ctx was ended, and which others are reading.
		*e = *found
	}
	e.Op, e.Status, e.RetryAfter, e.mutation, e.unsent = op, status, after, mutation, !sent
	return e.scrubbed(key)
}

// inTime puts the right name on an error that a deadline caused: the caller's own, or ErrTimeout for ours.
func inTime(ctx, attempt context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && !answered(err) {
		// Both: programs look for the ctx's error, people for its cause.
		if !errors.Is(cause, ctx.Err()) {
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
		return cause
	}
	if errors.Is(context.Cause(attempt), ErrTimeout) && !answered(err) {
		return ErrTimeout
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Errorf("%w: %s", ErrTimeout, err) // a limit of the transport: not the ctx's error
	}
	return err
}

// answered reports whether err is what the server said, or what was made of it.
func answered(err error) bool {
	_, ok := errors.AsType[*Error](err)
	return ok || errors.Is(err, ErrBadInput)
}

func (c *Client) attempt(ctx context.Context, request func(context.Context) (*http.Request, error), key string, decode func([]byte) error) (status int, after time.Duration, sent bool, err error) {
	req, err := request(ctx)
	if err != nil {
		return 0, 0, false, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	req.Header["Accept"] = []string{"application/json"}
	req.Header["User-Agent"] = []string{c.cfg.UserAgent}
	req.Header["X-Api-Key"] = []string{key}
	if ctx.Err() != nil {
		return 0, 0, false, ctx.Err()
	}
	resp, err := c.net.http.Do(req)
	if err != nil {
		return 0, 0, !certainlyUnsent(err), err
	}
	defer func() { _ = resp.Body.Close() }()

	buf := bodies.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= keepBody {
			buf.Reset()
			bodies.Put(buf)
		}
	}()
	// One byte more than allowed tells "full" from "too large". Reading to the end is what lets the connection be used again.
	// The limit is on the decoded bytes: 100 KB of gzip can be 100 MB.
	_, err = buf.ReadFrom(io.LimitReader(resp.Body, c.cfg.MaxResponseBytes+1))
	status, after = resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"))
	switch {
	case err != nil:
		return status, after, true, fmt.Errorf("%w: %w", ErrMalformed, err)
	case int64(buf.Len()) > c.cfg.MaxResponseBytes:
		return status, after, true, fmt.Errorf("%w: larger than %d bytes", ErrMalformed, c.cfg.MaxResponseBytes)
	case status != http.StatusOK:
		return status, after, true, refusal(status, buf.Bytes())
	}
	return status, after, true, decode(buf.Bytes())
}

// refusal is the error of a reply with another status than 200, whose body may or may not say more.
func refusal(status int, body []byte) *Error {
	if _, failed, err := split(body); err == nil {
		if e := firstError(failed); e != nil {
			return e
		}
	}
	if status >= 300 && status < 400 {
		return &Error{Message: "the server redirects, which would take the API key elsewhere: check the endpoint"}
	}
	if status >= 500 || status == http.StatusRequestTimeout { // which a gateway also says of what has been carried out behind it
		return &Error{Message: "the server failed"}
	}
	return &Error{Message: "refused by the server"}
}

// retryAfter reads the header: seconds, or a date. Zero when it says nothing.
func retryAfter(header string) time.Duration {
	if header == "" {
		return 0
	}
	const most = 24 * time.Hour // against overflow; what is reasonable is for the caller to say
	seconds, err := strconv.Atoi(strings.TrimSpace(header))
	if err == nil || errors.Is(err, strconv.ErrRange) { // out of range is the largest or smallest int, with its sign
		return time.Duration(min(max(seconds, 0), int(most/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(at), 0), most)
	}
	return 0
}
