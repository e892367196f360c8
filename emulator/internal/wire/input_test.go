package wire

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAbsentNullAndSetStayApart(t *testing.T) {
	var in ProvisionCustomerInput
	err := in.UnmarshalGraphQL(map[string]any{"customerId": "c", "name": nil, "subscriptionParams": map[string]any{"planId": "p"}})
	if err != nil {
		t.Fatal(err)
	}
	if in.Email.Set || in.Email.IsNull() || in.Email.Or("x") != "x" {
		t.Errorf("absent = %+v", in.Email)
	}
	if !in.Name.IsNull() || in.Name.Or("x") != "x" {
		t.Errorf("null = %+v", in.Name)
	}
	if !in.CustomerID.Set || in.CustomerID.Or("") != "c" || in.SubscriptionParams.Value.PlanID != "p" {
		t.Errorf("set = %+v", in)
	}
}

func TestInputsAreDecodedStrictly(t *testing.T) {
	fine := func() map[string]any {
		return map[string]any{"customerId": "c", "featureId": "f", "value": 1.5}
	}
	for _, row := range []struct {
		field string
		value any
		want  string
	}{
		{"customerId", nil, `field "customerId": got null`},
		{"customerId", 7.0, `field "customerId": want a string, got a number`},
		{"value", "1", `field "value": want a number, got a string`},
		{"value", math.NaN(), "not a finite number"},
		{"updateBehavior", "ADD", `"ADD" is not one of`},
		{"createdAt", "soon", "not an ISO-8601 date-time"},
		{"createdAt", true, "want a DateTime string, got a boolean"},
		{"extra", "x", `field "extra" is not defined by ReportUsageInput`},
	} {
		object := fine()
		object[row.field] = row.value
		var in ReportUsageInput
		if err := in.UnmarshalGraphQL(object); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s = %v: %v, want %q", row.field, row.value, err, row.want)
		}
	}
	for _, v := range []any{"c", nil, []any{}} {
		if err := new(ReportUsageInput).UnmarshalGraphQL(v); err == nil {
			t.Errorf("%v was taken for an object", v)
		}
	}
	missing := fine()
	delete(missing, "featureId")
	if err := new(ReportUsageInput).UnmarshalGraphQL(missing); err == nil || err.Error() != `field "featureId" is required` {
		t.Errorf("missing field: %v", err)
	}
}

func TestListsTakeOneValueAndCheckEach(t *testing.T) {
	var in GetActiveSubscriptionsInput
	if err := in.UnmarshalGraphQL(map[string]any{"customerId": "c", "resourceIds": "one"}); err != nil || in.ResourceIds.Or(nil)[0] != "one" {
		t.Errorf("one value for a list = %+v, %v", in.ResourceIds, err)
	}
	err := new(GetActiveSubscriptionsInput).UnmarshalGraphQL(map[string]any{"customerId": "c", "resourceIds": []any{"a", nil}})
	if err == nil || !strings.Contains(err.Error(), "item 1: got null") {
		t.Errorf("null in a list: %v", err)
	}
	err = new(SubscriptionAddonInput).UnmarshalGraphQL(map[string]any{"addonId": "a", "quantity": 1.5})
	if err == nil || !strings.Contains(err.Error(), "not a 32-bit integer") {
		t.Errorf("half an add-on: %v", err)
	}
}

func TestDateTimeIsPrintedAsJavaScriptDoes(t *testing.T) {
	for in, want := range map[string]string{
		"2026-03-01T10:00:00Z":                `"2026-03-01T10:00:00.000Z"`,
		"2026-03-01T10:00:00.123456+02:00":    `"2026-03-01T08:00:00.123Z"`,
		"2026-03-01":                          `"2026-03-01T00:00:00.000Z"`,
		"2026-03-01T10:00:00.999999999-05:30": `"2026-03-01T15:30:00.999Z"`,
	} {
		var d DateTime
		if err := d.UnmarshalGraphQL(in); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got, _ := json.Marshal(d); string(got) != want {
			t.Errorf("%s prints as %s, want %s", in, got, want)
		}
	}
	var first DateTime
	if err := first.UnmarshalGraphQL("0001-01-01T00:00:00.000Z"); err != nil || first.IsZero() || first.String() != "0001-01-01T00:00:00.000Z" {
		t.Errorf("Go's zero time, which on the wire is a moment like others: %v, %v", first, err)
	}
	if got := NewDateTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("x", 3600))).String(); got != "2025-12-31T23:00:00.000Z" {
		t.Errorf("printed %s", got)
	}
}

func FuzzInput(f *testing.F) {
	f.Add(`{"customerId":"c","planId":"p","addons":[{"addonId":"a","quantity":1}],"trialOverrideConfiguration":{"isTrial":true}}`)
	f.Add(`{"customerId":"c","planId":"p","addons":{"addonId":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		var in ProvisionSubscriptionInput
		if err := in.UnmarshalGraphQL(v); err == nil && in.AdditionalMetaData.Value == nil && in.CustomerID == "" && !strings.Contains(text, `""`) {
			t.Errorf("%s was accepted without a customer", text)
		}
	})
}

// TestEncodeInputIsTheInverseOfDecoding, absent and null kept apart, for every kind of field there is.
func TestEncodeInputIsTheInverseOfDecoding(t *testing.T) {
	price := map[string]any{
		"addonId": nil, "baseCharge": true, "featureId": "f", "price": map[string]any{"amount": 9.25, "currency": "EUR"},
		"tiers": []any{map[string]any{"upTo": 3.0, "unitPrice": map[string]any{"amount": 1.0}}, map[string]any{"upTo": nil}},
	}
	report := map[string]any{"customerId": "c", "featureId": "f", "value": 1.5, "createdAt": "2026-01-02T03:04:05.678Z", "dimensions": map[string]any{"a": nil}}
	addon := map[string]any{"addonId": "a", "quantity": 3.0}
	for _, row := range []struct {
		in interface {
			UnmarshalGraphQL(input any) error
		}
		object map[string]any
	}{
		{new(PriceOverrideInput), price}, {new(ReportUsageInput), report}, {new(SubscriptionAddonInput), addon},
	} {
		if err := row.in.UnmarshalGraphQL(row.object); err != nil {
			t.Fatal(err)
		}
		if got := EncodeInput(row.in); !reflect.DeepEqual(got, row.object) {
			t.Errorf("EncodeInput = %v, want %v", got, row.object)
		}
	}
}
