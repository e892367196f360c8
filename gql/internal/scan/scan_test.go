package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

// value reads any value into what encoding/json would make of it in an interface.
func value(s *Scanner) any {
	switch s.Kind() {
	case String:
		return string(s.String())
	case Number:
		return s.Float()
	case Bool:
		return s.Bool()
	case Array:
		list := []any{}
		s.Open('[')
		for first := true; s.More(']', first); first = false {
			list = append(list, value(s))
		}
		return list
	case Object:
		object := map[string]any{}
		s.Open('{')
		for first := true; s.More('}', first); first = false {
			key := string(s.Key())
			object[key] = value(s)
		}
		return object
	case Null:
		s.Null()
	default:
		s.Fail(ErrSyntax)
	}
	return nil
}

var seeds = []string{
	``, ` `, `null`, `true`, `false`, `0`, `-0`, `-`, `01`, `1.`, `.5`, `1e5`, `1E+2`, `1e`, `-12.5e-3`, `1e999`, `123456789012345678`,
	`""`, `"a"`, `"\u00e9\ud83d\ude00\ud83d x\udc00"`, `"\u12"`, `"\x"`, `"a`, "\"\x01\"", "\"\xff\xc3\xa9\"", `"\"\\\/\b\f\n\r\t"`,
	`[]`, `[1]`, `[1,]`, `[,]`, `[1 2]`, `{}`, `{"a":1}`, `{"a":1,}`, `{"a"}`, `{a:1}`, `{"a":{"b":[null,true,{"c":"d"}]}} `, `{} x`, `[[[[]]]]`,
	`nul`, `tru`, "\u00a0", `{"a":1,"a":2}`, `"\ud800\u0041"`,
}

func check(t *testing.T, data []byte) {
	t.Helper()
	var want any
	wantErr := json.Unmarshal(data, &want)

	s := New(data)
	got := value(&s)
	s.End()
	skipping := New(data)
	skipping.Skip()
	skipping.End()
	if errors.Is(s.Err(), ErrDepth) || errors.Is(skipping.Err(), ErrDepth) {
		return
	}
	if (s.Err() == nil) != (wantErr == nil) {
		t.Fatalf("reading %q: error %v; encoding/json says %v", data, s.Err(), wantErr)
	}
	if (skipping.Err() == nil) != json.Valid(data) {
		t.Fatalf("skipping %q: error %v; json.Valid says %v", data, skipping.Err(), json.Valid(data))
	}
	if wantErr != nil {
		return
	}
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Fatalf("%q read as %s; encoding/json reads %s (%v, %v)", data, a, b, errA, errB)
	}
}

func TestScannerAgreesWithEncodingJSON(t *testing.T) {
	for _, in := range seeds {
		check(t, []byte(in))
	}
}

func FuzzScanner(f *testing.F) {
	for _, in := range seeds {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, data) })
}

func TestDeepNestingIsRefused(t *testing.T) {
	for _, in := range []string{strings.Repeat("[", 1_000_000), strings.Repeat(`{"a":`, 1_000_000)} {
		s := New([]byte(in))
		s.Skip()
		if !errors.Is(s.Err(), ErrDepth) {
			t.Errorf("%.10s… = %v; want ErrDepth", in, s.Err())
		}
	}
}

func TestFirstErrorStays(t *testing.T) {
	s := New([]byte(`{"a":"x"}`))
	s.Open('{')
	s.More('}', true)
	s.Key()
	if f := s.Float(); f != 0 || !errors.Is(s.Err(), ErrType) {
		t.Fatalf("Float of a string = %v, %v; want ErrType", f, s.Err())
	}
	first := s.Err()
	if s.Skip(); s.String() != nil || s.Bool() || s.Raw() != nil || s.More('}', false) || s.Err() != first {
		t.Errorf("after an error: %v; want still %v", s.Err(), first)
	}
}

func TestFloatIsExact(t *testing.T) {
	for in, want := range map[string]float64{"999999999999999": 999999999999999, "0.1": 0.1, "-7": -7, "1e308": 1e308, "4.9e-324": math.SmallestNonzeroFloat64} {
		s := New([]byte(in))
		if got := s.Float(); got != want || s.Err() != nil {
			t.Errorf("%s = %v, %v", in, got, s.Err())
		}
	}
}

