package entcache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
	"github.com/entcache/entcache/usage"
)

// Credits grants and consumes credits, and shows what wallets have. It is [Client].Credits.
//
// A wallet holds the credits of one currency: of a customer, or of one of its resources when a resource is named. Each resource has
// wallets of its own, apart from the customer's. Whether a wallet can pay is a check: [Client.GetEntitlement] with
// [Query].CurrencyID, from memory. Amounts are in credits, which may be fractions.
type Credits struct{ c *Client }

// maxConsumptions is how many consumptions Stigg takes at once.
const maxConsumptions = 1000

// Consume takes credits out of a wallet, and waits until Stigg has taken them. It is for what is not usage of a feature: a feature that
// a wallet pays for draws on it by itself when its usage is reported.
//
// CustomerId and CurrencyId are required; Amount must be finite and not below zero. There has to be a wallet, from a plan or a grant, be
// it empty: without one the error is [ErrNotFound] (NoFeatureEntitlementError). Credits that the wallet does not have are consumed all
// the same, and owed: check first. IdempotencyKey is generated unless given; Stigg takes the credits of one key once, so the call is
// repeated also when the outcome of the first is unknown, and can be repeated by the caller with the same key. CreatedAt is when it
// happened, by default now; Dimensions is a JSON object.
//
// When Consume returns, a check by this client sees what is left. Credit of the answer is the wallet as Stigg has it then, nil when
// Stigg does not say. Offline the credits are acknowledged and dropped.
func (s *Credits) Consume(ctx context.Context, in ConsumeCreditInput) (*CreditConsumption, error) {
	if err := checkConsumption("consume credits", &in); err != nil {
		return nil, err
	}
	if in.IdempotencyKey == "" {
		in.IdempotencyKey = rand.Text()
	}
	d := s.c.directly([]line{creditLine(&in)})
	defer d.land()
	reply, err := write(ctx, s.c, harmless, d.keys, func(ctx context.Context) (*gql.ConsumeCreditsResponse, error) {
		return gql.ConsumeCredits(ctx, s.c.api, in)
	})
	if errors.Is(err, ErrOffline) {
		return &CreditConsumption{
			CustomerId: in.CustomerId, ResourceId: in.ResourceId, CurrencyId: in.CurrencyId, Amount: in.Amount, Timestamp: DateTime{Time: time.Now()},
		}, nil
	}
	if err != nil {
		return nil, err
	}
	out := &reply.ConsumeCredits
	key, usages := out.Usages()
	d.answered([]answer{{key, usages, out.Credit != nil && out.Credit.CurrencyId == in.CurrencyId}})
	if out.Credit != nil {
		s.c.expectLimit(key, entitlements.Currency(in.CurrencyId), out.Credit.UsageLimit)
	}
	return out, nil
}

// creditLine is a consumption as the delivery sees it.
func creditLine(in *ConsumeCreditInput) line {
	return line{Line: usage.Line{
		Record: usage.Record{
			Kind: usage.Delta, CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId), Value: in.Amount, Key: in.IdempotencyKey,
		},
		Accepted: 1, Deltas: in.Amount,
	}, ref: entitlements.Currency(in.CurrencyId)}
}

// expectLimit makes the next read of a key wait for a fetch, if Stigg has said of a wallet that it was granted something else than what
// is held: a consumption can have it recharged.
func (c *Client) expectLimit(key Key, ref Ref, limit float64) {
	e := c.running.Load()
	if e == nil {
		return
	}
	held, ok := e.cache.Peek(key)
	if !ok {
		return
	}
	ent, found := held.Belief.Snapshot.Find(ref, e.clock.load())
	if has, limited := ent.UsageLimit(); found && limited && has != limit {
		c.awaitRefresh(key)
	}
}

// ConsumeAsync hands Stigg up to 1,000 consumptions, and returns when Stigg has taken them, not when it has taken the credits: that
// follows within seconds, and the stream brings it. What Stigg finds wrong then, such as a customer that does not exist, nobody is told.
//
// Each is as for [Credits.Consume]; CreatedAt is now, by the clock of this machine, unless given.
func (s *Credits) ConsumeAsync(ctx context.Context, consumptions []ConsumeCreditInput) error {
	const call = "consume credits asynchronously"
	switch {
	case len(consumptions) == 0:
		return nil
	case len(consumptions) > maxConsumptions:
		return badInput(call, fmt.Sprintf("%d consumptions: Stigg takes up to %d at once", len(consumptions), maxConsumptions))
	}
	consumptions = slices.Clone(consumptions)
	for i := range consumptions {
		in := &consumptions[i]
		if err := checkConsumption(fmt.Sprintf("%s: consumption %d", call, i), in); err != nil {
			return err
		}
		if in.IdempotencyKey == "" {
			in.IdempotencyKey = rand.Text()
		}
		if in.CreatedAt == nil {
			in.CreatedAt = &DateTime{Time: time.Now()}
		}
	}
	_, err := write(ctx, s.c, harmless, nil, func(ctx context.Context) (*gql.ConsumeCreditsAsyncResponse, error) {
		return gql.ConsumeCreditsAsync(ctx, s.c.api, gql.ConsumeCreditsAsyncInput{Consumptions: consumptions})
	})
	if errors.Is(err, ErrOffline) {
		return nil
	}
	return err
}

