package emulator

import (
	"context"
	"slices"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// EntitlementCheck is a check that a client reported.
type EntitlementCheck struct {
	At                 time.Time `json:"at"`
	CustomerID         string    `json:"customerId"`
	ResourceID         string    `json:"resourceId,omitempty"`
	FeatureID          string    `json:"featureId"`
	RequestedUsage     float64   `json:"requestedUsage,omitempty"`
	RequestedValues    []string  `json:"requestedValues,omitempty"`
	HasAccess          bool      `json:"hasAccess"`
	AccessDeniedReason string    `json:"accessDeniedReason,omitempty"`
	CurrentUsage       *float64  `json:"currentUsage,omitempty"`
	UsageLimit         *float64  `json:"usageLimit,omitempty"`
}

// maxChecks is how many reported checks are remembered.
const maxChecks = 1000

// EntitlementChecks returns the checks that clients reported, the latest 1,000, oldest first.
func (e *Emulator) EntitlementChecks() []EntitlementCheck {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]EntitlementCheck{}, e.state.checks[max(0, len(e.state.checks)-maxChecks):]...)
}

// ReportEntitlementCheckRequested remembers a check. Whom and what it names need not exist: that may be why it was denied.
func (*mutation) ReportEntitlementCheckRequested(ctx context.Context, args wire.MutationReportEntitlementCheckRequestedArgs) (bool, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	in := &args.EntitlementCheckRequested
	if in.CustomerID == "" || in.FeatureID == "" {
		return false, errorf(codeBadUserInput, "give customerId and featureId")
	}
	result := &in.EntitlementCheckResult
	check := EntitlementCheck{
		At: m.e.instant().UTC(), CustomerID: in.CustomerID, ResourceID: in.ResourceID.Or(""), FeatureID: in.FeatureID,
		RequestedUsage: in.RequestedUsage.Or(0), RequestedValues: in.RequestedValues.Or(nil), HasAccess: result.HasAccess,
		AccessDeniedReason: string(result.AccessDeniedReason.Or("")), CurrentUsage: result.CurrentUsage.Value, UsageLimit: result.UsageLimit.Value,
	}
	a := &m.e.state
	if a.checks = append(a.checks, check); len(a.checks) >= 2*maxChecks {
		a.checks = slices.Clone(a.checks[len(a.checks)-maxChecks:])
	}
	return true, nil
}
