package emulator

import (
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// openWallets brings the wallets of a key to the present, and adds to its set those that nobody sold but that have grants.
func (e *Emulator) openWallets(c *customer, s *scope, combined map[ref]*entitled, now time.Time) {
	if s.resourceID == "" {
		for currency := range c.recharges {
			s.wallet(currency)
		}
	}
	a := e.accountOf(c, s)
	for _, currency := range slices.Sorted(maps.Keys(s.wallets)) {
		w, r := s.wallets[currency], ref{id: currency, credit: true}
		if c.paymentMethod {
			w.collect()
		}
		w.pass(a, now)
		cur := e.state.index.currencies[currency]
		if combined[r] != nil || cur == nil {
			continue
		}
		if g := w.recurring(); g != nil { // nobody sells it any more
			w.end(a, g, wire.CreditLedgerEventTypeCreditsExpired, now)
		}
		if w.active() || e.rechargeable(c, s, currency) {
			combined[r] = &entitled{ref: r, currency: cur}
		}
	}
}

// accountOf is where a key draws ids from. One that is not remembered draws none.
func (e *Emulator) accountOf(c *customer, s *scope) *account {
	if c.scopes[s.resourceID] != s {
		return nil
	}
	return &e.state
}

// fund makes the entitlement to a wallet what the wallet has. Its limit is what was sold for the period, nil when nothing was.
func (e *Emulator) fund(c *customer, s *scope, ent *entitled, now time.Time) {
	a, m, w := e.accountOf(c, s), s.meters[ent.ref], s.wallet(ent.ref.id)
	if ent.limit != nil {
		w.recur(a, decimal.NewFromFloat(*ent.limit), m.end, now)
	}
	e.recharge(c, s, ent.currency, now)
	ent.limit = new(w.granted().InexactFloat64())
	if used := w.consumed(); w.news || !used.Equal(m.used) {
		m.used, m.updatedAt = used, s.updatedAt
	}
}

// turn begins, when a period is over, the one that now belongs to. A wallet passes through each
// period in between, if those are not more than its ledger can hold.
func (e *Emulator) turn(s *scope, r ref, now, stamp time.Time) {
	m, w := s.meters[r], s.wallets[r.id]
	if !r.credit || w == nil {
		m.next(now, stamp)
		return
	}
	for m.over(now) {
		at := m.end
		m.start, m.end = m.reset.around(m.anchor, at)
		if n := m.reset.guess(m.anchor, now); n-m.reset.guess(m.anchor, m.end) > keptEntries { // nobody has looked for so long
			m.start, m.end = m.reset.at(m.anchor, n-keptEntries), m.reset.at(m.anchor, n-keptEntries+1)
		}
		w.turn(&e.state, at, m.end)
	}
	m.used, m.updatedAt = w.consumed(), stamp
}

// emitBalances tells of the wallets to which something happened.
func (e *Emulator) emitBalances(c *customer, s *scope) {
	for _, currency := range slices.Sorted(maps.Keys(s.wallets)) {
		w := s.wallets[currency]
		if !w.news {
			continue
		}
		w.news = false
		if ent := s.find(ref{id: currency, credit: true}); ent != nil {
			e.emitUsage(c, s, ent)
		}
	}
}

// balanceOf is what a wallet of a key has.
func (e *Emulator) balanceOf(c *customer, s *scope, ent *entitled) *wire.CreditBalance {
	w := s.wallet(ent.ref.id)
	return &wire.CreditBalance{
		CustomerID: c.id, ResourceID: optional(s.resourceID), Currency: slimCurrencyOf(ent.currency),
		CurrentBalance: w.balance().InexactFloat64(), TotalConsumed: w.consumed().InexactFloat64(), TotalGranted: w.granted().InexactFloat64(),
		ValidUntil: epochMillis(s.recalcAt),
	}
}

// findGrant finds a grant by its id, and whose it is.
func (a *account) findGrant(id string) (*customer, *scope, *wallet, *creditGrant, string) {
	for _, c := range a.each() {
		for _, s := range c.scopes {
			for currency, w := range s.wallets {
				for _, list := range [][]*creditGrant{w.grants, w.over} {
					for _, g := range list {
						if g.id == id {
							return c, s, w, g, currency
						}
					}
				}
			}
		}
	}
	return nil, nil, nil, nil, ""
}
