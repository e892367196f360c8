package entcache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/entcache/entcache/gql"
)

// Usage reports usage, and shows what was reported. It is [Client].Usage.
//
// Every report carries an idempotency key: the caller's, or one that is generated for the call. A report whose fate is unknown is
// therefore sent again, and counts once however often it was sent. To make a report count once across calls, or processes, give
// it a key; a raw event, a key and a Timestamp.
type Usage struct{ c *Client }

const (
	// maxReports is how many reports Stigg takes at once.
	maxReports = 100
	// maxEvents is how many events Stigg takes at once.
	maxEvents = 1000
)

// Report reports usage of a feature whose usage the program counts itself (Stigg calls it calculated usage), and waits until
// Stigg has counted it: Value is added (the default, [UsageDelta]; it may be negative) or replaces what there was ([UsageSet]). It
// returns the usage that results.
//
// CustomerId and FeatureId are required and Value must be finite. When Report returns, a check by this client sees the new usage,
// and that of the credit wallet it draws on. CurrentUsage of the answer is nil when Stigg does not say, and offline.
func (s *Usage) Report(ctx context.Context, in ReportUsageInput) (*ReportedUsage, error) {
	if err := checkReport("report usage", in.CustomerId, in.FeatureId, in.Value); err != nil {
		return nil, err
	}
	if err := checkUTF8("report usage", "IdempotencyKey", deref(in.IdempotencyKey)); err != nil {
		return nil, err
	}
	if deref(in.IdempotencyKey) == "" {
		in.IdempotencyKey = new(rand.Text())
	}
	d := s.c.directly([]line{directLine(in.CustomerId, in.ResourceId, in.FeatureId, in.Value, in.UpdateBehavior, *in.IdempotencyKey)})
	defer d.land()
	reply, err := write(ctx, s.c, harmless, d.keys, func(ctx context.Context) (*gql.ReportUsageResponse, error) {
		return gql.ReportUsage(ctx, s.c.api, in)
	})
	if errors.Is(err, ErrOffline) {
		return acknowledged(in.CustomerId, in.FeatureId, in.ResourceId), nil
	}
	if err != nil {
		return nil, err
	}
	d.answered(answersOf([]ReportedUsage{reply.ReportUsage}))
	return &reply.ReportUsage, nil
}

// ReportBulk is Report for up to 100 of them, in one request and in their order; the answers are in the same order. An error is
// that of the request as a whole: Stigg may have counted those before the one it refused, and sending the same again, with the
// same keys, counts none twice. So that this can be done, give each its IdempotencyKey.
func (s *Usage) ReportBulk(ctx context.Context, usages []UsageReport) ([]ReportedUsage, error) {
	const call = "report usage in bulk"
	switch {
	case len(usages) == 0:
		return nil, nil
	case len(usages) > maxReports:
		return nil, badInput(call, fmt.Sprintf("%d reports: Stigg takes up to %d at once", len(usages), maxReports))
	}
	usages = slices.Clone(usages)
	lines := make([]line, len(usages))
	for i := range usages {
		u := &usages[i]
		if err := checkReport(fmt.Sprintf("%s: report %d", call, i), u.CustomerId, u.FeatureId, u.Value); err != nil {
			return nil, err
		}
		if err := checkUTF8(fmt.Sprintf("%s: report %d", call, i), "IdempotencyKey", deref(u.IdempotencyKey)); err != nil {
			return nil, err
		}
		if deref(u.IdempotencyKey) == "" {
			u.IdempotencyKey = new(rand.Text())
		}
		lines[i] = directLine(u.CustomerId, u.ResourceId, u.FeatureId, u.Value, u.UpdateBehavior, *u.IdempotencyKey)
	}
	d := s.c.directly(lines)
	defer d.land()
	reply, err := write(ctx, s.c, harmless, nil, func(ctx context.Context) (*gql.ReportUsageBulkResponse, error) {
		return gql.ReportUsageBulk(ctx, s.c.api, gql.ReportUsageBulkInput{Usages: usages})
	})
	if errors.Is(err, ErrOffline) {
		var list []ReportedUsage
		for _, u := range usages {
			list = append(list, *acknowledged(u.CustomerId, u.FeatureId, u.ResourceId))
		}
		return list, nil
	}
	if err != nil {
		s.c.awaitRefresh(d.keys...) // those before the one that was refused may be counted
		return nil, err
	}
	d.answered(answersOf(reply.ReportUsageBulk))
	if n := len(reply.ReportUsageBulk); n != len(usages) {
		return nil, fmt.Errorf("entcache: %s: %w: %d answers to %d reports, which were taken", call, ErrMalformed, n, len(usages))
	}
	return reply.ReportUsageBulk, nil
}

