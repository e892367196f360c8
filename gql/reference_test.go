package gql

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql/internal/scalar"
	"github.com/entcache/entcache/gql/internal/scan"
)

// The decoder reads bytes in place and in the order they come. This one makes a tree of the whole document with encoding/json
// and picks from it, which is slow and hard to get wrong: fuzzing wants the two to agree on every document.

var errTwice = errors.New("a name is said twice")

// tree reads one JSON value. Trailing bytes are left to the caller, as in the payload of a frame.
func tree(data []byte) (v any, rest []byte, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if v, err = branch(d, 0); err != nil {
		return nil, nil, err
	}
	return v, bytes.TrimLeft(data[d.InputOffset():], " \t\r\n"), nil
}

func branch(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil || depth > scan.MaxDepth {
		return nil, errors.Join(err, scan.ErrDepth)
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := branch(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			if _, twice := object[name.(string)]; twice {
				return nil, errTwice
			}
			if object[name.(string)], err = branch(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return object, err
	}
	return token, nil
}

// picker picks from a tree; bad is set when something is not what it must be.
type picker struct{ bad bool }

func (p *picker) object(v any) map[string]any {
	o, ok := v.(map[string]any)
	p.bad = p.bad || !ok
	return o
}

func (p *picker) str(v any) string {
	s, ok := v.(string)
	p.bad = p.bad || !ok
	return s
}

func (p *picker) text(v any) string {
	if v == nil {
		return ""
	}
	return p.str(v)
}

func (p *picker) boolean(v any) bool {
	b, ok := v.(bool)
	p.bad = p.bad || !ok
	return b
}

func (p *picker) float(v any) (float64, bool) {
	if v == nil {
		return 0, false
	}
	n, ok := v.(json.Number)
	f, err := strconv.ParseFloat(string(n), 64)
	p.bad = p.bad || !ok || err != nil
	return f, true
}

func (p *picker) instant(v any) entitlements.Instant {
	var text string
	switch v := v.(type) {
	case nil:
		return 0
	case json.Number:
		text = string(v)
	default:
		text = p.str(v)
	}
	i, ok := scalar.ParseInstant([]byte(text))
	p.bad = p.bad || !ok
	return i
}

func (p *picker) grants(v any) []entitlements.Grant {
	list, ok := v.([]any)
	p.bad = p.bad || !ok
	var grants []entitlements.Grant
	for _, v := range list {
		if g, known := p.grant(p.object(v)); known {
			grants = append(grants, g)
		}
	}
	return grants
}

func (p *picker) grant(o map[string]any) (g entitlements.Grant, known bool) {
	kind, _ := o["__typename"].(string)
	switch kind {
	case "FeatureEntitlement", "CreditEntitlement":
	default:
		p.bad = p.bad || kind == ""
		return g, false
	}
	g.AccessDeniedReason = entitlements.Reason(p.text(o["accessDeniedReason"]))
	g.UsageLimit, g.HasUsageLimit = p.float(o["usageLimit"])
	g.CurrentUsage, _ = p.float(o["currentUsage"])
	g.HasSoftLimit = o["hasSoftLimit"] != nil && p.boolean(o["hasSoftLimit"])
	g.UsagePeriodEnd = p.instant(o["usagePeriodEnd"])
	g.EntitlementUpdatedAt = p.instant(o["entitlementUpdatedAt"])
	g.UsageUpdatedAt = p.instant(o["usageUpdatedAt"])
	g.ValidUntil = p.instant(o["validUntil"])
	names := [...]string{"currencyId", "displayName", "description", "unitSingular", "unitPlural"}
	about := o["currency"]
	if kind == "FeatureEntitlement" {
		g.Kind = entitlements.KindFeature
		names = [...]string{"refId", "displayName", "description", "featureUnits", "featureUnitsPlural"}
		about = o["feature"]
		if v, said := o["enumValues"]; said && v != nil {
			list, ok := v.([]any)
			p.bad = p.bad || !ok
			for _, v := range list {
				g.EnumValues = append(g.EnumValues, p.str(v))
			}
		}
		g.ResetPeriod = entitlements.ParseResetPeriod(p.text(o["resetPeriod"]))
		g.UsagePeriodAnchor, g.UsagePeriodStart = p.instant(o["usagePeriodAnchor"]), p.instant(o["usagePeriodStart"])
		if v := o["creditRate"]; v != nil {
			rate := p.object(v)
			g.CreditRate, _ = p.float(rate["amount"])
			g.CreditCurrencyID = p.text(rate["currencyId"])
		}
		if v, said := o["feature"]; said && v == nil {
			if v, said := o["isGranted"]; said {
				p.boolean(v)
			}
			if v, said := o["hasUnlimitedUsage"]; said {
				p.boolean(v)
			}
			return g, false
		}
		g.HasUnlimitedUsage = p.boolean(o["hasUnlimitedUsage"])
		f := p.object(about)
		g.FeatureType, g.MeterType = entitlements.FeatureType(p.str(f["featureType"])), entitlements.MeterType(p.text(f["meterType"]))
	} else {
		g.Kind = entitlements.KindCredit
	}
	g.IsGranted = p.boolean(o["isGranted"])
	a := p.object(about)
	g.ID = p.str(a[names[0]])
	p.bad = p.bad || g.ID == ""
	g.DisplayName, g.Description, g.Units, g.UnitsPlural = p.text(a[names[1]]), p.text(a[names[2]]), p.text(a[names[3]]), p.text(a[names[4]])
	return g, true
}

func (p *picker) set(key entitlements.Key, o map[string]any, list string) *entitlements.Snapshot {
	reason := p.text(o["accessDeniedReason"])
	v, said := o[list]
	var grants []entitlements.Grant
	if v != nil {
		grants = p.grants(v)
	}
	if p.bad = p.bad || !said || v == nil && reason == ""; p.bad {
		return nil
	}
	return entitlements.NewSnapshot(key, entitlements.Reason(reason), grants)
}

// root picks the one thing a reply is about, unless the reply speaks of errors.
func (p *picker) root(v any, field string) map[string]any {
	reply := p.object(v)
	failed, isList := reply["errors"].([]any)
	p.bad = p.bad || reply["errors"] != nil && (!isList || len(failed) > 0)
	return p.object(p.object(reply["data"])[field])
}

func (p *picker) event(v any, sub *subscription) entitlements.Event {
	o := p.root(v, sub.field)
	if sub.field == "packagePublished" {
		migration := p.text(o["migrationType"])
		p.bad = p.bad || migration == ""
		return entitlements.Event{Kind: entitlements.EventPackagePublished, AllCustomers: migration != "NEW_CUSTOMERS"}
	}
	key := entitlements.Key{CustomerID: p.str(o["customerId"]), ResourceID: p.text(o["resourceId"])}
	p.bad = p.bad || key.CustomerID == ""
	if sub.field == "entitlementsUpdatedV2" {
		return entitlements.Event{Kind: entitlements.EventEntitlements, Key: key, Snapshot: p.set(key, o, "entitlements")}
	}
	ref, usage := p.object(o["entitlementReference"]), p.object(o["usage"])
	ev := entitlements.Event{Kind: entitlements.EventUsage, Key: key}
	ev.Usage.Ref.ID = p.str(ref["id"])
	kind := p.str(ref["type"])
	var said bool
	ev.Usage.Current, said = p.float(usage["currentUsage"])
	ev.Usage.UpdatedAt = p.instant(usage["usageUpdatedAt"])
	ev.Usage.PeriodStart, ev.Usage.PeriodEnd = p.instant(usage["usagePeriodStart"]), p.instant(usage["usagePeriodEnd"])
	p.bad = p.bad || ev.Usage.Ref.ID == "" || !said
	switch kind {
	case "FEATURE":
		ev.Usage.Ref.Kind = entitlements.KindFeature
	case "CREDIT":
		ev.Usage.Ref.Kind = entitlements.KindCredit
	default:
		return entitlements.Event{Kind: entitlements.EventUnknown, Key: key}
	}
	return ev
}

// sameSet fails the test unless two snapshots say the same.
func sameSet(t *testing.T, text string, got, want *entitlements.Snapshot) {
	t.Helper()
	if (got == nil) != (want == nil) {
		t.Fatalf("%q: read as %v, want %v", text, got, want)
	}
	if got == nil {
		return
	}
	same := got.Key() == want.Key() && got.SameGrants(want) && got.Len() == want.Len()
	for e := range want.All(1) {
		a, _ := got.Usage(e.Ref())
		b, _ := want.Usage(e.Ref())
		same = same && a == b
	}
	if !same {
		t.Fatalf("%q: read as %v, want %v", text, got, want)
	}
}

// checkState holds decodeState against the reference.
func checkState(t *testing.T, body []byte) {
	t.Helper()
	names := newInterner()
	got, _, err := decodeState(body, aKey, names)
	if (got == nil) == (err == nil) {
		t.Fatalf("%q: %v and %v", body, got, err)
	}
	again, _, _ := decodeState(body, aKey, names) // what it describes is remembered now
	sameSet(t, string(body), again, got)
	if err != nil && !errors.Is(err, ErrMalformed) {
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Fatalf("%q: %v is neither malformed nor the server's", body, err)
		}
	}
	v, rest, treeErr := tree(body)
	if errors.Is(treeErr, errTwice) || errors.Is(treeErr, scan.ErrDepth) && json.Valid(body) {
		return // said twice: ours takes the last; too deep: ours refuses
	}
	var p picker
	var want *entitlements.Snapshot
	if treeErr == nil && len(rest) == 0 {
		want = p.set(aKey, p.root(v, "entitlementsState"), "entitlementsV2")
	}
	if p.bad || treeErr != nil || len(rest) > 0 {
		want = nil
	}
	sameSet(t, string(body), got, want)
}

// checkEvent holds the event decoder against the reference.
func checkEvent(t *testing.T, sub *subscription, payload string, got entitlements.Event) {
	t.Helper()
	v, _, err := tree([]byte(payload))
	if errors.Is(err, errTwice) || errors.Is(err, scan.ErrDepth) {
		return
	}
	var p picker
	want := entitlements.Event{Kind: entitlements.EventUnreadable}
	if err == nil {
		if ev := p.event(v, sub); !p.bad {
			want = ev
		}
	} else if !errors.Is(err, io.EOF) && strings.Contains(err.Error(), "panic") {
		t.Fatal(err)
	}
	if got.Kind != want.Kind || want.Kind != entitlements.EventUnreadable && got.Key != want.Key || got.Usage != want.Usage || got.AllCustomers != want.AllCustomers {
		t.Fatalf("%q: read as %+v, want %+v", payload, got, want)
	}
	sameSet(t, payload, got.Snapshot, want.Snapshot)
}

// Replies that would be cheap to send and costly to read. What is kept of a reply, and what reading it takes, grow with its length.
func TestReadingTakesMemoryInProportion(t *testing.T) {
	const size = 1 << 20
	fill := func(before, unit, after string) []byte {
		n := (size - len(before) - len(after)) / (len(unit) + 1)
		return []byte(before + strings.TrimSuffix(strings.Repeat(unit+",", n), ",") + after)
	}
	const list, tail = `{"data":{"entitlementsState":{"entitlementsV2":[`, `]}}}`
	feature := `{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":true,"feature":{"refId":"f","featureType":"NUMBER"}}`
	for name, body := range map[string][]byte{
		"unknown kinds":      fill(list, `{"__typename":"X"}`, tail),
		"the same feature":   fill(list, feature, tail),
		"half a feature":     fill(list, `{"__typename":"FeatureEntitlement"}`, tail),
		"escaped names":      fill(list, `{"\u005f\u005ftypename":"\u0058"}`, tail),
		"values of an enum":  fill(list+`{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":true,"feature":{"refId":"f","featureType":"ENUM"},"enumValues":[`, `""`, `]}`+tail),
		"what nobody reads":  fill(list+`],"x":[`, `{}`, tail),
		"errors":             fill(`{"errors":[`, `{}`, `]}`),
		"a long string":      fill(list+`{"__typename":"`, `\u00e9`, `"}`+tail),
		"arrays in arrays":   []byte(strings.Repeat("[", size)),
		"a member, again":    fill(`{"data":null,`, `"data":{}`, `}`),
		"sets, one by one":   fill(`{"data":{"entitlementsState":{`, `"entitlementsV2":[]`, `}}}`),
		"names, all unequal": fill(list, `{"__typename":"`+strings.Repeat("y", 50)+`"}`, tail),
	} {
		var before, after runtime.MemStats
		names := newInterner()
		runtime.ReadMemStats(&before)
		snap, _, err := decodeState(body, aKey, names)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 32*size {
			t.Errorf("%s: %d bytes took %d (%v, %v)", name, len(body), took, snap != nil, err)
		}
	}
}
