package emulator

import (
	"context"
	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// ConsumeCredits draws on a wallet directly. Its idempotency key is required, and works as that of a usage report.
func (*mutation) ConsumeCredits(ctx context.Context, args wire.MutationConsumeCreditsArgs) (*wire.CreditConsumptionResponse, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	return m.e.consumeCredits(args.Input)
}

// ConsumeCreditsAsync consumes each in order. Here it is done when the answer comes, and what the real API would find out
// later, such as a customer that does not exist, is passed over.
func (*mutation) ConsumeCreditsAsync(ctx context.Context, args wire.MutationConsumeCreditsAsyncArgs) (*string, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	for _, in := range args.Input.Consumptions {
		if _, err := m.e.consumeCredits(in); err != nil {
			m.e.config.Logger.Debug("asynchronous consumption failed", "customer", in.CustomerID, "error", err)
		}
	}
	return nil, nil
}

func (e *Emulator) consumeCredits(in wire.ConsumeCreditInput) (*wire.CreditConsumptionResponse, error) {
	c, err := e.state.present(in.CustomerID)
	if err != nil {
		return nil, err
	}
	if e.state.index.currencies[in.CurrencyID] == nil {
		return nil, errorf("CustomCurrencyNotFound", "there is no currency %q", in.CurrencyID)
	}
	if in.Amount < 0 || in.IdempotencyKey == "" {
		return nil, errorf(codeBadUserInput, "give an amount of zero or more and an idempotencyKey")
	}
	if in.Amount > maxUnits {
		return nil, errorf("AmountTooLarge", "%v credits are more than %g", in.Amount, maxUnits)
	}
	r := ref{id: in.CurrencyID, credit: true}
	key := reportKey{customerID: in.CustomerID, resourceID: in.ResourceID.Or(""), ref: r, key: in.IdempotencyKey}
	if first, ok := e.state.reports.find(key); ok {
		return first.credit, nil
	}
	s, wallet, err := e.target(c, in.ResourceID.Or(""), r)
	if err != nil {
		return nil, err
	}
	meter := e.consume(c, s, wallet, decimal.NewFromFloat(in.Amount))
	answer := &wire.CreditConsumptionResponse{
		Amount: in.Amount, CurrencyID: in.CurrencyID, CustomerID: c.id, ResourceID: optional(s.resourceID),
		Timestamp: wire.NewDateTime(meter.updatedAt),
		Credit: &wire.OptimisticCreditBalance{
			CurrencyID: in.CurrencyID, CurrentUsage: meter.used.InexactFloat64(), UsageLimit: deref(wallet.limit),
			Timestamp: wire.NewDateTime(meter.updatedAt), UsagePeriodEnd: optionalTime(meter.end),
		},
	}
	e.state.reports.keep(key, report{credit: answer})
	return answer, nil
}

// CreditBalanceSummary lists the wallets of a key, or the one asked for.
func (*query) CreditBalanceSummary(ctx context.Context, args wire.QueryCreditBalanceSummaryArgs) (*wire.CreditBalanceSummary, error) {
	q := of(ctx)
	q.e.mu.Lock()
	defer q.e.mu.Unlock()
	in := args.Input
	c, err := q.e.state.present(in.CustomerID)
	if err != nil {
		return nil, err
	}
	balances := []*wire.CreditBalance{}
	s := q.e.look(c, in.ResourceID.Or(""))
	for _, ent := range s.set {
		if !ent.ref.credit || in.CurrencyID.Or(ent.ref.id) != ent.ref.id {
			continue
		}
		granted, used := deref(ent.limit), s.meters[ent.ref].used.InexactFloat64()
		balances = append(balances, &wire.CreditBalance{
			CustomerID: c.id, ResourceID: optional(s.resourceID), Currency: slimCurrencyOf(ent.currency),
			CurrentBalance: granted - used, TotalConsumed: used, TotalGranted: granted, ValidUntil: epochMillis(s.recalcAt),
		})
	}
	return &wire.CreditBalanceSummary{CustomerID: c.id, Balances: &balances}, nil
}
