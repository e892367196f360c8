package emulator

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// ConsumeCredits draws on a wallet directly. Its idempotency key is required, and works as that of a usage report.
func (*mutation) ConsumeCredits(ctx context.Context, args wire.MutationConsumeCreditsArgs) (*wire.CreditConsumptionResponse, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	return m.e.consumeCredits(args.Input, m.e.happened(args.Input.CreatedAt))
}

// maxConsumptions is how many consumptions the API takes at once.
const maxConsumptions = 1000

// ConsumeCreditsAsync takes consumptions, which are done in order a while later, as raw events are counted; see [Config].EventDelay. What
// is found out then, such as a customer that does not exist, nobody is told.
func (*mutation) ConsumeCreditsAsync(ctx context.Context, args wire.MutationConsumeCreditsAsyncArgs) (*string, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	list := args.Input.Consumptions
	if n := len(list); n > maxConsumptions {
		return nil, errorf(codeBadUserInput, "%d consumptions are more than %d", n, maxConsumptions)
	}
	for i, in := range list {
		if err := checkConsumption(in); err != nil {
			return nil, errorf(codeOf(err), "consumptions[%d]: %v", i, err)
		}
	}
	now := m.e.now()
	for _, in := range list {
		dimensions, _ := in.Dimensions.Or(wire.JSON{}).Value.(map[string]any)
		m.e.state.events.pending = append(m.e.state.events.pending, usageEvent{
			customerID: in.CustomerID, resourceID: in.ResourceID.Or(""), currencyID: in.CurrencyID, amount: in.Amount, key: in.IdempotencyKey,
			dimensions: dimensions, at: wire.NewDateTime(m.e.happened(in.CreatedAt)).Time, due: now.Add(m.e.config.EventDelay),
		})
	}
	m.e.wakeForEvents()
	return nil, nil
}

// consumeLater does what was taken for later.
func (e *Emulator) consumeLater(ev usageEvent) {
	_, err := e.consumeCredits(wire.ConsumeCreditInput{
		CustomerID: ev.customerID, ResourceID: wire.Opt[string]{Value: optional(ev.resourceID)}, CurrencyID: ev.currencyID, Amount: ev.amount,
		IdempotencyKey: ev.key, Dimensions: wire.Opt[wire.JSON]{Value: &wire.JSON{Value: ev.dimensions}},
	}, ev.at)
	if err != nil {
		e.config.Logger.Debug("asynchronous consumption failed", "customer", ev.customerID, "error", err)
	}
}

func checkConsumption(in wire.ConsumeCreditInput) error {
	switch {
	case !(in.Amount >= 0) || in.IdempotencyKey == "":
		return errorf(codeBadUserInput, "give an amount of zero or more and an idempotencyKey")
	case in.Amount > maxUnits:
		return errorf("AmountTooLarge", "%v credits are more than %g", in.Amount, maxUnits)
	}
	if d := in.Dimensions.Or(wire.JSON{}).Value; d != nil {
		if _, ok := d.(map[string]any); !ok {
			return errorf(codeBadUserInput, "dimensions is not an object")
		}
	}
	return nil
}

