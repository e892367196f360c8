package entcache_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/entcache/entcache"
)

// What happened in a period that is over is reported late. It counts there, and neither memory nor Stigg takes it for usage of now.
func TestAReportOfAnEarlierPeriodLeavesThisOneAlone(t *testing.T) {
	for name, report := range map[string]func(w *world, at *entcache.DateTime, value float64) (*entcache.ReportedUsage, error){
		"alone": func(w *world, at *entcache.DateTime, value float64) (*entcache.ReportedUsage, error) {
			return w.client.Usage.Report(w.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "api-calls", Value: value, CreatedAt: at})
		},
		"in bulk": func(w *world, at *entcache.DateTime, value float64) (*entcache.ReportedUsage, error) {
			list, err := w.client.Usage.ReportBulk(w.Context(), []entcache.UsageReport{{CustomerId: "acme", FeatureId: "api-calls", Value: value, CreatedAt: at}})
			if err != nil {
				return nil, err
			}
			return &list[0], nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				w.after(40 * 24 * time.Hour) // it is the tenth of February, and the usage is of a calendar month
				w.start(w.client)
				w.check("acme", "api-calls", 0)
				w.stigg.Faults().DropEvents(1000)
				began := entcache.DateTime{Time: time.Now().AddDate(0, 0, -30)}
				for _, row := range []struct {
					ago         time.Duration
					value, used float64
				}{{20 * 24 * time.Hour, 5, 0}, {time.Hour, 3, 3}, {21 * 24 * time.Hour, 90, 3}, {0, 4, 7}} {
					out, err := report(w, &entcache.DateTime{Time: time.Now().Add(-row.ago)}, row.value)
					if err != nil || out.CurrentUsage == nil || *out.CurrentUsage != row.used {
						t.Errorf("%v calls of %v ago: %+v, %v; want %v used", row.value, row.ago, out, err, row.used)
					}
					if d := w.check("acme", "api-calls", 0); d.Entitlement.CurrentUsage() != row.used {
						t.Errorf("the check after %v calls of %v ago: %v used, want %v", row.value, row.ago, d.Entitlement.CurrentUsage(), row.used)
					}
					w.believesWhatStiggDoes(entcache.Key{CustomerID: "acme"})
				}
				h, err := w.client.Usage.History(t.Context(), entcache.UsageHistoryInput{CustomerId: "acme", FeatureId: "api-calls", StartDate: began})
				if err != nil || len(h.Series) != 1 {
					t.Fatalf("%+v, %v", h, err)
				}
				if got, want := points(h.Series[0]), "[20 Jan: 90, 21 Jan: 95, 1 Feb: 0 reset, 9 Feb: 3, 10 Feb: 7]"; got != want {
					t.Errorf("history %s, want %s", got, want)
				}
			})
		})
	}
}

// A history by dimension: one series for each value that was reported, named by it, and one of what came without.
func TestUsageIsShownByItsDimensions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		began := entcache.DateTime{Time: time.Now()}
		w.after(time.Hour)
		for _, row := range []struct {
			dimensions string
			value      float64
		}{{`{"region":"eu","tier":1}`, 2}, {`{"region":"us","tier":1}`, 4}, {`{"region":"eu","tier":2}`, 1}, {"", 8}} {
			in := entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "api-calls", Value: row.value}
			if row.dimensions != "" {
				in.Dimensions = new(json.RawMessage(row.dimensions))
			}
			if _, err := w.client.Usage.Report(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			w.after(time.Minute)
		}
		for want, groupBy := range map[string][]string{
			"[[]: [1 Jan: 2, 1 Jan: 6, 1 Jan: 7, 1 Jan: 15]]":                                                                            nil,
			"[[region=]: [1 Jan: 8] [region=eu]: [1 Jan: 2, 1 Jan: 3] [region=us]: [1 Jan: 4]]":                                          {"region"},
			"[[tier= region=]: [1 Jan: 8] [tier=1 region=eu]: [1 Jan: 2] [tier=1 region=us]: [1 Jan: 4] [tier=2 region=eu]: [1 Jan: 1]]": {"tier", "region"},
		} {
			h, err := w.client.Usage.History(t.Context(), entcache.UsageHistoryInput{
				CustomerId: "acme", FeatureId: "api-calls", StartDate: began, GroupBy: groupBy,
			})
			if err != nil {
				t.Fatal(err)
			}
			var series []string
			for _, s := range h.Series {
				var tags []string
				for _, tag := range s.Tags {
					tags = append(tags, tag.Key+"="+tag.Value)
				}
				series = append(series, fmt.Sprintf("%v: %s", tags, points(s)))
			}
			slices.Sort(series)
			if got := fmt.Sprint(series); got != want {
				t.Errorf("by %v: %s, want %s", groupBy, got, want)
			}
		}
	})
}

// points writes a series out: of which day, how much, and whether a period began.
func points(s entcache.UsageSeries) string {
	text := ""
	for _, p := range s.Points {
		text += fmt.Sprintf(", %s: %v", p.Timestamp.UTC().Format("2 Jan"), p.Value)
		if p.IsResetPoint {
			text += " reset"
		}
	}
	return "[" + text[min(2, len(text)):] + "]"
}
