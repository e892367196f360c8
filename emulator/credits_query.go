package emulator

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// walletsOf lists the currencies, or the one asked for, of which a key has a wallet. One that nobody has acted on has none.
func (e *Emulator) walletsOf(customerID, resourceID string, currency wire.Opt[string]) (*customer, *scope, []string, error) {
	c, err := e.state.present(customerID)
	if err != nil {
		return nil, nil, nil, err
	}
	if id := currency.Or(""); id != "" && e.state.index.currencies[id] == nil {
		return nil, nil, nil, errorf("CustomCurrencyNotFound", "there is no currency %q", id)
	}
	e.settle(c)
	s := c.scopes[resourceID]
	if s == nil {
		return c, &scope{resourceID: resourceID}, nil, nil
	}
	list := sortedKeys(s.wallets)
	if id := currency.Or(""); id != "" {
		list = slices.DeleteFunc(list, func(x string) bool { return x != id })
	}
	return c, s, list, nil
}

// CreditGrants lists the grants of a key, those that are over among them, the newest first.
func (*query) CreditGrants(ctx context.Context, args wire.QueryCreditGrantsArgs) (*wire.CreditGrantConnection, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Input
	c, s, currencies, err := q.e.walletsOf(in.CustomerID, in.ResourceID.Or(""), in.CurrencyID)
	if err != nil {
		return nil, err
	}
	var all []*wire.CreditGrant
	for _, currency := range currencies {
		w := s.wallets[currency]
		for _, g := range slices.Concat(w.over, w.grants) {
			all = append(all, q.e.grantOf(c, s, currency, g))
		}
	}
	slices.SortFunc(all, func(a, b *wire.CreditGrant) int { return compareIDs(b.GrantID, a.GrantID) })
	part, info, err := page(all, func(g *wire.CreditGrant) string { return g.GrantID }, in.Paging.Or(wire.CursorPaging{}))
	if err != nil {
		return nil, err
	}
	edges := []*wire.CreditGrantEdge{}
	for _, g := range part {
		edges = append(edges, &wire.CreditGrantEdge{Node: g})
	}
	return &wire.CreditGrantConnection{Edges: &edges, PageInfo: info, TotalCount: int32(len(all))}, nil
}

// CreditsLedger lists what happened to the grants of a key, the latest first.
func (*query) CreditsLedger(ctx context.Context, args wire.QueryCreditsLedgerArgs) (*wire.CreditLedgerConnection, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Input
	c, s, currencies, err := q.e.walletsOf(in.CustomerID, in.ResourceID.Or(""), in.CurrencyID)
	if err != nil {
		return nil, err
	}
	kinds := in.EventType.Or(nil)
	var all []*wire.CreditLedgerEvent
	for _, currency := range currencies {
		for _, x := range s.wallets[currency].ledger {
			if len(kinds) > 0 && !slices.Contains(kinds, x.kind) {
				continue
			}
			all = append(all, &wire.CreditLedgerEvent{
				EventID: new(x.id), EventType: x.kind, Timestamp: wire.NewDateTime(x.at), Amount: x.amount.InexactFloat64(), CreditGrantID: x.grant,
				CreditCurrencyID: currency, CustomerID: c.id, ResourceID: optional(s.resourceID), FeatureID: optional(x.feature),
			})
		}
	}
	slices.SortFunc(all, func(a, b *wire.CreditLedgerEvent) int { return compareIDs(*b.EventID, *a.EventID) })
	part, info, err := page(all, func(x *wire.CreditLedgerEvent) string { return *x.EventID }, in.Paging.Or(wire.CursorPaging{}))
	if err != nil {
		return nil, err
	}
	edges := []*wire.CreditLedgerEdge{}
	for _, x := range part {
		edges = append(edges, &wire.CreditLedgerEdge{Node: x, Cursor: cursorOf(*x.EventID)})
	}
	return &wire.CreditLedgerConnection{Edges: &edges, PageInfo: info, TotalCount: int32(len(all))}, nil
}

