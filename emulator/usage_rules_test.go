package emulator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// counting has a feature for every way in which usage starts again, and one that draws on a wallet.
const counting = `
features:
  - {id: hourly, type: number, meter: incremental}
  - {id: daily, type: number, meter: incremental}
  - {id: weekly, type: number, meter: incremental}
  - {id: on-mondays, type: number, meter: incremental}
  - {id: monthly, type: number, meter: incremental}
  - {id: by-calendar, type: number, meter: incremental}
  - {id: yearly, type: number, meter: incremental}
  - {id: level, type: number, meter: fluctuating}
  - {id: drawn, type: number, meter: incremental}
currencies: [{id: credits}]
products: [{id: p}]
plans:
  - id: all
    product: p
    entitlements:
      - {feature: hourly, limit: 9, reset: hour}
      - {feature: daily, limit: 9, reset: day}
      - {feature: weekly, limit: 9, reset: week}
      - {feature: on-mondays, limit: 9, reset: week, resetOn: monday}
      - {feature: monthly, limit: 9, reset: month}
      - {feature: by-calendar, limit: 9, reset: month, resetOn: calendar}
      - {feature: yearly, limit: 9, reset: year}
      - {feature: level, limit: 9}
      - {feature: drawn, unlimited: true, reset: month, creditRate: {currency: credits, amount: 2}}
      - {currency: credits, limit: 500, reset: month}
`

// newCounting has acme on the plan since a moment.
func newCounting(t *testing.T, since string) *bench {
	t.Helper()
	c, err := ParseCatalog([]byte(counting))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Config{Catalog: c})
	if err := b.SetClock(at(since)); err != nil {
		t.Fatal(err)
	}
	b.provision("acme", "", "all")
	return b
}

// count reports usage of acme, in the words of the API, and returns the answer.
func (b *bench) count(input string) map[string]any {
	b.t.Helper()
	return b.must(`mutation{reportUsage(input:{customerId:"acme",`+input+`}){id currentUsage usagePeriodStart usagePeriodEnd nextResetDate timestamp credit{consumed currentUsage}}}`, nil)["reportUsage"].(map[string]any)
}

// countBulk reports several, and returns the answers and the code of the error.
func (b *bench) countBulk(inputs ...string) ([]any, string) {
	b.t.Helper()
	for i := range inputs {
		inputs[i] = `{customerId:"acme",` + inputs[i] + `}`
	}
	a := b.ask(`mutation{reportUsageBulk(input:{usages:[`+strings.Join(inputs, ",")+`]}){id currentUsage}}`, nil)
	if len(a.Errors) > 0 {
		return nil, a.Errors[0].Extensions.Code
	}
	return a.Data["reportUsageBulk"].([]any), ""
}

// TestZeroTimeIsAMomentOfThePast, on the wire, and not the absence of one: Go programs send it by mistake, and have to find out.
func TestZeroTimeIsAMomentOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCounting(t, "2000-01-31T10:30:00Z")
		if got := b.count(`featureId:"monthly",value:2,createdAt:"0001-01-01T00:00:00.000Z"`); got["currentUsage"] != 0.0 {
			t.Errorf("a report of the year 1 counts: %v", got)
		}
		if got := b.count(`featureId:"monthly",value:2,createdAt:null`); got["currentUsage"] != 2.0 {
			t.Errorf("a report of now: %v", got)
		}
		for path, body := range map[string]string{
			"/grant-promotional": `{"customerId":"acme","entitlement":{"feature":"monthly"},"until":"0001-01-01T00:00:00Z"}`,
			"/clock/set":         `{"to":"0001-01-01T00:00:00Z"}`,
		} {
			if status, text := b.command("POST", path, body); status != 400 {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
	})
}

