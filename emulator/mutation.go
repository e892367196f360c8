package emulator

import (
	"context"
	"github.com/entcache/entcache/emulator/internal/wire"
)

// ReportUsage counts usage of a metered feature.
func (*mutation) ReportUsage(ctx context.Context, args wire.MutationReportUsageArgs) (*wire.UsageMeasurementWithCurrentUsage, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	return m.e.reportUsage(reportOf(wire.ReportUsageBaseInput{
		CustomerID: args.Input.CustomerID, ResourceID: args.Input.ResourceID, FeatureID: args.Input.FeatureID,
		Value: args.Input.Value, UpdateBehavior: args.Input.UpdateBehavior,
		IdempotencyKey: args.Input.IdempotencyKey, CreatedAt: args.Input.CreatedAt, Dimensions: args.Input.Dimensions,
	}))
}

// maxBulk is how many reports the API takes at once.
const maxBulk = 100

// ReportUsageBulk counts several reports in order. The first that fails ends the call; those before it are counted.
func (*mutation) ReportUsageBulk(ctx context.Context, args wire.MutationReportUsageBulkArgs) ([]*wire.UsageMeasurementWithCurrentUsage, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	if n := len(args.Input.Usages); n > maxBulk {
		return nil, errorf(codeBadUserInput, "%d reports are more than %d", n, maxBulk)
	}
	answers := []*wire.UsageMeasurementWithCurrentUsage{}
	for _, in := range args.Input.Usages {
		answer, err := m.e.reportUsage(reportOf(in))
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func reportOf(in wire.ReportUsageBaseInput) usageReport {
	return usageReport{
		customerID: in.CustomerID, resourceID: in.ResourceID.Or(""), featureID: in.FeatureID, value: in.Value,
		set: in.UpdateBehavior.Or(wire.UsageUpdateBehavior("DELTA")) == wire.UsageUpdateBehavior("SET"),
		key: in.IdempotencyKey.Or(""), at: in.CreatedAt.Or(wire.DateTime{}).Time, dimensions: dimensionsOf(in.Dimensions),
	}
}

func dimensionsOf(in wire.Opt[wire.JSON]) map[string]string {
	object, _ := in.Or(wire.JSON{}).Value.(map[string]any)
	return words(object)
}
