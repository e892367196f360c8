package emulator

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// forgotten says of every field of the live state what becomes of it in a dump: it is carried, or there is a reason why not.
var forgotten = map[reflect.Type]struct {
	carried string
	skipped map[string]string
}{
	reflect.TypeFor[Emulator](): {"state keys began", map[string]string{
		"config": "configuration", "schema": "the same for all", "handler": "serves this process", "faults": "not of the account", "sockets": "cut",
		"counts": "not of the account", "log": "not of the account", "limits": "not of the account", "origin": "what Reset goes back to",
		"control": "serves this process", "ctx": "of this process", "cancel": "of this process", "serve": "of this process", "mu": "a lock",
		"eventSeq": "orders the events of this process's sockets",
	}},
	reflect.TypeFor[account](): {"clock index customers made checks reports events lastStamp lastID", map[string]string{
		"held": "set only while the lock is held", "stamps": "configuration",
	}},
	reflect.TypeFor[clock]():    {"ahead", map[string]string{"moves": "what was reported before the load has the time that it says"}},
	reflect.TypeFor[customer](): {"id name email billingID marketplaceID coupon couponAt paymentMethod metadata createdAt updatedAt archived subs promos checkouts overrides recharges scopes", nil},
	reflect.TypeFor[subscription](): {"id planID productID resourceID index addons custom quantities period priceOverrides minimumSpend coupon couponAt country billingID collection metadata payer createdAt startAt " +
		"anchor billed trialEnd convert endAt cancelled follow changes successor before", nil},
	reflect.TypeFor[ending]():     {"at cancelled follow", nil},
	reflect.TypeFor[addonCount](): {"id quantity", nil},
	reflect.TypeFor[change]():     {"at addons quantities period custom priceOverrides minimumSpend coupon metadata latest", nil},
	reflect.TypeFor[promotion]():  {"id entitlement startedAt endsAt revoked hidden group", nil},
	reflect.TypeFor[checkout]():   {"Checkout productID order", nil},
	reflect.TypeFor[Checkout]():   {"ID URL CustomerID ResourceID PlanID CreatedAt", nil},
	reflect.TypeFor[order](): {"id planID resourceID addons custom quantities period priceOverrides minimumSpend coupon country billingID payer collection metadata startAt endAt strategy resetAnchor skipTrial " +
		"trial trialEnd trialConvert", nil},
	reflect.TypeFor[overrideKey]():  {"resourceID ref", nil},
	reflect.TypeFor[override]():     {"entitlement denied setAt", nil},
	reflect.TypeFor[ref]():          {"id credit", nil},
	reflect.TypeFor[scope]():        {"resourceID set denied updatedAt recalcAt meters wallets past", nil},
	reflect.TypeFor[entitled]():     {"ref feature currency limit unlimited soft values reset resetOn since anchor rate denied updatedAt", nil},
	reflect.TypeFor[meter]():        {"used reset anchor start end updatedAt seen measured", nil},
	reflect.TypeFor[measurement]():  {"at value set dimensions", nil},
	reflect.TypeFor[reportMemory](): {"young old", nil},
	reflect.TypeFor[reportKey]():    {"customerID resourceID ref key event at", nil},
	reflect.TypeFor[report]():       {"usage credit", nil},
	reflect.TypeFor[eventQueue]():   {"pending", map[string]string{"wg": "of this process"}},
	reflect.TypeFor[usageEvent]():   {"customerID resourceID name currencyID key amount dimensions at due", nil},
	reflect.TypeFor[wallet]():       {"grants over ledger", map[string]string{"news": "told before the lock is let go"}},
	reflect.TypeFor[creditGrant](): {"id name comment kind amount consumed priority cost costIn metadata recharge invoice paid due awaits createdAt updatedAt effectiveAt expireAt " +
		"voidedAt begun ended", nil},
	reflect.TypeFor[ledgerEntry]():                           {"id at kind grant feature amount dimensions", nil},
	reflect.TypeFor[recharge]():                              {"id enabled kind threshold target limit lasts createdAt updatedAt month spent", nil},
	reflect.TypeFor[State]():                                 {"Index At Stamp Snapshot", nil},
	reflect.TypeFor[Snapshot]():                              {"AccessDeniedReason Entitlements", nil},
	reflect.TypeFor[EntitlementState]():                      {"FeatureID CurrencyID AccessDeniedReason Limit Unlimited SoftLimit Values Usage PeriodStart PeriodEnd EntitlementStamp UsageStamp", nil},
	reflect.TypeFor[Entitlement]():                           {"Feature Currency Limit Unlimited SoftLimit Values Reset ResetOn CreditRate", nil},
	reflect.TypeFor[Coupon]():                                {"ID Name Description PercentOff AmountsOff Once Months", map[string]string{"Archived": "cannot be applied; carried with the catalog"}},
	reflect.TypeFor[madeCoupon]():                            {"Coupon metadata createdAt", nil},
	reflect.TypeFor[EntitlementCheck]():                      {"At CustomerID ResourceID FeatureID RequestedUsage RequestedValues HasAccess AccessDeniedReason CurrentUsage UsageLimit", nil},
	reflect.TypeFor[wire.UsageMeasurementWithCurrentUsage](): {"Credit CurrentUsage CustomerID FeatureID ID NextResetDate ResourceID Timestamp UsagePeriodEnd UsagePeriodStart", nil},
	reflect.TypeFor[wire.UsageMeasurementCredit]():           {"Consumed CurrencyID CurrentUsage Timestamp UsagePeriodEnd", nil},
	reflect.TypeFor[wire.CreditConsumptionResponse]():        {"Amount Credit CurrencyID CustomerID ResourceID Timestamp", nil},
	reflect.TypeFor[wire.OptimisticCreditBalance]():          {"CurrencyID CurrentUsage Timestamp UsageLimit UsagePeriodEnd", nil},
}

