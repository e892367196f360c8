package pricing

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

func d(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func upTo(s string) *decimal.Decimal { return new(d(s)) }

func want(t *testing.T, what string, got decimal.Decimal, s string) {
	t.Helper()
	if !got.Equal(d(s)) {
		t.Errorf("%s = %s, want %s", what, got, s)
	}
}

var seats = []Tier{{UpTo: upTo("5"), Unit: d("10")}, {UpTo: upTo("20"), Unit: d("8"), Flat: d("15")}, {Unit: d("6.5")}}

func TestPriceOfAQuantity(t *testing.T) {
	for _, row := range []struct {
		name     string
		price    Price
		quantity string
		want     string
	}{
		{"a flat fee does not count units", Price{Amount: d("49.99")}, "12", "49.99"},
		{"a price per unit", Price{Amount: d("0.10"), PerUnit: true}, "3", "0.30"}, // 0.1 x 3, which is no float
		{"less than the minimum", Price{Amount: d("10"), PerUnit: true, Min: d("3")}, "1", "30"},
		{"more than the maximum", Price{Amount: d("10"), PerUnit: true, Max: d("3")}, "9", "30"},
		{"blocks of 1000, begun ones counted", Price{Amount: d("2"), PerUnit: true, Block: d("1000")}, "2001", "6"}, // 3 blocks x 2
		{"exact blocks", Price{Amount: d("2"), PerUnit: true, Block: d("1000")}, "2000", "4"},

		{"volume: all units at the price of the tier", Price{Tiers: seats}, "5", "50"},             // 5 x 10
		{"volume: one more, and all are cheaper", Price{Tiers: seats}, "6", "63"},                  // 6 x 8 + 15
		{"volume: the last tier", Price{Tiers: seats}, "21", "136.5"},                              // 21 x 6.5
		{"volume: nothing", Price{Tiers: seats}, "0", "0"},                                         // nor any flat fee
		{"graduated: within the first", Price{Tiers: seats, Graduated: true}, "5", "50"},           // 5 x 10
		{"graduated: one into the second", Price{Tiers: seats, Graduated: true}, "6", "73"},        // 50 + 1 x 8 + 15
		{"graduated: through all three", Price{Tiers: seats, Graduated: true}, "30", "250"},        // 50 + 15 x 8 + 15 + 10 x 6.5
		{"graduated: nothing", Price{Tiers: seats, Graduated: true}, "0", "0"},                     //
		{"graduated: parts of a unit", Price{Tiers: seats, Graduated: true}, "5.5", "69"},          // 50 + 0.5 x 8 + 15
		{"a last tier with an end goes on", Price{Tiers: seats[:2], Graduated: true}, "30", "265"}, // 50 + 25 x 8 + 15
		{"volume beyond the last end", Price{Tiers: seats[:2]}, "30", "255"},                       // 30 x 8 + 15
	} {
		want(t, row.name, row.price.For(d(row.quantity)), row.want)
	}
}

func TestBill(t *testing.T) {
	vat, inclusive := &Tax{Percent: d("20")}, &Tax{Percent: d("20"), Inclusive: true}
	for _, row := range []struct {
		name     string
		currency string
		charges  []string
		minimum  string
		discount *Discount
		tax      *Tax
		want     [5]string // sub-total, discount, excluding tax, tax, total
	}{
		{"charges alone", "USD", []string{"20", "15", "15"}, "0", nil, nil, [5]string{"50", "0", "50", "0", "50"}},
		{"tax on top", "USD", []string{"49.99"}, "0", nil, vat, [5]string{"49.99", "0", "49.99", "10", "59.99"}},       // 9.998
		{"tax inside", "USD", []string{"59.99"}, "0", nil, inclusive, [5]string{"59.99", "0", "49.99", "10", "59.99"}}, // 59.99 / 6
		{"a percentage off, then tax", "USD", []string{"50"}, "0", &Discount{Percent: d("15")}, vat, [5]string{"50", "7.5", "42.5", "8.5", "51"}},
		{"an amount off", "USD", []string{"50"}, "0", &Discount{Amount: d("12.34")}, nil, [5]string{"50", "12.34", "37.66", "0", "37.66"}},
		{"more off than there is", "USD", []string{"50"}, "0", &Discount{Amount: d("80")}, vat, [5]string{"50", "50", "0", "0", "0"}},
		{"a minimum spend", "USD", []string{"20"}, "30", nil, nil, [5]string{"30", "0", "30", "0", "30"}},
		{"a minimum that is exceeded", "USD", []string{"20", "20"}, "30", nil, nil, [5]string{"40", "0", "40", "0", "40"}},
		{"the discount comes after the minimum", "USD", []string{"20"}, "30", &Discount{Percent: d("50")}, nil, [5]string{"30", "15", "15", "0", "15"}},
		{"each charge is rounded", "USD", []string{"0.005", "0.005"}, "0", nil, nil, [5]string{"0.02", "0", "0.02", "0", "0.02"}},
		// 10 % of 1001 are 100.1.
		{"no smaller unit than a yen", "JPY", []string{"1000.5"}, "0", nil, &Tax{Percent: d("10")}, [5]string{"1001", "0", "1001", "100", "1101"}},
		{"a thousandth of a dinar", "KWD", []string{"1.2345"}, "0", nil, nil, [5]string{"1.235", "0", "1.235", "0", "1.235"}},
		{"large and small", "USD", []string{"1000000000000000", "0.01"}, "0", nil, nil, [5]string{"1000000000000000.01", "0", "1000000000000000.01", "0", "1000000000000000.01"}},
		{"nothing", "USD", nil, "0", &Discount{Percent: d("10")}, vat, [5]string{"0", "0", "0", "0", "0"}},
	} {
		var charges []decimal.Decimal
		for _, c := range row.charges {
			charges = append(charges, d(c))
		}
		b := Sum(row.currency, charges, d(row.minimum), row.discount, row.tax)
		for i, got := range []decimal.Decimal{b.SubTotal, b.Discount, b.TotalExcludingTax, b.Tax, b.Total} {
			want(t, row.name+": "+[]string{"sub-total", "discount", "total excluding tax", "tax", "total"}[i], got, row.want[i])
		}
	}
}

func TestProration(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 4, n, 0, 0, 0, 0, time.UTC) }
	for _, row := range []struct {
		name                string
		before, after       string
		at                  time.Time
		credit, debit, nett string
	}{
		// April has 30 days.
		{"an upgrade at half time", "20", "50", day(16), "10", "25", "15"},         // 15/30 of each
		{"a downgrade at half time", "50", "20", day(16), "25", "10", "-15"},       // the same, the other way
		{"after a third", "20", "50", day(11), "13.33", "33.33", "20"},             // 20/30; the difference of what is stated
		{"at once", "20", "50", day(1), "20", "50", "30"},                          //
		{"at the end", "20", "50", day(31), "0", "0", "0"},                         // 31 April is 1 May
		{"before it begins", "20", "50", day(1).Add(-time.Hour), "20", "50", "30"}, //
		{"half a day", "30", "60", day(30).Add(12 * time.Hour), "0.5", "1", "0.5"}, // 0.5/30
		{"from nothing", "0", "50", day(16), "0", "25", "25"},                      //
		{"the same price", "20", "20", day(16), "10", "10", "0"},                   //
	} {
		p := Prorate("USD", d(row.before), d(row.after), day(1), day(31), row.at)
		want(t, row.name+": credit", p.Credit, row.credit)
		want(t, row.name+": debit", p.Debit, row.debit)
		want(t, row.name+": net", p.Net, row.nett)
	}
	if p := Prorate("USD", d("20"), d("50"), day(1), day(1), day(1)); !p.Net.IsZero() {
		t.Errorf("of a period of no length: %+v", p)
	}
}
