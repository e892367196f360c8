package entcache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// official is every document of Stigg's official client: its name, and the root field that it asks for.
var official = map[string]string{
	"ProvisionCustomer": "provisionCustomer", "ImportCustomer": "importOneCustomer", "ImportCustomerBulk": "importCustomersBulk",
	"UpdateCustomer": "updateOneCustomer", "DetachCustomerPaymentMethod": "detachCustomerPaymentMethod", "ArchiveCustomer": "archiveCustomer",
	"UnarchiveCustomer": "unarchiveCustomer", "GetCustomerById": "getCustomerByRefId", "GetCustomerStatistics": "getCustomerByRefId",
	"ProvisionSubscription": "provisionSubscriptionV2", "ApplySubscription": "applySubscription", "CreateSubscription": "createSubscription",
	"UpdateSubscription": "updateOneSubscription", "CancelSubscription": "cancelSubscription", "CancelSubscriptionUpdates": "cancelSchedule",
	"MigrateSubscriptionToLatest": "migrateSubscriptionToLatest", "TransferSubscription": "transferSubscription",
	"TransferSubscriptionToResource": "transferSubscriptionToResource", "DelegateSubscriptionToCustomer": "delegateSubscriptionToCustomer",
	"ImportSubscriptionsBulk": "importSubscriptionsBulk", "EstimateSubscription": "estimateSubscription",
	"EstimateSubscriptionUpdate": "estimateSubscriptionUpdate", "PreviewSubscription": "previewSubscription", "PreviewNextInvoice": "previewNextInvoice",
	"GetActiveSubscriptions": "getActiveSubscriptions", "GetActiveSubscriptionsList": "getActiveSubscriptions", "GetSubscriptions": "subscriptions",
	"GetSubscription": "getSubscription", "GetCoupons": "coupons", "CreateCoupon": "createOneCoupon",
	"GrantPromotionalEntitlements": "grantPromotionalEntitlements", "RevokePromotionalEntitlement": "revokePromotionalEntitlement",
	"GrantPromotionalEntitlementsGroup": "grantPromotionalEntitlementsGroup", "RevokePromotionalEntitlementsGroup": "revokePromotionalEntitlementsGroup",
	"UnlinkPromotionalEntitlementsGroup": "unlinkPromotionalEntitlementsGroup", "ReportUsage": "reportUsage", "ReportUsageBulk": "reportUsageBulk",
	"ReportEvent": "reportEvent", "ConsumeCredits": "consumeCredits", "ConsumeCreditsAsync": "consumeCreditsAsync", "GetUsageHistory": "usageHistory",
	"GetUsageHistoryV2": "usageHistoryV2", "EstimateEventCost": "estimateEventCost", "EstimateUsageCost": "estimateUsageCost",
	"GetCreditBalance": "creditBalanceSummary", "GrantCredits": "createCreditGrant", "VoidCreditGrant": "voidCreditGrant", "GetCreditGrants": "creditGrants",
	"GetCreditLedger": "creditsLedger", "GetCreditUsage": "creditUsage", "GetAutomaticRechargeConfiguration": "getAutoRechargeSettings",
	"SaveAutomaticRechargeConfiguration": "saveAutoRechargeSettings", "GetPaywall": "paywall", "GetMockPaywall": "mockPaywall", "GetProducts": "products",
	"GetCustomerPortalByRefId": "customerPortal", "GetCheckoutState": "checkoutState", "CreatePaymentSession": "createPaymentSession",
	"GetEntitlements": "cachedEntitlements", "GetEntitlementsState": "entitlementsState", "GetEntitlement": "entitlement", "GetEntitlementV2": "entitlementV2",
	"GetSdkConfiguration": "sdkConfiguration", "ReportEntitlementCheckRequested": "reportEntitlementCheckRequested",
	"OnEntitlementsUpdated": "entitlementsUpdated", "OnEntitlementsUpdatedV2": "entitlementsUpdatedV2", "OnUsageUpdated": "usageUpdated",
	"OnUsageUpdatedV2": "usageUpdatedV2", "OnPackagePublished": "packagePublished", "OnCreditBalanceUpdated": "creditBalanceUpdated",
}

// unsent are the operations that this client never sends, because another that it does send answers the same and more: what a program
// calls for it, and the other. TestWhatIsNotAskedIsAnsweredAlike compares the answers, as far as they are answers to a question.
var unsent = map[string]struct{ method, by string }{
	"GetEntitlements":       {"Client.Entitlements", "GetEntitlementsState"},
	"GetEntitlement":        {"Client.GetEntitlement", "GetEntitlementsState"},
	"GetEntitlementV2":      {"Client.GetEntitlement", "GetEntitlementsState"},
	"OnEntitlementsUpdated": {"Client.Start", "OnEntitlementsUpdatedV2"},
	"OnUsageUpdated":        {"Client.Start", "OnUsageUpdatedV2"},
	// It tells the balance of one currency as a whole; the usage of the wallet, which the other has, says what a check needs.
	"OnCreditBalanceUpdated": {"Client.Start", "OnUsageUpdatedV2"},
}

// followed are the operations behind the methods of the client itself.
var followed = []struct {
	method, operation string
	call              func(ctx context.Context, w *world) error
}{
	{"Client.Start", "OnEntitlementsUpdatedV2", start()},
	{"Client.Start", "OnUsageUpdatedV2", start()},
	{"Client.Start", "OnPackagePublished", start()},
	{"Client.Start", "GetSdkConfiguration", start(entcache.WithoutRealtime())},
	{"Client.GetEntitlement", "GetEntitlementsState", func(ctx context.Context, w *world) error {
		return discard(w.client.GetEntitlement(ctx, entcache.Query{CustomerID: "acme", FeatureID: "seats"}))
	}},
	{"Client.Entitlements", "GetEntitlementsState", func(ctx context.Context, w *world) error {
		return discard(w.client.Entitlements(ctx, entcache.Key{CustomerID: "acme"}))
	}},
	{"Client.Reload", "GetEntitlementsState", func(ctx context.Context, w *world) error {
		return discard(w.client.Reload(ctx, entcache.Key{CustomerID: "acme"}))
	}},
}

func start(opts ...entcache.Option) func(context.Context, *world) error {
	return func(_ context.Context, w *world) error {
		c := w.newClient(opts...)
		w.start(c)
		return c.Close()
	}
}

// readied is what has to be there for a call of the table of services to succeed, besides a customer acme on the plan free.
var readied = map[string]func(w *world) error{
	"Subscriptions.MigrateToLatest": func(w *world) error {
		return w.stigg.PublishPlan(emulator.Plan{ID: "free", Product: "app", Entitlements: []emulator.Entitlement{{Feature: "sso"}}}, emulator.NewCustomers)
	},
	"Subscriptions.Transfer":  func(w *world) error { return w.stigg.Provision("acme", "site", "starter") },
	"Checkout.State":          billed,
	"Checkout.PaymentSession": billed,
	"Credits.Consume":         func(w *world) error { return w.stigg.Provision("acme", "", "growth") },
	"Credits.Void":            func(w *world) error { return call(w, "Credits.Grant") },
	"Promotions.Revoke":       func(w *world) error { return call(w, "Promotions.Grant") },
	"Promotions.RevokeGroup":  func(w *world) error { return call(w, "Promotions.GrantGroup") },
	"Promotions.UnlinkGroup":  func(w *world) error { return call(w, "Promotions.GrantGroup") },
}

// billed has the emulator sell what it has in its catalog.
func billed(w *world) error {
	catalog := emulator.DemoCatalog()
	catalog.Billing = &emulator.Billing{}
	return w.stigg.UpdateCatalog(catalog, emulator.NewCustomers)
}

// call makes a call of the table of services.
func call(w *world, name string) error { return services[name].call(w.Context(), w.client, "") }

// subject is the id that a call of the table of services takes: that of acme's subscription, or of the grant that is voided.
func subject(w *world, name string) (string, error) {
	if name == "Credits.Void" {
		var id string
		for g, err := range w.client.Credits.Grants(w.Context(), entcache.CreditGrantsInput{CustomerId: "acme"}) {
			if err != nil {
				return "", err
			}
			id = g.GrantId
		}
		return id, nil
	}
	active, err := w.client.Subscriptions.ActiveList(w.Context(), "acme")
	if err != nil || len(active) == 0 {
		return "", fmt.Errorf("subscriptions of acme: %+v, %w", active, err)
	}
	return active[0].SubscriptionId, nil
}