// TestPlainStopsAtWhatIsSpecial: wherever a byte stands, and whatever surrounds it.
func TestPlainStopsAtWhatIsSpecial(t *testing.T) {
	special := func(c byte) bool { return c == '"' || c == '\\' || c < ' ' || c >= 0x80 }
	for before := range 20 {
		for c := range 256 {
			for after := range 256 {
				data := append(bytes.Repeat([]byte{'!'}, before), byte(c), byte(after), 'x', 'y')
				want := len(data)
				for i, c := range data {
					if special(c) {
						want = i
						break
					}
				}
				if got := plain(data, 0); got != want {
					t.Fatalf("%q stops at %d, want %d", data, got, want)
				}
			}
		}
	}
}

// A member is passed over where it stands whole, and never where only its beginning does.
func TestAMemberThatRepeatsIsPassedOver(t *testing.T) {
	for _, c := range []struct {
		member, object string
		repeats        bool
	}{
		{`"a":1`, `{"a":1,"b":2}`, true},
		{`"a":1`, `{"a":1}`, true},
		{`"a":{"b":[1,2]}`, `{"a":{"b":[1,2]}}`, true},
		{`"a":1`, `{"a":12}`, false},
		{`"a":1`, `{"a":1.5,"b":2}`, false},
		{`"a":1`, `{"b":1}`, false},
		{`"a":"x"`, `{"a":"y"}`, false},
		{`"a":1`, `{"a":1 }`, false}, // it may: see RepeatsMember
		{`"a":1`, `{"a":1`, false},
		{`"a":1`, `{"a"`, false},
		{``, `{,"a":1}`, false},
	} {
		s := New([]byte(c.object))
		s.Open('{')
		s.More('}', true)
		got := s.RepeatsMember([]byte(c.member))
		if got != c.repeats {
			t.Errorf("%s in %s repeats: %v, want %v", c.member, c.object, got, c.repeats)
		}
		if !got {
			continue
		}
		for s.More('}', false) { // what follows is there to be read
			s.Key()
			s.Skip()
		}
		if s.End(); s.Err() != nil {
			t.Errorf("%s after %s: %v", c.object, c.member, s.Err())
		}
	}
}

func TestAnObjectThatRepeatsIsPassedOver(t *testing.T) {
	for _, c := range []struct {
		object, list string
		repeats      bool
	}{
		{`{"a":1}`, `[{"a":1}]`, true},
		{`{"a":1}`, `[ {"a":1} , 2]`, true},
		{`{}`, `[{}]`, true},
		{`{"a":1}`, `[{"a":1,"b":2}]`, false},
		{`{"a":1}`, `[{"a":2}]`, false},
		{`{"a":1}`, `[{"a"`, false},
		{``, `[{"a":1}]`, false},
	} {
		s := New([]byte(c.list))
		s.Open('[')
		s.More(']', true)
		got := s.Repeats(c.object)
		if got != c.repeats {
			t.Errorf("%s in %s repeats: %v, want %v", c.object, c.list, got, c.repeats)
		}
		if !got {
			continue
		}
		for s.More(']', false) {
			s.Skip()
		}
		if s.End(); s.Err() != nil {
			t.Errorf("%s after %s: %v", c.list, c.object, s.Err())
		}
	}
}

func TestAValueThatRepeatsIsPassedOver(t *testing.T) {
	s := New([]byte(`{"a": {"b":1}}`))
	s.Open('{')
	s.More('}', true)
	if s.Key(); !s.Repeats(`{"b":1}`) || s.More('}', false) || s.Err() != nil {
		t.Errorf("after white space it does not: %v", s.Err())
	}
}

func TestTextInPlace(t *testing.T) {
	s := New([]byte(` { "a" : [1, 2] , "b": 3}`))
	s.Open('{')
	s.More('}', true)
	mark := s.Mark()
	if s.Key(); string(s.Head(4)) != "[1, " || string(s.Head(100)) != `[1, 2] , "b": 3}` {
		t.Errorf("ahead is %q, and %q", s.Head(4), s.Head(100))
	}
	s.Skip()
	since := s.Since(mark)
	if string(since) != `"a" : [1, 2]` || cap(since) != len(since) {
		t.Errorf("since the mark %q, of capacity %d", since, cap(since))
	}
	if s.More('}', false); string(s.Key()) != "b" {
		t.Error("no b")
	}
	mark = s.Mark()
	if s.Skip(); string(s.Since(mark)) != "3" {
		t.Errorf("since the mark %q, want 3", s.Since(mark))
	}
	if s.Fail(ErrSyntax); s.Since(mark) != nil || len(s.Head(4)) != 0 || s.RepeatsMember(since) || s.Repeats(`{}`) {
		t.Error("there is something to read after an error")
	}
}
