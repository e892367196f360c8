package emulator

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDecimalsAreReadWithinReason: an exponent that would take a gigabyte to count with is an error, in YAML, JSON and Go alike.
func TestDecimalsAreReadWithinReason(t *testing.T) {
	for text, want := range map[string]string{"19.90": "19.9", "1e3": "1000", "5e-324": "", "1e1001": "-", "1e-999999999": "-", "x": "-"} {
		d, err := ParseDecimal(text)
		if (err != nil) != (want == "-") || err == nil && want != "" && d.String() != want {
			t.Errorf("ParseDecimal(%s) = %.20s, %v; want %q", text, d, err, want)
		}
		var fromNumber, fromString Decimal
		if err := json.Unmarshal([]byte(`"`+text+`"`), &fromString); (err != nil) != (want == "-") {
			t.Errorf("JSON %q: %v", text, err)
		}
		if text == "x" {
			continue
		}
		if err := json.Unmarshal([]byte(text), &fromNumber); (err != nil) != (want == "-") || !fromNumber.Equal(fromString.Decimal) {
			t.Errorf("JSON %s: %v", text, err)
		}
	}
	const catalog = "features: []\nproducts: []\nplans: []\ncoupons: [{id: c, percentOff: 1e999999999}]\n"
	if _, err := ParseCatalog([]byte(catalog)); err == nil || !strings.Contains(err.Error(), "line 4") {
		t.Errorf("YAML: %v, want an error in line 4", err)
	}
}
