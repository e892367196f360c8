package gql

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"

	"github.com/entcache/entcache/entitlements"
)

// feature reads a FeatureEntitlement. Those of one list have, usually, the same members in the same order, and most of these say the same:
// a member whose text is that of the element before is passed over, for g has its value already. Should the names be others, or in
// another order, the element is read again from its start, into a zero g.
func (d *decoder) feature(g *entitlements.Grant) bool {
	start := d.Scanner
	like := d.before.members
	var seen uint
	named, others := true, false
	n := 0
	g.Kind = entitlements.KindFeature
	d.Open('{')
	for first := true; d.More('}', first); first, n = false, n+1 {
		m := d.before.member(n)
		if n < like && d.RepeatsMember(m.text) {
			seen |= m.seen
			continue
		}
		mark := d.Mark()
		key := d.Key()
		name := d.Since(mark)
		if others = like > 0 && (n >= like || string(name) != string(m.name)); others {
			break
		}
		var is uint
		switch string(key) {
		case "isGranted":
			g.IsGranted = d.Bool()
			is = hasGranted
		case "hasUnlimitedUsage":
			g.HasUnlimitedUsage = d.Bool()
			is = hasUnlimited
		case "feature":
			seen &^= hasID | hasType // said twice, the last one counts
			if named = !d.Null(); named {
				is = d.featureRef(g)
			}
		case "enumValues":
			g.EnumValues = d.texts()
		case "resetPeriod":
			g.ResetPeriod = entitlements.ParseResetPeriod(d.text())
		case "usagePeriodAnchor":
			g.UsagePeriodAnchor = d.instant(anchorField)
		case "usagePeriodStart":
			g.UsagePeriodStart = d.instant(periodStartField)
		case "creditRate":
			g.CreditRate, g.CreditCurrencyID = d.creditRate()
		default:
			d.common(g)
		}
		seen |= is
		*m = member{name, d.Since(mark), is}
	}
	if d.before.members = n; like == 0 && !d.before.comparable() {
		d.before.members = 0
	}
	if (others || n < like) && d.Err() == nil { // once: then it is like none
		d.Scanner, d.before.members, *g = start, 0, entitlements.Grant{}
		return d.feature(g)
	}
	if !named {
		d.before.members = 0
		return false // nothing can ask for it (schema.graphql allows feature to be null)
	}
	if seen != hasGranted|hasUnlimited|hasID|hasType {
		d.Fail(errMissing)
	}
	return true
}

// before is the feature that was read last of a list, member by member.
type before struct {
	list    [24]member // one of ours has 17
	members int        // that it had; 0 when there is nothing to compare with
	more    member     // all that there is no room for, and that is not compared
}

// member is where the n-th is remembered.
func (b *before) member(n int) *member {
	if n < len(b.list) {
		return &b.list[n]
	}
	return &b.more
}

// comparable reports whether the next may be compared with it: whether there was room for all members, and none is there twice, for the
// last one of a name counts.
func (b *before) comparable() bool {
	if b.members > len(b.list) {
		return false
	}
	for i, m := range b.list[:b.members] {
		if bytes.IndexByte(m.name, '\\') >= 0 || !bytes.HasSuffix(m.name, []byte(`":`)) {
			return false // who knows what else it is called
		}
		for k := range i {
			if bytes.Equal(m.name, b.list[k].name) {
				return false
			}
		}
	}
	return true
}

// member is a member of an object.
type member struct {
	name []byte // with quotes and colon
	text []byte // name and value
	seen uint   // of the required fields
}

// featureRef reads what describes a feature. It is most of a set, and the same in every customer's: what was read before is recognized by
// its text, which takes a tenth of the time of reading it.
func (d *decoder) featureRef(g *entitlements.Grant) (seen uint) {
	slot := d.names.slotOf(d.Head(describedHead))
	if slot != nil {
		if held := slot.Load(); held != nil && d.Repeats(held.text) {
			held.describe(g)
			return hasID | hasType
		}
	}
	ahead := d.Ahead()
	(&described{}).describe(g)
	if seen = d.readFeatureRef(g); slot != nil && seen == hasID|hasType && d.Err() == nil {
		// Invalid UTF-8 becomes longer when it is read.
		size := len(g.ID) + len(g.DisplayName) + len(g.Description) + len(g.Units) + len(g.UnitsPlural)
		if text := ahead.Raw(); len(text) <= maxDescribed && size <= len(text) {
			slot.Store(newDescribed(text, g))
		}
	}
	return seen
}

// readFeatureRef reads a description that is not remembered into a g that has none.
func (d *decoder) readFeatureRef(g *entitlements.Grant) (seen uint) {
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		switch string(d.Key()) {
		case "refId":
			seen &^= hasID
			if g.ID = d.names.get(d.String()); g.ID != "" {
				seen |= hasID
			}
		case "featureType":
			g.FeatureType = entitlements.FeatureType(d.names.get(d.String()))
			seen |= hasType
		case "meterType":
			g.MeterType = entitlements.MeterType(d.text())
		case "displayName":
			g.DisplayName = d.text()
		case "description":
			g.Description = d.text()
		case "featureUnits":
			g.Units = d.text()
		case "featureUnitsPlural":
			g.UnitsPlural = d.text()
		default:
			d.Skip()
		}
	}
	return seen
}

// creditRate reads a CreditRate, or null.
func (d *decoder) creditRate() (amount float64, currencyID string) {
	if d.Null() {
		return 0, ""
	}
	d.Open('{')
	for first := true; d.More('}', first); first = false {
		switch string(d.Key()) {
		case "amount":
			amount, _ = d.float()
		case "currencyId":
			currencyID = d.text()
		default:
			d.Skip()
		}
	}
	return amount, currencyID
}

// described is the description of a feature, as it stood in an answer, and what was read there.
type described struct {
	text               string
	id                 string
	featureType        entitlements.FeatureType
	meterType          entitlements.MeterType
	displayName        string
	description        string
	featureUnits       string
	featureUnitsPlural string
}

const (
	describedSlots = 1024 // 8 KiB of pointers; a catalogue has some hundreds of features
	maxDescribed   = 2048 // bytes of text, and as many of what was read there: at most 4 MiB
	// describedHead is how much of the text tells one feature from another. We select refId first, and servers keep that order.
	describedHead = 64
)

// slotOf is where the description is remembered whose text begins with head: of two that meet, the newest. Nil without an interner.
func (t *interner) slotOf(head []byte) *atomic.Pointer[described] {
	if t == nil {
		return nil
	}
	return &t.features[maphash.Bytes(t.seed, head)%describedSlots]
}

func newDescribed(text []byte, g *entitlements.Grant) *described {
	return &described{string(text), g.ID, g.FeatureType, g.MeterType, g.DisplayName, g.Description, g.Units, g.UnitsPlural}
}

func (d *described) describe(g *entitlements.Grant) {
	g.ID, g.FeatureType, g.MeterType = d.id, d.featureType, d.meterType
	g.DisplayName, g.Description, g.Units, g.UnitsPlural = d.displayName, d.description, d.featureUnits, d.featureUnitsPlural
}
