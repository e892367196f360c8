package emulator

import (
	"cmp"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// wallet is the credits of one currency under one key. What it has is what its grants have: those that have begun and are not over.
// What a grant had leaves with it, used or not, so that the balance is always the sum of the ledger.
type wallet struct {
	grants []*creditGrant // that are not over, in the order they were made
	over   []*creditGrant // expired, or voided
	ledger []ledgerEntry  // in the order it was written
	news   bool           // something happened that subscribers have not heard of; never while nobody holds the lock
}

// creditGrant is an amount of credits, from when to when, and how much of it is used up.
type creditGrant struct {
	id, name, comment string
	kind              wire.CreditGrantType
	amount, consumed  decimal.Decimal // an overdraft is of nothing, and all that is consumed of it is owed
	priority          float64
	cost              decimal.Decimal // of one credit
	costIn            string          // that currency of money
	metadata          any
	recharge          string // the id of the settings that had it made
	invoice           string // its id, if there is one
	paid              bool   // the invoice
	due               time.Time
	awaits            bool // counts from when it is paid
	createdAt         time.Time
	updatedAt         time.Time
	effectiveAt       time.Time
	expireAt          time.Time // zero: never
	voidedAt          time.Time
	begun, ended      bool
}

// ledgerEntry is one change of a grant. The amount is what the balance of the wallet changes by.
type ledgerEntry struct {
	id         string
	at         time.Time
	kind       wire.CreditLedgerEventType
	grant      string
	feature    string // whose usage it was
	amount     decimal.Decimal
	dimensions map[string]string
}

// consumption says what consumed credits.
type consumption struct {
	feature    string // none: they were consumed as such
	at         time.Time
	dimensions map[string]string
}

// keptEntries is how many entries of a ledger, and grants that are over, are kept at least; twice as many at most.
const keptEntries = 1_000

// wallet returns the wallet of a currency, made on first use.
func (s *scope) wallet(currency string) *wallet {
	w := s.wallets[currency]
	if w == nil {
		w = &wallet{}
		if s.wallets == nil {
			s.wallets = map[string]*wallet{}
		}
		s.wallets[currency] = w
	}
	return w
}

// granted is what the active grants had.
func (w *wallet) granted() (sum decimal.Decimal) {
	for _, g := range w.grants {
		if g.begun {
			sum = sum.Add(g.amount)
		}
	}
	return sum
}

// consumed is what is used up of them, and what is owed.
func (w *wallet) consumed() (sum decimal.Decimal) {
	for _, g := range w.grants {
		sum = sum.Add(g.consumed)
	}
	return sum
}

func (w *wallet) balance() decimal.Decimal { return w.granted().Sub(w.consumed()) }

// active reports whether there is a grant that has begun and is not over.
func (w *wallet) active() bool {
	return slices.ContainsFunc(w.grants, func(g *creditGrant) bool { return g.begun })
}

func (g *creditGrant) left() decimal.Decimal { return g.amount.Sub(g.consumed) }

// status is what the API calls the state of a grant.
func (g *creditGrant) status() wire.CreditGrantStatus {
	switch {
	case !g.voidedAt.IsZero():
		return wire.CreditGrantStatusVoided
	case g.ended:
		return wire.CreditGrantStatusExpired
	case g.awaits:
		return wire.CreditGrantStatusPaymentPending
	case !g.begun:
		return wire.CreditGrantStatusScheduled
	}
	return wire.CreditGrantStatusActive
}

// order lists the grants that can be drawn on, those that are drawn on first in front: by priority, of which the lowest number is the
// highest, then by when they expire, those that never do last; promotional ones before those of a plan, and these before paid ones; then
// by when they began to count, and by when they were made.
func (w *wallet) order() []*creditGrant {
	list := slices.DeleteFunc(slices.Clone(w.grants), func(g *creditGrant) bool {
		return !g.begun || g.kind == wire.CreditGrantTypeOverdraft
	})
	kinds := []wire.CreditGrantType{wire.CreditGrantTypePromotional, wire.CreditGrantTypeRecurring, wire.CreditGrantTypePaid}
	slices.SortStableFunc(list, func(a, b *creditGrant) int {
		return cmp.Or(
			cmp.Compare(a.priority, b.priority),
			compareBool(a.expireAt.IsZero(), b.expireAt.IsZero()),
			a.expireAt.Compare(b.expireAt),
			cmp.Compare(slices.Index(kinds, a.kind), slices.Index(kinds, b.kind)),
			a.effectiveAt.Compare(b.effectiveAt),
			a.createdAt.Compare(b.createdAt),
		)
	})
	return list
}

// draw consumes credits, from one grant after the other; what they do not have is owed. A negative amount is given back, to the debt
// first and then in the opposite order, as far as anything was consumed.
func (w *wallet) draw(a *account, cost decimal.Decimal, use consumption) {
	const kind = wire.CreditLedgerEventTypeCreditsConsumed
	list := w.order()
	if cost.IsNegative() {
		rest := cost.Neg()
		slices.Reverse(list)
		if debt := w.debt(); debt != nil {
			list = append([]*creditGrant{debt}, list...)
		}
		for _, g := range list {
			back := decimal.Min(g.consumed, rest)
			w.use(a, g, back.Neg(), kind, use)
			rest = rest.Sub(back)
		}
		w.dropPaidDebt(use.at)
		return
	}
	w.spread(a, list, cost, kind, use)
}

// spread uses up an amount of the grants of a list, and owes what they do not have.
func (w *wallet) spread(a *account, list []*creditGrant, amount decimal.Decimal, kind wire.CreditLedgerEventType, use consumption) {
	for _, g := range list {
		take := decimal.Min(g.left(), amount)
		w.use(a, g, take, kind, use)
		amount = amount.Sub(take)
	}
	if !amount.IsPositive() {
		return
	}
	debt := w.debt()
	if debt == nil {
		debt = &creditGrant{
			id: newGrantID(a), name: "Overdraft", kind: wire.CreditGrantTypeOverdraft,
			createdAt: use.at, updatedAt: use.at, effectiveAt: use.at, begun: true,
		}
		w.grants = append(w.grants, debt)
	}
	w.use(a, debt, amount, kind, use)
}

// use adds to what is consumed of a grant, and writes that down.
func (w *wallet) use(a *account, g *creditGrant, amount decimal.Decimal, kind wire.CreditLedgerEventType, use consumption) {
	if amount.IsZero() {
		return
	}
	g.consumed = g.consumed.Add(amount)
	w.note(a, ledgerEntry{at: use.at, kind: kind, grant: g.id, feature: use.feature, amount: amount.Neg(), dimensions: use.dimensions})
}

// debt is the overdraft, nil when nothing is owed.
func (w *wallet) debt() *creditGrant {
	for _, g := range w.grants {
		if g.kind == wire.CreditGrantTypeOverdraft {
			return g
		}
	}
	return nil
}

// dropPaidDebt ends an overdraft of which nothing is left.
func (w *wallet) dropPaidDebt(at time.Time) {
	if debt := w.debt(); debt != nil && !debt.consumed.IsPositive() {
		w.leave(debt, at)
	}
}

// begin makes a grant count. What is owed is paid from it.
func (w *wallet) begin(a *account, g *creditGrant, at time.Time) {
	g.begun, g.updatedAt = true, at
	w.note(a, ledgerEntry{at: at, kind: wire.CreditLedgerEventTypeCreditsGranted, grant: g.id, amount: g.amount})
	w.payDebt(a, g, at)
}

func (w *wallet) payDebt(a *account, g *creditGrant, at time.Time) {
	debt := w.debt()
	if debt == nil {
		return
	}
	pay := decimal.Min(debt.consumed, g.left())
	w.use(a, debt, pay.Neg(), wire.CreditLedgerEventTypeCreditsConsumptionTransferSource, consumption{at: at})
	w.use(a, g, pay, wire.CreditLedgerEventTypeCreditsConsumptionTransferTarget, consumption{at: at})
	w.dropPaidDebt(at)
}

// resize changes the amount of a grant. What is consumed beyond it moves to others.
func (w *wallet) resize(a *account, g *creditGrant, amount decimal.Decimal, at time.Time) {
	w.note(a, ledgerEntry{at: at, kind: wire.CreditLedgerEventTypeCreditsUpdated, grant: g.id, amount: amount.Sub(g.amount)})
	g.amount, g.updatedAt = amount, at
	excess := g.left().Neg()
	if !excess.IsPositive() {
		w.payDebt(a, g, at)
		return
	}
	w.use(a, g, excess.Neg(), wire.CreditLedgerEventTypeCreditsConsumptionTransferSource, consumption{at: at})
	w.spread(a, w.order(), excess, wire.CreditLedgerEventTypeCreditsConsumptionTransferTarget, consumption{at: at})
}

// end ends a grant, and what is left of it; of an overdraft, what is owed.
func (w *wallet) end(a *account, g *creditGrant, kind wire.CreditLedgerEventType, at time.Time) {
	if left := g.left(); g.begun && !left.IsZero() {
		w.note(a, ledgerEntry{at: at, kind: kind, grant: g.id, amount: left.Neg()})
	}
	w.leave(g, at)
}

func (w *wallet) leave(g *creditGrant, at time.Time) {
	g.ended, g.updatedAt = true, at
	w.grants = slices.DeleteFunc(w.grants, func(o *creditGrant) bool { return o == g })
	w.over = append(w.over, g)
	if len(w.over) >= 2*keptEntries {
		w.over = slices.Clone(w.over[keptEntries:])
	}
}

// pass makes true what is due at a moment: grants that expire, and grants that begin.
func (w *wallet) pass(a *account, now time.Time) {
	for _, g := range slices.Clone(w.grants) {
		if g.kind != wire.CreditGrantTypeRecurring && !g.expireAt.IsZero() && !g.expireAt.After(now) {
			w.end(a, g, wire.CreditLedgerEventTypeCreditsExpired, g.expireAt)
			w.news = true
		}
	}
	for _, g := range slices.Clone(w.grants) {
		if !g.begun && !g.awaits && !g.effectiveAt.After(now) {
			w.begin(a, g, now)
			w.news = true
		}
	}
}

// next is when something is due after now; zero: never.
func (w *wallet) next(now time.Time) (next time.Time) {
	for _, g := range w.grants {
		at := g.expireAt
		if !g.begun && !g.awaits {
			at = g.effectiveAt
		}
		if g.kind != wire.CreditGrantTypeRecurring && at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// recurring is the grant of what plans and add-ons give for the present period.
func (w *wallet) recurring() *creditGrant {
	for _, g := range w.grants {
		if g.kind == wire.CreditGrantTypeRecurring {
			return g
		}
	}
	return nil
}

// recur makes the recurring grant what is sold: an amount for a period.
func (w *wallet) recur(a *account, amount decimal.Decimal, end, now time.Time) {
	g := w.recurring()
	if g != nil {
		g.expireAt = end
		if !g.amount.Equal(amount) {
			w.resize(a, g, amount, now)
		}
		return
	}
	g = &creditGrant{
		id: newGrantID(a), name: "Subscription", kind: wire.CreditGrantTypeRecurring, amount: amount,
		createdAt: now, updatedAt: now, effectiveAt: now, expireAt: end,
	}
	w.grants = append(w.grants, g)
	w.begin(a, g, now)
}

// turn ends a period of the recurring grant and begins the next, that ends at end. What was owed is forgotten.
func (w *wallet) turn(a *account, at, end time.Time) {
	const expired = wire.CreditLedgerEventTypeCreditsExpired
	if debt := w.debt(); debt != nil {
		w.end(a, debt, expired, at)
	}
	if g := w.recurring(); g != nil {
		w.end(a, g, expired, at)
		w.recur(a, g.amount, end, at)
	}
}

// note writes into the ledger. That of a key which is not remembered has none.
func (w *wallet) note(a *account, x ledgerEntry) {
	if a == nil {
		return
	}
	x.id = a.newID("credit-event")
	if len(w.ledger) >= 2*keptEntries {
		w.ledger = slices.Clone(w.ledger[keptEntries:])
	}
	w.ledger = append(w.ledger, x)
}

func newGrantID(a *account) string {
	if a == nil {
		return ""
	}
	return a.newID("credit-grant")
}
