package emulator

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/shopspring/decimal"
)

// Decimal is an exact amount of money, or a percentage: the digits that a catalog has are the digits that are counted with. Make one
// in Go with [ParseDecimal], or from a decimal.Decimal.
type Decimal struct{ decimal.Decimal }

// maxExponent bounds the exponent of a number that is read: to compare 1e999999999 with anything takes a gigabyte. A float64 needs 324.
const maxExponent = 1000

// ParseDecimal reads a number such as "19.90". An exponent beyond a thousand is an error.
func ParseDecimal(s string) (Decimal, error) {
	d, err := decimal.NewFromString(s)
	if n := d.Exponent(); err == nil && (n > maxExponent || n < -maxExponent) {
		return Decimal{}, fmt.Errorf("the exponent of %.40s is beyond %d", s, maxExponent)
	}
	return Decimal{d}, err
}

// UnmarshalYAML reads the digits as they are written: the library would take them for a float64.
func (d *Decimal) UnmarshalYAML(node ast.Node) error {
	at := node.GetToken()
	parsed, err := ParseDecimal(strings.ReplaceAll(at.Value, "_", ""))
	if err != nil {
		return &yaml.SyntaxError{Message: "is not a number such as 19.90", Token: at}
	}
	*d = parsed
	return nil
}

// UnmarshalJSON reads a number, or one in a string.
func (d *Decimal) UnmarshalJSON(text []byte) error {
	parsed, err := ParseDecimal(strings.Trim(string(text), `"`))
	if err != nil {
		return fmt.Errorf("%.40s is not a number such as 19.90: %w", text, err)
	}
	*d = parsed
	return nil
}

// MarshalJSON writes a number, not a string.
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }
