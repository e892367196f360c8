package gql

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
)

func TestUnsetInputsAreAbsent(t *testing.T) {
	f, cfg := newFake(t)
	var got request
	f.post = func(w http.ResponseWriter, r *http.Request) {
		got = readRequest(t, r)
		reply(500, ``)(w, r)
	}
	c := mustNew(t, cfg)
	when := DateTime{Time: time.Date(2026, 11, 22, 20, 10, 0, 0, time.FixedZone("", 3600))}
	for want, call := range map[string]func() error{
		`{"input":{"customerId":"c1"}}`: func() error {
			_, err := ProvisionCustomer(t.Context(), c, ProvisionCustomerInput{CustomerId: new("c1")})
			return err
		},
		`{"input":{"additionalMetaData":{"keep":null,"deep":[null]},"createdAt":"2026-11-22T19:10:00.000Z","customerId":"c1","email":"","name":null,"subscriptionParams":null}}`: func() error {
			_, err := ProvisionCustomer(t.Context(), c, ProvisionCustomerInput{
				CustomerId:         new("c1"),
				Email:              new(""),
				Name:               Null[string](),
				CreatedAt:          &when,
				AdditionalMetaData: new(json.RawMessage(`{"keep":null,"deep":[null]}`)),
				SubscriptionParams: Null[ProvisionCustomerSubscriptionInput](),
			})
			return err
		},
		`{"input":{"addons":[{"addonId":"a","quantity":2},{"addonId":"b"}],"billableFeatures":[],"billingPeriod":"MONTHLY","customerId":"c1","planId":"p"}}`: func() error {
			_, err := ProvisionSubscription(t.Context(), c, ProvisionSubscriptionInput{
				CustomerId:       "c1",
				PlanId:           "p",
				BillingPeriod:    new(BillingPeriodMonthly),
				Addons:           []SubscriptionAddonInput{{AddonId: "a", Quantity: new(2)}, {AddonId: "b"}},
				BillableFeatures: []BillableFeatureInput{},
			})
			return err
		},
		`{"input":{"customerId":"c","featureId":"f","idempotencyKey":"k","updateBehavior":"SET","value":-1.5}}`: func() error {
			_, err := ReportUsage(t.Context(), c, ReportUsageInput{
				CustomerId: "c", FeatureId: "f", Value: -1.5, IdempotencyKey: new("k"), UpdateBehavior: new(UsageUpdateBehaviorSet),
			})
			return err
		},
	} {
		if err := call(); err == nil {
			t.Error("no error")
		}
		if string(got.Variables) != want {
			t.Errorf("sent %s\nwant %s", got.Variables, want)
		}
	}
	if err := c.CheckKey(t.Context()); err == nil || got.Variables != nil {
		t.Errorf("sent %s without need", got.Variables)
	}
}

func TestNullIsOnePointerForEachType(t *testing.T) {
	if a, b := Null[string](), Null[string](); a != b || *a != "" {
		t.Errorf("Null[string] = %p, then %p; want one pointer to an empty string", a, b)
	}
	if Null[DateTime]() == nil || Null[json.RawMessage]() == nil {
		t.Error("no Null")
	}
	body, err := requestBody("Op", "query", &struct {
		At   *DateTime        `json:"at"`
		Meta *json.RawMessage `json:"meta"`
		Zero *string          `json:"zero"`
	}{Null[DateTime](), Null[json.RawMessage](), new("")})
	if want := `{"operationName":"Op","query":"query","variables":{"at":null,"meta":null,"zero":""}}`; err != nil || string(body) != want {
		t.Errorf("got %s, %v; want %s", body, err, want)
	}
}

