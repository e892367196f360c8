package emulator

import (
	"fmt"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
)

// sum is a bill worked out from what the documentation of Price, Coupon and Tax says, in fractions.
type sum struct{ sub, off, excluding, tax, total *big.Rat }

// toTheUnit rounds half away from zero, to so many decimal places.
func toTheUnit(x *big.Rat, places int) *big.Rat {
	r, _ := new(big.Rat).SetString(x.FloatString(places)) // which is how FloatString rounds
	return r
}

func times(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
func plus(a, b *big.Rat) *big.Rat  { return new(big.Rat).Add(a, b) }
func less(a, b *big.Rat) *big.Rat  { return new(big.Rat).Sub(a, b) }

func (s *sum) String() string {
	f := func(x *big.Rat) float64 { v, _ := x.Float64(); return v }
	return fmt.Sprintf("%v - %v = %v + %v = %v", f(s.sub), f(s.off), f(s.excluding), f(s.tax), f(s.total))
}

// TestEstimatesAgreeWithFractions makes catalogs and orders by chance, and works out what they cost again.
func TestEstimatesAgreeWithFractions(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) { fractions(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func fractions(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	places, currency := 2, "USD"
	if rnd.IntN(3) == 0 {
		places, currency = 0, "JPY"
	}
	money := func(limit int) string { return fmt.Sprintf("%d.%03d", rnd.IntN(limit), rnd.IntN(1000)) } // more digits than some have
	rat := func(s string) *big.Rat {
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is no number", s)
		}
		return r
	}
	whole := func(n int) *big.Rat { return big.NewRat(int64(n), 1) }

	quantity := rnd.IntN(60)
	var prices []string
	var charges, once []*big.Rat
	if rnd.IntN(3) > 0 {
		fee := money(100)
		prices, charges = append(prices, "{period: month, currency: "+currency+", amount: "+fee+"}"), append(charges, rat(fee))
	}
	if rnd.IntN(3) == 0 {
		fee := money(100)
		prices, once = append(prices, "{period: month, once: true, currency: "+currency+", amount: "+fee+"}"), append(once, rat(fee))
	}
	least, most := rnd.IntN(5), rnd.IntN(2)*(20+rnd.IntN(30))
	units := max(quantity, least)
	if most > 0 {
		units = min(units, most)
	}
	bounds := fmt.Sprintf("min: %d, max: %d", least, most)
	switch kind := rnd.IntN(4); kind {
	case 0: // so much a unit
		p := money(20)
		prices = append(prices, "{period: month, feature: seats, currency: "+currency+", amount: "+p+", "+bounds+"}")
		charges = append(charges, times(rat(p), whole(units)))
	case 1: // so much a block, begun ones too
		p, block := money(20), 1+rnd.IntN(9)
		prices = append(prices, fmt.Sprintf("{period: month, feature: seats, currency: %s, amount: %s, block: %d, %s}", currency, p, block, bounds))
		charges = append(charges, times(rat(p), whole((units+block-1)/block)))
	default: // in tiers: unit by unit, or all at the price of the last one's
		type tier struct{ upTo, unit, flat string }
		var tiers []tier
		end := 0
		for range 1 + rnd.IntN(3) {
			end += 1 + rnd.IntN(15)
			tiers = append(tiers, tier{fmt.Sprintf("upTo: %d, ", end), money(20), money(9)})
		}
		tiers[len(tiers)-1].upTo = ""
		mode := []string{"volume", "graduated"}[kind-2]
		var list []string
		for _, x := range tiers {
			list = append(list, "{"+x.upTo+"unit: "+x.unit+", flat: "+x.flat+"}")
		}
		prices = append(prices, "{period: month, feature: seats, currency: "+currency+", mode: "+mode+", "+bounds+", tiers: ["+strings.Join(list, ", ")+"]}")
		tierOf := func(unit int) int {
			for i, x := range tiers {
				var upTo int
				if n, _ := fmt.Sscanf(x.upTo, "upTo: %d", &upTo); n == 0 || unit <= upTo {
					return i
				}
			}
			return len(tiers) - 1
		}
		cost := new(big.Rat)
		reached := -1
		for unit := 1; unit <= units; unit++ {
			i := tierOf(unit)
			if mode == "volume" {
				i = tierOf(units)
			}
			cost = plus(cost, rat(tiers[i].unit))
			if i > reached {
				cost, reached = plus(cost, rat(tiers[i].flat)), i
			}
		}
		charges = append(charges, cost)
	}
	catalog := "features: [{id: seats, type: number, meter: fluctuating}]\nproducts: [{id: p}]\nplans: [{id: plan, product: p, pricing: paid, prices: [" + strings.Join(prices, ", ") + "]"
	minimum := new(big.Rat)
	if rnd.IntN(3) == 0 {
		m := money(200)
		catalog += ", minimumSpend: [{period: month, currency: " + currency + ", amount: " + m + "}]"
		minimum = toTheUnit(rat(m), places)
	}
	catalog += "}]\n"
	input := fmt.Sprintf(`planId:"plan",billableFeatures:[{featureId:"seats",quantity:%d}]`, quantity)
	if n := rnd.IntN(4); n > 0 {
		fee := money(30)
		catalog += "addons: [{id: more, product: p, prices: [{period: month, currency: " + currency + ", amount: " + fee + "}]}]\n"
		input += fmt.Sprintf(`,addons:[{addonId:"more",quantity:%d}]`, n)
		charges = append(charges, times(rat(fee), whole(n)))
	}
	off := func(*big.Rat) *big.Rat { return new(big.Rat) }
	switch rnd.IntN(3) {
	case 0:
		p := fmt.Sprintf("%d.%d", 1+rnd.IntN(99), rnd.IntN(10))
		catalog += "coupons: [{id: c, percentOff: " + p + "}]\n"
		off = func(of *big.Rat) *big.Rat { return toTheUnit(times(of, times(rat(p), big.NewRat(1, 100))), places) }
		input += `,appliedCoupon:{couponId:"c"}`
	case 1:
		a := fmt.Sprint(1 + rnd.IntN(150))
		catalog += "coupons: [{id: c, amountsOff: [{amount: " + a + ", currency: " + currency + "}]}]\n"
		off = func(of *big.Rat) *big.Rat {
			if rat(a).Cmp(of) > 0 {
				return of
			}
			return rat(a)
		}
		input += `,appliedCoupon:{couponId:"c"}`
	}
	percent, inclusive := 0, rnd.IntN(2) == 0
	if rnd.IntN(3) > 0 {
		percent = 1 + rnd.IntN(30)
		catalog += fmt.Sprintf("billing: {tax: {name: VAT, percent: %d, inclusive: %v}}\n", percent, inclusive)
	}

	each := new(big.Rat)
	for _, c := range charges {
		each = plus(each, toTheUnit(c, places))
	}
	if each.Cmp(minimum) < 0 {
		each = minimum
	}
	now := each
	for _, c := range once {
		now = plus(now, toTheUnit(c, places))
	}
	billOf := func(sub *big.Rat) *sum {
		s := &sum{sub: sub, off: off(sub), tax: new(big.Rat)}
		s.excluding = less(sub, s.off)
		s.total = s.excluding
		switch {
		case percent == 0:
		case inclusive: // of 1 + rate parts, rate are tax
			s.tax = toTheUnit(times(s.total, big.NewRat(int64(percent), int64(100+percent))), places)
			s.excluding = less(s.total, s.tax)
		default:
			s.tax = toTheUnit(times(s.total, big.NewRat(int64(percent), 100)), places)
			s.total = plus(s.total, s.tax)
		}
		return s
	}

	c, err := ParseCatalog([]byte(catalog))
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, catalog)
	}
	b := newBench(t, Config{Catalog: c, Logger: slog.New(slog.DiscardHandler)})
	b.provision("acme", "", "")
	got := b.estimate(input)
	if s, want := sums(got), billOf(now).String()+" "+currency; s != want {
		t.Errorf("seed %d: due now %s, want %s\n%s%s", seed, s, want, catalog, input)
	}
	if s, want := sums(got["subscription"].(map[string]any)), billOf(each).String()+" "+currency; s != want {
		t.Errorf("seed %d: each period %s, want %s\n%s%s", seed, s, want, catalog, input)
	}
}
