package emulator

import (
	"math"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// reportKey is what an idempotency key is unique within.
type reportKey struct {
	customerID, resourceID string
	ref                    ref // of a raw event its name, as a feature
	key                    string
	event                  bool  // a raw event, and
	at                     int64 // when it happened, in milliseconds
}

// report is the answer to a usage report, kept so that its repetition is answered the same and counted once.
type report struct {
	usage  *wire.UsageMeasurementWithCurrentUsage
	credit *wire.CreditConsumptionResponse
}

// rememberedReports is how many idempotency keys are remembered at least; twice as many at most. At some 500 bytes each
// that is 100 MB in a load test, and enough for every retry a client still makes.
const rememberedReports = 100_000

// reportMemory keeps the answers to the latest reports by idempotency key. The zero value is empty.
type reportMemory struct{ young, old map[reportKey]report }

func (m *reportMemory) find(k reportKey) (report, bool) {
	if r, ok := m.young[k]; ok {
		return r, true
	}
	r, ok := m.old[k]
	return r, ok
}

func (m *reportMemory) keep(k reportKey, r report) {
	if m.young == nil || len(m.young) >= rememberedReports {
		m.old, m.young = m.young, map[reportKey]report{}
	}
	m.young[k] = r
}

// usageReport is one report of usage, from whichever mutation.
type usageReport struct {
	customerID, resourceID string
	featureID              string
	value                  float64
	set                    bool // replace the usage instead of adding to it
	key                    string
	at                     time.Time // by the caller's clock; zero: now
	dimensions             map[string]string
}

// reportUsage counts u and answers what the meter then shows. Usage over the limit is recorded, as by the real API;
// usage never falls below zero; a report dated before the present period changes no resetting meter.
func (e *Emulator) reportUsage(u usageReport) (*wire.UsageMeasurementWithCurrentUsage, error) {
	c, err := e.state.present(u.customerID)
	if err != nil {
		return nil, err
	}
	feature := e.state.index.feature(u.featureID)
	if feature == nil {
		return nil, errorf(codeFeatureNotFound, "there is no feature %q", u.featureID)
	}
	if !feature.Metered() {
		return nil, errorf("MeteringNotAvailableForFeatureType", "feature %q is not metered", u.featureID)
	}
	if feature.Events != nil {
		return nil, errorf("CannotReportUsageForEntitlementWithMeterError", "feature %q counts events named %q: report those", u.featureID, feature.Events.Name)
	}
	if math.Abs(u.value) > maxUnits {
		return nil, errorf("UsageMeasurementDiffOutOfRangeError", "%v of feature %q: a report has at most %g", u.value, u.featureID, maxUnits)
	}
	r := ref{id: u.featureID}
	key := reportKey{customerID: u.customerID, resourceID: u.resourceID, ref: r, key: u.key}
	if first, ok := e.state.reports.find(key); ok && u.key != "" {
		return repeated(first.usage), nil
	}
	s, ent, err := e.target(c, u.resourceID, r)
	if err != nil {
		return nil, err
	}

	m := s.meters[r]
	before, at := m.used, e.now()
	if !u.at.IsZero() {
		at = e.state.clock.happened(u.at)
	}
	if u.at.IsZero() || m.start.IsZero() || !at.Before(m.start) {
		m.used = apply(m.used, u.value, u.set)
	}
	m.log(measurement{at: at, value: decimal.NewFromFloat(u.value), set: u.set, dimensions: u.dimensions})
	m.updatedAt = e.state.stamp()
	answer := &wire.UsageMeasurementWithCurrentUsage{
		ID:               wire.ID(e.state.newID("measurement")),
		CustomerID:       u.customerID,
		FeatureID:        u.featureID,
		ResourceID:       optional(u.resourceID),
		CurrentUsage:     new(m.used.InexactFloat64()),
		UsagePeriodStart: optionalTime(m.start),
		UsagePeriodEnd:   optionalTime(m.end),
		NextResetDate:    optionalTime(m.end),
		Timestamp:        wire.NewDateTime(m.updatedAt),
	}
	if ent.rate != nil {
		answer.Credit = e.draw(c, s, ent.rate, m.used.Sub(before), consumption{r.id, at, u.dimensions})
	}
	if u.key != "" {
		e.state.reports.keep(key, report{usage: answer})
	}
	e.emitUsage(c, s, s.find(r)) // found again: drawing credits may have made the set anew
	return answer, nil
}

// apply returns the usage after a report: never less than nothing.
func apply(used decimal.Decimal, value float64, set bool) decimal.Decimal {
	v := decimal.NewFromFloat(value)
	if !set {
		v = used.Add(v)
	}
	return decimal.Max(v, decimal.Zero)
}

// repeated is the answer to a report that was already counted: the first one's, except that it consumed no credits.
func repeated(first *wire.UsageMeasurementWithCurrentUsage) *wire.UsageMeasurementWithCurrentUsage {
	again := *first
	if first.Credit != nil {
		credit := *first.Credit
		credit.Consumed = 0
		again.Credit = &credit
	}
	return &again
}

// target finds what a report is about: the key, made if this is the resource's first, and its entitlement.
func (e *Emulator) target(c *customer, resourceID string, r ref) (*scope, *entitled, error) {
	e.settle(c)
	if c.scopes[resourceID] == nil {
		if probe := e.look(c, resourceID); probe.find(r) == nil {
			return nil, nil, errorf("NoFeatureEntitlementError", "customer %q has no entitlement to %q", c.id, r.id)
		}
		e.recalculateScope(c, c.scope(resourceID))
	}
	s := c.scopes[resourceID]
	ent := s.find(r)
	if ent == nil {
		return nil, nil, errorf("NoFeatureEntitlementError", "customer %q has no entitlement to %q", c.id, r.id)
	}
	return s, ent, nil
}

// draw takes what units of usage cost from the wallet. A wallet that runs dry, or is no longer dry, changes the set.
func (e *Emulator) draw(c *customer, s *scope, rate *CreditRate, units decimal.Decimal, use consumption) *wire.UsageMeasurementCredit {
	r := ref{id: rate.Currency, credit: true}
	wallet := s.find(r)
	if wallet == nil {
		return nil
	}
	cost := units.Mul(decimal.NewFromFloat(rate.Amount))
	m := e.consume(c, s, wallet, cost, use)
	return &wire.UsageMeasurementCredit{
		CurrencyID:     rate.Currency,
		Consumed:       cost.InexactFloat64(),
		CurrentUsage:   m.used.InexactFloat64(),
		Timestamp:      wire.NewDateTime(m.updatedAt),
		UsagePeriodEnd: optionalTime(m.end),
	}
}

// consume takes cost from the grants of a wallet and tells the subscribers.
func (e *Emulator) consume(c *customer, s *scope, wallet *entitled, cost decimal.Decimal, use consumption) *meter {
	r, m := wallet.ref, s.meters[wallet.ref]
	w := s.wallet(r.id)
	w.draw(&e.state, cost, use)
	m.used, m.updatedAt, w.news = w.consumed(), e.state.stamp(), true
	wasDry := wallet.denied != ""
	isDry := !wallet.soft && m.used.InexactFloat64() >= deref(wallet.limit)
	if wasDry != isDry || e.rechargeable(c, s, r.id) {
		e.recalculateScope(c, s)
	}
	e.emitBalances(c, s)
	return m
}
