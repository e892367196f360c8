package entcache

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
	"github.com/entcache/entcache/usage"
)

// Meter reports usage without making anybody wait: a report is accepted into a queue, goes to Stigg together with others within
// about a second, and is sent again, under the idempotency key that it was accepted with, until Stigg has counted it. It is
// [Client].Meter; docs/usage.md says what "accepted" guarantees and what happens at each limit.
//
// What Stigg refuses, because there is no such customer, say, is no error of Report, Event, Flush or Close: it goes to [WithSetAside],
// or else is logged as an error, to [WithLogger]'s logger or, without one, to [slog.Default]. [MeterStats].SetAside counts it.
//
// [Usage] is the one to take where the caller must know that Stigg has counted, or refused, the report.
type Meter struct {
	c        *Client
	reporter *usage.Reporter // nil when offline
	prefix   string          // of generated keys: no other client has it
	number   atomic.Uint64   // of the last generated key
}

func newMeter(c *Client) (*Meter, error) {
	m := &Meter{c: c, prefix: rand.Text()[:16] + "-"}
	if c.api == nil {
		return m, nil
	}
	u := c.cfg.usage
	d := delivery{c}
	u.Sender, u.Logger, u.OnSetAside = d, c.cfg.logger, d.setAside
	u.CallTimeout = min(usage.DefaultCallTimeout, c.cfg.writeTimeout)
	var err error
	m.reporter, err = usage.New(u)
	return m, err
}

// Report accepts a report of usage of a feature whose usage the program counts itself, and returns at once: Value is added (the
// default, [UsageDelta]; it may be negative) or replaces what there was ([UsageSet]). A delta counts in this client's checks from
// then on (see [WithLocalUsage]).
//
// CustomerId and FeatureId are required, Value must be finite, Dimensions a JSON object, and all of it UTF-8. IdempotencyKey and
// CreatedAt are generated unless given; a report that has one of its own is merged with no other. With [WithUsageQueue] Report waits
// for the disk. ctx bounds the wait for room, if that was asked for (see [WithUsageBound]); the delivery does not depend on it.
//
// An error says that the report was not accepted: [ErrBadInput], [ErrQueueFull], [ErrClosed], or that of a durable queue. Nil does not
// say that Stigg has counted it, nor that it will: see [WithSetAside] for what it refuses.
func (m *Meter) Report(ctx context.Context, in UsageReport) error {
	const call = "meter report"
	if err := checkReport(call, in.CustomerId, in.FeatureId, in.Value); err != nil {
		return err
	}
	r := usage.Record{
		Kind: usage.Delta, CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId), FeatureID: in.FeatureId, Value: in.Value,
		Key: deref(in.IdempotencyKey),
	}
	switch b := in.UpdateBehavior; {
	case b == nil || *b == UsageDelta:
	case *b == UsageSet:
		r.Kind = usage.Set
	default:
		return badInput(call, fmt.Sprintf("UpdateBehavior is %q: give UsageDelta or UsageSet", *b))
	}
	if err := m.complete(call, &r, in.CreatedAt, in.Dimensions); err != nil {
		return err
	}
	if m.reporter == nil {
		return m.offline()
	}
	return m.accept(ctx, r)
}

// Event accepts a raw event, which Stigg filters and aggregates into the usage of whatever features count it, and returns at once.
// It does not count in this client's checks before Stigg has counted it: only Stigg knows which features it is for.
//
// CustomerId and EventName are required, and Dimensions is a JSON object. IdempotencyKey and Timestamp are generated unless given. Stigg
// tells events apart by both: the same key with another time is another event. Otherwise it is as [Meter.Report].
func (m *Meter) Event(ctx context.Context, in UsageEvent) error {
	const call = "meter event"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return err
	}
	if err := required(call, "EventName", in.EventName); err != nil {
		return err
	}
	r := usage.Record{
		Kind: usage.Event, CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId), EventName: in.EventName, Key: in.IdempotencyKey,
	}
	if err := m.complete(call, &r, in.Timestamp, in.Dimensions); err != nil {
		return err
	}
	if m.reporter == nil {
		return m.offline()
	}
	return explainUsage(m.reporter.Accept(ctx, r))
}

