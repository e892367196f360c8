package emulator

import (
	"slices"
	"strings"
	"time"
)

// Period is how often usage starts again from zero. The empty one means never.
type Period string

// The reset periods.
const (
	Hour  Period = "hour"
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
	Year  Period = "year"
)

func (p Period) valid() bool {
	return slices.Contains([]Period{"", Hour, Day, Week, Month, Year}, p)
}

// wire is the API's name for the period.
func (p Period) wire() string { return strings.ToUpper(string(p)) }

// ResetOn is what periods are counted from. The empty one means the instant the subscription started; "calendar" the
// first of its month (month periods only); a weekday in English, lower case, that day's midnight UTC (week periods only).
type ResetOn string

// Calendar resets on the first of the month.
const Calendar ResetOn = "calendar"

var weekdays = []ResetOn{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func (r ResetOn) fits(p Period) bool {
	switch {
	case r == "":
		return true
	case r == Calendar:
		return p == Month
	default:
		return p == Week && slices.Contains(weekdays, r)
	}
}

// anchor moves the start of a subscription back to the day its periods are counted from. All arithmetic is in UTC, which
// has no daylight saving.
func (r ResetOn) anchor(start time.Time) time.Time {
	start = start.UTC()
	switch {
	case r == "":
		return start
	case r == Calendar:
		return time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, time.UTC)
	default:
		back := (int(start.Weekday()) - slices.Index(weekdays, r) + 7) % 7
		return time.Date(start.Year(), start.Month(), start.Day()-back, 0, 0, 0, 0, time.UTC)
	}
}

// at returns anchor plus n periods. Months and years count from the anchor each time, never from the previous boundary,
// so a subscription of 31 January ends its months on 28 February, 31 March, 30 April.
func (p Period) at(anchor time.Time, n int) time.Time {
	switch p {
	case Hour:
		return anchor.AddDate(0, 0, n/24).Add(time.Duration(n%24) * time.Hour) // a Duration ends after 292 years
	case Day:
		return anchor.AddDate(0, 0, n)
	case Week:
		return anchor.AddDate(0, 0, 7*n)
	case Month:
		return addMonths(anchor, n)
	default:
		return addMonths(anchor, 12*n)
	}
}

// addMonths adds calendar months, ending on the last day of a month too short for the anchor's day.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// around returns the period that holds now: its start is at or before now, its end after.
func (p Period) around(anchor, now time.Time) (start, end time.Time) {
	anchor, now = anchor.UTC(), now.UTC()
	n := p.guess(anchor, now)
	for p.at(anchor, n).After(now) {
		n--
	}
	for !p.at(anchor, n+1).After(now) {
		n++
	}
	return p.at(anchor, n), p.at(anchor, n+1)
}

// guess is within one of the right count; around corrects it. It counts in seconds, which reach from any time to any other: time.Sub does
// not, and around would have to walk the rest, an hour at a time.
func (p Period) guess(anchor, now time.Time) int {
	seconds := int(now.Unix() - anchor.Unix())
	months := (now.Year()-anchor.Year())*12 + int(now.Month()) - int(anchor.Month())
	switch p {
	case Hour:
		return seconds / 3600
	case Day:
		return seconds / (24 * 3600)
	case Week:
		return seconds / (7 * 24 * 3600)
	case Month:
		return months
	default:
		return months / 12
	}
}
