package entitlements

import "time"

// Instant is a moment in nanoseconds since the Unix epoch. It is what a hot path can compare without a time.Time's 24 bytes.
// Zero means unknown or never.
type Instant int64

// InstantOf returns the instant of t; the zero time gives the zero instant.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixNano())
}

// Time returns the instant in UTC; the zero instant gives the zero time.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

// IsZero reports whether the instant is unknown.
func (i Instant) IsZero() bool { return i == 0 }

// Add returns the instant d later; an unknown instant stays unknown.
func (i Instant) Add(d time.Duration) Instant {
	if i == 0 {
		return 0
	}
	return i + Instant(d)
}

// String returns RFC 3339 in UTC, or "never".
func (i Instant) String() string {
	if i == 0 {
		return "never"
	}
	return i.Time().Format(time.RFC3339Nano)
}