// ReportEvents reports up to 1,000 raw events, which Stigg filters and aggregates into the usage of whatever features count them.
// It returns when Stigg has taken them, not when it has counted them: that follows within seconds, and the stream brings it.
//
// CustomerId and EventName of each are required. Timestamp is when it happened, by default now, by the clock of this machine. Stigg
// tells events apart by timestamp, customer, resource, name and IdempotencyKey together: to repeat one in another call, give it all
// of these.
func (s *Usage) ReportEvents(ctx context.Context, events []UsageEvent) error {
	const call = "report events"
	switch {
	case len(events) == 0:
		return nil
	case len(events) > maxEvents:
		return badInput(call, fmt.Sprintf("%d events: Stigg takes up to %d at once", len(events), maxEvents))
	}
	events = slices.Clone(events)
	for i := range events {
		e := &events[i]
		if err := required(fmt.Sprintf("%s: event %d", call, i), "CustomerId", e.CustomerId); err != nil {
			return err
		}
		if err := required(fmt.Sprintf("%s: event %d", call, i), "EventName", e.EventName); err != nil {
			return err
		}
		if err := checkUTF8(fmt.Sprintf("%s: event %d", call, i), "IdempotencyKey", e.IdempotencyKey); err != nil {
			return err
		}
		if e.IdempotencyKey == "" {
			e.IdempotencyKey = rand.Text()
		}
		if e.Timestamp == nil { // one that Stigg gives would be another each time the call is sent
			e.Timestamp = &DateTime{Time: time.Now()}
		}
	}
	_, err := write(ctx, s.c, harmless, nil, func(ctx context.Context) (*gql.ReportEventResponse, error) {
		return gql.ReportEvent(ctx, s.c.api, gql.UsageEventsReportInput{UsageEvents: events})
	})
	if errors.Is(err, ErrOffline) {
		return nil
	}
	return err
}

// History returns the usage of a feature over time, as series of points; with GroupBy, one series for each combination of the
// dimensions it names. It asks Stigg each time.
//
// CustomerId, FeatureId and StartDate are required.
func (s *Usage) History(ctx context.Context, in UsageHistoryInput) (*UsageHistory, error) {
	const call = "usage history"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "FeatureId", in.FeatureId); err != nil {
		return nil, err
	}
	if in.StartDate.IsZero() {
		return nil, badInput(call, "StartDate is zero: say from when on")
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetUsageHistoryV2Response, error) {
		return gql.GetUsageHistoryV2(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.UsageHistoryV2, nil
}

// HistoryV1 is History in the shape that Stigg had first: the usage of all dimensions together, and besides, with GroupBy, that of each
// group. The reset period of the entitlement holds unless one is given.
//
// CustomerRefId, FeatureRefId and StartDate are required.
//
// Deprecated: Stigg has History in its place.
func (s *Usage) HistoryV1(ctx context.Context, in UsageHistoryV1Input) (*UsageHistoryV1, error) {
	const call = "usage history"
	if err := required(call, "CustomerRefId", in.CustomerRefId); err != nil {
		return nil, err
	}
	if err := required(call, "FeatureRefId", in.FeatureRefId); err != nil {
		return nil, err
	}
	if in.StartDate.IsZero() {
		return nil, badInput(call, "StartDate is zero: say from when on")
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.GetUsageHistoryResponse, error) {
		return gql.GetUsageHistory(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.UsageHistory, nil
}

// EstimateUsageCost says what a report of usage would cost in credits, by the wallet that would pay, and what would be left of it.
// Nothing is reported. A feature that no wallet pays for, or that does not exist, has no estimate: Warnings of the answer says why.
//
// CustomerId and FeatureId are required, and Value must be finite; UpdateBehavior is as for [Usage.Report].
func (s *Usage) EstimateUsageCost(ctx context.Context, in EstimateUsageCostInput) (*CreditCostEstimation, error) {
	if err := checkReport("estimate usage cost", in.CustomerId, in.FeatureId, in.Value); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.EstimateUsageCostResponse, error) {
		return gql.EstimateUsageCost(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.EstimateUsageCost, nil
}

// EstimateEventCost says what a raw event would cost in credits, for all features that count it, by the wallet that would pay. Nothing
// is reported. It is otherwise as [Usage.EstimateUsageCost].
//
// CustomerId and EventName are required, and Dimensions is a JSON object.
func (s *Usage) EstimateEventCost(ctx context.Context, in EstimateEventCostInput) (*CreditCostEstimation, error) {
	const call = "estimate event cost"
	if err := required(call, "CustomerId", in.CustomerId); err != nil {
		return nil, err
	}
	if err := required(call, "EventName", in.EventName); err != nil {
		return nil, err
	}
	reply, err := ask(ctx, s.c, func(ctx context.Context) (*gql.EstimateEventCostResponse, error) {
		return gql.EstimateEventCost(ctx, s.c.api, in)
	})
	if err != nil {
		return nil, err
	}
	return &reply.EstimateEventCost, nil
}

func checkReport(call, customerID, featureID string, value float64) error {
	if err := required(call, "CustomerId", customerID); err != nil {
		return err
	}
	if err := required(call, "FeatureId", featureID); err != nil {
		return err
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return badInput(call, fmt.Sprintf("Value is %v: give a finite number", value))
	}
	return nil
}

// acknowledged is the answer of an offline client, as of Stigg's Node SDK: acknowledged and dropped.
func acknowledged(customerID, featureID string, resourceID *string) *ReportedUsage {
	return &ReportedUsage{Id: rand.Text(), CustomerId: customerID, FeatureId: featureID, ResourceId: resourceID}
}
