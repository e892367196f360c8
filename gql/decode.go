package gql

import (
	"errors"
	"fmt"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql/internal/scalar"
	"github.com/entcache/entcache/gql/internal/scan"
)

var (
	// Rule 8 of package syncer: what lacks a part is an error, never fewer entitlements.
	errMissing = errors.New("required field is missing")
	errMoment  = errors.New("unreadable moment")
)

// decoder reads entitlement sets and events from bytes.
type decoder struct {
	scan.Scanner
	names *interner
	// unknown counts the entitlements that were passed over: of a kind this package does not know, or without a name.
	unknown int
	moments [momentFields]moment
	before  before
}

// moment is what a field was read as last: most entitlements of a customer have the same.
type moment struct {
	text [len("2006-01-02T15:04:05.000Z")]byte
	at   entitlements.Instant
}

// The fields that are remembered, see decoder.instant.
const (
	anchorField = iota
	periodStartField
	periodEndField
	grantedField
	usedField
	validField
	momentFields
)

// decodeState reads a reply to GetEntitlementsState. It returns exactly one of a complete snapshot and an error.
func decodeState(body []byte, key entitlements.Key, names *interner) (snap *entitlements.Snapshot, unknown int, err error) {
	d := decoder{Scanner: scan.New(body), names: names}
	var failed []byte
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		switch string(d.Key()) {
		case "data":
			snap = d.stateData(key)
		case "errors":
			failed = d.Raw()
		default:
			d.Skip()
		}
	}
	d.End()
	if d.Err() != nil {
		// The scanner stopped where data made no sense; what went wrong may be said behind it.
		if _, failed, err := split(body); err == nil {
			if e := firstError(failed); e != nil {
				return nil, 0, e
			}
		}
		return nil, 0, fmt.Errorf("%w: %w", ErrMalformed, d.Err())
	}
	if e := firstError(failed); e != nil {
		return nil, 0, e
	}
	if snap == nil {
		return nil, 0, fmt.Errorf("%w: no data", ErrMalformed)
	}
	return snap, d.unknown, nil
}

// stateData reads {"entitlementsState": …}; nil when that is null or absent, or on an error.
func (d *decoder) stateData(key entitlements.Key) (snap *entitlements.Snapshot) {
	if d.Null() {
		return nil
	}
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		if string(d.Key()) != "entitlementsState" {
			d.Skip()
			continue
		}
		if d.Null() {
			d.Fail(errMissing)
			return nil
		}
		snap = d.state(key)
	}
	return snap
}

// state reads one EntitlementsState.
func (d *decoder) state(key entitlements.Key) *entitlements.Snapshot {
	set := d.newSet()
	defer set.release()
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		switch string(d.Key()) {
		case "accessDeniedReason":
			set.reason = d.text()
		case "entitlementsV2":
			set.read(d)
		default:
			d.Skip()
		}
	}
	return set.snapshot(d, key)
}

// grants appends the entitlements of an array to list.
func (d *decoder) grants(list []entitlements.Grant) []entitlements.Grant {
	d.Open('[')
	for first := true; d.More(']', first); first = false {
		n := len(list)
		list = append(list, entitlements.Grant{})
		if d.before.members > 0 {
			list[n] = list[n-1] // with its enum values, which nobody changes
		}
		if !d.grant(&list[n]) {
			list = list[:n]
			d.unknown++
		}
	}
	d.before = before{} // the text may be gone when the next list comes
	return list
}

// grant reads one element of EntitlementUnion into g, which is zero, or a copy of the element before when d.before describes that. It
// returns false for an element that has to be passed over.
func (d *decoder) grant(g *entitlements.Grant) bool {
	typename := d.typename()
	if string(typename) == "FeatureEntitlement" {
		return d.feature(g)
	}
	if d.before.members > 0 {
		d.before.members, *g = 0, entitlements.Grant{}
	}
	switch string(typename) {
	case "CreditEntitlement":
		d.credit(g)
		return true
	case "":
		d.Fail(errMissing)
	}
	d.Skip()
	return false
}

