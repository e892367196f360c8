package gql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/entcache/entcache/gql/internal/graphqlws"
)

// Outcomes that callers branch on, for errors.Is. Codes are Stigg's ErrorCode (codes.go), compared
// without regard to case and underscores, because its schema says CustomerNotFound and its documentation CUSTOMER_NOT_FOUND. Some
// stand for none of these, such as TooManySubscriptionsPerCustomer: the error is an *Error then, and its Code says which.
var (
	// ErrNotFound: the thing named does not exist (any code with NotFound in it). An unknown customer is not this error when
	// entitlements are fetched: that is a snapshot with a reason.
	ErrNotFound = errors.New("not found")
	// ErrUnauthenticated: the key is missing, wrong or expired (HTTP 401, codes Unauthenticated and ApiKeyExpired, the close
	// reason "Invalid API key"). Nothing works until the key changes.
	ErrUnauthenticated = errors.New("API key refused")
	// ErrForbidden: the key is good but lacks the scope for this operation (HTTP 403, IdentityForbidden, AccessDeniedError).
	ErrForbidden = errors.New("not allowed with this API key")
	// ErrRateLimited: too many requests (HTTP 429, RateLimitExceeded, the close reason ThrottlerException). Error.RetryAfter says how
	// long to wait, where the server does.
	ErrRateLimited = errors.New("rate limited")
	// ErrBadInput: the request itself is wrong (HTTP 400, BadUserInput and its kin), or could not be encoded.
	ErrBadInput = errors.New("bad input")
	// ErrConflict: it exists, was done or is archived already, is in a state that does not allow what was asked, or another request is
	// changing it now (HTTP 409, DuplicatedEntityNotAllowed, SubscriptionAlreadyCanceledOrExpired, ArchivedCouponCantBeApplied,
	// PromotionCodeNotActive, ObjectAlreadyBeingUsedByAnotherRequestError).
	ErrConflict = errors.New("conflict")
	// ErrMalformed: the reply could not be read, is too large, or lacks a required part. What it said is not known.
	ErrMalformed = errors.New("malformed reply")
	// ErrTimeout: no complete answer within AttemptTimeout, QueryTimeout or MutationTimeout of Config, while the caller's ctx lives on.
	ErrTimeout = errors.New("no answer in time")
	// ErrCompleted: the server ended one of the stream's subscriptions.
	ErrCompleted = errors.New("subscription completed by the server")
)

// Error is a failed call, or the end of a stream.
type Error struct {
	// Op is the GraphQL operation.
	Op string
	// Code is Stigg's error code as sent, such as "CustomerNotFound"; empty when the failure is not Stigg's answer.
	Code string
	// Message is Stigg's text.
	Message string
	// TraceID is what Stigg's support asks for; often empty.
	TraceID string
	// Status is the HTTP status; zero when there was no HTTP answer.
	Status int
	// RetryAfter is how long the server asked to be left alone; zero when it did not say. It is the server's word: cap it.
	RetryAfter time.Duration
	// Err is the cause on this side: a network error, the ctx's error, or one of this package's sentinels. Nil when the failure
	// is Stigg's answer.
	Err error

	mutation bool
	unsent   bool // certainly not seen by the server
}

