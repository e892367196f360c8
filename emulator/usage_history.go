package emulator

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// measurement is one thing that was reported, for the history of usage.
type measurement struct {
	at         time.Time // when it happened, which may be long ago
	value      decimal.Decimal
	set        bool // it replaced what there was
	dimensions map[string]string
}

// loggedMeasurements is how many measurements of one meter are kept at least; twice as many at most. What is older is gone from
// the history, and counts for nothing in it.
const loggedMeasurements = 1_000

// log keeps a measurement, in the order of when they happened.
func (m *meter) log(x measurement) {
	if len(m.measured) >= 2*loggedMeasurements {
		m.measured = slices.Clone(m.measured[loggedMeasurements:])
	}
	i := len(m.measured)
	for i > 0 && m.measured[i-1].at.After(x.at) {
		i--
	}
	m.measured = slices.Insert(m.measured, i, x)
}

// usagePoint is how much was used when a measurement was made, or when a period began.
type usagePoint struct {
	at    time.Time
	value decimal.Decimal
	reset bool
}

// usageSeries is the usage of one group over time.
type usageSeries struct {
	tags   [][2]string // dimension and value, in the order that was asked for
	points []usagePoint
}

// history works out what was used from start to end: a point for each measurement, and one of zero where a period began. Measurements
// before start count, unless a period began since. Without groupBy there is one series.
func (m *meter) history(groupBy []string, start, end time.Time) []usageSeries {
	byTags := map[string]*usageSeries{}
	running := map[string]decimal.Decimal{}
	group := func(x *measurement) string {
		var tags [][2]string
		for _, name := range groupBy {
			tags = append(tags, [2]string{name, x.dimensions[name]})
		}
		key := ""
		for _, t := range tags {
			key = joined(key, t[1])
		}
		if byTags[key] == nil {
			byTags[key] = &usageSeries{tags: tags}
		}
		return key
	}
	if len(groupBy) == 0 {
		group(&measurement{}) // there is one, even of nothing
	}
	var periodEnd time.Time
	begin := func(at time.Time) {
		for at.After(periodEnd) { // the instant a period ends still belongs to it
			for key, s := range byTags {
				running[key] = decimal.Zero
				if !periodEnd.Before(start) && !periodEnd.After(end) {
					s.points = append(s.points, usagePoint{at: periodEnd, reset: true})
				}
			}
			periodEnd = m.reset.next(m.anchor, periodEnd)
			// Of periods that began before start there is nothing to show, and a report may be from long before it.
			if first, _ := m.reset.around(m.anchor, earlier(start, at)); first.After(periodEnd) {
				periodEnd = first
			}
		}
	}
	for i := range m.measured {
		x := &m.measured[i]
		if x.at.After(end) {
			break
		}
		if m.reset != "" {
			if periodEnd.IsZero() {
				_, periodEnd = m.reset.around(m.anchor, x.at)
			}
			begin(x.at)
		}
		key := group(x)
		if x.set {
			running[key] = x.value
		} else {
			running[key] = decimal.Max(running[key].Add(x.value), decimal.Zero)
		}
		if !x.at.Before(start) {
			byTags[key].points = append(byTags[key].points, usagePoint{at: x.at, value: running[key]})
		}
	}
	if m.reset != "" && !periodEnd.IsZero() {
		begin(end)
	}
	var list []usageSeries
	for _, key := range slices.Sorted(maps.Keys(byTags)) {
		list = append(list, *byTags[key])
	}
	return list
}