// A list is absent, empty, null, or has elements: four things on the wire.
func TestNullListIsNeitherAbsentNorEmpty(t *testing.T) {
	type addons struct {
		Addons []SubscriptionAddonInput `json:"addons"`
		Tags   []string                 `json:"tags"`
		Flags  []bool                   `json:"flags"`
	}
	NullList[string]() // one that exists makes no other list null
	for want, in := range map[string]addons{
		`{}`:                        {},
		`{"addons":null}`:           {Addons: NullList[SubscriptionAddonInput]()},
		`{"addons":[],"tags":[]}`:   {Addons: []SubscriptionAddonInput{}, Tags: []string{}},
		`{"tags":null,"flags":[]}`:  {Tags: NullList[string](), Flags: make([]bool, 0, 3)},
		`{"tags":["a"],"flags":[]}`: {Tags: append(NullList[string](), "a"), Flags: []bool{}},
	} {
		body, err := requestBody("Op", "query", &in)
		if want = `{"operationName":"Op","query":"query","variables":` + want + `}`; err != nil || string(body) != want {
			t.Errorf("got %s, %v; want %s", body, err, want)
		}
	}
	if a := append(NullList[string](), "a"); a[0] != "a" || len(NullList[string]()) != 0 || cap(NullList[string]()) != 0 {
		t.Error("what was appended to a null list is in all of them")
	}
}

