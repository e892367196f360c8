package emulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
)

const creditDay = 24 * time.Hour

// grantCredits grants ai-credits, and answers the grant.
func (b *bench) grantCredits(customer string, amount float64, more props) map[string]any {
	b.t.Helper()
	in := props{"customerId": customer, "currencyId": "ai-credits", "displayName": "gift", "grantType": "PROMOTIONAL", "amount": amount}
	for k, v := range more {
		in[k] = v
	}
	return b.must(`mutation($in:CreditGrantInput!){createCreditGrant(input:$in){grantId status paymentCollection effectiveAt latestInvoice{status requiresAction total amountDue}}}`,
		map[string]any{"in": in})["createCreditGrant"].(map[string]any)
}

func (b *bench) consume(customer string, amount float64, key string) map[string]any {
	b.t.Helper()
	return b.must(`mutation($in:ConsumeCreditInput!){consumeCredits(input:$in){amount credit{currentUsage usageLimit usagePeriodEnd}}}`, map[string]any{"in": props{
		"customerId": customer, "currencyId": "ai-credits", "amount": amount, "idempotencyKey": key,
	}})["consumeCredits"].(map[string]any)
}

// nodes lists what a connection has, the latest first.
func (b *bench) nodes(field, selection string, in props) []map[string]any {
	b.t.Helper()
	kind := map[string]string{"creditGrants": "GetCreditGrantsInput", "creditsLedger": "CreditLedgerInput"}[field]
	in["paging"] = props{"first": 100}
	list := b.must(`query($in:`+kind+`!){`+field+`(input:$in){edges{node{`+selection+`}}}}`, map[string]any{"in": in})[field].(map[string]any)["edges"].([]any)
	var out []map[string]any
	for _, e := range list {
		out = append(out, e.(map[string]any)["node"].(map[string]any))
	}
	return out
}

// wallet is what a customer's ai-credits are by every account: "balance of granted (status consumed/amount, …)", and they have to agree.
func (b *bench) wallet(customer string) string {
	b.t.Helper()
	var grants []string
	for _, g := range b.nodes("creditGrants", "displayName status consumedAmount amount", props{"customerId": customer}) {
		grants = append(grants, fmt.Sprintf("%s %s %v/%v", g["displayName"], g["status"], g["consumedAmount"], g["amount"]))
	}
	slices.Reverse(grants)
	sum := decimal.Zero
	for _, x := range b.nodes("creditsLedger", "amount", props{"customerId": customer}) {
		sum = sum.Add(decimal.NewFromFloat(x["amount"].(float64)))
	}
	summary := b.must(`query($in:CreditBalanceSummaryInput!){creditBalanceSummary(input:$in){balances{currentBalance totalConsumed totalGranted}}}`,
		map[string]any{"in": props{"customerId": customer}})["creditBalanceSummary"].(map[string]any)["balances"].([]any)
	if len(summary) == 0 {
		if !sum.IsZero() {
			b.t.Errorf("%s has no wallet, and a ledger of %v", customer, sum)
		}
		return "none (" + strings.Join(grants, ", ") + ")"
	}
	balance := summary[0].(map[string]any)
	if balance["currentBalance"] != sum.InexactFloat64() {
		b.t.Errorf("%s has %v, and the ledger says %v", customer, balance["currentBalance"], sum)
	}
	for _, ent := range b.Snapshot(customer, "").Entitlements {
		if ent.CurrencyID == "ai-credits" && (*ent.Limit != balance["totalGranted"] || ent.Usage != balance["totalConsumed"]) {
			b.t.Errorf("the entitlement has %v of %v, the wallet %v", ent.Usage, *ent.Limit, balance)
		}
	}
	return fmt.Sprintf("%v of %v (%s)", balance["currentBalance"], balance["totalGranted"], strings.Join(grants, ", "))
}

func (b *bench) wantWallet(customer, want string) {
	b.t.Helper()
	if got := b.wallet(customer); got != want {
		b.t.Errorf("the wallet of %s is %s, want %s", customer, got, want)
	}
}