// TestUsageStartsAgainByTheAnchor: acme subscribed on the last of January of a leap year, a Monday, at half past ten.
func TestUsageStartsAgainByTheAnchor(t *testing.T) {
	for feature, periods := range map[string][]string{ // each ends where the next begins
		"hourly":      {"2000-01-31T10:30:00Z", "2000-01-31T11:30:00Z", "2000-01-31T12:30:00Z"},
		"daily":       {"2000-01-31T10:30:00Z", "2000-02-01T10:30:00Z", "2000-02-02T10:30:00Z"},
		"weekly":      {"2000-01-31T10:30:00Z", "2000-02-07T10:30:00Z", "2000-02-14T10:30:00Z", "2000-02-21T10:30:00Z", "2000-02-28T10:30:00Z", "2000-03-06T10:30:00Z"},
		"on-mondays":  {"2000-01-31T00:00:00Z", "2000-02-07T00:00:00Z", "2000-02-14T00:00:00Z"},
		"monthly":     {"2000-01-31T10:30:00Z", "2000-02-29T10:30:00Z", "2000-03-31T10:30:00Z", "2000-04-30T10:30:00Z", "2000-05-31T10:30:00Z"},
		"by-calendar": {"2000-01-01T00:00:00Z", "2000-02-01T00:00:00Z", "2000-03-01T00:00:00Z", "2000-04-01T00:00:00Z"},
		"yearly":      {"2000-01-31T10:30:00Z", "2001-01-31T10:30:00Z", "2002-01-31T10:30:00Z"},
	} {
		t.Run(feature, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCounting(t, "2000-01-31T10:30:00Z")
				for i := range len(periods) - 1 {
					start, end := at(periods[i]), at(periods[i+1])
					got := b.count(`featureId:"` + feature + `",value:2`)
					if fmt.Sprint(got["usagePeriodStart"], got["usagePeriodEnd"]) != fmt.Sprint(start.Format("2006-01-02T15:04:05.000Z"), end.Format("2006-01-02T15:04:05.000Z")) {
						t.Errorf("period %s to %s, want %s to %s", got["usagePeriodStart"], got["usagePeriodEnd"], start, end)
					}
					if got["currentUsage"] != 2.0 || got["nextResetDate"] != got["usagePeriodEnd"] {
						t.Errorf("in the period from %s: %v, want 2 used, and a reset at its end", start, got)
					}
					if err := b.SetClock(end.Add(-time.Millisecond)); err != nil {
						t.Fatal(err)
					}
					if got := b.usage("acme", "", feature); got != 2 {
						t.Errorf("a millisecond before %s: %v, want 2", end, got)
					}
					if err := b.SetClock(end.Add(time.Millisecond)); err != nil {
						t.Fatal(err)
					}
					if got := b.usage("acme", "", feature); got != 0 {
						t.Errorf("a millisecond after %s: %v, want 0", end, got)
					}
				}
			})
		})
	}
}

func TestAYearFromALeapDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCounting(t, "2000-02-29T00:00:00Z")
		for _, want := range []string{"2001-02-28", "2002-02-28", "2003-02-28", "2004-02-29", "2005-02-28"} {
			if got := b.count(`featureId:"yearly",value:1`)["usagePeriodEnd"]; got != want+"T00:00:00.000Z" {
				t.Errorf("the year ends %v, want %s", got, want)
			}
			if err := b.SetClock(at(want + "T00:00:01Z")); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestADatedReportCountsInItsPeriod: it is 10 March; the month began on 29 February, and the year on 31 January.
func TestADatedReportCountsInItsPeriod(t *testing.T) {
	for _, row := range []struct {
		what, input string
		want        float64 // 7 were used before
	}{
		{"at the first moment of the period", `featureId:"monthly",value:2,createdAt:"2000-02-29T10:30:00Z"`, 9},
		{"a moment before it", `featureId:"monthly",value:2,createdAt:"2000-02-29T10:29:59.999Z"`, 7},
		{"in the period, in another time zone", `featureId:"monthly",value:2,createdAt:"2000-02-29T12:30:00+02:00"`, 9},
		{"set, in the period", `featureId:"monthly",value:2,updateBehavior:SET,createdAt:"2000-03-01"`, 2},
		{"set, before it", `featureId:"monthly",value:2,updateBehavior:SET,createdAt:"2000-02-01"`, 7},
		{"less, before it", `featureId:"monthly",value:-2,createdAt:"2000-02-01"`, 7},
		{"in a longer period", `featureId:"yearly",value:2,createdAt:"2000-02-01"`, 9},
		{"before the subscription", `featureId:"yearly",value:2,createdAt:"1999-12-31"`, 7},
		{"of what never starts again", `featureId:"level",value:2,createdAt:"1999-01-01"`, 9},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCounting(t, "2000-01-31T10:30:00Z")
				if err := b.SetClock(at("2000-03-10T00:00:00Z")); err != nil {
					t.Fatal(err)
				}
				feature := strings.Split(row.input, `"`)[1]
				b.count(`featureId:"` + feature + `",value:7`)
				if got := b.count(row.input)["currentUsage"]; got != row.want {
					t.Errorf("%s: %v, want %v", row.input, got, row.want)
				}
				if got := b.usage("acme", "", feature); got != row.want {
					t.Errorf("%s: afterwards %v, want %v", row.input, got, row.want)
				}
			})
		})
	}
}

