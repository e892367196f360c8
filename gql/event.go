package gql

import (
	"errors"
	"fmt"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql/internal/scan"
)

// subscription is one of the three that a Stream holds. Its payload carries one object, under the name of the root field.
type subscription struct {
	id    string
	op    string
	query string
	field string
	read  func(*eventDecoder) entitlements.Event
}

// subscriptions are what Subscribe asks for, in this order. None takes arguments: each is the whole environment of the key
// (docs/stigg-behaviour.md 2.4).
var subscriptions = []subscription{
	{"entitlements", "OnEntitlementsUpdatedV2", OnEntitlementsUpdatedV2_Operation, "entitlementsUpdatedV2", (*eventDecoder).entitlements},
	{"usage", "OnUsageUpdatedV2", OnUsageUpdatedV2_Operation, "usageUpdatedV2", (*eventDecoder).usage},
	{"package", "OnPackagePublished", OnPackagePublished_Operation, "packagePublished", (*eventDecoder).packagePublished},
}

var errNoEvent = errors.New("no data in event")

// eventDecoder reads the payloads of "next" frames, one after the other.
type eventDecoder struct {
	decoder
	wanted func(entitlements.Key) bool

	key     entitlements.Key
	skipped bool // the rest of the payload is not worth reading
}

// event reads a payload. It never fails: what cannot be read is an event too. An error that ends the whole stream, such as a
// key that expired, is returned beside it.
func (d *eventDecoder) event(sub *subscription, payload []byte) (entitlements.Event, *Error) {
	d.Scanner, d.unknown, d.key, d.skipped = scan.New(payload), 0, entitlements.Key{}, false
	var ev entitlements.Event
	var failed []byte
	found := false
	d.Open('{')
	for first := true; !d.skipped && d.More('}', first); first = false {
		switch string(d.Key()) {
		case "data":
			if !d.Null() {
				ev, found = d.data(sub)
			}
		case "errors":
			failed = d.Raw()
		default:
			d.Skip()
		}
	}
	if d.skipped {
		return entitlements.Event{Kind: entitlements.EventSkipped, Key: d.key}, nil
	}
	// No End: the frame's envelope may go on behind the payload.
	if d.Err() != nil && failed == nil {
		// The scanner stopped where data made no sense; what went wrong may be said behind it.
		whole := scan.New(payload)
		if _, said, err := split(whole.Raw()); err == nil {
			failed = said
		}
	}
	e := firstError(failed)
	switch {
	case e != nil:
	case d.Err() != nil:
		e = &Error{Err: fmt.Errorf("%w: %w", ErrMalformed, d.Err())}
	case !found:
		e = &Error{Err: fmt.Errorf("%w: %w", ErrMalformed, errNoEvent)}
	default:
		return ev, nil
	}
	e.Op = sub.op
	ev = entitlements.Event{Kind: entitlements.EventUnreadable, Key: d.key, Err: e}
	if errors.Is(e, ErrUnauthenticated) {
		return ev, e
	}
	return ev, nil
}

// data reads {"<field>": …}; an unknown field beside it is passed over.
func (d *eventDecoder) data(sub *subscription) (ev entitlements.Event, found bool) {
	d.Open('{')
	for first := true; !d.skipped && d.More('}', first); first = false {
		if string(d.Key()) != sub.field {
			d.Skip()
			continue
		}
		if d.Null() {
			d.Fail(errMissing)
			break
		}
		ev, found = sub.read(d), true
	}
	return ev, found
}

// ids are the names in an event, as far as they have been read.
type ids struct {
	key                entitlements.Key
	customer, resource bool
}

// read reads the value of an id, and reports whether name was one.
func (i *ids) read(s *scan.Scanner, name []byte) bool {
	switch string(name) {
	case "customerId":
		i.key.CustomerID, i.customer = string(s.String()), true
	case "resourceId":
		if i.resource = true; !s.Null() {
			i.key.ResourceID = string(s.String())
		}
	default:
		return false
	}
	return true
}