// TestNoFieldIsForgotten: every field of the live state is in the list above, and those that are carried are found, set, both in a
// state that has everything and in what is left of it after a dump and a load. Whoever adds a field adds it to dump_types.go, freezes
// and thaws it, has live make one, and names it above; or says there why it may be lost.
func TestNoFieldIsForgotten(t *testing.T) {
	for typ, row := range forgotten {
		carried := strings.Fields(row.carried)
		for f := range typ.Fields() {
			if _, skipped := row.skipped[f.Name]; skipped == slices.Contains(carried, f.Name) {
				t.Errorf("%s.%s: is it carried by a dump, or is there a reason why not? See TestNoFieldIsForgotten", typ, f.Name)
			}
		}
		for _, name := range carried {
			if _, ok := typ.FieldByName(name); !ok {
				t.Errorf("%s has no field %s", typ, name)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		config := Config{Catalog: soldCatalog(t), History: 5, EventDelay: time.Minute}
		a, b := newBench(t, config), newBench(t, Config{})
		a.live()
		a.state.reports.old, a.state.reports.young = a.state.reports.young, map[reportKey]report{} // a generation passes
		a.drive("reportUsage", props{"customerId": "acme", "featureId": "seats", "value": 1, "idempotencyKey": "young"})
		time.Sleep(time.Second)
		b.load(a.dump())
		for name, e := range map[string]*Emulator{"the live state": a.Emulator, "the loaded state": b.Emulator} {
			set := map[string]bool{}
			collect(reflect.ValueOf(e).Elem(), set)
			for typ, row := range forgotten {
				for _, field := range strings.Fields(row.carried) {
					if !set[typ.String()+"."+field] {
						t.Errorf("%s has no %s.%s that is set", name, typ, field)
					}
				}
			}
		}
	})
}

// collect notes which fields are set somewhere below v. It goes into the types of forgotten and no others.
func collect(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collect(v.Elem(), set)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), set)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			collect(it.Key(), set)
			collect(it.Value(), set)
		}
	case reflect.Struct:
		row, ok := forgotten[v.Type()]
		if !ok {
			return
		}
		for _, name := range strings.Fields(row.carried) {
			if f := v.FieldByName(name); !f.IsZero() {
				set[v.Type().String()+"."+name] = true
				collect(f, set)
			}
		}
	}
}