// TestUsageThatIsTakenBackGivesCreditsBack: each unit draws two; what is taken back gives them back.
func TestUsageThatIsTakenBackGivesCreditsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCounting(t, "2000-01-31T10:30:00Z")
		if err := b.SetClock(at("2000-03-10T00:00:00Z")); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			input                 string
			used, consumed, drawn float64
		}{
			{`value:10`, 10, 20, 20},
			{`value:3,createdAt:"2000-02-01"`, 10, 0, 20}, // of the month before
			{`value:-4`, 6, -8, 12},
			{`value:7.25,updateBehavior:SET`, 7.25, 2.5, 14.5},
			{`value:-100`, 0, -14.5, 0}, // no less than nothing, and no more back than was drawn
		} {
			got := b.count(`featureId:"drawn",` + step.input)
			credit := got["credit"].(map[string]any)
			if got["currentUsage"] != step.used || credit["consumed"] != step.consumed || credit["currentUsage"] != step.drawn {
				t.Errorf("%s: %v, want %v used, and %v more credits, %v in all", step.input, got, step.used, step.consumed, step.drawn)
			}
		}
	})
}

func TestFractionsOfUnitsAddUpExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCounting(t, "2000-01-31T10:30:00Z")
		for range 10 {
			b.count(`featureId:"monthly",value:0.1`) // as floats, they come to 0.9999999999999999
		}
		if got := b.usage("acme", "", "monthly"); got != 1 {
			t.Errorf("ten times 0.1 is %v", got)
		}
		b.count(`featureId:"monthly",value:1e15`)
		if got := b.count(`featureId:"monthly",value:-1e15`)["currentUsage"]; got != 1.0 {
			t.Errorf("a lot more, and less again: %v, want 1", got)
		}
		if got := b.count(`featureId:"monthly",value:-0.999999999`)["currentUsage"]; got != 0.000000001 {
			t.Errorf("almost nothing: %v", got)
		}
	})
}

// TestAKeyCountsOnce: whichever call repeats it, and whatever else it says then.
func TestAKeyCountsOnce(t *testing.T) {
	const first = `featureId:"monthly",value:3,idempotencyKey:"k"`
	for _, row := range []struct {
		what  string
		again []string // after first
		bulk  bool
		want  float64 // what was used in the end
	}{
		{"by the same call", []string{first}, false, 3},
		{"by a bulk", []string{first}, true, 3},
		{"twice in a bulk", []string{first, first}, true, 3},
		{"with another value", []string{`featureId:"monthly",value:5,idempotencyKey:"k"`}, false, 3},
		{"to set", []string{`featureId:"monthly",value:5,updateBehavior:SET,idempotencyKey:"k"`}, true, 3},
		{"with another date", []string{`featureId:"monthly",value:3,createdAt:"2000-02-01",idempotencyKey:"k"`}, false, 3},
		{"another key", []string{`featureId:"monthly",value:3,idempotencyKey:"K"`}, false, 6},
		{"no key", []string{`featureId:"monthly",value:3`, `featureId:"monthly",value:3`}, true, 9},
		{"an empty key is none", []string{`featureId:"monthly",value:3,idempotencyKey:""`, `featureId:"monthly",value:3,idempotencyKey:""`}, true, 9},
		{"of another resource", []string{`featureId:"monthly",resourceId:"site",value:4,idempotencyKey:"k"`}, false, 3},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newCounting(t, "2000-01-31T10:30:00Z")
				one := b.count(first)
				if err := b.AdvanceClock(24 * time.Hour); err != nil {
					t.Fatal(err)
				}
				var last any
				if row.bulk {
					answers, code := b.countBulk(row.again...)
					if code != "" || len(answers) != len(row.again) {
						t.Fatalf("bulk: %v, %s", answers, code)
					}
					last = answers[len(answers)-1].(map[string]any)["id"]
				} else {
					for _, input := range row.again {
						last = b.count(input)["id"]
					}
				}
				if got := b.usage("acme", "", "monthly"); got != row.want {
					t.Errorf("used %v, want %v", got, row.want)
				}
				repeats := row.want == 3 && !strings.Contains(row.again[0], "site")
				if (last == one["id"]) != repeats {
					t.Errorf("the answer is that of %v, the first was %v; repeated: %v", last, one["id"], repeats)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // the other way about, and first of all within one bulk
		b := newCounting(t, "2000-01-31T10:30:00Z")
		answers, _ := b.countBulk(first, `featureId:"monthly",value:1`, first)
		if s := fmt.Sprint(answers[0]); s != fmt.Sprint(answers[2]) || b.usage("acme", "", "monthly") != 4 {
			t.Errorf("bulk: %v, used %v; want the first and last alike, and 4 used", answers, b.usage("acme", "", "monthly"))
		}
		if one := b.count(first); one["id"] != answers[0].(map[string]any)["id"] || one["currentUsage"] != 3.0 {
			t.Errorf("one by one, after it: %v, want the answer of %v", one, answers[0])
		}
	})
}

// TestAKeyThatFailedIsFree: nothing was counted, so that a repetition is counted.
func TestAKeyThatFailedIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCounting(t, "2000-01-31T10:30:00Z")
		b.must(`mutation{importOneCustomer(input:{customerId:"globex"}){id}}`, nil)
		const report = `mutation{reportUsage(input:{customerId:"globex",featureId:"monthly",value:3,idempotencyKey:"k"}){currentUsage}}`
		if a := b.ask(report, nil); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "NoFeatureEntitlementError" {
			t.Fatalf("without a plan: %+v", a.Errors)
		}
		b.provision("globex", "", "all")
		if got := b.must(report, nil)["reportUsage"].(map[string]any)["currentUsage"]; got != 3.0 {
			t.Errorf("with one: %v, want 3", got)
		}
	})
}

// TestABulkEndsAtWhatIsBad: what was before it is counted, what comes after is not; and all of it can be sent again by key.
func TestABulkEndsAtWhatIsBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCounting(t, "2000-01-31T10:30:00Z")
		for bad, code := range map[string]string{
			`featureId:"x",value:1`:       "FeatureNotFound",
			`featureId:"credits",value:1`: "FeatureNotFound",
		} {
			answers, got := b.countBulk(`featureId:"monthly",value:1,idempotencyKey:"1"`, bad, `featureId:"monthly",value:1,idempotencyKey:"2"`)
			if answers != nil || got != code {
				t.Errorf("%s: %v, %q, want %s", bad, answers, got, code)
			}
			if used := b.usage("acme", "", "monthly"); used != 1 {
				t.Errorf("%s: %v used, want 1", bad, used)
			}
		}
		answers, code := b.countBulk(`featureId:"monthly",value:1,idempotencyKey:"1"`, `featureId:"monthly",value:1,idempotencyKey:"2"`)
		if code != "" || len(answers) != 2 || b.usage("acme", "", "monthly") != 2 {
			t.Errorf("again, mended: %v, %s, %v used; want 2", answers, code, b.usage("acme", "", "monthly"))
		}
		if answers, code := b.countBulk(); code != "" || len(answers) != 0 {
			t.Errorf("no reports: %v, %s", answers, code)
		}
		many := make([]string, maxBulk+1)
		for i := range many {
			many[i] = `featureId:"monthly",value:1`
		}
		if _, code := b.countBulk(many...); code != codeBadUserInput || b.usage("acme", "", "monthly") != 2 {
			t.Errorf("101 reports: %q, %v used; want %s and none counted", code, b.usage("acme", "", "monthly"), codeBadUserInput)
		}
	})
}

// TestUsageBeyondAllNumbersIsRefused: twice the largest float64 has no JSON, and every answer about the meter failed ever after.
func TestUsageBeyondAllNumbersIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newCounting(t, "2000-01-31T10:30:00Z")
		for _, input := range []string{`value:1e308`, `value:-1e308`, `value:1.1e15`, `value:1e16,updateBehavior:SET`} {
			a := b.ask(`mutation{reportUsage(input:{customerId:"acme",featureId:"monthly",`+input+`}){currentUsage}}`, nil)
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "UsageMeasurementDiffOutOfRangeError" {
				t.Errorf("%s: %+v, want UsageMeasurementDiffOutOfRangeError", input, a)
			}
		}
		a := b.ask(`mutation{consumeCredits(input:{customerId:"acme",currencyId:"credits",amount:1e308,idempotencyKey:"k"}){amount}}`, nil)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "AmountTooLarge" {
			t.Errorf("credits: %+v, want AmountTooLarge", a)
		}
		if got := b.count(`featureId:"monthly",value:1`)["currentUsage"]; got != 1.0 {
			t.Errorf("after them, one is %v", got)
		}
	})
}

// TestEventsBeyondAllNumbersCountNothing: they are taken, as all events are.
func TestEventsBeyondAllNumbersCountNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newMetering(t)
		b.signIn("1", map[string]any{"bytes": 3, "country": "FR"})
		for i, bytes := range []any{1e308, 1e308, -1e308, "1e16", "1e999999999", "1e-999999999", "-1e999999999"} {
			b.signIn(fmt.Sprint("big", i), map[string]any{"bytes": bytes, "country": "DE"})
		}
		time.Sleep(time.Second)
		b.wantUsage(map[string]float64{"signins": 8, "bytes": 3, "largest": 3, "far": 1})
	})
}