// consumeCredits consumes what happened at a moment by the account's clock.
func (e *Emulator) consumeCredits(in wire.ConsumeCreditInput, at time.Time) (*wire.CreditConsumptionResponse, error) {
	c, err := e.ofCurrency(in.CustomerID, in.CurrencyID)
	if err != nil {
		return nil, err
	}
	if err := checkConsumption(in); err != nil {
		return nil, err
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
	meter := e.consume(c, s, wallet, decimal.NewFromFloat(in.Amount), consumption{at: at, dimensions: dimensionsOf(in.Dimensions)})
	answer := &wire.CreditConsumptionResponse{
		Amount: in.Amount, CurrencyID: in.CurrencyID, CustomerID: c.id, ResourceID: optional(s.resourceID),
		Timestamp: wire.NewDateTime(meter.updatedAt),
		Credit: &wire.OptimisticCreditBalance{
			CurrencyID: in.CurrencyID, CurrentUsage: meter.used.InexactFloat64(), UsageLimit: s.wallet(r.id).granted().InexactFloat64(),
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
		if ent.ref.credit && in.CurrencyID.Or(ent.ref.id) == ent.ref.id {
			balances = append(balances, q.e.balanceOf(c, s, ent))
		}
	}
	return &wire.CreditBalanceSummary{CustomerID: c.id, Balances: &balances}, nil
}

// CreateCreditGrant gives credits to the wallet of a customer, or of the resource it names, subscribed or not.
func (*mutation) CreateCreditGrant(ctx context.Context, args wire.MutationCreateCreditGrantArgs) (*wire.CreditGrant, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.Input
	c, err := m.e.ofCurrency(in.CustomerID, in.CurrencyID)
	if err != nil {
		return nil, err
	}
	m.e.settle(c)
	g, err := m.e.grantMade(c, in)
	if err != nil {
		return nil, err
	}
	s := c.scope(in.ResourceID.Or(""))
	w := s.wallet(in.CurrencyID)
	w.grants = append(w.grants, g)
	m.e.recalculateScope(c, s)
	return m.e.grantOf(c, s, in.CurrencyID, g), nil
}

// grantMade reads the grant that is asked for.
func (e *Emulator) grantMade(c *customer, in *wire.CreditGrantInput) (*creditGrant, error) {
	now, billing := e.instant(), in.BillingInformation.Or(wire.CreditGrantBillingInfoInput{})
	g := &creditGrant{
		name: in.DisplayName, comment: in.Comment.Or(""), kind: wire.CreditGrantType(in.GrantType), amount: decimal.NewFromFloat(in.Amount),
		priority: in.Priority.Or(0), metadata: in.AdditionalMetaData.Or(wire.JSON{}).Value, createdAt: now, updatedAt: now,
		effectiveAt: in.EffectiveAt.Or(wire.NewDateTime(now)).Time, expireAt: in.ExpireAt.Or(wire.DateTime{}).Time,
	}
	cost := in.Cost.Or(wire.MoneyInputDto{})
	switch {
	case g.name == "":
		return nil, errorf(codeBadUserInput, "displayName is empty")
	case !(in.Amount > 0):
		return nil, errorf(codeBadUserInput, "amount is %v: give more than zero", in.Amount)
	case in.Amount > maxUnits, cost.Amount > maxUnits:
		return nil, errorf("AmountTooLarge", "%v credits for %v each: both are %g at most", in.Amount, cost.Amount, maxUnits)
	case !(cost.Amount >= 0):
		return nil, errorf(codeBadUserInput, "cost is %v: give zero or more", cost.Amount)
	case !(g.priority >= 0) || g.priority > maxPriority:
		return nil, errorf(codeBadUserInput, "priority is %v: give 0 to %d", g.priority, maxPriority)
	case !g.expireAt.IsZero() && (!g.expireAt.After(g.effectiveAt) || !g.expireAt.After(now)):
		return nil, errorf("ExpireAtMustBeLaterThanEffectiveAtError", "expireAt must be later than effectiveAt, and than now")
	}
	g.id = newGrantID(&e.state)
	if g.kind != wire.CreditGrantTypePaid || cost.Amount == 0 {
		return g, nil
	}
	g.cost, g.costIn = decimal.NewFromFloat(cost.Amount), string(cost.Currency.Or("USD"))
	g.invoice, g.due = e.state.newID("invoice"), now.Add(time.Duration(billing.InvoiceDaysUntilDue.Or(0)*float64(24*time.Hour)))
	switch in.PaymentCollectionMethod.Or(wire.PaymentCollectionMethodCharge) {
	case wire.PaymentCollectionMethodCharge:
		g.paid = !e.unpayable(c, g.cost)
	case wire.PaymentCollectionMethodInvoice:
		g.paid = billing.IsInvoicePaid.Or(false)
	default:
		g.paid = true // elsewhere
	}
	g.awaits = in.AwaitPaymentConfirmation.Or(false) && !g.paid
	return g, nil
}

// maxPriority is the lowest priority of a grant.
const maxPriority = 100

// collect has what is owed for grants paid by the payment method that the customer left.
func (w *wallet) collect() {
	for _, g := range w.grants {
		if g.invoice != "" {
			g.paid, g.awaits = true, false
		}
	}
}

// paidFor has grants begin that waited for a payment method of c.
func (e *Emulator) paidFor(c *customer) {
	if !c.paymentMethod {
		return
	}
	for _, id := range sortedKeys(c.scopes) {
		for _, w := range c.scopes[id].wallets {
			waiting := false
			for _, g := range w.grants {
				waiting = waiting || g.invoice != "" && !g.paid
			}
			if waiting {
				e.recalculateScope(c, c.scopes[id])
				break
			}
		}
	}
}

// VoidCreditGrant takes a grant back, used or not. One that came with a subscription stays, and so does a debt.
func (*mutation) VoidCreditGrant(ctx context.Context, args wire.MutationVoidCreditGrantArgs) (*wire.CreditGrant, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	id := string(args.Input.ID)
	c, s, w, g, currency := m.e.state.findGrant(id)
	if g == nil {
		return nil, errorf("CreditGrantNotFound", "there is no credit grant %q", id)
	}
	if _, err := m.e.state.present(c.id); err != nil {
		return nil, err
	}
	m.e.settle(c)
	switch {
	case !g.voidedAt.IsZero():
		return nil, errorf("CreditGrantAlreadyVoided", "credit grant %q is voided already", id)
	case g.ended:
		return nil, errorf("CreditGrantCannotBeVoided", "credit grant %q has expired", id)
	case g.kind != wire.CreditGrantTypePaid && g.kind != wire.CreditGrantTypePromotional:
		return nil, errorf("CreditGrantCannotBeVoided", "credit grant %q is %s: only what was given can be taken back", id, g.kind)
	}
	now := m.e.instant()
	g.voidedAt = now
	w.end(&m.e.state, g, wire.CreditLedgerEventTypeCreditsVoided, now)
	w.news = g.begun
	m.e.recalculateScope(c, s)
	return m.e.grantOf(c, s, currency, g), nil
}

// grantOf is a grant as the API shows it.
func (e *Emulator) grantOf(c *customer, s *scope, currency string, g *creditGrant) *wire.CreditGrant {
	w := &wire.CreditGrant{
		GrantID: g.id, CustomerID: c.id, ResourceID: optional(s.resourceID), CurrencyID: currency, DisplayName: g.name, Comment: optional(g.comment),
		GrantType: g.kind, Status: g.status(), Amount: g.amount.InexactFloat64(), ConsumedAmount: g.consumed.InexactFloat64(), Priority: g.priority,
		Cost: moneyOf(orDefault(g.costIn, "USD"), g.cost), PaymentCollection: wire.PaymentCollectionNotRequired,
		EffectiveAt: wire.NewDateTime(g.effectiveAt), ExpireAt: optionalTime(g.expireAt), VoidedAt: optionalTime(g.voidedAt),
		CreatedAt: wire.NewDateTime(g.createdAt), UpdatedAt: wire.NewDateTime(g.updatedAt),
		AutomaticRechargeConfigurationID: optional(g.recharge), InvoiceID: optional(g.invoice),
	}
	if g.metadata != nil {
		w.AdditionalMetaData = &wire.JSON{Value: g.metadata}
	}
	if g.invoice == "" {
		return w
	}
	total, due := g.amount.Mul(g.cost).InexactFloat64(), 0.0
	inv := &wire.CreditGrantInvoice{
		BillingID: g.invoice, BillingReason: new(wire.CreditGrantInvoiceBillingReasonManual), Status: wire.CreditGrantInvoiceStatusPaid,
		Currency: &g.costIn, Total: &total, SubTotal: &total, TotalExcludingTax: &total, SubTotalExcludingTax: &total, Tax: new(0.0),
		PdfURL:    new("https://pay.emulator.invalid/" + g.invoice + ".pdf"),
		AmountDue: &due, AttemptCount: new(1.0), DueDate: optionalTime(g.due), CreatedAt: wire.NewDateTime(g.createdAt), UpdatedAt: wire.NewDateTime(g.updatedAt),
	}
	switch {
	case !g.voidedAt.IsZero() && !g.paid:
		inv.Status = wire.CreditGrantInvoiceStatusCanceled
	case !g.paid:
		due, inv.Status, inv.RequiresAction = total, wire.CreditGrantInvoiceStatusOpen, g.awaits
		inv.PaymentURL, inv.PaymentSecret = new("https://pay.emulator.invalid/"+g.invoice), new(g.invoice+"_secret")
		if g.awaits {
			inv.ErrorMessage = new("the customer has left no payment method")
		}
		w.PaymentCollection = wire.PaymentCollectionProcessing
		if g.awaits {
			w.PaymentCollection = wire.PaymentCollectionActionRequired
		}
	}
	if g.recharge != "" {
		inv.BillingReason = new(wire.CreditGrantInvoiceBillingReasonOther)
	}
	w.LatestInvoice = inv
	return w
}
