package pricing

import "github.com/shopspring/decimal"

// smallest is how many decimal places the smallest unit of a currency has, by ISO 4217, where it is not two.
var smallest = map[string]int32{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0,
	"XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// Round rounds an amount to the smallest unit of its currency, half away from zero.
func Round(currency string, amount decimal.Decimal) decimal.Decimal {
	places, ok := smallest[currency]
	if !ok {
		places = 2
	}
	return amount.Round(places)
}
