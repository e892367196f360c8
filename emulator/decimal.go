package emulator

import (
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/shopspring/decimal"
)

// Decimal is an exact amount of money, or a percentage: the digits that a catalog has are the digits that are counted with. Make one
// in Go with [ParseDecimal], or from a decimal.Decimal.
type Decimal struct{ decimal.Decimal }

// ParseDecimal reads a number such as "19.90".
func ParseDecimal(s string) (Decimal, error) {
	d, err := decimal.NewFromString(s)
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

// MarshalJSON writes a number, not a string.
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }
