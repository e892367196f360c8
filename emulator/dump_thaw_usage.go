package emulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// The part of a dump that is about what a customer has, and has used of it.

func (t *thawing) scope(at string, in *savedScope) (*scope, error) {
	s := &scope{
		resourceID: in.ResourceID, denied: in.Denied, updatedAt: in.UpdatedAt.UTC(), recalcAt: in.RecalcAt.UTC(), past: in.Past,
		meters: make(map[ref]*meter, len(in.Meters)),
	}
	known := []string{
		"", string(wire.EntitlementsStateAccessDeniedReasonCustomerIsArchived), string(wire.EntitlementsStateAccessDeniedReasonNoActiveSubscription),
	}
	if !slices.Contains(known, s.denied) {
		return nil, wrong(at+".denied", "%q is not one of %q", s.denied, known[1:])
	}
	for i := range in.Meters {
		at := fmt.Sprintf("%s.meters[%d]", at, i)
		r, err := in.Meters[i].ref(at)
		if err != nil {
			return nil, err
		}
		if s.meters[r] != nil {
			return nil, wrong(at, "counts %q, as another before it does", r.id)
		}
		if s.meters[r], err = thawedMeter(at, &in.Meters[i]); err != nil {
			return nil, err
		}
	}
	if err := s.thawWallets(at, in.Wallets); err != nil {
		return nil, err
	}
	for i := range in.Set {
		at := fmt.Sprintf("%s.set[%d]", at, i)
		ent, err := t.entitled(at, &in.Set[i])
		if err != nil {
			return nil, err
		}
		if i > 0 && compareRefs(s.set[i-1].ref, ent.ref) >= 0 {
			return nil, wrong(at, "%q is out of order: features by id, then currencies by id, each once", ent.ref.id)
		}
		if ent.metered() && s.meters[ent.ref] == nil {
			return nil, wrong(at, "%q is metered, and has no meter in meters", ent.ref.id)
		}
		if ent.ref.credit && s.wallets[ent.ref.id] == nil {
			s.wallet(ent.ref.id).assume(ent, s.meters[ent.ref])
		}
		s.set = append(s.set, ent)
	}
	for i := range s.past {
		if i > 0 && s.past[i].Index <= s.past[i-1].Index {
			return nil, wrong(fmt.Sprintf("%s.past[%d].index", at, i), "must be more than that of the state before it")
		}
	}
	return s, nil
}

// ref is what is named; both or neither is an error.
func (r savedRef) ref(at string) (ref, error) {
	if (r.Feature == "") == (r.Currency == "") {
		return ref{}, wrong(at, "give exactly one of feature and currency")
	}
	return ref{r.Feature + r.Currency, r.Currency != ""}, nil
}

func (t *thawing) entitled(at string, in *savedEntitled) (*entitled, error) {
	r, err := in.ref(at)
	if err != nil {
		return nil, err
	}
	ent := &entitled{
		ref: r, limit: in.Limit, unlimited: in.Unlimited, soft: in.SoftLimit, values: in.Values, reset: in.Reset, resetOn: in.ResetOn,
		since: in.Since.UTC(), anchor: in.Anchor.UTC(), rate: in.CreditRate, denied: in.Denied, updatedAt: in.UpdatedAt.UTC(),
	}
	if err := checkPeriods(at, ent.reset, ent.resetOn); err != nil {
		return nil, err
	}
	if r.credit {
		if ent.currency, err = t.currency(at, in); err != nil {
			return nil, err
		}
		return ent, nil
	}
	ent.feature, err = t.feature(at, in)
	return ent, err
}

// feature is what the entitlement is to: the feature in force, or what it was.
func (t *thawing) feature(at string, in *savedEntitled) (*Feature, error) {
	if in.FeatureWas == nil {
		if f := t.catalogs[0].features[in.Feature]; f != nil {
			return f, nil
		}
		return nil, wrong(at+".feature", "there is no feature %q in catalogs[0], and no featureWas: add it there", in.Feature)
	}
	ix, err := (&Catalog{Features: []Feature{*in.FeatureWas}}).index()
	if err != nil {
		return nil, catalogWrong(at+".featureWas: ", err)
	}
	f := ix.features[in.Feature]
	if f == nil {
		return nil, wrong(at+".featureWas.id", "%q is not the feature it is about, %q", in.FeatureWas.ID, in.Feature)
	}
	return f, nil
}

func (t *thawing) currency(at string, in *savedEntitled) (*Currency, error) {
	if in.CurrencyWas == nil {
		if c := t.catalogs[0].currencies[in.Currency]; c != nil {
			return c, nil
		}
		return nil, wrong(at+".currency", "there is no currency %q in catalogs[0], and no currencyWas: add it there", in.Currency)
	}
	if in.CurrencyWas.ID != in.Currency {
		return nil, wrong(at+".currencyWas.id", "%q is not the currency it is about, %q", in.CurrencyWas.ID, in.Currency)
	}
	return in.CurrencyWas, nil
}