// Error implements error: on one line, whatever the server's text is made of.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if kind := e.sentinel(); kind != nil { // in words, what the code or the status stands for
		b.WriteString(": " + kind.Error())
	}
	for _, s := range []string{e.Code, e.Message} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Status != 0 && e.Status != http.StatusOK {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (asked to wait %v)", e.RetryAfter)
	}
	if e.TraceID != "" {
		b.WriteString(" (trace " + e.TraceID + ")")
	}
	if e.OutcomeUnknown() {
		b.WriteString("; it may have been carried out")
	}
	text := b.String()
	if strings.ContainsAny(text, "\n\r") {
		return strings.Join(strings.Fields(text), " ")
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the sentinel that Code or Status stand for.
func (e *Error) Is(target error) bool { return target != nil && target == e.sentinel() }

// sentinel is what Stigg's answer stands for; nil when it stands for none. A code says more than a status.
func (e *Error) sentinel() error {
	if kind := sentinelOf(e.Code); kind != nil {
		return kind
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return ErrUnauthenticated
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusTooManyRequests:
		return ErrRateLimited
	case http.StatusConflict:
		return ErrConflict
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return ErrBadInput
	}
	if ws, ok := errors.AsType[*graphqlws.CloseError](e.Err); ok && strings.Contains(ws.Reason, "Throttler") {
		return ErrRateLimited
	}
	if errors.Is(e.Err, graphqlws.ErrUnauthenticated) {
		return ErrUnauthenticated
	}
	return nil
}

// Retryable reports whether the same request may succeed later and is safe to send again as it is. For a mutation that excludes
// every failure of unknown outcome; a caller whose mutation carries an idempotency key may retry those as well.
func (e *Error) Retryable() bool { return e.transient() && !e.OutcomeUnknown() }

// transient reports whether the cause may pass.
func (e *Error) transient() bool {
	if errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, context.DeadlineExceeded) {
		return false // the caller has given up
	}
	switch foldCode(e.Code) {
	case "ratelimitexceeded", "operationtimeout", lockedCode, "unexpectederror", "internalservererror":
		return true
	}
	switch e.sentinel() {
	case nil:
	case ErrRateLimited:
		return true
	default:
		return false
	}
	switch {
	case errors.Is(e.Err, ErrBadInput), errors.Is(e.Err, ErrUnauthenticated):
		return false
	case e.Status == http.StatusRequestTimeout || e.Status >= 500:
		return true
	case e.Status == 0 || e.Status == http.StatusOK:
		return e.Err != nil
	}
	return false
}

// OutcomeUnknown reports whether a mutation may have been carried out although it failed here: the connection broke or the time
// ran out after it was sent, or the answer could not be read. "Unknown" is not "failed": ask the server before repeating it, or
// repeat it with the same idempotency key. Always false for queries and streams.
func (e *Error) OutcomeUnknown() bool {
	if !e.mutation || e.unsent || errors.Is(e.Err, ErrBadInput) {
		return false
	}
	switch foldCode(e.Code) {
	case "unexpectederror", "internalservererror":
		return true
	case "":
		return e.Status == 0 || e.Status == http.StatusOK && e.Err != nil || e.Status == http.StatusRequestTimeout || e.Status >= 500
	}
	return false // Stigg's own answer: it was not done
}

// Slow reports whether the server asked not to be tried again soon: rate limits, and the ways of closing or refusing a stream
// that mean so. The next attempt belongs at the slow end of the backoff.
func (e *Error) Slow() bool { return errors.Is(e, ErrRateLimited) || graphqlws.Slow(e.Err) }

// certainlyUnsent reports whether err happened before a byte of the request could leave: no connection was made.
func certainlyUnsent(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect")
}

// redacted is an error whose text held the API key. It still matches what it stands for, but cannot be unwrapped to the text.
type redacted struct {
	text string
	err  error
}

func (r redacted) Error() string        { return r.text }
func (r redacted) Is(target error) bool { return errors.Is(r.err, target) }

// maxMessage bounds what is kept of a server's text.
const maxMessage = 1 << 10

// minSecret is the length below which a key is no secret, but a word that messages contain anyway.
const minSecret = 8

// scrub removes the key from text that came from outside, and bounds it.
func scrub(text, key string) string {
	if len(key) >= minSecret {
		text = strings.ReplaceAll(text, key, "[API key]")
	}
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

// scrubbed returns e without the key in it.
func (e *Error) scrubbed(key string) *Error {
	e.Code, e.Message, e.TraceID = scrub(e.Code, key), scrub(e.Message, key), scrub(e.TraceID, key)
	if e.Err == nil || len(key) < minSecret {
		return e
	}
	if text := e.Err.Error(); strings.Contains(text, key) {
		if ws, ok := errors.AsType[*graphqlws.CloseError](e.Err); ok {
			e.Err = &graphqlws.CloseError{Code: ws.Code, Reason: scrub(ws.Reason, key)}
			return e
		}
		e.Err = redacted{scrub(text, key), e.Err}
	}
	return e
}