// relevant decides, at the first member that is not an id, whether the body is worth reading. Ids that come behind the body
// are looked for ahead; usually they came first, because we select them first.
func (d *eventDecoder) relevant(i *ids, name []byte) bool {
	if !i.customer || !i.resource {
		// The look ahead may overwrite the name that is being looked at, so it has a scratch of its own.
		ahead := d.Ahead()
		ahead.Skip()
		for ahead.More('}', false) {
			if !i.read(&ahead, ahead.Key()) {
				ahead.Skip()
			}
		}
		if ahead.Err() != nil {
			return true // whose event this is cannot be said; reading on will meet the same error
		}
	}
	if i.key.CustomerID == "" {
		d.Fail(errMissing)
		return false
	}
	d.key = i.key
	d.skipped = d.wanted != nil && !d.wanted(i.key)
	return !d.skipped
}

func (d *eventDecoder) entitlements() entitlements.Event {
	set := d.newSet()
	defer set.release()
	var i ids
	decided := false
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		name := d.Key()
		if i.read(&d.Scanner, name) {
			continue
		}
		if !decided {
			if decided = true; !d.relevant(&i, name) {
				return entitlements.Event{}
			}
		}
		switch string(d.LastKey()) {
		case "accessDeniedReason":
			set.reason = d.text()
		case "entitlements":
			set.read(&d.decoder)
		default:
			d.Skip()
		}
	}
	if !decided {
		d.Fail(errMissing) // ids and nothing else
	}
	snap := set.snapshot(&d.decoder, i.key)
	return entitlements.Event{Kind: entitlements.EventEntitlements, Key: i.key, Snapshot: snap}
}

func (d *eventDecoder) usage() entitlements.Event {
	ev := entitlements.Event{Kind: entitlements.EventUsage}
	var i ids
	var decided, hasRef, hasUsage bool
	known := true
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		name := d.Key()
		if i.read(&d.Scanner, name) {
			continue
		}
		if !decided {
			if decided = true; !d.relevant(&i, name) {
				return entitlements.Event{}
			}
		}
		switch string(d.LastKey()) {
		case "entitlementReference":
			ev.Usage.Ref, known = d.reference()
			hasRef = true
		case "usage":
			hasUsage = d.measured(&ev.Usage)
		default:
			d.Skip()
		}
	}
	if !hasRef || !hasUsage {
		d.Fail(errMissing)
	}
	if ev.Key = i.key; !known {
		return entitlements.Event{Kind: entitlements.EventUnknown, Key: i.key}
	}
	return ev
}

// reference reads an EntitlementReference; known is false when its type is neither FEATURE nor CREDIT.
func (d *eventDecoder) reference() (ref entitlements.Ref, known bool) {
	typed := false
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		switch string(d.Key()) {
		case "id":
			ref.ID = d.names.get(d.String())
		case "type":
			typed = true
			switch string(d.String()) {
			case "FEATURE":
				ref.Kind, known = entitlements.KindFeature, true
			case "CREDIT":
				ref.Kind, known = entitlements.KindCredit, true
			}
		default:
			d.Skip()
		}
	}
	if ref.ID == "" || !typed {
		d.Fail(errMissing)
	}
	return ref, known
}

// measured reads a UsageV2; false when it does not say how much.
func (d *eventDecoder) measured(u *entitlements.Usage) (ok bool) {
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		switch string(d.Key()) {
		case "currentUsage":
			u.Current, ok = d.float()
		case "usageUpdatedAt":
			u.UpdatedAt = d.instant(usedField)
		case "usagePeriodStart":
			u.PeriodStart = d.instant(periodStartField)
		case "usagePeriodEnd":
			u.PeriodEnd = d.instant(periodEndField)
		default:
			d.Skip()
		}
	}
	return ok
}

// packagePublished reads a PackagePublished. Anything but NEW_CUSTOMERS counts as all: to ask again costs less than to be wrong.
func (d *eventDecoder) packagePublished() entitlements.Event {
	migration := ""
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		if string(d.Key()) == "migrationType" {
			migration = d.text()
		} else {
			d.Skip()
		}
	}
	if migration == "" {
		d.Fail(errMissing)
	}
	return entitlements.Event{Kind: entitlements.EventPackagePublished, AllCustomers: migration != "NEW_CUSTOMERS"}
}
