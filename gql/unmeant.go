package gql

import (
	"errors"
	"reflect"
	"strings"
)

var (
	dateTimeType = reflect.TypeFor[DateTime]()
	couponType   = reflect.TypeFor[SubscriptionCouponInput]()
	ourPackage   = couponType.PkgPath()
)

// unmeant is what is wrong with a field of a struct of type in that is about to be sent, when no caller can have meant it; else nil.
// Stigg would take a zero time for a moment two thousand years ago, and answer an empty id that there is no such thing.
func unmeant(in reflect.Type, field reflect.Value) error {
	v := reflect.Indirect(field)
	switch t := v.Type(); {
	case t == dateTimeType && v.Interface().(DateTime).IsZero() && !isExplicitNull(field):
		return errors.New("the time is zero: give a moment, or nil for none")
	case t == couponType && v.IsZero() && !isExplicitNull(field):
		return errors.New("empty: give CouponId, BillingCouponId, PromotionCode or Discount, or nil for none")
	case field.Kind() == reflect.String && field.Len() == 0 && in.PkgPath() == ourPackage: // required: what is optional is a pointer
		return errors.New("empty: give one")
	}
	return nil
}

func isExplicitNull(v reflect.Value) bool { return v.Kind() == reflect.Pointer && isNull(v) }

// inputError says which field of an input is wrong, by the way there: SubscriptionParams.Addons[0].AddonId.
type inputError struct {
	path string
	err  error
}

func (e *inputError) Error() string { return e.path + ": " + e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// within puts a field, or a place in a list, before the way to what is wrong.
func within(name string, err error) error {
	e, ok := errors.AsType[*inputError](err)
	switch {
	case !ok:
		return &inputError{name, err}
	case strings.HasPrefix(e.path, "["):
		return &inputError{name + e.path, e.err}
	default:
		return &inputError{name + "." + e.path, e.err}
	}
}

// fromInput leaves the variable of the operation out of the way, which is "input" nearly always, and nothing that the caller has named.
func fromInput(err error) error {
	if e, ok := errors.AsType[*inputError](err); ok {
		if name, rest, found := strings.Cut(e.path, "."); found && !strings.Contains(name, "[") {
			return &inputError{rest, e.err}
		}
	}
	return err
}
