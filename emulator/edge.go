package emulator

import "net/http"

// What the Edge API answers, as the operations that it stands for. Like the real one, it selects everything.
const (
	edgeFeature    = `feature{refId featureType meterType featureUnits featureUnitsPlural displayName description additionalMetaData unitTransformation{divide round}}`
	edgePeriod     = `resetPeriod resetPeriodConfiguration{__typename ...on YearlyResetPeriodConfig{yearlyAccordingTo} ...on MonthlyResetPeriodConfig{monthlyAccordingTo} ...on WeeklyResetPeriodConfig{weeklyAccordingTo}} usagePeriodAnchor usagePeriodStart usagePeriodEnd`
	edgeShared     = `isGranted accessDeniedReason usageLimit hasSoftLimit currentUsage entitlementUpdatedAt usageUpdatedAt validUntil`
	edgeFeatureSet = `hasUnlimitedUsage enumValues creditRate{amount currencyId} ` + edgeShared + ` ` + edgePeriod + ` ` + edgeFeature
	edgeV1         = `{__typename customerId resourceId nextResetDate displayNameOverride requestedUsage requestedValues ` + edgeFeatureSet + `}`
	// validUntil has another type on each of these, so one of the pair goes by the member's own selection.
	edgeV2 = `{__typename ...on FeatureEntitlement{` + edgeFeatureSet + `} ...on CreditEntitlement{` + edgeShared +
		` usagePeriodEnd currency{currencyId displayName description unitSingular unitPlural additionalMetaData}}}`

	edgeState         = `query($query:FetchEntitlementsQuery!){entitlementsState(query:$query){accessDeniedReason entitlements` + edgeV1 + ` entitlementsV2` + edgeV2 + `}}`
	edgeEntitlements  = `query($query:FetchEntitlementsQuery!){entitlements:cachedEntitlements(query:$query)` + edgeV1 + `}`
	edgeConfiguration = `{sdkConfiguration{sentryDsn isWidgetWatermarkEnabled showWatermark}}`
)

// serveEdge answers a path of the Edge API with what document yields for its customer and resource.
func (e *Emulator) serveEdge(document string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e.logRequest("edge", "", []string{"edge"})
		if !e.faults.before(w, r, false) {
			return
		}
		if !e.authorized(r.Header.Get("X-API-KEY")) {
			writeJSON(w, http.StatusUnauthorized, unauthenticated())
			return
		}
		variables := map[string]any{}
		if id := r.PathValue("customerId"); id != "" {
			q := map[string]any{"customerId": id}
			if resource := r.URL.Query().Get("resourceId"); resource != "" {
				q["resourceId"] = resource
			}
			variables["query"] = q
		}
		info := &Request{Transport: "edge", Fields: []string{"edge"}, Variables: variables, Header: r.Header}
		e.arrived(info)
		if code := e.faults.denial(info); code != "" {
			writeJSON(w, http.StatusOK, failure(code, "the emulator was told to fail this operation"))
			return
		}
		if e.limited(w, r.Header.Get("X-API-KEY"), info, document) {
			return
		}
		resp := e.execute(r.Context(), request{Query: document, Variables: variables})
		if reply, ok := e.faults.replacement(info); ok {
			reply.write(w)
			return
		}
		writeJSON(w, http.StatusOK, resp)
	}
}
