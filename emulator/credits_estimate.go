package emulator

import (
	"context"
	"math"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// EstimateUsageCost says what a report of usage would cost in credits.
func (*query) EstimateUsageCost(ctx context.Context, args wire.QueryEstimateUsageCostArgs) (*wire.CreditCostEstimation, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Input
	if math.Abs(in.Value) > maxUnits || math.IsNaN(in.Value) {
		return nil, errorf("UsageMeasurementDiffOutOfRangeError", "%v of feature %q: a report has at most %g", in.Value, in.FeatureID, maxUnits)
	}
	est, err := q.e.estimating(in.CustomerID, in.ResourceID.Or(""))
	if err != nil {
		return nil, err
	}
	if q.e.state.index.feature(in.FeatureID) == nil {
		return est.answer(wire.EstimationRequestWarningFeatureNotFound), nil
	}
	set := in.UpdateBehavior.Or(wire.UsageUpdateBehaviorDelta) == wire.UsageUpdateBehaviorSET
	est.feature(in.FeatureID, func(m *meter) (decimal.Decimal, bool) { return apply(m.used, in.Value, set).Sub(m.used), true })
	return est.answer(wire.EstimationRequestWarningFeatureNotCreditBased), nil
}

// EstimateEventCost says what a raw event would cost in credits, for each feature that counts it.
func (*query) EstimateEventCost(ctx context.Context, args wire.QueryEstimateEventCostArgs) (*wire.CreditCostEstimation, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Input
	if in.EventName == "" {
		return nil, errorf(codeBadUserInput, "eventName is empty")
	}
	est, err := q.e.estimating(in.CustomerID, in.ResourceID.Or(""))
	if err != nil {
		return nil, err
	}
	dimensions, _ := in.Dimensions.Or(wire.JSON{}).Value.(map[string]any)
	ev := &usageEvent{name: in.EventName, dimensions: dimensions}
	counted := false
	for _, id := range sortedKeys(q.e.state.index.features) {
		em := q.e.state.index.features[id].Events
		if em == nil || !em.counts(ev) {
			continue
		}
		counted = true
		est.feature(id, func(m *meter) (decimal.Decimal, bool) {
			if em.Aggregate == Max || em.Aggregate == Unique { // depends on what was counted before
				return decimal.Zero, false
			}
			after := *m
			after.count(em, ev)
			return after.used.Sub(m.used), true
		})
	}
	if !counted {
		return est.answer(wire.EstimationRequestWarningFeatureNotFound), nil
	}
	return est.answer(wire.EstimationRequestWarningFeatureNotCreditBased), nil
}

// estimating collects what something would cost, by currency.
type estimating struct {
	scope     *scope
	estimates []*wire.CurrencyEstimate
	costs     []decimal.Decimal // of each
	warnings  []wire.EstimationRequestWarning
}

func (e *Emulator) estimating(customerID, resourceID string) (*estimating, error) {
	c, err := e.state.present(customerID)
	if err != nil {
		return nil, err
	}
	est := &estimating{scope: e.look(c, resourceID), warnings: []wire.EstimationRequestWarning{}}
	scoped := func(s *subscription) bool { return s.resourceID != "" && s.active(e.now()) }
	if resourceID == "" && slices.ContainsFunc(c.subs, scoped) {
		est.warnings = append(est.warnings, wire.EstimationRequestWarningResourceScopedSubscriptionExists)
	}
	return est, nil
}

// feature adds what a feature would cost whose usage grows by units, if a wallet pays for it. Units that cannot be told count for nothing.
func (est *estimating) feature(id string, units func(*meter) (decimal.Decimal, bool)) {
	ent := est.scope.find(ref{id: id})
	if ent == nil || ent.rate == nil {
		return
	}
	item := &wire.EstimationBreakdownItem{FeatureID: id}
	n, told := units(est.scope.meters[ent.ref])
	if !told {
		item.WarningCode = new(wire.EstimationWarningCodeUnsupportedAggregation)
	}
	cost := n.Mul(decimal.NewFromFloat(ent.rate.Amount))
	item.Cost = cost.InexactFloat64()
	i := slices.IndexFunc(est.estimates, func(x *wire.CurrencyEstimate) bool { return x.CurrencyID == ent.rate.Currency })
	if i < 0 {
		i = len(est.estimates)
		est.estimates = append(est.estimates, &wire.CurrencyEstimate{CurrencyID: ent.rate.Currency, Breakdown: &[]*wire.EstimationBreakdownItem{}})
		est.costs = append(est.costs, decimal.Zero)
	}
	*est.estimates[i].Breakdown = append(*est.estimates[i].Breakdown, item)
	est.costs[i] = est.costs[i].Add(cost)
}

// answer is the estimate; otherwise warns when nothing would be drawn on.
func (est *estimating) answer(otherwise wire.EstimationRequestWarning) *wire.CreditCostEstimation {
	list := []*wire.CurrencyEstimate{}
	for i, x := range est.estimates {
		balance := decimal.Zero
		if w := est.scope.wallets[x.CurrencyID]; w != nil {
			balance = w.balance()
		}
		after := balance.Sub(est.costs[i])
		x.EstimatedCost, x.CurrentBalance, x.BalanceAfterEstimate = est.costs[i].InexactFloat64(), balance.InexactFloat64(), after.InexactFloat64()
		x.WouldOverdraft = after.IsNegative()
		list = append(list, x)
	}
	if len(list) == 0 {
		est.warnings = append(est.warnings, otherwise)
	}
	return &wire.CreditCostEstimation{Estimates: &list, Warnings: &est.warnings}
}