// CreditUsage shows what was consumed over time: a series for each feature, and one for what was consumed as such. A point is what a
// stretch of time took, stamped with its beginning; stretches that took nothing have none.
func (*query) CreditUsage(ctx context.Context, args wire.QueryCreditUsageArgs) (*wire.CreditUsage, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Input
	_, s, currencies, err := q.e.walletsOf(in.CustomerID, in.ResourceID.Or(""), in.CurrencyID)
	if err != nil {
		return nil, err
	}
	if in.CurrencyID.Or("") == "" && len(currencies) > 1 {
		return nil, errorf(codeBadUserInput, "customer %q has wallets of %s: say which by currencyId", in.CustomerID, strings.Join(currencies, ", "))
	}
	start, end, step, err := usageStretch(&in, q.e.now())
	if err != nil {
		return nil, err
	}
	answer := &wire.CreditUsage{}
	if id := in.CurrencyID.Or(""); id != "" {
		currencies = []string{id}
	}
	var series []creditSeries
	for _, currency := range currencies {
		if cur := q.e.state.index.currencies[currency]; cur != nil {
			answer.Currency = slimCurrencyOf(cur)
		}
		if w := s.wallets[currency]; w != nil {
			series = w.usage(in.GroupBy.Or(nil), start, end, step)
		}
	}
	part, info, err := page(series, func(x creditSeries) string { return x.key }, in.Paging.Or(wire.CursorPaging{}))
	if err != nil {
		return nil, err
	}
	list := []*wire.CreditUsageSeries{}
	for _, x := range part {
		points := []*wire.CreditUsagePoint{}
		total := decimal.Zero
		for _, at := range slices.SortedFunc(maps.Keys(x.points), time.Time.Compare) {
			points = append(points, &wire.CreditUsagePoint{Timestamp: wire.NewDateTime(at), Value: x.points[at].InexactFloat64()})
			total = total.Add(x.points[at])
		}
		one := &wire.CreditUsageSeries{FeatureID: optional(x.feature), Points: &points, TotalCredits: total.InexactFloat64()}
		if f := q.e.state.index.feature(x.feature); f != nil {
			one.FeatureName = &f.Name
		}
		list = append(list, one)
	}
	answer.Series, answer.PageInfo = &list, info
	return answer, nil
}

// creditSeries is what one feature, and one combination of dimensions, consumed.
type creditSeries struct {
	key, feature string
	points       map[time.Time]decimal.Decimal // by the beginning of the stretch
}

// usage adds up what was consumed from start to before end, in steps.
func (w *wallet) usage(groupBy []string, start, end time.Time, step Period) []creditSeries {
	by := map[string]creditSeries{}
	for i := range w.ledger {
		x := &w.ledger[i]
		if x.kind != wire.CreditLedgerEventTypeCreditsConsumed || x.at.Before(start) || !x.at.Before(end) {
			continue
		}
		key := joined("", x.feature)
		for _, name := range groupBy {
			key = joined(key, x.dimensions[name])
		}
		if _, ok := by[key]; !ok {
			by[key] = creditSeries{key, x.feature, map[time.Time]decimal.Decimal{}}
		}
		at, _ := step.around(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), x.at)
		by[key].points[at] = by[key].points[at].Sub(x.amount)
	}
	var list []creditSeries
	for _, key := range sortedKeys(by) {
		list = append(list, by[key])
	}
	return list
}

// usageStretch is the time that is asked for, and the steps it is shown in: hours for a day or two, days for a quarter, else months.
func usageStretch(in *wire.CreditUsageInput, now time.Time) (start, end time.Time, step Period, err error) {
	end = in.EndDate.Or(wire.DateTime{Time: now.Add(time.Nanosecond)}).Time
	if in.StartDate.Value != nil {
		start = in.StartDate.Value.Time
	} else {
		switch in.TimeRange.Or(wire.CreditUsageTimeRangeLastMonth) {
		case wire.CreditUsageTimeRangeLastDay:
			start = end.AddDate(0, 0, -1)
		case wire.CreditUsageTimeRangeLastWeek:
			start = end.AddDate(0, 0, -7)
		case wire.CreditUsageTimeRangeLastYear:
			start = addMonths(end, -12)
		default:
			start = addMonths(end, -1)
		}
	}
	if in.TimeRange.Value != nil && (in.StartDate.Value != nil || in.EndDate.Value != nil) {
		return start, end, "", errorf(codeBadUserInput, "give a timeRange, or startDate and endDate, not both")
	}
	switch span := end.Sub(start); {
	case span < 0:
		return start, end, "", errorf(codeBadUserInput, "endDate is before startDate")
	case span <= 48*time.Hour:
		step = Hour
	case span <= 93*24*time.Hour:
		step = Day
	default:
		step = Month
	}
	return start, end, step, nil
}

// compareIDs orders ids that the account made of one kind, which count up.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