func checkConsumption(call string, in *ConsumeCreditInput) error {
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return err
	}
	if err := required(call, "CurrencyId", in.CurrencyId); err != nil {
		return err
	}
	if err := checkUTF8(call, "IdempotencyKey", in.IdempotencyKey); err != nil {
		return err
	}
	if !(in.Amount >= 0) || math.IsInf(in.Amount, 0) {
		return badInput(call, fmt.Sprintf("Amount is %v: give a finite number of credits, zero or more", in.Amount))
	}
	return nil
}

// Grant gives credits to a wallet: [GrantPaid], or [GrantPromotional], which cost nothing. The customer needs no subscription.
//
// CustomerId, CurrencyId, DisplayName, GrantType and an Amount above zero are required. They count from EffectiveAt (default: now) until
// ExpireAt (default: for ever). Of several grants Stigg consumes first the one with the lowest Priority (default: 0, which is the
// highest), then the one that expires first. Cost is the price of one credit.
//
// When Grant returns, the next check of the customer, or of the resource that was named, waits for what it did. There is no idempotency
// key: it is not repeated when its outcome is unknown; look at [Credits.Grants] before granting again.
func (s *Credits) Grant(ctx context.Context, in CreditGrantInput) (*CreditGrant, error) {
	const call = "grant credits"
	for _, f := range [][2]string{
		{"CustomerId", in.CustomerId}, {"CurrencyId", in.CurrencyId}, {"DisplayName", in.DisplayName}, {"GrantType", string(in.GrantType)},
	} {
		if err := required(call, f[0], f[1]); err != nil {
			return nil, err
		}
	}
	if !(in.Amount > 0) || math.IsInf(in.Amount, 0) {
		return nil, badInput(call, fmt.Sprintf("Amount is %v: give a finite number of credits above zero", in.Amount))
	}
	if in.GrantType != GrantPaid && in.GrantType != GrantPromotional {
		return nil, badInput(call, fmt.Sprintf("GrantType is %q: give GrantPaid or GrantPromotional", in.GrantType))
	}
	keys := []Key{{CustomerID: in.CustomerId, ResourceID: deref(in.ResourceId)}}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.GrantCreditsResponse, error) {
		return gql.GrantCredits(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return &reply.CreateCreditGrant, nil
}

// Void takes a grant back, with all that is left of it. There is none of that id: [ErrNotFound]. One that is voided already, has
// expired, or came with a subscription is an [APIError] that says so.
//
// When Void returns, the next check of the customer, or of the resource, whose grant it was waits for what it did. It is not repeated
// when its outcome is unknown, and then nothing is waited for: whose grant it is only the answer says.
func (s *Credits) Void(ctx context.Context, grantID string) (*CreditGrant, error) {
	if err := required("void credit grant", "grantID", grantID); err != nil {
		return nil, err
	}
	reply, err := write(ctx, s.c, ifRefused, nil, func(ctx context.Context) (*gql.VoidCreditGrantResponse, error) {
		return gql.VoidCreditGrant(ctx, s.c.api, gql.VoidCreditGrantInput{Id: grantID})
	})
	if err != nil {
		return nil, err
	}
	g := &reply.VoidCreditGrant
	s.c.awaitRefresh(Key{CustomerID: g.CustomerId, ResourceID: deref(g.ResourceId)})
	return g, nil
}

// Balance asks Stigg what the wallets of a customer, or of one of its resources, have: all, or that of CurrencyId. CustomerId is
// required.
//
// Deprecated: Stigg has deprecated it. A check of the wallet, [Client.GetEntitlement] with [Query].CurrencyID, answers the same from
// memory: UsageLimit is what was granted, CurrentUsage what is consumed.
func (s *Credits) Balance(ctx context.Context, in CreditBalanceInput) ([]CreditBalance, error) {
	if err := required("get credit balance", "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCreditBalanceResponse, error) {
		return gql.GetCreditBalance(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return reply.CreditBalanceSummary.Balances, nil
}

// Grants yields the grants of a customer's wallets, or of those of one of its resources, those that are over among them, page after
// page, in Stigg's order; of CurrencyId alone when that is given. CustomerId is required, and Paging must be nil: it asks for a
// page when the loop comes to it. An error is yielded once, and is the last.
func (s *Credits) Grants(ctx context.Context, in CreditGrantsInput) iter.Seq2[CreditGrant, error] {
	const call = "list credit grants"
	return pages(call, func(paging *gql.CursorPaging) (list []CreditGrant, info gql.PageInfo, err error) {
		if err := checkList(call, in.CustomerId, in.Paging); err != nil {
			return nil, info, err
		}
		in := in // of this question: several goroutines may be at it
		in.Paging = paging
		reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCreditGrantsResponse, error) {
			return gql.GetCreditGrants(ctx, s.c.api, in)
		})
		if err != nil {
			return nil, info, err
		}
		for _, e := range reply.CreditGrants.Edges {
			list = append(list, e.Node)
		}
		return list, reply.CreditGrants.PageInfo, nil
	})
}

// Ledger yields what happened to the credits of a customer's wallets, or of those of one of its resources, page after page, in Stigg's
// order; of CurrencyId and of the kinds of EventType alone when those are given. It is otherwise as [Credits.Grants].
func (s *Credits) Ledger(ctx context.Context, in CreditLedgerInput) iter.Seq2[CreditLedgerEvent, error] {
	const call = "list credit ledger"
	return pages(call, func(paging *gql.CursorPaging) (list []CreditLedgerEvent, info gql.PageInfo, err error) {
		if err := checkList(call, in.CustomerId, in.Paging); err != nil {
			return nil, info, err
		}
		in := in // of this question: several goroutines may be at it
		in.Paging = paging
		reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCreditLedgerResponse, error) {
			return gql.GetCreditLedger(ctx, s.c.api, in)
		})
		if err != nil {
			return nil, info, err
		}
		for _, e := range reply.CreditsLedger.Edges {
			list = append(list, e.Node)
		}
		return list, reply.CreditsLedger.PageInfo, nil
	})
}

