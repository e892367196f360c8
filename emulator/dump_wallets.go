package emulator

import (
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

type savedRecharge struct {
	CurrencyID string    `json:"currencyId"`
	ID         string    `json:"id"`
	Enabled    bool      `json:"enabled,omitempty"`
	Kind       string    `json:"thresholdType"`
	Threshold  string    `json:"threshold"`
	Target     string    `json:"target"`
	Limit      *string   `json:"limit,omitempty"` // of a calendar month
	Lasts      string    `json:"lasts"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
	Month      time.Time `json:"month,omitzero"` // that spent is of
	Spent      string    `json:"spent"`
}

type savedWallet struct {
	Currency string             `json:"currency"`
	Grants   []savedGrant       `json:"grants,omitempty"`
	Over     []savedGrant       `json:"over,omitempty"`
	Ledger   []savedLedgerEntry `json:"ledger,omitempty"`
}

type savedGrant struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Comment     string    `json:"comment,omitempty"`
	Kind        string    `json:"kind"`
	Amount      string    `json:"amount"`
	Consumed    string    `json:"consumed"`
	Priority    float64   `json:"priority,omitempty"`
	Cost        string    `json:"cost,omitempty"` // of one credit
	CostIn      string    `json:"costIn,omitempty"`
	Metadata    any       `json:"metadata,omitempty"`
	Recharge    string    `json:"recharge,omitempty"`
	Invoice     string    `json:"invoice,omitempty"`
	Paid        bool      `json:"paid,omitempty"`
	Due         time.Time `json:"due,omitzero"`
	Awaits      bool      `json:"awaits,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
	EffectiveAt time.Time `json:"effectiveAt"`
	ExpireAt    time.Time `json:"expireAt,omitzero"`
	VoidedAt    time.Time `json:"voidedAt,omitzero"`
	Begun       bool      `json:"begun,omitempty"`
	Ended       bool      `json:"ended,omitempty"`
}

type savedLedgerEntry struct {
	ID         string            `json:"id"`
	At         time.Time         `json:"at"`
	Kind       string            `json:"kind"`
	Grant      string            `json:"grant"`
	Feature    string            `json:"feature,omitempty"`
	Amount     string            `json:"amount"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
}

func frozenRecharges(byCurrency map[string]*recharge) (out []savedRecharge) {
	for _, currency := range sortedKeys(byCurrency) {
		r := byCurrency[currency]
		w := savedRecharge{
			CurrencyID: currency, ID: r.id, Enabled: r.enabled, Kind: string(r.kind), Threshold: r.threshold.String(), Target: r.target.String(),
			Lasts: string(r.lasts), CreatedAt: r.createdAt.UTC(), UpdatedAt: r.updatedAt.UTC(), Month: r.month.UTC(), Spent: r.spent.String(),
		}
		if r.limit != nil {
			w.Limit = new(r.limit.String())
		}
		out = append(out, w)
	}
	return out
}

func frozenWallet(currency string, w *wallet) savedWallet {
	out := savedWallet{Currency: currency, Grants: frozenGrants(w.grants), Over: frozenGrants(w.over)}
	for i := range w.ledger {
		x := &w.ledger[i]
		out.Ledger = append(out.Ledger, savedLedgerEntry{x.id, x.at.UTC(), string(x.kind), x.grant, x.feature, x.amount.String(), x.dimensions})
	}
	return out
}

func frozenGrants(list []*creditGrant) (out []savedGrant) {
	for _, g := range list {
		w := savedGrant{
			ID: g.id, Name: g.name, Comment: g.comment, Kind: string(g.kind), Amount: g.amount.String(), Consumed: g.consumed.String(),
			Priority: g.priority, CostIn: g.costIn, Metadata: g.metadata, Recharge: g.recharge, Invoice: g.invoice, Paid: g.paid, Due: g.due.UTC(),
			Awaits: g.awaits, CreatedAt: g.createdAt.UTC(), UpdatedAt: g.updatedAt.UTC(), EffectiveAt: g.effectiveAt.UTC(), ExpireAt: g.expireAt.UTC(),
			VoidedAt: g.voidedAt.UTC(), Begun: g.begun, Ended: g.ended,
		}
		if !g.cost.IsZero() {
			w.Cost = g.cost.String()
		}
		out = append(out, w)
	}
	return out
}

// figure reads digits of zero or more.
func figure(at, text string) (decimal.Decimal, error) {
	d, err := digits(at, text)
	if err == nil && d.IsNegative() {
		err = wrong(at, "%.40q is below zero", text)
	}
	return d, err
}

func thawedRecharges(at string, list []savedRecharge) (map[string]*recharge, error) {
	var out map[string]*recharge
	for i := range list {
		in, at := &list[i], fmt.Sprintf("%s.recharges[%d]", at, i)
		r := &recharge{
			id: in.ID, enabled: in.Enabled, kind: wire.ThresholdType(in.Kind), lasts: wire.GrantExpirationPeriod(in.Lasts),
			createdAt: in.CreatedAt.UTC(), updatedAt: in.UpdatedAt.UTC(), month: in.Month.UTC(),
		}
		if out == nil {
			out = map[string]*recharge{}
		}
		if in.CurrencyID == "" || out[in.CurrencyID] != nil {
			return nil, wrong(at+".currencyId", "%q is missing, or that of another before it", in.CurrencyID)
		}
		if r.kind != wire.ThresholdTypeCreditAmount && r.kind != wire.ThresholdTypeDollarAmount {
			return nil, wrong(at+".thresholdType", "%q is not CreditAmount or DollarAmount", in.Kind)
		}
		if r.lasts != wire.GrantExpirationPeriodOneMonth && r.lasts != wire.GrantExpirationPeriodOneYear {
			return nil, wrong(at+".lasts", "%q is not OneMonth or OneYear", in.Lasts)
		}
		var err error
		if r.threshold, err = figure(at+".threshold", in.Threshold); err != nil {
			return nil, err
		}
		if r.target, err = figure(at+".target", in.Target); err != nil {
			return nil, err
		}
		if r.spent, err = figure(at+".spent", in.Spent); err != nil {
			return nil, err
		}
		if in.Limit != nil {
			limit, err := figure(at+".limit", *in.Limit)
			if err != nil {
				return nil, err
			}
			r.limit = &limit
		}
		out[in.CurrencyID] = r
	}
	return out, nil
}

func (s *scope) thawWallets(at string, list []savedWallet) error {
	for i := range list {
		in, at := &list[i], fmt.Sprintf("%s.wallets[%d]", at, i)
		if in.Currency == "" || s.wallets[in.Currency] != nil {
			return wrong(at+".currency", "%q is missing, or that of another before it", in.Currency)
		}
		w := s.wallet(in.Currency)
		var err error
		if w.grants, err = thawedGrants(at+".grants", in.Grants); err != nil {
			return err
		}
		if w.over, err = thawedGrants(at+".over", in.Over); err != nil {
			return err
		}
		for i, x := range in.Ledger {
			amount, err := digits(fmt.Sprintf("%s.ledger[%d].amount", at, i), x.Amount)
			if err != nil {
				return err
			}
			if !slices.Contains(ledgerKinds, wire.CreditLedgerEventType(x.Kind)) {
				return wrong(fmt.Sprintf("%s.ledger[%d].kind", at, i), "%q is not one of %q", x.Kind, ledgerKinds)
			}
			w.ledger = append(w.ledger, ledgerEntry{x.ID, x.At.UTC(), wire.CreditLedgerEventType(x.Kind), x.Grant, x.Feature, amount, x.Dimensions})
		}
	}
	return nil
}

var ledgerKinds = []wire.CreditLedgerEventType{
	wire.CreditLedgerEventTypeCreditsConsumed, wire.CreditLedgerEventTypeCreditsConsumptionTransferSource,
	wire.CreditLedgerEventTypeCreditsConsumptionTransferTarget, wire.CreditLedgerEventTypeCreditsExpired,
	wire.CreditLedgerEventTypeCreditsGranted, wire.CreditLedgerEventTypeCreditsUpdated, wire.CreditLedgerEventTypeCreditsVoided,
}

var grantKinds = []wire.CreditGrantType{
	wire.CreditGrantTypeOverdraft, wire.CreditGrantTypePaid, wire.CreditGrantTypePromotional, wire.CreditGrantTypeRecurring,
}

func thawedGrants(at string, list []savedGrant) ([]*creditGrant, error) {
	var out []*creditGrant
	for i := range list {
		in, at := &list[i], fmt.Sprintf("%s[%d]", at, i)
		g := &creditGrant{
			id: in.ID, name: in.Name, comment: in.Comment, kind: wire.CreditGrantType(in.Kind), priority: in.Priority, costIn: in.CostIn,
			metadata: in.Metadata, recharge: in.Recharge, invoice: in.Invoice, paid: in.Paid, due: in.Due.UTC(), awaits: in.Awaits,
			createdAt: in.CreatedAt.UTC(), updatedAt: in.UpdatedAt.UTC(), effectiveAt: in.EffectiveAt.UTC(), expireAt: in.ExpireAt.UTC(),
			voidedAt: in.VoidedAt.UTC(), begun: in.Begun, ended: in.Ended,
		}
		if !slices.Contains(grantKinds, g.kind) {
			return nil, wrong(at+".kind", "%q is not one of %q", in.Kind, grantKinds)
		}
		var err error
		if g.amount, err = figure(at+".amount", in.Amount); err != nil {
			return nil, err
		}
		if g.consumed, err = figure(at+".consumed", in.Consumed); err != nil {
			return nil, err
		}
		if g.consumed.GreaterThan(g.amount) && g.kind != wire.CreditGrantTypeOverdraft {
			return nil, wrong(at+".consumed", "%s is more than amount, %s", in.Consumed, in.Amount)
		}
		if in.Cost != "" {
			if g.cost, err = figure(at+".cost", in.Cost); err != nil {
				return nil, err
			}
		}
		out = append(out, g)
	}
	return out, nil
}

// assume makes the wallet what an entitlement and its meter say, for a state that was written before there were grants.
func (w *wallet) assume(ent *entitled, m *meter) {
	g := &creditGrant{
		id: "credit-grant-of-" + ent.ref.id, name: "Subscription", kind: wire.CreditGrantTypeRecurring, amount: decimal.NewFromFloat(deref(ent.limit)),
		createdAt: m.updatedAt, updatedAt: m.updatedAt, effectiveAt: m.updatedAt, expireAt: m.end, begun: true,
	}
	w.grants = append(w.grants, g)
	w.spread(nil, w.order(), m.used, wire.CreditLedgerEventTypeCreditsConsumed, consumption{at: m.updatedAt})
}