// TestEveryOperationIsComplete: every root field of the schema is that of an official operation, and every official operation
//
//   - is sent by a method of the client, which exists (by reflection) and which the test that is named for it calls (by its source);
//   - has been called, one against the other, just now: the emulator recorded that it came, and the call succeeded;
//   - stands in one row of docs/operations.md with that method.
//
// Of those that are not sent, the emulator's own tests show that it answers them.
func TestEveryOperationIsComplete(t *testing.T) {
	fields := rootFields(t)
	if len(official) != 70 || len(fields) != 68 {
		t.Errorf("%d official operations and %d root fields, want 70 and 68", len(official), len(fields))
	}
	asked := slices.Sorted(maps.Values(official))
	for _, f := range fields {
		if !slices.Contains(asked, f) {
			t.Errorf("the schema has a root field %s: name the operation that asks for it", f)
		}
	}
	for op, f := range official {
		if !slices.Contains(fields, f) {
			t.Errorf("%s asks for %s, which is no root field", op, f)
		}
	}
	docs := text(t, "docs/operations.md")
	lacks := func(op, format string, args ...any) {
		t.Helper()
		t.Errorf("%s is not complete: %s", op, fmt.Sprintf(format, args...))
	}
	seen := record(t)
	methods := clientMethods()
	for _, op := range slices.Sorted(maps.Keys(official)) {
		rows := seen[op]
		if u, ok := unsent[op]; ok {
			rows = []called{{method: u.method}}
			if len(seen[u.by]) == 0 {
				t.Errorf("%s is not sent, and neither is %s, which stands for it", op, u.by)
			}
			if len(seen[op]) > 0 {
				t.Errorf("%s is sent now: take it off unsent", op)
			}
		}
		if len(rows) == 0 {
			lacks(op, "no row of a table of tests is about it: see services and followed")
		}
		for _, row := range rows {
			switch {
			case row.err != nil:
				lacks(op, "%s failed: %v", row.method, row.err)
			case row.method != "" && !methods[row.method]:
				lacks(op, "%s does not exist", row.method)
			}
			if !slices.ContainsFunc(strings.Split(docs, "\n"), func(line string) bool {
				return strings.Contains(line, "`"+op+"`") && strings.Contains(line, "`"+row.method+"`")
			}) {
				lacks(op, "no line of docs/operations.md has it and %s", row.method)
			}
		}
		if !strings.Contains(docs, "`"+op+"`") {
			t.Errorf("docs/operations.md does not name %s", op)
		}
	}
}

// TestEveryMethodOfAServiceIsInTheTable: what is not there is called by no test of all services together.
func TestEveryMethodOfAServiceIsInTheTable(t *testing.T) {
	for name := range clientMethods() {
		if !strings.HasPrefix(name, "Client.") && !strings.HasPrefix(name, "Meter.") && services[name].call == nil {
			t.Errorf("the table of services has no %s", name)
		}
	}
	calls := tableCalls(t)
	for name := range services {
		if !calls[name] {
			t.Errorf("the row %s does not call it", name)
		}
	}
	for name := range readied {
		if services[name].call == nil {
			t.Errorf("readied has %s, which is no service", name)
		}
	}
}

// called is one method that was called, and what came of it.
type called struct {
	method string
	err    error
}

// record makes every call there is a table for, each against an emulator of its own that records what comes, and returns the calls by
// the operation that each is to send. One that sends another is an error.
func record(t *testing.T) map[string][]called {
	t.Helper()
	seen := map[string][]called{}
	add := func(method, operation string, ready func(*world) error, do func(context.Context, *world) error) {
		bubble(t, func(t *testing.T) {
			w := newWorldOf(t, emulator.Config{RequestLog: 1000})
			w.start(w.client)
			if ready != nil {
				if err := ready(w); err != nil {
					seen[operation] = append(seen[operation], called{method, fmt.Errorf("made ready: %w", err)})
					return
				}
			}
			before := len(w.stigg.RequestLog(0))
			err := do(t.Context(), w)
			synctest.Wait()
			log := w.stigg.RequestLog(0)[before:]
			if !slices.ContainsFunc(log, func(r emulator.LoggedRequest) bool {
				return r.Name == operation && slices.Equal(r.Fields, []string{official[operation]})
			}) {
				t.Errorf("%s sent %+v, and not %s, asking for %q (%v)", method, log, operation, official[operation], err)
			}
			seen[operation] = append(seen[operation], called{method, err})
		})
	}
	for name, s := range services {
		if official[s.operation] != s.field {
			t.Errorf("%s sends %s, which asks for %q, not for %q", name, s.operation, official[s.operation], s.field)
		}
		add(name, s.operation, readied[name], func(ctx context.Context, w *world) error {
			subject, err := subject(w, name)
			if err != nil {
				return err
			}
			return s.call(ctx, w.client, subject)
		})
	}
	for _, f := range followed {
		add(f.method, f.operation, nil, f.call)
	}
	return seen
}