// typename looks ahead for __typename. We select it first, and servers keep that order; JSON does not oblige them to.
func (d *decoder) typename() []byte {
	const usual, from = `{"__typename":"FeatureEntitlement"`, len(`{"__typename":"`)
	if head := d.Head(len(usual)); string(head) == usual {
		return head[from : len(usual)-1]
	}
	ahead := d.Ahead()
	ahead.Open('{')
	for first := true; ahead.More('}', first); first = false {
		if string(ahead.Key()) == "__typename" {
			return ahead.String()
		}
		ahead.Skip()
	}
	return nil
}

// Required fields of a grant, as bits.
const (
	hasGranted = 1 << iota
	hasUnlimited
	hasID
	hasType
)

func (d *decoder) credit(g *entitlements.Grant) {
	var seen uint
	g.Kind = entitlements.KindCredit
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		switch string(d.Key()) {
		case "isGranted":
			g.IsGranted = d.Bool()
			seen |= hasGranted
		case "currency":
			seen |= d.currency(g)
		default:
			d.common(g)
		}
	}
	if seen != hasGranted|hasID {
		d.Fail(errMissing)
	}
}

// common reads the value of a field that both kinds have and whose name was the last key read.
func (d *decoder) common(g *entitlements.Grant) {
	switch string(d.LastKey()) {
	case "accessDeniedReason":
		g.AccessDeniedReason = entitlements.Reason(d.text())
	case "usageLimit":
		g.UsageLimit, g.HasUsageLimit = d.float()
	case "currentUsage":
		g.CurrentUsage, _ = d.float()
	case "hasSoftLimit":
		g.HasSoftLimit = !d.Null() && d.Bool()
	case "usagePeriodEnd":
		g.UsagePeriodEnd = d.instant(periodEndField)
	case "entitlementUpdatedAt":
		g.EntitlementUpdatedAt = d.instant(grantedField)
	case "usageUpdatedAt":
		g.UsageUpdatedAt = d.instant(usedField)
	case "validUntil":
		g.ValidUntil = d.instant(validField)
	default:
		d.Skip()
	}
}

func (d *decoder) currency(g *entitlements.Grant) (seen uint) {
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		switch string(d.Key()) {
		case "currencyId":
			seen &^= hasID
			if g.ID = d.names.get(d.String()); g.ID != "" {
				seen |= hasID
			}
		case "displayName":
			g.DisplayName = d.text()
		case "description":
			g.Description = d.text()
		case "unitSingular":
			g.Units = d.text()
		case "unitPlural":
			g.UnitsPlural = d.text()
		default:
			d.Skip()
		}
	}
	return seen
}

// text reads a string or null; null is empty.
func (d *decoder) text() string {
	if d.Null() {
		return ""
	}
	return d.names.get(d.String())
}

// texts reads an array of strings or null.
func (d *decoder) texts() []string {
	if d.Null() {
		return nil
	}
	var list []string
	d.Open('[')
	for first := true; d.More(']', first); first = false {
		list = append(list, d.names.get(d.String()))
	}
	return list
}

// float reads a number or null.
func (d *decoder) float() (f float64, ok bool) {
	if d.Null() {
		return 0, false
	}
	return d.Float(), true
}

// instant reads a moment in any of its forms, or null, of a field.
func (d *decoder) instant(field int) entitlements.Instant {
	var text []byte
	switch d.Kind() {
	case scan.Null:
		d.Null()
		return 0
	case scan.Number:
		text = d.Number()
	default:
		text = d.String()
	}
	if d.Err() != nil {
		return 0
	}
	m := &d.moments[field]
	if m.text[0] != 0 && string(text) == string(m.text[:]) {
		return m.at
	}
	i, ok := scalar.ParseInstant(text)
	if !ok {
		d.Fail(errMoment)
		return 0
	}
	if len(text) == len(m.text) {
		m.at = i
		copy(m.text[:], text)
	}
	return i
}