// joined makes a key of one that it made before, or of an empty one, and a word. Keys of different words differ, whatever the words hold,
// and sort as the words do.
func joined(key, word string) string {
	return key + strings.ReplaceAll(word, "\x00", "\x00\x01") + "\x00\x00"
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// next returns when the period that begins at t ends.
func (p Period) next(anchor, t time.Time) time.Time {
	_, end := p.around(anchor, t)
	return end
}

// maxHistory bounds the time a history may cover, and with it the points of an hourly reset.
const maxHistory = 10 * 366 * 24 * time.Hour

// usageOf finds the meter whose history is asked for. One that nobody has used has an empty history.
func (e *Emulator) usageOf(customerID, resourceID, featureID string, start, end time.Time) (*meter, error) {
	c, err := e.state.present(customerID)
	if err != nil {
		return nil, err
	}
	f := e.state.index.feature(featureID)
	switch {
	case f == nil:
		return nil, errorf(codeFeatureNotFound, "there is no feature %q", featureID)
	case !f.Metered():
		return nil, errorf("MeteringNotAvailableForFeatureType", "feature %q is not metered", featureID)
	case end.Before(start):
		return nil, errorf(codeBadUserInput, "endDate is before startDate")
	case end.Sub(start) > maxHistory:
		return nil, errorf(codeBadUserInput, "a history covers ten years at most")
	}
	if m := e.look(c, resourceID).meters[ref{id: featureID}]; m != nil {
		return m, nil
	}
	return &meter{}, nil
}

// UsageHistoryV2 shows usage as series of points.
func (*query) UsageHistoryV2(ctx context.Context, args wire.QueryUsageHistoryV2Args) (*wire.UsageHistoryV2, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Input
	end := in.EndDate.Or(wire.NewDateTime(q.e.now())).Time
	m, err := q.e.usageOf(in.CustomerID, in.ResourceID.Or(""), in.FeatureID, in.StartDate.Time, end)
	if err != nil {
		return nil, err
	}
	series := []*wire.UsageHistorySeries{}
	all := m.history(in.GroupBy.Or(nil), in.StartDate.Time, end)
	for _, s := range all {
		tags, points := []*wire.UsageHistorySeriesTag{}, []*wire.UsageHistoryPoint{}
		for _, t := range s.tags {
			tags = append(tags, &wire.UsageHistorySeriesTag{Key: t[0], Value: t[1]})
		}
		for _, p := range s.points {
			points = append(points, &wire.UsageHistoryPoint{Timestamp: wire.NewDateTime(p.at), Value: p.value.InexactFloat64(), IsResetPoint: p.reset})
		}
		series = append(series, &wire.UsageHistorySeries{Tags: &tags, Points: &points})
	}
	return &wire.UsageHistoryV2{Series: &series, Markers: markersOf(all)}, nil
}

// UsageHistory is the older form of UsageHistoryV2.
func (*query) UsageHistory(ctx context.Context, args wire.QueryUsageHistoryArgs) (*wire.UsageHistory, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.UsageHistoryInput
	end := in.EndDate.Or(wire.NewDateTime(q.e.now())).Time
	m, err := q.e.usageOf(in.CustomerRefID, in.ResourceRefID.Or(""), in.FeatureRefID, in.StartDate.Time, end)
	if err != nil {
		return nil, err
	}
	points := func(s usageSeries) *[]*wire.UsageMeasurementPoint {
		list := []*wire.UsageMeasurementPoint{}
		for _, p := range s.points {
			list = append(list, &wire.UsageMeasurementPoint{Date: wire.NewDateTime(p.at).String(), Value: p.value.InexactFloat64(), IsResetPoint: p.reset})
		}
		return &list
	}
	total := m.history(nil, in.StartDate.Time, end)
	groups := []*wire.GroupUsageHistory{}
	if by := in.GroupBy.Or(nil); len(by) > 0 {
		for _, s := range m.history(by, in.StartDate.Time, end) {
			info := []*wire.GroupInfo{}
			for _, t := range s.tags {
				info = append(info, &wire.GroupInfo{Key: t[0], Value: t[1]})
			}
			groups = append(groups, &wire.GroupUsageHistory{GroupInfo: &info, UsageMeasurements: points(s)})
		}
	}
	return &wire.UsageHistory{
		StartDate: in.StartDate, EndDate: new(wire.NewDateTime(end)),
		UsageMeasurements: points(total[0]), Groups: &groups, Markers: markersOf(total),
	}, nil
}

// markersOf lists the moments at which periods began.
func markersOf(all []usageSeries) *[]*wire.UsageMarker {
	var at []time.Time
	for _, s := range all {
		for _, p := range s.points {
			if p.reset {
				at = append(at, p.at)
			}
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	list := []*wire.UsageMarker{}
	for _, t := range slices.CompactFunc(at, time.Time.Equal) {
		list = append(list, &wire.UsageMarker{Timestamp: wire.NewDateTime(t), Type: wire.UsageMarkerTypePeriodicReset})
	}
	return &list
}
