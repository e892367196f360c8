package scalar

import (
	"time"

	"github.com/entcache/entcache/entitlements"
)

// Bounds of what an instant may say. Nanoseconds in 64 bits end in 2262; a server's "never" is year 9999. Such a moment is moved
// to the bound, which leaves period arithmetic room on both sides.
var (
	earliest = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2250, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Instant returns the moment as entitlements say it; a nil or zero DateTime is the unknown instant.
func (d *DateTime) Instant() entitlements.Instant {
	if d == nil {
		return 0
	}
	return instantOf(d.Time)
}

// ParseInstant reads the text of a moment, without quotes, as [ParseTime] does.
func ParseInstant(text []byte) (entitlements.Instant, bool) {
	if i, ok := parseUTC(text); ok {
		return i, true
	}
	t, ok := ParseTime(text)
	return instantOf(t), ok
}

func instantOf(t time.Time) entitlements.Instant {
	switch {
	case t.IsZero():
		return 0
	case t.Before(earliest):
		t = earliest
	case t.After(latest):
		t = latest
	}
	return entitlements.InstantOf(t)
}

// parseUTC reads the one form that servers written in JavaScript send, 2006-01-02T15:04:05.000Z with any fraction up to
// nanoseconds or none, from 1970 on. It reports false for anything else, which need not be wrong.
func parseUTC(b []byte) (entitlements.Instant, bool) {
	if len(b) < 20 || len(b) > 30 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[len(b)-1] != 'Z' {
		return 0, false
	}
	year, month, day := digits(b[0:4]), digits(b[5:7]), digits(b[8:10])
	hour, minute, second := digits(b[11:13]), digits(b[14:16]), digits(b[17:19])
	if year < 1970 || year >= 2250 || month < 1 || month > 12 || day < 1 || day > 28 || hour < 0 || hour > 23 ||
		minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, false // days 29 to 31 take the long way, where the calendar is checked
	}
	nanos := 0
	if frac := b[19 : len(b)-1]; len(frac) > 0 {
		if frac[0] != '.' || len(frac) == 1 {
			return 0, false
		}
		if nanos = digits(frac[1:]); nanos < 0 {
			return 0, false
		}
		for range 10 - len(frac) {
			nanos *= 10
		}
	}
	seconds := (daysSinceEpoch(year, month, day)*24+hour)*3600 + minute*60 + second
	return entitlements.Instant(int64(seconds)*1e9 + int64(nanos)), true
}

// digits reads decimal digits; -1 if there is anything else.
func digits(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// daysSinceEpoch counts the days from 1970-01-01 in the Gregorian calendar, for dates not before it. The year is taken to begin
// in March, so that the leap day is its last.
func daysSinceEpoch(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}