// Flush sends what was accepted before it was called, without waiting for more, and returns when Stigg has counted or refused all of
// it; what Stigg has refused is no error here, see [WithSetAside]. When ctx ends first it returns an [*UndeliveredError]; the delivery
// goes on.
func (m *Meter) Flush(ctx context.Context) error {
	if m.reporter == nil {
		return m.offline()
	}
	return explainUsage(m.reporter.Flush(ctx))
}

// Stats returns the counters since [New], and how things stand. Offline they are zero.
func (m *Meter) Stats() MeterStats {
	if m.reporter == nil {
		return MeterStats{}
	}
	return m.reporter.Stats()
}

// close delivers what waits, within the timeout.
func (m *Meter) close(timeout time.Duration) error {
	if m.reporter == nil {
		if q := m.c.cfg.usage.Queue; q != nil {
			return explainUsage(q.Close())
		}
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), timeout, errCloseTimeout)
	defer cancel()
	return explainUsage(m.reporter.Close(ctx))
}

var errCloseTimeout = fmt.Errorf("close timeout: %w", context.DeadlineExceeded)

// offline acknowledges what is dropped.
func (m *Meter) offline() error {
	if m.c.lifetime.Err() != nil {
		return ErrClosed
	}
	return nil
}

// complete checks what reports and events have in common, and fills in what was not given.
func (m *Meter) complete(call string, r *usage.Record, at *DateTime, dimensions *json.RawMessage) error {
	if err := checkKey(meterKey(r)); err != nil {
		return fmt.Errorf("entcache: %s: %w", call, errors.Join(gql.ErrBadInput, err))
	}
	if err := checkUTF8(call, "IdempotencyKey", r.Key); err != nil {
		return err
	}
	if r.Alone = r.Key != "" || at != nil; r.Key == "" {
		r.Key = m.prefix + strconv.FormatUint(m.number.Add(1), 36)
	}
	if at != nil {
		r.At = at.Round(0)
	} else {
		r.At = time.Now().Round(0) // without the monotonic reading, as it comes back from a file: what is merged must not depend on it
	}
	if r.At.IsZero() {
		return badInput(call, "the time is zero: give a moment, or nil for now")
	}
	if y := r.At.UTC().Year(); y < 0 || y > 9999 {
		return badInput(call, fmt.Sprintf("the time is in the year %d, which cannot be sent", y))
	}
	if dimensions != nil {
		if text := *dimensions; len(text) == 0 || text[0] != '{' || !json.Valid(text) {
			return badInput(call, "Dimensions is not a JSON object")
		}
		if !utf8.Valid(*dimensions) {
			return badInput(call, "Dimensions is not UTF-8")
		}
		r.Dimensions = slices.Clone(*dimensions)
	}
	return nil
}

// accept accepts a report, and makes it count in the checks before anybody can deliver it.
func (m *Meter) accept(ctx context.Context, r usage.Record) error {
	if !m.c.cfg.localUsage {
		return explainUsage(m.reporter.Accept(ctx, r))
	}
	key, amount := meterKey(&r), 0.0
	if r.Kind == usage.Delta {
		amount = r.Value
	}
	ref := entitlements.Feature(r.FeatureID)
	m.c.expect(key, ref, amount)
	err := m.reporter.Accept(ctx, r)
	if err != nil {
		m.c.unexpect(key, ref, amount)
	}
	return explainUsage(err)
}

// expect makes an amount pending, for checks that begin from now on.
func (c *Client) expect(key Key, ref Ref, amount float64) *account {
	a, fresh := c.pending.add(key, ref, amount)
	if e := c.running.Load(); fresh && e != nil {
		a.resident(ref, e.store.count(key, false))
	}
	return a
}

// unexpect takes back what was expected.
func (c *Client) unexpect(key Key, ref Ref, amount float64) {
	c.pending.drop(key, ref, amount)
	c.tidy(key)
}

// tidy gives up the account of a key that is not resident and has nothing open, so that a program which only reports, or asks for
// customers who do not exist, keeps nothing of them.
func (c *Client) tidy(key Key) {
	e := c.running.Load()
	if e == nil {
		c.pending.forget(key)
		return
	}
	if _, resident := e.cache.Peek(key); !resident {
		e.store.forget(key)
	}
}

// explainUsage puts a failure of the reporter into this package's words.
func explainUsage(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*UndeliveredError](err); ok {
		return err
	}
	if errors.Is(err, usage.ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("entcache: %w", err)
}
