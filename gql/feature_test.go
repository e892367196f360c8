package gql

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// What an element says in the words of the one before is not read again (decoder.feature). Here are lists in which that would go wrong
// if it were taken too lightly; each is read as encoding/json reads it.
func TestAnElementIsReadWhateverTheOneBeforeSaid(t *testing.T) {
	feature := func(id string, members ...string) string {
		said := fmt.Sprintf(`{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":false,"feature":{"refId":%q,"featureType":"NUMBER"}`, id)
		return strings.Join(append([]string{said}, members...), ",") + "}"
	}
	const credit = `{"__typename":"CreditEntitlement","isGranted":true,"currency":{"currencyId":"c"},"usageLimit":9}`
	for name, list := range map[string][]string{
		"a number goes on":         {feature("a", `"usageLimit":10`, `"currentUsage":1`), feature("b", `"usageLimit":100`, `"currentUsage":1.5`)},
		"a number goes on at last": {feature("a", `"currentUsage":1`, `"usageLimit":10`), feature("b", `"currentUsage":1`, `"usageLimit":10e1`)},
		"a member less":            {feature("a", `"usageLimit":10`, `"currentUsage":1`), feature("b", `"usageLimit":10`)},
		"a member more":            {feature("a", `"usageLimit":10`), feature("b", `"usageLimit":10`, `"currentUsage":1`)},
		"another member":           {feature("a", `"usageLimit":10`), feature("b", `"currentUsage":10`)},
		"another order":            {feature("a", `"usageLimit":10`, `"currentUsage":1`), feature("b", `"currentUsage":2`, `"usageLimit":20`)},
		"white space":              {feature("a", `"usageLimit":10`, `"currentUsage":1`), feature("b", ` "usageLimit" : 10 `, "\n\"currentUsage\":\t1\n")},
		"a null": {
			feature("a", `"usageLimit":10`, `"enumValues":["x"]`, `"creditRate":{"amount":2,"currencyId":"c"}`, `"hasSoftLimit":true`, `"validUntil":"2027-01-01T00:00:00Z"`),
			feature("b", `"usageLimit":null`, `"enumValues":null`, `"creditRate":null`, `"hasSoftLimit":null`, `"validUntil":null`),
		},
		"half a credit rate":  {feature("a", `"creditRate":{"amount":2,"currencyId":"c"}`), feature("b", `"creditRate":{"amount":3}`), credit},
		"a credit in between": {feature("a", `"usageLimit":10`), credit, feature("b", `"usageLimit":10`)},
		"an unknown in between": {
			feature("a", `"usageLimit":10`), `{"__typename":"Other","usageLimit":1}`, feature("b", `"usageLimit":10`),
		},
		"no feature in between": {
			feature("a", `"usageLimit":10`),
			`{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":false,"feature":null,"usageLimit":30}`,
			feature("b", `"usageLimit":30`),
		},
		"a feature with less to say": {
			strings.Replace(feature("a"), `"NUMBER"`, `"NUMBER","meterType":"Incremental","displayName":"A","description":"a","featureUnits":"u","featureUnitsPlural":"us"`, 1),
			feature("b"),
		},
		"the feature itself": {feature("a", `"usageLimit":10`), feature("a", `"usageLimit":20`), feature("b", `"usageLimit":20`)},
		"what is required is missing": {
			feature("a"), strings.Replace(feature("b"), `"isGranted":true,`, "", 1),
		},
		"what is required is another": {
			feature("a"), strings.Replace(feature("b"), `"isGranted":true`, `"isGrantee":true`, 1),
		},
		"more members than are remembered": {feature("a", many(40)...), feature("b", append(many(40), `"usageLimit":10`)...), feature("c", many(40)...)},
	} {
		t.Run(name, func(t *testing.T) {
			checkState(t, []byte(`{"data":{"entitlementsState":{"entitlementsV2":[`+strings.Join(list, ",")+`]}}}`))
		})
	}
}

func many(n int) []string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"extra-%d":%d`, i, i)
	}
	return members
}

// TestTheLastOfANameCounts though the one before said the same there: checkState does not know what is said twice.
func TestTheLastOfANameCounts(t *testing.T) {
	element := func(id, members string) string {
		return fmt.Sprintf(`{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":false,"feature":{"refId":%q,"featureType":"NUMBER"},%s}`, id, members)
	}
	for name, again := range map[string]string{"as it is": `"usageLimit":2`, "escaped": `"usage\u004cimit":2`, "with white space": `"usageLimit" :2`} {
		body := `{"data":{"entitlementsState":{"entitlementsV2":[` + element("a", `"usageLimit":1,`+again) + "," + element("b", `"usageLimit":3,`+again) + `]}}}`
		snap, _, err := decodeState([]byte(body), aKey, newInterner())
		if err != nil {
			t.Fatal(err)
		}
		for e := range snap.All(1) {
			if limit, _ := e.UsageLimit(); limit != 2 {
				t.Errorf("%s: the limit of %v is %v, want 2", name, e.Ref(), limit)
			}
		}
	}
}

