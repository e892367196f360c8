package graphqlws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// Outcomes that a caller tells apart with errors.Is. Each ends the connection.
var (
	// ErrUnauthenticated: the server refused the key. Dialling again with the same key cannot help.
	ErrUnauthenticated = errors.New("graphqlws: key refused")
	// ErrDeadPeer: nothing arrived for Config.DeadPeer, or a barrier was not answered within it.
	ErrDeadPeer = errors.New("graphqlws: peer is silent")
	// ErrHandshakeTimeout: dialling, TLS and upgrade took longer than Config.HandshakeTimeout.
	ErrHandshakeTimeout = errors.New("graphqlws: no answer to the upgrade in time")
	// ErrAckTimeout: the server accepted the socket but did not acknowledge connection_init within Config.AckTimeout.
	ErrAckTimeout = errors.New("graphqlws: connection_init not acknowledged in time")
	// ErrProtocol: the peer does not speak graphql-transport-ws, or a frame is not what the protocol allows.
	ErrProtocol = errors.New("graphqlws: protocol violated")
	// ErrTooLarge: a message was larger than Config.ReadLimit.
	ErrTooLarge = errors.New("graphqlws: message too large")
	// ErrClosed: this side closed the connection. It is a net.ErrClosed.
	ErrClosed = fmt.Errorf("graphqlws: %w by this side", net.ErrClosed)
)

// HandshakeError is an answer to the upgrade request other than 101. Redirects are such answers: they are not followed, because
// what follows the upgrade carries the key.
type HandshakeError struct {
	Status int
	// RetryAfter is the Retry-After header as sent; empty when there was none.
	RetryAfter string
}

// Error implements error.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("graphqlws: upgrade answered %d %s", e.Status, http.StatusText(e.Status))
}

// Is matches ErrUnauthenticated for status 401.
func (e *HandshakeError) Is(target error) bool {
	return target == ErrUnauthenticated && e.Status == http.StatusUnauthorized
}

// CloseError is a close frame from the server, or, with code 1006, a connection that ended without one. Code 1000 is as much
// an end as any other: gqlgen closes with it when it refuses the connection.
type CloseError struct {
	Code   int
	Reason string
}

// Error implements error.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("graphqlws: closed by the server, code %d", e.Code)
	}
	return fmt.Sprintf("graphqlws: closed by the server, code %d: %s", e.Code, e.Reason)
}

// Is matches ErrUnauthenticated for the reason text by which Stigg's Node SDK recognises a refused key. No code is taken for
// it: which ones Stigg uses is not known (docs/stigg-behaviour.md 2.1), and 4401 is also sent for plain protocol mistakes.
func (e *CloseError) Is(target error) bool {
	return target == ErrUnauthenticated && containsFold(e.Reason, "Invalid API key")
}

// Slow reports whether the close should be answered at the slow end of the backoff: codes that the graphql-ws client treats as
// fatal, 4403, and the reasons that say "too many" (ThrottlerException is Stigg's). Every other close is retried as usual.
func (e *CloseError) Slow() bool {
	switch e.Code {
	case 1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014:
	case 4400, 4401, 4403, 4004, 4005, 4406, 4409, 4429, 4500:
		return true
	default:
		if e.Code >= 1000 && e.Code < 2000 {
			return true
		}
	}
	return containsFold(e.Reason, "Throttler") || containsFold(e.Reason, "too many") || containsFold(e.Reason, "rate limit")
}

// Slow reports whether the server asked, by the way it ended or refused the connection, not to be dialled again soon.
func Slow(err error) bool {
	if e, ok := errors.AsType[*CloseError](err); ok {
		return e.Slow()
	}
	if e, ok := errors.AsType[*HandshakeError](err); ok {
		// 5xx is an outage like any other; a 3xx or 4xx will not go away by asking faster.
		return e.Status < 500
	}
	return errors.Is(err, ErrProtocol) || errors.Is(err, ErrTooLarge)
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// readError says in this package's words why gorilla could not read.
func readError(err error, limit int64, deadPeer time.Duration) error {
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		return &CloseError{Code: e.Code, Reason: e.Text}
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return fmt.Errorf("%w: limit is %d bytes", ErrTooLarge, limit)
	}
	if isTimeout(err) {
		return fmt.Errorf("%w for %v", ErrDeadPeer, deadPeer)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || isNetError(err) {
		return fmt.Errorf("graphqlws: read: %w", err)
	}
	// What is left are gorilla's own complaints about the bytes: bad opcode, bad mask, bad UTF-8 in a close frame.
	return fmt.Errorf("%w: %w", ErrProtocol, err)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

func isNetError(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok || errors.Is(err, io.ErrClosedPipe)
}