// maxUsagePages bounds what Usage gathers: 25,000 series.
const maxUsagePages = 1000

// Usage returns what was consumed of a wallet over time, as series of points, one series for each feature: all of them, in as many
// requests as that takes. The time is TimeRange, which ends now, or from StartDate to EndDate. CustomerId is required, and CurrencyId
// where there are several wallets; Paging must be nil. PageInfo of the result is that of the last page. More than 25,000 series are an
// error.
func (s *Credits) Usage(ctx context.Context, in CreditUsageInput) (*CreditUsage, error) {
	const call = "get credit usage"
	if err := checkList(call, in.CustomerId, in.Paging); err != nil {
		return nil, err
	}
	var all *CreditUsage
	asked := 0
	for x, err := range pages(call, func(paging *gql.CursorPaging) ([]gql.CreditUsageSeries, gql.PageInfo, error) {
		if asked++; asked > maxUsagePages {
			return nil, gql.PageInfo{}, endless(call, fmt.Sprintf("goes on after %d pages: ask for less time, or one currency", maxUsagePages))
		}
		in.Paging = paging
		reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetCreditUsageResponse, error) {
			return gql.GetCreditUsage(ctx, s.c.api, in)
		})
		if err != nil {
			return nil, gql.PageInfo{}, err
		}
		page := reply.CreditUsage
		if all == nil {
			all = &CreditUsage{Currency: page.Currency}
		}
		all.PageInfo = page.PageInfo
		return page.Series, page.PageInfo, nil
	}) {
		if err != nil {
			return nil, err
		}
		all.Series = append(all.Series, x)
	}
	return all, nil
}

// checkList refuses a page that the caller asks for: it would be forgotten.
func checkList(call, customerID string, paging *gql.CursorPaging) error {
	if paging != nil {
		return badInput(call, "Paging is set: leave it nil, since all pages are asked for, and end the loop where there is enough")
	}
	return required(call, "CustomerId", customerID)
}

// AutomaticRecharge asks Stigg when and how far a customer's wallet is recharged. Where nothing was saved, IsEnabled is false and
// CreatedAt nil.
func (s *Credits) AutomaticRecharge(ctx context.Context, customerID, currencyID string) (*AutomaticRecharge, error) {
	const call = "get automatic recharge"
	if err := required(call, "customerID", customerID); err != nil {
		return nil, err
	}
	if err := required(call, "currencyID", currencyID); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetAutomaticRechargeConfigurationResponse, error) {
		return gql.GetAutomaticRechargeConfiguration(ctx, s.c.api, gql.GetAutoRechargeSettingsInput{CustomerId: customerID, CurrencyId: currencyID})
	})
	if err != nil {
		return nil, err
	}
	return &reply.GetAutoRechargeSettings, nil
}

// SaveAutomaticRecharge has Stigg buy credits when the balance of a customer's wallet falls below ThresholdValue, so many that it is
// TargetBalance again, until MaxSpendLimit is spent in a month; or no longer, with IsEnabled false. What is bought expires after
// GrantExpirationPeriod. Fields that are nil stay as they are; [Null] takes MaxSpendLimit away.
//
// CustomerId and CurrencyId are required. A wallet that is too low may be recharged at once: the next check of the customer waits for
// what it did. It is not repeated when its outcome is unknown.
func (s *Credits) SaveAutomaticRecharge(ctx context.Context, in SaveAutomaticRechargeInput) (*AutomaticRecharge, error) {
	const call = "save automatic recharge"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "CurrencyId", in.CurrencyId); err != nil {
		return nil, err
	}
	keys := []Key{{CustomerID: in.CustomerId}}
	reply, err := write(ctx, s.c, ifRefused, keys, func(ctx context.Context) (*gql.SaveAutomaticRechargeConfigurationResponse, error) {
		return gql.SaveAutomaticRechargeConfiguration(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	s.c.awaitRefresh(keys...)
	return &reply.SaveAutoRechargeSettings, nil
}