// TestGrantThatExpiredInTheYearOneIsRefused: it is what a Go program sends for a time that it never set, and not a grant for ever.
func TestGrantThatExpiredInTheYearOneIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth")
		a := b.ask(`mutation{createCreditGrant(input:{customerId:"c1",currencyId:"ai-credits",displayName:"x",grantType:PROMOTIONAL,amount:1,expireAt:"0001-01-01T00:00:00.000Z"}){grantId}}`, nil)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "ExpireAtMustBeLaterThanEffectiveAtError" {
			t.Errorf("%+v", a)
		}
	})
}

func (b *bench) in(d time.Duration) string { return b.Now().Add(d).UTC().Format(time.RFC3339) }

func TestCreditsAreConsumedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		for _, g := range []struct {
			name string
			more props
		}{ // each beats those before it by the first rule that they differ in
			{"later made", props{"priority": 9}},
			{"paid", props{"grantType": "PAID", "expireAt": b.in(20 * creditDay)}},
			{"promotional", props{"expireAt": b.in(20 * creditDay)}},
			{"earlier", props{"expireAt": b.in(20 * creditDay), "effectiveAt": b.in(-creditDay)}},
			{"expires", props{"expireAt": b.in(10 * creditDay)}},
			{"first", props{"priority": 0}},
			{"last", props{"priority": 10}},
		} {
			g.more["displayName"] = g.name
			if g.more["priority"] == nil {
				g.more["priority"] = 1
			}
			b.grantCredits("c1", 10, g.more)
		}
		for i, want := range []string{"first", "expires", "earlier", "promotional", "paid", "later made", "last"} {
			b.consume("c1", 10, fmt.Sprint(i))
			for _, g := range b.nodes("creditGrants", "displayName consumedAmount", props{"customerId": "c1"}) {
				if g["displayName"] == want && g["consumedAmount"] != 10.0 {
					t.Errorf("%v of %q are consumed after %d credits: it is not its turn", g["consumedAmount"], want, 10*(i+1))
				}
			}
		}
		b.grantCredits("c1", 10, nil)
		b.grantCredits("c1", 10, nil)
		b.consume("c1", 12.5, "k")
		var order []any
		for _, x := range b.nodes("creditsLedger", "creditGrantId amount", props{"customerId": "c1", "eventType": []string{"CREDITS_CONSUMED"}}) {
			order = append(order, x["amount"])
		}
		if want := []any{-2.5, -10.0}; !slices.Equal(order[:2], want) {
			t.Errorf("the ledger ends with %v, want an entry for each grant: %v", order[:2], want)
		}
	})
}

func TestGrantsBeginExpireAndAreVoided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.wantWallet("c1", "none ()")
		ws := b.connect()
		ws.subscribe("e", onEntitlements)
		ws.subscribe("u", onUsage)
		ws.subscribe("b", `subscription{creditBalanceUpdated{customerId currencyId currentBalance totalGranted totalConsumed}}`)
		told := func(limit, used float64) {
			t.Helper()
			if set := ws.wantNext("e", "entitlementsUpdatedV2")["entitlements"].([]any); set[len(set)-1].(map[string]any)["usageLimit"] != limit {
				t.Errorf("the set is told as %v, want a limit of %v", set, limit)
			}
			heard := map[string]map[string]any{}
			for range 2 {
				m := ws.want("next")
				heard[m.ID] = dataOf(t, m)
			}
			if got := heard["u"]["usage"].(map[string]any)["currentUsage"]; got != used {
				t.Errorf("usage is told as %v, want %v", got, used)
			}
			if e := heard["b"]; e["currentBalance"] != limit-used || e["totalGranted"] != limit || e["totalConsumed"] != used {
				t.Errorf("the balance is told as %v, want %v of %v", e, limit-used, limit)
			}
		}
		b.grantCredits("c1", 10, props{"expireAt": b.in(10 * creditDay)})
		told(10, 0)
		scheduled := b.grantCredits("c1", 5, props{"displayName": "later", "effectiveAt": b.in(5 * creditDay)})
		if scheduled["status"] != "SCHEDULED" {
			t.Errorf("made %v, want it scheduled", scheduled)
		}
		ws.wantNext("e", "entitlementsUpdatedV2")
		b.consume("c1", 4, "k")
		ws.want("next")
		ws.want("next")
		b.wantWallet("c1", "6 of 10 (gift ACTIVE 4/10, later SCHEDULED 0/5)")
		b.check(b.AdvanceClock(5 * creditDay))
		told(15, 4)
		b.wantWallet("c1", "11 of 15 (gift ACTIVE 4/10, later ACTIVE 0/5)")
		b.check(b.AdvanceClock(5 * creditDay))
		told(5, 0)
		b.wantWallet("c1", "5 of 5 (gift EXPIRED 4/10, later ACTIVE 0/5)")
		b.drive("voidCreditGrant", props{"id": scheduled["grantId"]})
		b.wantWallet("c1", "none (gift EXPIRED 4/10, later VOIDED 0/5)")
		for id, code := range map[string]string{scheduled["grantId"].(string): "CreditGrantAlreadyVoided", "x": "CreditGrantNotFound"} {
			if a := b.ask(`mutation($in:VoidCreditGrantInput!){voidCreditGrant(input:$in){grantId}}`, map[string]any{"in": props{"id": id}}); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != code {
				t.Errorf("voiding %s: %+v, want %s", id, a.Errors, code)
			}
		}
	})
}

func TestWhatIsOwedIsPaidByTheNextGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.grantCredits("c1", 10, nil)
		answer := b.consume("c1", 25, "k")
		if credit := answer["credit"].(map[string]any); credit["currentUsage"] != 25.0 || credit["usageLimit"] != 10.0 {
			t.Errorf("consumed %v", answer)
		}
		b.wantWallet("c1", "-15 of 10 (gift ACTIVE 10/10, Overdraft ACTIVE 15/0)")
		b.grantCredits("c1", 12, nil)
		b.wantWallet("c1", "-3 of 22 (gift ACTIVE 10/10, Overdraft ACTIVE 3/0, gift ACTIVE 12/12)")
		b.grantCredits("c1", 5, nil)
		b.wantWallet("c1", "2 of 27 (gift ACTIVE 10/10, Overdraft EXPIRED 0/0, gift ACTIVE 12/12, gift ACTIVE 3/5)")
		if again := b.consume("c1", 25, "k"); fmt.Sprint(again) != fmt.Sprint(answer) {
			t.Errorf("the same key again: %v, want %v", again, answer)
		}
		b.wantWallet("c1", "2 of 27 (gift ACTIVE 10/10, Overdraft EXPIRED 0/0, gift ACTIVE 12/12, gift ACTIVE 3/5)")
	})
}

// A plan grants anew each period. What is given beside it stays, and what it has not given any more comes out of that.
func TestThePlansCreditsComeEachPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth") // 500 a month
		b.consume("c1", 480, "a")
		b.grantCredits("c1", 100, nil)
		b.consume("c1", 50, "b")
		b.wantWallet("c1", "70 of 600 (Subscription ACTIVE 500/500, gift ACTIVE 30/100)")
		b.check(b.AdvanceClock(63 * creditDay)) // nobody looks for two months
		b.wantWallet("c1", "570 of 600 (Subscription EXPIRED 500/500, gift ACTIVE 30/100, Subscription EXPIRED 0/500, Subscription ACTIVE 0/500)")
		b.consume("c1", 700, "c")
		b.check(b.AdvanceClock(31 * creditDay))
		if got := b.wallet("c1"); !strings.HasPrefix(got, "500 of 600") {
			t.Errorf("the wallet is %s, want what was owed forgotten with the period", got)
		}
		b.consume("c1", 400, "d")
		b.check(b.SetEntitlement("c1", "", Entitlement{Currency: "ai-credits", Limit: new(150.0), Reset: Month}))
		if got := b.wallet("c1"); !strings.HasPrefix(got, "-250 of 250") || !strings.HasSuffix(got, "Subscription ACTIVE 150/150, Overdraft ACTIVE 250/0)") {
			t.Errorf("the wallet is %s", got)
		}
		b.provision("c1", "", "free")
		b.check(b.ClearEntitlement("c1", "", "", "ai-credits"))
		if got := b.wallet("c1"); !strings.HasPrefix(got, "-250 of 100") {
			t.Errorf("the wallet is %s once no plan grants any", got)
		}
	})
}

func TestUsageGivenBackGoesBackToItsGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth")
		b.grantCredits("c1", 10, nil)
		b.report("c1", "", "ai-answers", 260) // 520 credits
		b.wantWallet("c1", "-10 of 510 (Subscription ACTIVE 500/500, gift ACTIVE 10/10, Overdraft ACTIVE 10/0)")
		b.report("c1", "", "ai-answers", -7)
		b.wantWallet("c1", "4 of 510 (Subscription ACTIVE 500/500, gift ACTIVE 6/10, Overdraft EXPIRED 0/0)")
	})
}

// The balance is the sum of the ledger, and of what the grants have left, whatever happens.
func TestAWalletAddsUp(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Config{})
			r := rand.New(rand.NewPCG(seed, 5))
			b.provision("c1", "", "growth")
			var ids []string
			for n := range 60 {
				amount := float64(r.IntN(4000)) / 10
				switch r.IntN(9) {
				case 0, 1:
					more := props{"priority": r.IntN(3)}
					if r.IntN(2) == 0 {
						more["expireAt"] = b.in(time.Duration(25+r.IntN(60)) * creditDay)
					}
					if r.IntN(3) == 0 {
						more["effectiveAt"] = b.in(time.Duration(r.IntN(20)) * creditDay)
					}
					ids = append(ids, b.grantCredits("c1", amount+1, more)["grantId"].(string))
				case 2:
					if len(ids) > 0 {
						b.ask(`mutation($in:VoidCreditGrantInput!){voidCreditGrant(input:$in){grantId}}`, map[string]any{"in": props{"id": ids[r.IntN(len(ids))]}})
					}
				case 3:
					b.provision("c1", "", []string{"free", "growth", "enterprise"}[r.IntN(3)])
				case 4:
					b.check(b.AdvanceClock(time.Duration(r.IntN(20*24)) * time.Hour))
				case 5:
					b.ask(reportOne, map[string]any{"input": props{"customerId": "c1", "featureId": "ai-answers", "value": r.IntN(400) - 150}})
				default:
					b.ask(`mutation($in:ConsumeCreditInput!){consumeCredits(input:$in){amount}}`, map[string]any{"in": props{
						"customerId": "c1", "currencyId": "ai-credits", "amount": amount, "idempotencyKey": fmt.Sprint(n)}})
				}
				w := b.state.customers["c1"].scopes[""].wallet("ai-credits")
				sum := decimal.Zero
				for _, x := range w.ledger {
					sum = sum.Add(x.amount)
				}
				if !sum.Equal(w.balance()) {
					t.Fatalf("seed %d, step %d: the balance is %v, and the ledger adds up to %v", seed, n, w.balance(), sum)
				}
				for _, g := range w.grants {
					if g.consumed.IsNegative() || g.kind != "OVERDRAFT" && g.left().IsNegative() || g.kind == "OVERDRAFT" && !g.consumed.IsPositive() {
						t.Fatalf("seed %d, step %d: grant %+v", seed, n, g)
					}
					if debt := w.debt(); debt != nil && g != debt && g.begun && g.left().IsPositive() {
						t.Fatalf("seed %d, step %d: %v owed, and %v left of %s", seed, n, debt.consumed, g.left(), g.id)
					}
				}
			}
			b.wallet("c1")
		})
	}
}

