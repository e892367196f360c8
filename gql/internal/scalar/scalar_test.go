package scalar

import (
	"encoding/json"
	"testing"
	"time"
)

func TestDateTimeReadsEveryForm(t *testing.T) {
	want := time.Date(2026, 11, 22, 19, 10, 5, 250e6, time.UTC)
	for _, in := range []string{
		`"2026-11-22T19:10:05.250Z"`, `"2026-11-22T19:10:05.25Z"`, `"2026-11-22T20:10:05.250+01:00"`, `"2026-11-22T20:10:05.250+0100"`,
		`"2026-11-22T19:10:05.250"`, `"2026-11-22 19:10:05.250"`, `1795374605250`, `"1795374605250"`, `1.79537460525e12`,
	} {
		var d DateTime
		if err := json.Unmarshal([]byte(in), &d); err != nil || !d.Equal(want) {
			t.Errorf("%s = %v, %v; want %v", in, d, err, want)
		}
		if got := d.Instant().Time(); !got.Equal(want) {
			t.Errorf("%s as instant = %v; want %v", in, got, want)
		}
	}
	for _, in := range []string{`null`, `""`, `0`} {
		var d DateTime
		if err := json.Unmarshal([]byte(in), &d); err != nil || !d.IsZero() || d.Instant() != 0 {
			t.Errorf("%s = %v, %v; want the zero time", in, d, err)
		}
	}
	for _, in := range []string{`"soon"`, `true`, `{}`, `"2026-13-01T00:00:00Z"`, `"2026-02-30T00:00:00Z"`, `"NaN"`, `1e300`} {
		var d DateTime
		if err := json.Unmarshal([]byte(in), &d); err == nil {
			t.Errorf("%s = %v; want an error", in, d)
		}
	}
}

func TestDateTimeWritesUTCWithMilliseconds(t *testing.T) {
	d := DateTime{time.Date(2026, 11, 22, 20, 10, 5, 250_600_000, time.FixedZone("", 3600))}
	got, err := json.Marshal(d)
	if want := `"2026-11-22T19:10:05.250Z"`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if got, err := json.Marshal(DateTime{time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Errorf("year 12000 = %s; want an error", got)
	}
}

func TestParseInstantAgreesWithTimePackage(t *testing.T) {
	start := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 40_000 {
		want := start.Add(time.Duration(i) * (61*time.Hour + 7*time.Minute + 11*time.Second + 123_456_789))
		for _, layout := range []string{"2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05Z", "2006-01-02T15:04:05.999999999Z"} {
			text := want.Format(layout)
			ref, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := ParseInstant([]byte(text)); !ok || int64(got) != ref.UnixNano() {
				t.Fatalf("ParseInstant(%q) = %d, %v; want %d", text, got, ok, ref.UnixNano())
			}
		}
	}
}

func TestInstantsBeyondInt64AreMovedToTheBound(t *testing.T) {
	for text, want := range map[string]time.Time{
		"9999-12-31T23:59:59.999Z": latest, "2262-04-12T00:00:00Z": latest, "0400-01-01T00:00:00Z": earliest, "8640000000000000": latest,
	} {
		if got, ok := ParseInstant([]byte(text)); !ok || !got.Time().Equal(want) {
			t.Errorf("ParseInstant(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
}

func FuzzParseInstant(f *testing.F) {
	for _, s := range []string{"", "2026-11-22T19:10:05.250Z", "2024-02-29T00:00:00Z", "1795374605250", "2026-11-22", "2026-1a-22T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, ok := ParseInstant([]byte(text))
		ref, refOK := ParseTime([]byte(text))
		if ok != refOK || ok && i != instantOf(ref) {
			t.Fatalf("ParseInstant(%q) = %v, %v; ParseTime = %v, %v", text, i, ok, ref, refOK)
		}
	})
}

func BenchmarkParseInstantNoAlloc(b *testing.B) {
	text := []byte("2026-11-22T19:10:05.250Z")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := ParseInstant(text); !ok {
			b.Fatal("not read")
		}
	}
}
