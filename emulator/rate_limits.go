package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// perMinute is how often each root field may be asked for with one API key, as Stigg documents it. Those that stand together share
// one limit. What is not listed has none.
var perMinute = []struct {
	limit  int
	fields []string
}{
	{3000, []string{"reportUsage"}},
	{3000, []string{"getSubscription"}},
	{3000, []string{"getCustomerByRefId"}},
	{3000, []string{"paywall"}},
	{3000, []string{"estimateSubscription", "estimateSubscriptionUpdate", "previewSubscription", "previewNextInvoice", "estimateUsageCost", "estimateEventCost"}},
	{1500, []string{"subscriptions"}},
	{1500, []string{"customerPortal"}},
	{1500, []string{"creditGrants"}},
	{600, []string{"reportUsageBulk"}},
	{500, []string{"coupons"}},
	{500, []string{"revokePromotionalEntitlement"}},
	{500, []string{"creditsLedger"}},
	{500, []string{"creditUsage"}},
	{500, []string{"creditBalanceSummary"}},
	{500, []string{"voidCreditGrant"}},
	{250, []string{"provisionCustomer"}},
	{250, []string{"updateOneCustomer"}},
	{250, []string{"archiveCustomer"}},
	{250, []string{"provisionSubscriptionV2"}},
	{250, []string{"applySubscription"}},
	{250, []string{"updateOneSubscription"}},
	{250, []string{"cancelSubscription"}},
	{250, []string{"migrateSubscriptionToLatest"}},
	{250, []string{"usageHistoryV2"}},
	{250, []string{"createCreditGrant"}},
	// Documented for Edge, where these are the same reads; the emulator counts them together wherever they are asked for.
	{6000, []string{"edge", "entitlement", "entitlementV2", "cachedEntitlements", "entitlementsState", "getActiveSubscriptions"}},
}

const (
	// eventsPerSecond is how many raw events a key may report.
	eventsPerSecond = 1000
	// mutationsPerEntity is how many mutations a minute one customer, one subscription, and one resource of a customer may see, each.
	mutationsPerEntity = 30
)

// rateLimiter counts requests in windows that begin with the first request in them.
type rateLimiter struct {
	mu      sync.Mutex // guards what follows
	windows map[string]*rateWindow
	swept   time.Time
}

type rateWindow struct {
	began time.Time
	span  time.Duration
	count int
}

// take counts a request, unless that would be one too many: then it answers how long to wait.
func (l *rateLimiter) take(name string, limit, cost int, span time.Duration, now time.Time) (wait time.Duration) {
	w := l.windows[name]
	if w == nil || now.Sub(w.began) >= span {
		w = &rateWindow{began: now, span: span}
		l.windows[name] = w
	}
	if w.count+cost > limit && w.count > 0 {
		return span - now.Sub(w.began)
	}
	w.count += cost
	return 0
}

// check counts a request of a key, and answers how long it has to wait when it is one too many for any limit.
func (l *rateLimiter) check(key string, fields []string, variables map[string]any, mutation bool, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil {
		l.windows = map[string]*rateWindow{}
	}
	l.sweep(now)
	var wait time.Duration
	for i, row := range perMinute {
		for _, f := range row.fields {
			for _, asked := range fields {
				if f == asked {
					wait = max(wait, l.take(fmt.Sprintf("%s\x00%d", key, i), row.limit, 1, time.Minute, now))
				}
			}
		}
	}
	for _, asked := range fields {
		if asked == "reportEvent" {
			wait = max(wait, l.take(key+"\x00events", eventsPerSecond, eventsIn(variables), time.Second, now))
		}
	}
	if mutation {
		for _, entity := range entitiesIn(variables) {
			wait = max(wait, l.take(key+"\x00entity "+entity, mutationsPerEntity, 1, time.Minute, now))
		}
	}
	return wait
}

// sweep forgets windows that are over, now and then.
func (l *rateLimiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for name, w := range l.windows {
		if now.Sub(w.began) >= w.span {
			delete(l.windows, name)
		}
	}
}

// unlimited are mutations that have no limit by entity: they are reads by another name, or have one of their own.
var unlimited = map[string]bool{
	"reportUsage": true, "reportUsageBulk": true, "reportEvent": true, "reportEntitlementCheckRequested": true, "consumeCredits": true,
	"consumeCreditsAsync": true, "estimateSubscription": true, "estimateSubscriptionUpdate": true, "previewSubscription": true, "previewNextInvoice": true,
}

// eventsIn counts the events of a reportEvent.
func eventsIn(variables map[string]any) int {
	for _, v := range variables {
		if in, ok := v.(map[string]any); ok {
			if events, ok := in["usageEvents"].([]any); ok {
				return len(events)
			}
		}
	}
	return 1
}

// entitiesIn names what a mutation is about, as far as its variables say: a resource's customer is one of them.
func entitiesIn(variables map[string]any) []string {
	var list []string
	for _, v := range variables {
		in, ok := v.(map[string]any)
		if !ok {
			continue
		}
		text := func(names ...string) string {
			for _, n := range names {
				if s, ok := in[n].(string); ok && s != "" {
					return s
				}
			}
			return ""
		}
		resource := text("resourceId")
		if c := text("customerId", "refId"); c != "" {
			if list = append(list, "customer "+c); resource != "" {
				list = append(list, "resource "+c+"\x00"+resource)
			}
		}
		if s := text("subscriptionId", "subscriptionRefId"); s != "" {
			list = append(list, "subscription "+s)
		}
	}
	return list
}

const (
	codeRateLimitExceeded = "RateLimitExceeded"
	tooMany               = "too many requests with this API key"
)

// overLimit counts a request, when limits are on, and answers how long it has to wait when it is one too many.
func (e *Emulator) overLimit(key string, req *Request, document string) time.Duration {
	if !e.config.RateLimits {
		return 0
	}
	mutation := scanOperation(document, req.Name).kind == "mutation"
	for _, f := range req.Fields {
		mutation = mutation && !unlimited[f]
	}
	return e.limits.check(key, req.Fields, req.Variables, mutation, time.Now())
}

// limited answers a request that is one too many.
func (e *Emulator) limited(w http.ResponseWriter, key string, req *Request, document string) bool {
	wait := e.overLimit(key, req, document)
	if wait <= 0 {
		return false
	}
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	body, _ := json.Marshal(failure(codeRateLimitExceeded, tooMany)) // of strings alone: it cannot fail
	Reply{Status: http.StatusTooManyRequests, Body: string(body)}.write(w)
	return true
}