// TestTheLastFeatureOfAnElementCounts: one that lacks its name is no other, whatever was said before it.
func TestTheLastFeatureOfAnElementCounts(t *testing.T) {
	const body = `{"data":{"entitlementsState":{"entitlementsV2":[{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":false,` +
		`"feature":{"refId":"a","featureType":"NUMBER"},"feature":%s}]}}}`
	for _, without := range []string{`{}`, `{"displayName":"x"}`, `{"refId":"a","featureType":"NUMBER","refId":""}`} {
		if snap, _, err := decodeState(fmt.Appendf(nil, body, without), aKey, newInterner()); !errors.Is(err, errMissing) {
			t.Errorf("%s: %v, %v; want %v", without, snap, err, errMissing)
		}
	}
	const credit = `{"data":{"entitlementsState":{"entitlementsV2":[{"__typename":"CreditEntitlement","isGranted":true,"currency":{"currencyId":"c","currencyId":""}}]}}}`
	if snap, _, err := decodeState([]byte(credit), aKey, newInterner()); !errors.Is(err, errMissing) {
		t.Errorf("a wallet without a name: %v, %v; want %v", snap, err, errMissing)
	}
	snap, _, err := decodeState(fmt.Appendf(nil, body, `{"refId":"b","featureType":"BOOLEAN"}`), aKey, newInterner())
	if err != nil || snap.Len() != 1 {
		t.Fatal(snap, err)
	}
	if _, ok := snap.Find(entitlements.Feature("b"), 1); !ok {
		t.Errorf("%v, want b", snap)
	}
}

// TestListsInAnyWords holds lists of elements that are alike, and are not, against the reference.
func TestListsInAnyWords(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[rnd.IntN(len(of))] }
	moment := func() string {
		return one("null", `"2026-11-15T08:00:00.000Z"`, `"2026-11-15T08:00:00.001Z"`, `1797000000000`)
	}
	member := func(name string) string {
		switch name {
		case "__typename":
			return one(`"FeatureEntitlement"`, `"FeatureEntitlement"`, `"FeatureEntitlement"`, `"CreditEntitlement"`, `"Other"`)
		case "isGranted", "hasUnlimitedUsage":
			return one("true", "false")
		case "hasSoftLimit":
			return one("true", "false", "null")
		case "usageLimit", "currentUsage":
			return one("null", "1", "10", "100", "10.5", "1e1")
		case "feature":
			if rnd.IntN(20) == 0 {
				return "null"
			}
			return fmt.Sprintf(`{"refId":"f%d","featureType":%s%s}`, rnd.IntN(40), one(`"NUMBER"`, `"BOOLEAN"`), one("", `,"displayName":"F"`, `,"description":null`, `,"featureUnits":"u","meterType":"Incremental"`))
		case "currency":
			return one(`{"currencyId":"c"}`, `{"currencyId":"d","displayName":"D"}`)
		case "enumValues":
			return one("null", `[]`, `["a"]`, `["a","b"]`)
		case "creditRate":
			return one("null", `{"amount":2,"currencyId":"c"}`, `{"currencyId":"c"}`)
		case "resetPeriod":
			return one("null", `"MONTH"`, `"YEAR"`)
		case "accessDeniedReason":
			return one("null", `"FeatureNotFound"`)
		case "metadata":
			return one("null", `{"a":[1,{"b":"]}"}]}`)
		}
		return moment()
	}
	usual := []string{
		"__typename", "isGranted", "accessDeniedReason", "feature", "currency", "usageLimit", "hasUnlimitedUsage", "hasSoftLimit", "currentUsage", "enumValues", "resetPeriod",
		"usagePeriodAnchor", "usagePeriodStart", "usagePeriodEnd", "entitlementUpdatedAt", "usageUpdatedAt", "validUntil", "creditRate", "metadata",
	}
	read := 0
	for range 3000 {
		names := append([]string(nil), usual...)
		var list []string
		for range 1 + rnd.IntN(6) {
			switch rnd.IntN(8) {
			case 0:
				rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			case 1:
				names = append([]string(nil), usual...)
			case 2:
				i := rnd.IntN(len(names))
				names = append(names[:i:i], names[i+1:]...)
			}
			var members []string
			for _, name := range names {
				members = append(members, one("", "", "", " ")+`"`+name+`":`+one("", "", "", " ")+member(name))
			}
			list = append(list, "{"+strings.Join(members, ",")+one("", "", "", " ")+"}")
		}
		body := []byte(`{"data":{"entitlementsState":{"entitlementsV2":[` + strings.Join(list, ",") + `]}}}`)
		checkState(t, body)
		if snap, _, err := decodeState(body, aKey, newInterner()); err == nil && snap.Len() > 1 {
			read++
		}
	}
	if read < 300 {
		t.Errorf("only %d of the lists could be read: the rest say nothing", read)
	}
}

// TestAFeatureIsDescribedAsItIsNow though another description of it, or one that begins like it, is remembered.
func TestAFeatureIsDescribedAsItIsNow(t *testing.T) {
	names := newInterner()
	head := `{"refId":"f","featureType":"NUMBER","displayName":"` + strings.Repeat("x", describedHead)
	for _, row := range []struct{ feature, name, description string }{
		{head + `"}`, "", ""},
		{head + `","description":"one"}`, "", "one"},
		{head + `","description":"two"}`, "", "two"},
		{head + `","description":"two"}`, "", "two"},
		{head + `","description":null}`, "", ""},
		{head + `y","description":"two"}`, "y", "two"},
		{head + ` ","description":"` + strings.Repeat("long ", maxDescribed/5) + `"}`, " ", strings.Repeat("long ", maxDescribed/5)},
	} {
		body := `{"data":{"entitlementsState":{"entitlementsV2":[{"__typename":"FeatureEntitlement","isGranted":true,"hasUnlimitedUsage":false,"feature":` + row.feature + `}]}}}`
		snap, _, err := decodeState([]byte(body), aKey, names)
		if err != nil {
			t.Fatal(err)
		}
		for e := range snap.All(1) {
			if want := strings.Repeat("x", describedHead) + row.name; e.FeatureID() != "f" || e.DisplayName() != want || e.Description() != row.description {
				t.Errorf("%s is read as %q, %q", row.feature, e.DisplayName(), e.Description())
			}
		}
	}
}