// clientMethods are the exported methods of the client and of its services, such as "Customers.Get".
func clientMethods() map[string]bool {
	names := map[string]bool{}
	of := func(service string, typ reflect.Type) {
		for m := range typ.Methods() {
			names[service+"."+m.Name] = true
		}
	}
	of("Client", reflect.TypeFor[*entcache.Client]())
	for f := range reflect.TypeFor[entcache.Client]().Fields() {
		if f.IsExported() {
			of(f.Name, f.Type)
		}
	}
	return names
}

// tableCalls reads the tests: which of the rows that are named for a method, such as "Customers.Get", have a function that calls it.
func tableCalls(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			row, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			key, ok := row.Key.(*ast.BasicLit)
			if !ok || key.Kind != token.STRING {
				return true
			}
			name, _ := strconv.Unquote(key.Value)
			service, method, _ := strings.Cut(name, ".")
			ast.Inspect(row.Value, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if m, ok := call.Fun.(*ast.SelectorExpr); ok && m.Sel.Name == method {
						if s, ok := m.X.(*ast.SelectorExpr); ok && s.Sel.Name == service {
							calls[name] = true
						}
						if _, ok := m.X.(*ast.Ident); ok && service == "Client" {
							calls[name] = true
						}
					}
				}
				return true
			})
			return true
		})
	}
	return calls
}

var rootField = regexp.MustCompile(`(?m)^  (\w+)[(:]`)

// rootFields reads the fields of the schema's three roots.
func rootFields(t *testing.T) []string {
	t.Helper()
	schema := text(t, "gql/schema/schema.graphql")
	var fields []string
	for _, kind := range []string{"Query", "Mutation", "Subscription"} {
		_, body, ok := strings.Cut(schema, "\ntype "+kind+" {\n")
		if !ok {
			t.Fatalf("the schema has no type %s", kind)
		}
		body, _, _ = strings.Cut(body, "\n}")
		for _, m := range rootField.FindAllStringSubmatch(body, -1) {
			fields = append(fields, m[1])
		}
	}
	return fields
}

func text(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The questions that this client never asks are answered as it answers them from memory.
func TestWhatIsNotAskedIsAnsweredAlike(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.provision("initech", "growth")
		if _, err := w.stigg.Report("globex", "", "seats", 4); err != nil {
			t.Fatal(err)
		}
		httpClient := &http.Client{Transport: &http.Transport{DialContext: w.pipe.DialContext, DisableKeepAlives: true}}
		ask := func(document string, into any) {
			t.Helper()
			body, err := json.Marshal(map[string]string{"query": document})
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), "POST", w.pipe.URL()+"/graphql", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("X-API-KEY", emulator.DefaultAPIKey)
			resp, err := httpClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			if err != nil || bytes.Contains(raw, []byte(`"errors"`)) || json.Unmarshal(raw, into) != nil {
				t.Fatalf("%s: %s, %v", document, raw, err)
			}
		}
		for _, customer := range []string{"acme", "globex", "initech"} {
			var list struct {
				Data struct {
					CachedEntitlements []struct{ Feature struct{ RefID string } }
				}
			}
			ask(`{cachedEntitlements(query:{customerId:"`+customer+`"}){feature{refId}}}`, &list)
			set, err := w.client.Entitlements(t.Context(), entcache.Key{CustomerID: customer})
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, e := range list.Data.CachedEntitlements {
				want = append(want, e.Feature.RefID)
			}
			for e := range set.All() {
				if id := e.FeatureID(); id != "" {
					got = append(got, id)
				}
			}
			slices.Sort(want)
			if slices.Sort(got); len(got) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s: the client has %v, cachedEntitlements %v", customer, got, want)
			}
			for _, feature := range []string{"seats", "sso", "api-calls", "exports"} {
				for _, usage := range []float64{0, 1, 2, 1000} {
					var one struct {
						Data struct {
							Entitlement   struct{ IsGranted bool }
							EntitlementV2 struct{ IsGranted bool }
						}
					}
					args := fmt.Sprintf(`(query:{customerId:%q,featureId:%q,options:{requestedUsage:%v}})`, customer, feature, usage)
					ask(`{entitlement`+args+`{isGranted} entitlementV2`+args+`{...on FeatureEntitlement{isGranted}}}`, &one)
					d := w.check(customer, feature, usage)
					if d.HasAccess != one.Data.Entitlement.IsGranted || d.HasAccess != one.Data.EntitlementV2.IsGranted {
						t.Errorf("%v of %s for %s: the client says %v, Stigg %+v", usage, feature, customer, d.HasAccess, one.Data)
					}
				}
			}
		}
	})
}
