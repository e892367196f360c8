package emulator

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// The comparisons of the API's filters. All that are given have to hold; those of order compare text as text.

func matchesText(in wire.Opt[wire.StringFieldComparison], value string) bool {
	c := in.Or(wire.StringFieldComparison{})
	return holds(c.Eq, func(x string) bool { return value == x }) &&
		holds(c.Neq, func(x string) bool { return value != x }) &&
		holds(c.In, func(list []string) bool { return slices.Contains(list, value) }) &&
		holds(c.NotIn, func(list []string) bool { return !slices.Contains(list, value) }) &&
		holds(c.Gt, func(x string) bool { return value > x }) &&
		holds(c.Gte, func(x string) bool { return value >= x }) &&
		holds(c.Lt, func(x string) bool { return value < x }) &&
		holds(c.Lte, func(x string) bool { return value <= x }) &&
		holds(c.Like, func(x string) bool { return like(value, x) }) &&
		holds(c.NotLike, func(x string) bool { return !like(value, x) }) &&
		holds(c.ILike, func(x string) bool { return like(strings.ToLower(value), strings.ToLower(x)) }) &&
		holds(c.NotILike, func(x string) bool { return !like(strings.ToLower(value), strings.ToLower(x)) }) &&
		matchesNull(c.Is, c.IsNot, value == "")
}

// matchesTime compares moments, which the filter has as text. What never happens is at, before and after no moment.
func matchesTime(in wire.Opt[wire.DateFieldComparison], value time.Time) bool {
	c := in.Or(wire.DateFieldComparison{})
	cmp := func(x string) int {
		var t wire.DateTime
		if t.UnmarshalGraphQL(x) != nil || value.IsZero() {
			return 2 // no moment is equal to, before or after it
		}
		return value.Compare(t.Time)
	}
	within := func(b wire.DateFieldComparisonBetween) bool {
		lower, upper := cmp(b.Lower), cmp(b.Upper)
		return (lower == 0 || lower == 1) && (upper == 0 || upper == -1)
	}
	return holds(c.Eq, func(x string) bool { return cmp(x) == 0 }) &&
		holds(c.Neq, func(x string) bool { return cmp(x) != 0 }) &&
		holds(c.Gt, func(x string) bool { return cmp(x) == 1 }) &&
		holds(c.Gte, func(x string) bool { return cmp(x) == 0 || cmp(x) == 1 }) &&
		holds(c.Lt, func(x string) bool { return cmp(x) == -1 }) &&
		holds(c.Lte, func(x string) bool { return cmp(x) == 0 || cmp(x) == -1 }) &&
		holds(c.In, func(list []string) bool { return slices.ContainsFunc(list, func(x string) bool { return cmp(x) == 0 }) }) &&
		holds(c.NotIn, func(list []string) bool {
			return !slices.ContainsFunc(list, func(x string) bool { return cmp(x) == 0 })
		}) &&
		holds(c.Between, within) &&
		holds(c.NotBetween, func(b wire.DateFieldComparisonBetween) bool { return !within(b) }) &&
		matchesNull(c.Is, c.IsNot, value.IsZero())
}

// matchesEnum compares a value of one of the schema's enums.
func matchesEnum[E ~string](eq, neq wire.Opt[E], in, notIn wire.Opt[[]E], value E) bool {
	return holds(eq, func(x E) bool { return value == x }) &&
		holds(neq, func(x E) bool { return value != x }) &&
		holds(in, func(list []E) bool { return slices.Contains(list, value) }) &&
		holds(notIn, func(list []E) bool { return !slices.Contains(list, value) })
}

// matchesNull is what is and isNot ask: with null, or a boolean, which no text or date is.
func matchesNull(is, isNot wire.Opt[bool], null bool) bool {
	return (!is.Set || is.IsNull() && null) && (!isNot.Set || !isNot.IsNull() || !null)
}

// holds reports whether a comparison that is given holds; one that is null is taken for one that is not given.
func holds[T any](in wire.Opt[T], test func(T) bool) bool { return in.Value == nil || test(*in.Value) }

// like is SQL's: % for any text, _ for any character.
func like(value, pattern string) bool {
	var re strings.Builder
	re.WriteString("(?s)^")
	for _, r := range pattern {
		switch r {
		case '%':
			re.WriteString(".*")
		case '_':
			re.WriteString(".")
		default:
			re.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return regexp.MustCompile(re.String() + "$").MatchString(value)
}