func thawedMeter(at string, in *savedMeter) (*meter, error) {
	m := &meter{reset: in.Reset, anchor: in.Anchor.UTC(), start: in.Start.UTC(), end: in.End.UTC(), updatedAt: in.UpdatedAt.UTC()}
	var err error
	if m.used, err = digits(at+".used", in.Used); err != nil {
		return nil, err
	}
	if err := checkPeriods(at, m.reset, ""); err != nil {
		return nil, err
	}
	if (m.reset != "") != (!m.start.IsZero() && m.end.After(m.start)) {
		return nil, wrong(at+".end", "start and end are a period when reset names one, and absent when it does not")
	}
	for _, word := range in.Seen {
		if m.seen == nil {
			m.seen = map[string]bool{}
		}
		m.seen[word] = true
	}
	for i, x := range in.Measured {
		at := fmt.Sprintf("%s.measured[%d]", at, i)
		v, err := digits(at+".value", x.Value)
		if err != nil {
			return nil, err
		}
		if i > 0 && x.At.Before(in.Measured[i-1].At) {
			return nil, wrong(at+".at", "is before that of the measurement before it")
		}
		m.measured = append(m.measured, measurement{x.At.UTC(), v, x.Set, x.Dimensions})
	}
	return m, nil
}

// digits reads a number that is written out. One with an exponent can be longer than any memory, and Dump writes none.
func digits(at, text string) (decimal.Decimal, error) {
	d, err := decimal.NewFromString(text)
	if err != nil || strings.ContainsAny(text, "eE") {
		return decimal.Decimal{}, wrong(at, "%.40q is not a number in digits, such as \"19.5\"", text)
	}
	return d, nil
}

func thawedReports(at string, list []savedReport) (map[reportKey]report, error) {
	if len(list) == 0 {
		return nil, nil
	}
	memory := make(map[reportKey]report, len(list))
	for i := range list {
		in, at := &list[i], fmt.Sprintf("%s[%d]", at, i)
		r, err := in.ref(at)
		if err != nil {
			return nil, err
		}
		key := reportKey{in.CustomerID, in.ResourceID, r, in.Key, in.Event, in.At}
		if _, taken := memory[key]; taken {
			return nil, wrong(at+".key", "%q is that of another report before it", in.Key)
		}
		switch {
		case r.credit && (in.Credit == nil || in.Usage != nil), !r.credit && in.Credit != nil:
			return nil, wrong(at+".credit", "the answer to a consumption of credits, and to nothing else, is its credit")
		case !in.Event && in.At != 0, in.Event && r.credit:
			return nil, wrong(at+".event", "a moment, and no credits, are a raw event's")
		case !r.credit && !in.Event && in.Usage == nil:
			return nil, wrong(at+".usage", "is missing: the answer to a report of usage")
		}
		memory[key] = thawedReport(&key, in)
	}
	return memory, nil
}

func thawedReport(k *reportKey, in *savedReport) report {
	var out report
	if u := in.Usage; u != nil {
		out.usage = &wire.UsageMeasurementWithCurrentUsage{
			ID: wire.ID(u.ID), CustomerID: k.customerID, FeatureID: k.ref.id, ResourceID: optional(k.resourceID), CurrentUsage: new(u.CurrentUsage),
			UsagePeriodStart: optionalTime(u.UsagePeriodStart), UsagePeriodEnd: optionalTime(u.UsagePeriodEnd),
			NextResetDate: optionalTime(u.UsagePeriodEnd), Timestamp: wire.NewDateTime(u.Timestamp),
		}
		if d := u.Credit; d != nil {
			out.usage.Credit = &wire.UsageMeasurementCredit{
				CurrencyID: d.CurrencyID, Consumed: d.Consumed, CurrentUsage: d.CurrentUsage, Timestamp: wire.NewDateTime(d.Timestamp),
				UsagePeriodEnd: optionalTime(d.UsagePeriodEnd),
			}
		}
	}
	if a := in.Credit; a != nil {
		out.credit = &wire.CreditConsumptionResponse{
			Amount: a.Amount, CurrencyID: k.ref.id, CustomerID: k.customerID, ResourceID: optional(k.resourceID), Timestamp: wire.NewDateTime(a.Timestamp),
			Credit: &wire.OptimisticCreditBalance{
				CurrencyID: k.ref.id, CurrentUsage: a.CurrentUsage, UsageLimit: a.UsageLimit, Timestamp: wire.NewDateTime(a.Timestamp),
				UsagePeriodEnd: optionalTime(a.UsagePeriodEnd),
			},
		}
	}
	return out
}
