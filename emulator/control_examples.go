package emulator

import "encoding/json"

// controlExamples has, for each path that takes something, how it is asked: a body, or the address with its parameters, in JSON. They are
// of a customer acme on a plan of the demo catalog, and show each field with a value of its type.
var controlExamples = map[string]json.RawMessage{
	"/snapshot":  json.RawMessage(`"/snapshot?customerId=acme&resourceId=site"`),
	"/history":   json.RawMessage(`"/history?customerId=acme&resourceId=site&since=0"`),
	"/requests":  json.RawMessage(`"/requests?since=0"`),
	"/checkouts": json.RawMessage(`"/checkouts?customerId=acme"`),

	"/faults/refuse":              json.RawMessage(`{"on":true,"for":"5s"}`),
	"/faults/delay":               json.RawMessage(`{"delay":"200ms","for":"1m"}`),
	"/faults/hang-http":           json.RawMessage(`{"on":true,"for":"30s"}`),
	"/faults/half-open":           json.RawMessage(`{"on":true,"for":"1m"}`),
	"/faults/close-sockets":       json.RawMessage(`{"code":4408,"reason":"Connection initialisation timeout"}`),
	"/faults/fail-next":           json.RawMessage(`{"n":3,"reply":{"status":429,"headers":{"Retry-After":"2"},"body":"slow down","truncate":false}}`),
	"/faults/fail-handshakes":     json.RawMessage(`{"n":1,"reply":{"status":503}}`),
	"/faults/fail-operation":      json.RawMessage(`{"operation":"ReportUsage","code":"RateLimitExceeded"}`),
	"/faults/replace-reply":       json.RawMessage(`{"operation":"reportUsage","reply":{"status":200,"body":"{\"data\":","truncate":true}}`),
	"/faults/restore-reply":       json.RawMessage(`{"operation":"reportUsage"}`),
	"/faults/error-subscriptions": json.RawMessage(`{"code":"UnexpectedError"}`),
	"/faults/inject-frame":        json.RawMessage(`{"frame":"{\"type\":\"ping\"}"}`),
	"/faults/drop-events":         json.RawMessage(`{"n":2}`),
	"/faults/drop-events-if":      json.RawMessage(`{"match":{"kind":"usage","customerId":"acme","resourceId":"site","featureId":"seats","currencyId":""}}`),
	"/faults/duplicate-events":    json.RawMessage(`{"n":2}`),
	"/faults/reorder-events":      json.RawMessage(`{"n":1}`),
	"/faults/replay-events":       json.RawMessage(`{"n":2,"behind":1}`),
	"/faults/delay-events":        json.RawMessage(`{"delay":"1.5s","for":"1m"}`),

	"/provision":         json.RawMessage(`{"customerId":"acme","resourceId":"site","planId":"starter"}`),
	"/report":            json.RawMessage(`{"customerId":"acme","resourceId":"site","featureId":"seats","delta":1}`),
	"/archive":           json.RawMessage(`{"customerId":"acme"}`),
	"/unarchive":         json.RawMessage(`{"customerId":"acme"}`),
	"/recalculate":       json.RawMessage(`{"customerId":"acme"}`),
	"/grant-promotional": json.RawMessage(`{"customerId":"acme","entitlement":{"feature":"seats","limit":20},"for":"168h"}`),
	"/set-entitlement":   json.RawMessage(`{"customerId":"acme","resourceId":"","entitlement":{"feature":"api-calls","limit":50,"softLimit":true,"reset":"month"}}`),
	"/deny-entitlement":  json.RawMessage(`{"customerId":"acme","resourceId":"","entitlement":{"feature":"themes","values":["light"]},"reason":"Revoked"}`),
	"/clear-entitlement": json.RawMessage(`{"customerId":"acme","resourceId":"","featureId":"themes"}`),
	"/publish-plan":      json.RawMessage(`{"plan":{"id":"team","product":"app","name":"Team","entitlements":[{"feature":"seats","limit":8}]},"migration":"ALL_CUSTOMERS"}`),
	"/update-catalog": json.RawMessage(`{"catalog":{"features":[{"id":"seats","type":"number","meter":"fluctuating"}],"products":[{"id":"app"}],` +
		`"plans":[{"id":"starter","product":"app","entitlements":[{"feature":"seats","limit":3}]}]},"migration":"NEW_CUSTOMERS"}`),
	"/clock/advance":     json.RawMessage(`{"by":"720h"}`),
	"/clock/set":         json.RawMessage(`{"to":"2100-01-31T00:00:00Z"}`),
	"/add-api-key":       json.RawMessage(`{"key":"server-another-key"}`),
	"/revoke-api-key":    json.RawMessage(`{"key":"server-another-key"}`),
	"/checkout/complete": json.RawMessage(`{"customerId":"acme"}`),
	"/payment-method":    json.RawMessage(`{"customerId":"acme","on":true}`),
}
