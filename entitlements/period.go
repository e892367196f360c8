package entitlements

import "time"

// PeriodAt returns the usage period that holds now: n whole reset periods after the anchor, in UTC, with months and years
// counted from the anchor's own day and clamped to the end of a shorter month. A moment that begins a period belongs to it.
// It is false when the anchor or the reset period is unknown.
func PeriodAt(anchor Instant, reset ResetPeriod, now Instant) (start, end Instant, ok bool) {
	if anchor == 0 {
		return 0, 0, false
	}
	switch reset {
	case ResetHour:
		start, end = fixedPeriod(anchor, now, time.Hour)
	case ResetDay:
		start, end = fixedPeriod(anchor, now, 24*time.Hour)
	case ResetWeek:
		start, end = fixedPeriod(anchor, now, 7*24*time.Hour)
	case ResetMonth:
		start, end = calendarPeriod(anchor, now, 1)
	case ResetYear:
		start, end = calendarPeriod(anchor, now, 12)
	default:
		return 0, 0, false
	}
	return start, end, true
}

func fixedPeriod(anchor, now Instant, length time.Duration) (start, end Instant) {
	since := now - anchor
	n := since / Instant(length)
	if since < 0 && since%Instant(length) != 0 {
		n-- // floor, not truncation
	}
	start = anchor + n*Instant(length)
	return start, start + Instant(length)
}

func calendarPeriod(anchor, now Instant, months int) (start, end Instant) {
	a, t := anchor.Time(), now.Time()
	// The difference of the calendar months is right or one too large.
	diff := (t.Year()-a.Year())*12 + int(t.Month()) - int(a.Month())
	n := diff / months
	if diff < 0 && diff%months != 0 {
		n--
	}
	for addMonths(a, n*months).After(t) {
		n--
	}
	for !addMonths(a, (n+1)*months).After(t) {
		n++
	}
	return InstantOf(addMonths(a, n*months)), InstantOf(addMonths(a, (n+1)*months))
}

// addMonths moves t by n calendar months and clamps the day to the end of the month, where time.AddDate would run over into
// the next one.
func addMonths(t time.Time, n int) time.Time {
	year, month, day := t.Date()
	first := time.Date(year, month+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	if last := first.AddDate(0, 1, -1).Day(); day > last {
		day = last
	}
	return first.AddDate(0, 0, day-1)
}