func TestAWalletIsRechargedWhenItIsLow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cent, err := ParseDecimal("0.01")
		b := newBench(t, Config{Catalog: DemoCatalog()})
		b.check(err)
		catalog := DemoCatalog()
		catalog.Currencies[0].Price = &cent
		b.check(b.UpdateCatalog(catalog, AllCustomers))
		b.provision("c1", "", "free")
		settings := func(field, kind string, in props) map[string]any {
			t.Helper()
			in["customerId"], in["currencyId"] = "c1", "ai-credits"
			root := map[string]string{"getAutoRechargeSettings": "query", "saveAutoRechargeSettings": "mutation"}[field]
			return b.must(root+`($in:`+kind+`!){`+field+`(input:$in){isEnabled thresholdType thresholdValue targetBalance maxSpendLimit grantExpirationPeriod currentMonthlySpend createdAt}}`,
				map[string]any{"in": in})[field].(map[string]any)
		}
		get := func() map[string]any {
			t.Helper()
			return settings("getAutoRechargeSettings", "GetAutoRechargeSettingsInput", props{})
		}
		if got := get(); got["isEnabled"] != false || got["createdAt"] != nil {
			t.Errorf("where nothing was saved: %v", got)
		}
		save := func(in props) map[string]any {
			t.Helper()
			return settings("saveAutoRechargeSettings", "SaveAutoRechargeSettingsInput", in)
		}
		saved := save(props{"isEnabled": true, "thresholdValue": 20, "targetBalance": 50, "maxSpendLimit": 1, "grantExpirationPeriod": "OneMonth"})
		if saved["currentMonthlySpend"] != 0.5 || saved["thresholdType"] != "CreditAmount" {
			t.Errorf("saved %v, want a recharge at once", saved)
		}
		b.wantWallet("c1", "50 of 50 (Automatic recharge ACTIVE 0/50)")
		b.consume("c1", 30, "a") // 20 left is not below 20
		b.wantWallet("c1", "20 of 50 (Automatic recharge ACTIVE 30/50)")
		credit := b.consume("c1", 1, "b")["credit"].(map[string]any)
		if credit["usageLimit"] != 81.0 || credit["currentUsage"] != 31.0 {
			t.Errorf("consumed, and was recharged: %v", credit)
		}
		b.wantWallet("c1", "50 of 81 (Automatic recharge ACTIVE 31/50, Automatic recharge ACTIVE 0/31)")
		b.consume("c1", 45, "c") // another 0.45 would be beyond a dollar a month
		b.wantWallet("c1", "5 of 81 (Automatic recharge ACTIVE 50/50, Automatic recharge ACTIVE 26/31)")
		b.check(b.AdvanceClock(31 * creditDay)) // they expire, and that makes it low: of another month
		b.wantWallet("c1", "50 of 50 (Automatic recharge EXPIRED 50/50, Automatic recharge EXPIRED 26/31, Automatic recharge ACTIVE 0/50)")
		if got := get(); got["currentMonthlySpend"] != 0.5 {
			t.Errorf("in the next month: %v", got)
		}
		saved = save(props{"isEnabled": true, "thresholdType": "DollarAmount", "thresholdValue": 0.3, "maxSpendLimit": nil})
		if saved["maxSpendLimit"] != nil || saved["targetBalance"] != 50.0 {
			t.Errorf("changed to %v", saved)
		}
		b.consume("c1", 21, "d") // 29 credits are less than 30 cents
		if got := b.wallet("c1"); !strings.HasPrefix(got, "50 of") {
			t.Errorf("the wallet is %s", got)
		}
		save(props{"isEnabled": false})
		b.consume("c1", 45, "e")
		if got := b.wallet("c1"); !strings.HasPrefix(got, "5 of") {
			t.Errorf("the wallet is %s, and is not recharged any more", got)
		}
		const saveIt = `mutation($in:SaveAutoRechargeSettingsInput!){saveAutoRechargeSettings(input:$in){isEnabled}}`
		for _, in := range []props{{"isEnabled": true, "thresholdValue": 99999}, {"isEnabled": true, "targetBalance": -1}, {"isEnabled": true, "maxSpendLimit": -1}} {
			in["customerId"], in["currencyId"] = "c1", "ai-credits"
			if a := b.ask(saveIt, map[string]any{"in": in}); len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput {
				t.Errorf("%v: %+v, want %s", in, a.Errors, codeBadUserInput)
			}
		}
	})
}