func TestInputThatCannotBeSaid(t *testing.T) {
	f, cfg := newFake(t)
	c := mustNew(t, cfg)
	for _, in := range []ReportUsageInput{
		{CustomerId: "c1", FeatureId: "f", Value: math.NaN()}, {CustomerId: "c1", FeatureId: "f", Value: math.Inf(1)},
		{CustomerId: "c1", FeatureId: "f", CreatedAt: &DateTime{Time: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{CustomerId: "c1", FeatureId: "f", CreatedAt: &DateTime{}}, {CustomerId: "c1", FeatureId: "f", Dimensions: new(json.RawMessage(`{"broken"`))},
		{CustomerId: "c1", FeatureId: "f", Dimensions: new(json.RawMessage("{\"a\":\"\xe4\"}"))},
		{CustomerId: "a\xff", FeatureId: "f"}, {CustomerId: "c1", FeatureId: "f", ResourceId: new("a\xff")},
		{CustomerId: "c1"}, {FeatureId: "f"},
	} {
		_, err := ReportUsage(t.Context(), c, in)
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrBadInput) || e.OutcomeUnknown() || e.Retryable() {
			t.Errorf("ReportUsage(%+v) = %v, want ErrBadInput", in, err)
		}
	}
	if n := len(f.dials()); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// TestOwnOperationsMayHaveEmptyTexts: what the types of another package require is not known here.
func TestOwnOperationsMayHaveEmptyTexts(t *testing.T) {
	body, err := requestBody("Own", "query", &url.Error{Op: "", URL: "u"})
	if want := `"variables":{"Op":"","URL":"u"}`; err != nil || !strings.Contains(string(body), want) {
		t.Errorf("%s, %v; want %s", body, err, want)
	}
}

func TestWritesAnswer(t *testing.T) {
	f, cfg := newFake(t)
	c := mustNew(t, cfg)
	const customer = `{"id":"1","customerId":"c1","refId":"c1","updatedAt":"2026-11-22T19:10:00Z","additionalMetaData":{"a":1}}`
	const subscription = `{"id":"1","subscriptionId":"s","refId":"s","status":"ACTIVE","pricingType":"PAID","paymentCollection":"NOT_REQUIRED","plan":{"id":"p","refId":"plan"},"customer":{"id":"1","refId":"c1"},"prices":null}`

	f.post = reply(200, `{"data":{"provisionCustomer":{"customer":`+customer+`,"subscriptionDecisionStrategy":"SOMETHING_NEW","subscription":`+subscription+`,"entitlementsV2":`+elements(3)+`}}}`)
	made, err := ProvisionCustomer(t.Context(), c, ProvisionCustomerInput{CustomerId: new("c1")})
	p := &made.ProvisionCustomer
	if err != nil || p.Customer.CustomerId != "c1" || p.Subscription.Plan.RefId != "plan" || p.SubscriptionDecisionStrategy != "SOMETHING_NEW" {
		t.Fatalf("ProvisionCustomer = %+v, %v", p, err)
	}
	if snap, err := SnapshotOf(aKey, p.EntitlementsV2); err != nil || snap.Len() != 3 {
		t.Errorf("SnapshotOf = %v, %v", snap, err)
	}

	f.post = reply(200, `{"data":{"provisionSubscriptionV2":{"status":"PAYMENT_REQUIRED","checkoutUrl":"https://pay.test/","subscription":null,"entitlementsV2":null}}}`)
	provisioned, err := ProvisionSubscription(t.Context(), c, ProvisionSubscriptionInput{CustomerId: "c1", PlanId: "p"})
	s := &provisioned.ProvisionSubscriptionV2
	if err != nil || s.Status != ProvisionSubscriptionStatusPaymentRequired || s.Subscription != nil || s.EntitlementsV2 != nil || *s.CheckoutUrl == "" {
		t.Errorf("ProvisionSubscription = %+v, %v", s, err)
	}
	f.post = reply(200, `{"data":{"provisionSubscriptionV2":{"status":"SUCCESS","entitlementsV2":[]}}}`)
	if provisioned, err = ProvisionSubscription(t.Context(), c, ProvisionSubscriptionInput{CustomerId: "c1", PlanId: "p"}); err != nil || provisioned.ProvisionSubscriptionV2.EntitlementsV2 == nil {
		t.Errorf("an empty set is not told from none: %+v, %v", provisioned, err)
	}

	f.post = reply(200, `{"data":{"reportUsage":{"id":"1","featureId":"f","customerId":"c1","resourceId":"r1","currentUsage":7,"timestamp":"2026-11-22T19:10:00Z",
		"usagePeriodStart":"2026-11-01T00:00:00Z","usagePeriodEnd":null,"credit":{"currencyId":"tokens","currentUsage":70,"timestamp":1795374600000,"consumed":10}}}}`)
	reported, err := ReportUsage(t.Context(), c, ReportUsageInput{CustomerId: "c1", FeatureId: "f"})
	if err != nil {
		t.Fatal(err)
	}
	u := &reported.ReportUsage
	key, list := u.Usages()
	want := []entitlements.Usage{
		{Ref: entitlements.Feature("f"), Current: 7, UpdatedAt: at("2026-11-22T19:10:00Z"), PeriodStart: at("2026-11-01T00:00:00Z")},
		{Ref: entitlements.Currency("tokens"), Current: 70, UpdatedAt: at("2026-11-22T19:10:00Z")},
	}
	if key != (entitlements.Key{CustomerID: "c1", ResourceID: "r1"}) || len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Errorf("Usages = %v, %+v; want %+v", key, list, want)
	}
	u.CurrentUsage, u.Credit, u.ResourceId = nil, nil, nil
	if key, list = u.Usages(); key != aKey || len(list) != 0 {
		t.Errorf("Usages = %v, %v; want nothing known", key, list)
	}
}

func TestIncompleteAnswersToWritesAreErrors(t *testing.T) {
	f, cfg := newFake(t)
	c := mustNew(t, cfg)
	for _, body := range []string{
		`{}`, `{"data":{}}`, `{"data":{"provisionCustomer":null}}`, `{"data":{"provisionCustomer":{}}}`,
		`{"data":{"provisionCustomer":{"customer":null,"subscriptionDecisionStrategy":"X"}}}`,
		`{"data":{"provisionCustomer":{"customer":{"id":"1","customerId":"c","refId":"c"},"subscriptionDecisionStrategy":"X"}}}`,
		`{"data":{"provisionCustomer":{"customer":{"id":"1","customerId":"c","refId":"c","updatedAt":"soon"},"subscriptionDecisionStrategy":"X"}}}`,
		`{"data":{"provisionCustomer":[]}}`, `{"data":7}`,
	} {
		f.post = reply(200, body)
		p, err := ProvisionCustomer(t.Context(), c, ProvisionCustomerInput{})
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrMalformed) || !e.OutcomeUnknown() {
			t.Errorf("%s: %+v, %v; want ErrMalformed of unknown outcome", body, p, err)
		}
	}
}
