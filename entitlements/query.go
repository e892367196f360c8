package entitlements

import (
	"errors"
	"fmt"
	"math"
)

// ErrInvalidQuery is wrapped by every error of [Query.Validate].
var ErrInvalidQuery = errors.New("invalid query")

// Query asks whether a customer may use a feature or a credit currency. It is passed by value on the hot path.
type Query struct {
	// CustomerID is required.
	CustomerID string
	// ResourceID narrows the question to one resource of the customer. Empty asks at the customer's level.
	ResourceID string
	// FeatureID or CurrencyID: exactly one of the two.
	FeatureID  string
	CurrencyID string
	// RequestedUsage is how much the caller is about to use, in the feature's units; it must be finite and not negative. Zero
	// asks "has it at all?": as with Stigg, a customer exactly at the limit is then still granted access. Ask for 1 to gate
	// one more unit.
	RequestedUsage float64
	// RequestedValues are the values an enum feature must grant, all of them. Nil asks for none in particular.
	RequestedValues []string
	// Type is the type the program relies on. When the entitlement has another one the answer is the fallback with
	// FeatureTypeMismatch. Zero expects nothing.
	Type Type
	// Fallback answers this call when there is no usable data. Nil takes the client's configured fallback.
	Fallback *FallbackValue
}

// Key returns the set the query is about.
func (q *Query) Key() Key { return Key{q.CustomerID, q.ResourceID} }

// Ref returns the entitlement the query is about.
func (q *Query) Ref() Ref {
	if q.CurrencyID != "" {
		return Ref{KindCredit, q.CurrencyID}
	}
	return Ref{KindFeature, q.FeatureID}
}

// Validate says what is wrong with the query, and how to mend it; nil when it can be answered. The error wraps
// [ErrInvalidQuery].
func (q *Query) Validate() error {
	// One chain of comparisons for the well-formed query; the words are found only when they are needed.
	if q.CustomerID != "" && (q.FeatureID == "") != (q.CurrencyID == "") && q.RequestedUsage >= 0 && q.RequestedUsage <= math.MaxFloat64 {
		return nil
	}
	return q.explain()
}

func (q *Query) explain() error {
	switch {
	case q.CustomerID == "":
		return fmt.Errorf("%w: CustomerID is empty: name the customer", ErrInvalidQuery)
	case q.FeatureID == "" && q.CurrencyID == "":
		return fmt.Errorf("%w: neither FeatureID nor CurrencyID is set: name one of them", ErrInvalidQuery)
	case q.FeatureID != "" && q.CurrencyID != "":
		return fmt.Errorf("%w: both FeatureID %q and CurrencyID %q are set: name only one", ErrInvalidQuery, q.FeatureID, q.CurrencyID)
	default:
		return fmt.Errorf("%w: RequestedUsage is %v: give a finite number that is not negative", ErrInvalidQuery, q.RequestedUsage)
	}
}
