package entcache

import (
	"context"
	"slices"

	"github.com/entcache/entcache/gql"
)

// ReportEntitlementCheck tells Stigg that a check was made, and how it was decided: q as it was asked, d as [Client.GetEntitlement]
// answered it. It is a request to Stigg, and waits for it. Nothing calls it but the program: no check reports itself, because a check
// from memory takes less than a thousandth of the time of a request. Report those that matter, such as denials that a salesperson
// should hear of, from a goroutine that may wait.
//
// Only checks of features can be reported; a query of a CurrencyID is [ErrBadInput]. Nothing that a check sees changes, and a report
// is not repeated when its outcome is unknown, since Stigg would count it twice.
func (c *Client) ReportEntitlementCheck(ctx context.Context, q Query, d Decision) error {
	const call = "report entitlement check"
	if err := required(call, "CustomerID", q.CustomerID); err != nil {
		return err
	}
	if err := required(call, "FeatureID (checks of credits cannot be reported)", q.FeatureID); err != nil {
		return err
	}
	if err := q.Validate(); err != nil {
		return badInput(call, err.Error())
	}
	in := gql.EntitlementCheckRequested{
		CustomerId: q.CustomerID, FeatureId: q.FeatureID, RequestedValues: slices.Clone(q.RequestedValues), EntitlementCheckResult: checkResult(d),
	}
	if q.ResourceID != "" {
		in.ResourceId = &q.ResourceID
	}
	if q.RequestedUsage != 0 {
		in.RequestedUsage = &q.RequestedUsage
	}
	in.EntitlementCheckResult.RequestedUsage, in.EntitlementCheckResult.RequestedValues = in.RequestedUsage, in.RequestedValues
	_, err := write(ctx, c, ifRefused, nil, func(ctx context.Context) (*gql.ReportEntitlementCheckRequestedResponse, error) {
		return gql.ReportEntitlementCheckRequested(ctx, c.api, in)
	})
	return err
}

// checkResult is a decision in Stigg's terms. What a decision without an entitlement says is its access and its reason.
func checkResult(d Decision) gql.EntitlementCheckResult {
	out := gql.EntitlementCheckResult{HasAccess: d.HasAccess}
	if d.AccessDeniedReason != "" {
		out.AccessDeniedReason = new(gql.AccessDeniedReason(d.AccessDeniedReason))
	}
	e := d.Entitlement
	if !e.Exists() {
		return out
	}
	switch e.FeatureType() {
	case FeatureEnum:
		out.EnumValues = e.EnumValues()
	case FeatureNumber:
		out.HasSoftLimit, out.HasUnlimitedUsage = new(e.HasSoftLimit()), new(e.HasUnlimitedUsage())
		if limit, ok := e.UsageLimit(); ok {
			out.UsageLimit = &limit
		}
		out.CurrentUsage = new(e.CurrentUsage())
		if p := e.ResetPeriod().String(); p != "" {
			out.ResetPeriod = new(gql.EntitlementResetPeriod(p))
		}
		if _, end := e.UsagePeriod(); !end.IsZero() {
			out.NextResetDate = &DateTime{Time: end}
		}
	}
	return out
}

// SDKConfiguration returns what Stigg tells clients about themselves: whether widgets carry a watermark, and where the official clients
// report their own errors; this one does not. It is the smallest question there is, and so the way to learn whether the API key is
// accepted: [ErrUnauthenticated] when it is not. [Client.Start] asks it when there is no stream. The answer may be nil.
func (c *Client) SDKConfiguration(ctx context.Context) (*SDKConfiguration, error) {
	reply, err := ask(ctx, c, func(ctx context.Context) (*gql.GetSdkConfigurationResponse, error) {
		return gql.GetSdkConfiguration(ctx, c.api)
	})
	if err != nil {
		return nil, err
	}
	return reply.SdkConfiguration, nil
}