func TestAGrantThatAwaitsItsPayment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Catalog: soldCatalog(t)})
		b.provision("c1", "", "")
		g := b.grantCredits("c1", 10, props{"grantType": "PAID", "cost": props{"amount": 2}, "awaitPaymentConfirmation": true})
		inv := g["latestInvoice"].(map[string]any)
		if g["status"] != "PAYMENT_PENDING" || g["paymentCollection"] != "ACTION_REQUIRED" || inv["status"] != "OPEN" || inv["total"] != 20.0 || inv["amountDue"] != 20.0 {
			t.Errorf("made %v", g)
		}
		b.wantWallet("c1", "none (gift PAYMENT_PENDING 0/10)")
		b.check(b.SetPaymentMethod("c1", true))
		b.wantWallet("c1", "10 of 10 (gift ACTIVE 0/10)")
		for _, more := range []props{
			{"paymentCollectionMethod": "INVOICE", "billingInformation": props{"isInvoicePaid": true}}, {"paymentCollectionMethod": "NONE"}, {},
		} {
			more["grantType"], more["cost"], more["awaitPaymentConfirmation"] = "PAID", props{"amount": 2}, true
			if g := b.grantCredits("c1", 10, more); g["status"] != "ACTIVE" || g["latestInvoice"].(map[string]any)["status"] != "PAID" {
				t.Errorf("%v: %v", more, g)
			}
		}
	})
}

func TestAResourceHasAWalletOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "free")
		b.grantCredits("c1", 10, nil)
		b.grantCredits("c1", 7, props{"resourceId": "site"})
		b.drive("consumeCredits", props{"customerId": "c1", "resourceId": "site", "currencyId": "ai-credits", "amount": 3, "idempotencyKey": "k"})
		b.wantWallet("c1", "10 of 10 (gift ACTIVE 0/10)")
		list := b.nodes("creditGrants", "consumedAmount resourceId", props{"customerId": "c1", "resourceId": "site"})
		if len(list) != 1 || list[0]["consumedAmount"] != 3.0 || list[0]["resourceId"] != "site" {
			t.Errorf("grants of the resource: %v", list)
		}
		if list := b.nodes("creditsLedger", "amount", props{"customerId": "c1", "resourceId": "unheard-of"}); len(list) != 0 {
			t.Errorf("ledger of a resource nobody knows: %v", list)
		}
	})
}

func TestCreditUsageOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth")
		b.report("c1", "", "ai-answers", 1)
		b.check(b.AdvanceClock(creditDay))
		b.report("c1", "", "ai-answers", 2)
		b.consume("c1", 5, "k")
		b.check(b.AdvanceClock(time.Hour))
		for i, region := range []string{"eu", "us", "eu"} {
			b.drive("consumeCredits", props{"customerId": "c1", "currencyId": "ai-credits", "amount": i + 1, "idempotencyKey": region + fmt.Sprint(i), "dimensions": props{"region": region}})
		}
		ask := func(in props) string {
			t.Helper()
			in["customerId"] = "c1"
			u := b.must(`query($in:CreditUsageInput!){creditUsage(input:$in){currency{currencyId} series{featureId featureName totalCredits points{timestamp value}}}}`, map[string]any{"in": in})["creditUsage"].(map[string]any)
			if u["currency"].(map[string]any)["currencyId"] != "ai-credits" {
				t.Errorf("of %v", u["currency"])
			}
			var out []string
			for _, x := range u["series"].([]any) {
				x := x.(map[string]any)
				text := fmt.Sprint(x["featureName"], " ", x["totalCredits"], ":")
				for _, p := range x["points"].([]any) {
					p := p.(map[string]any)
					text += fmt.Sprint(" ", p["timestamp"].(string)[5:13], "=", p["value"])
				}
				out = append(out, text)
			}
			return strings.Join(out, "; ")
		}
		for _, row := range []struct {
			in   props
			want string
		}{
			{props{}, "<nil> 11: 01-02T00=11; AI answers 6: 01-01T00=2 01-02T00=4"},
			{props{"timeRange": "LAST_DAY"}, "<nil> 11: 01-02T00=5 01-02T01=6; AI answers 4: 01-02T00=4"},
			{props{"timeRange": "LAST_YEAR"}, "<nil> 11: 01-01T00=11; AI answers 6: 01-01T00=6"},
			{props{"timeRange": "LAST_WEEK", "groupBy": []string{"region"}}, "<nil> 5: 01-02T00=5; <nil> 4: 01-02T00=4; <nil> 2: 01-02T00=2; AI answers 6: 01-01T00=2 01-02T00=4"},
			{props{"startDate": b.in(-30 * creditDay), "endDate": b.in(-20 * time.Hour)}, "AI answers 2: 01-01T00=2"},
		} {
			if got := ask(row.in); got != row.want {
				t.Errorf("%v: %s, want %s", row.in, got, row.want)
			}
		}
	})
}

func TestConsumptionForLaterIsDoneLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{EventDelay: time.Minute})
		b.provision("c1", "", "growth")
		one := props{"customerId": "c1", "currencyId": "ai-credits", "amount": 3, "idempotencyKey": "k"}
		other := props{"customerId": "c1", "currencyId": "ai-credits", "amount": 4, "idempotencyKey": "l"}
		stranger := props{"customerId": "nobody", "currencyId": "ai-credits", "amount": 3, "idempotencyKey": "k"}
		b.drive("consumeCreditsAsync", props{"consumptions": []props{one, stranger, one, other}})
		b.wantWallet("c1", "500 of 500 (Subscription ACTIVE 0/500)")
		time.Sleep(2 * time.Minute)
		b.wantWallet("c1", "493 of 500 (Subscription ACTIVE 7/500)")
		b.consume("c1", 3, "k") // that was
		b.wantWallet("c1", "493 of 500 (Subscription ACTIVE 7/500)")
		many := make([]props, maxConsumptions+1)
		for i := range many {
			many[i] = one
		}
		for _, list := range [][]props{many, {{"customerId": "c1", "currencyId": "ai-credits", "amount": -1, "idempotencyKey": "k"}}} {
			a := b.ask(`mutation($in:ConsumeCreditsAsyncInput!){consumeCreditsAsync(input:$in)}`, map[string]any{"in": props{"consumptions": list}})
			if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != codeBadUserInput {
				t.Errorf("%d consumptions: %+v, want %s", len(list), a.Errors, codeBadUserInput)
			}
		}
	})
}

func TestCostInCreditsIsEstimated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catalog := DemoCatalog()
		catalog.Features = append(catalog.Features,
			Feature{ID: "tokens", Type: Number, Meter: Incremental, Events: &EventMeter{Name: "prompt", Aggregate: Sum, Field: "tokens"}},
			Feature{ID: "prompts", Type: Number, Meter: Incremental, Events: &EventMeter{Name: "prompt"}},
			Feature{ID: "models", Type: Number, Meter: Incremental, Events: &EventMeter{Name: "prompt", Aggregate: Unique, Field: "model"}},
		)
		for i := range catalog.Plans {
			if p := &catalog.Plans[i]; p.ID == "growth" {
				for id, rate := range map[string]float64{"tokens": 0.25, "prompts": 1, "models": 5} {
					p.Entitlements = append(p.Entitlements, Entitlement{Feature: id, Unlimited: true, CreditRate: &CreditRate{"ai-credits", rate}})
				}
			}
		}
		b := newBench(t, Config{Catalog: catalog})
		b.provision("c1", "", "growth")
		b.provision("c1", "site", "starter")
		b.provision("c2", "", "growth")
		b.report("c2", "", "ai-answers", 10)
		const selected = `{estimates{currencyId estimatedCost currentBalance balanceAfterEstimate wouldOverdraft breakdown{featureId cost warningCode}} warnings}`
		usage := func(in props) string {
			t.Helper()
			return fmt.Sprint(b.must(`query($in:EstimateUsageCostInput!){estimateUsageCost(input:$in)`+selected+`}`, map[string]any{"in": in})["estimateUsageCost"])
		}
		event := func(in props) string {
			t.Helper()
			return fmt.Sprint(b.must(`query($in:EstimateEventCostInput!){estimateEventCost(input:$in)`+selected+`}`, map[string]any{"in": in})["estimateEventCost"])
		}
		for _, row := range []struct{ got, want string }{
			{usage(props{"customerId": "c2", "featureId": "ai-answers", "value": 300}), "map[estimates:[map[balanceAfterEstimate:-120 breakdown:[map[cost:600 featureId:ai-answers warningCode:<nil>]] currencyId:ai-credits currentBalance:480 estimatedCost:600 wouldOverdraft:true]] warnings:[]]"},
			{usage(props{"customerId": "c2", "featureId": "ai-answers", "value": 12, "updateBehavior": "SET"}), "map[estimates:[map[balanceAfterEstimate:476 breakdown:[map[cost:4 featureId:ai-answers warningCode:<nil>]] currencyId:ai-credits currentBalance:480 estimatedCost:4 wouldOverdraft:false]] warnings:[]]"},
			{usage(props{"customerId": "c2", "featureId": "seats", "value": 1}), "map[estimates:[] warnings:[FEATURE_NOT_CREDIT_BASED]]"},
			{usage(props{"customerId": "c1", "featureId": "teleport", "value": 1}), "map[estimates:[] warnings:[RESOURCE_SCOPED_SUBSCRIPTION_EXISTS FEATURE_NOT_FOUND]]"},
			{event(props{"customerId": "c2", "eventName": "prompt", "dimensions": props{"tokens": 6, "model": "m"}}), "map[estimates:[map[balanceAfterEstimate:477.5 breakdown:[map[cost:0 featureId:models warningCode:UNSUPPORTED_AGGREGATION] map[cost:1 featureId:prompts warningCode:<nil>] map[cost:1.5 featureId:tokens warningCode:<nil>]] currencyId:ai-credits currentBalance:480 estimatedCost:2.5 wouldOverdraft:false]] warnings:[]]"},
			{event(props{"customerId": "c2", "eventName": "signed-in", "dimensions": props{"user": "ann"}}), "map[estimates:[] warnings:[FEATURE_NOT_CREDIT_BASED]]"},
			{event(props{"customerId": "c2", "eventName": "nothing"}), "map[estimates:[] warnings:[FEATURE_NOT_FOUND]]"},
		} {
			if row.got != row.want {
				t.Errorf("%s\nwant %s", row.got, row.want)
			}
		}
	})
}

// A state of before there were grants has a wallet all the same.
func TestAWalletWithoutGrantsIsAssumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		b.provision("c1", "", "growth")
		b.report("c1", "", "ai-answers", 251) // two credits more than there are
		saved, err := b.freeze()
		b.check(err)
		for i := range saved.Customers {
			for j := range saved.Customers[i].Scopes {
				saved.Customers[i].Scopes[j].Wallets = nil
			}
		}
		restored, err := thaw(saved)
		b.check(err)
		w := restored.customers["c1"].scopes[""].wallet("ai-credits")
		if w.granted().String() != "500" || w.consumed().String() != "502" || w.debt() == nil {
			t.Errorf("the wallet has %v, and %v is consumed", w.granted(), w.consumed())
		}
	})
}
