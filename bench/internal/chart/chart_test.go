package chart

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"testing"
)

// wellFormed reads an SVG as XML and returns its elements' attributes, by element.
func wellFormed(t *testing.T, svg string) map[string][]map[string]string {
	t.Helper()
	found := map[string][]map[string]string{}
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			attributes := map[string]string{}
			for _, a := range e.Attr {
				attributes[a.Name.Local] = a.Value
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
				}
			}
			found[e.Name.Local] = append(found[e.Name.Local], attributes)
		}
	}
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestBars(t *testing.T) {
	svg := Bars("a <hot> check & more", "2 CPUs", []string{"ours", "stores", "others"}, []Bar{
		{"entcache", 55, 50, 70, 0}, {"ristretto", 53, 51, 60, 1}, {"GraphQL", 77_600, 70_000, 90_000, 2},
	})
	found := wellFormed(t, svg)
	if len(found["rect"]) != 6 || !strings.Contains(svg, "prefers-color-scheme:dark") {
		t.Errorf("%d bars and keys, want 3 of each, in light and dark:\n%s", len(found["rect"]), svg)
	}
	width := func(i int) float64 { return number(t, found["rect"][3+i]["width"]) }
	// 77600/53 is three decades and a bit, on a scale from 10 ns to 100 µs.
	if ratio := (width(2) - width(1)) / (480.0 / 4); ratio < 3.1 || ratio > 3.25 {
		t.Errorf("the bars differ by %.2f decades, want 3.17", ratio)
	}
	for i := range 3 {
		if key, bar := found["rect"][i]["class"], found["rect"][3+i]["class"]; key != bar {
			t.Errorf("a bar is %q, and its key %q", bar, key)
		}
	}
	for _, want := range []string{"a &lt;hot&gt; check &amp; more", "77.6 µs", "55 ns"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the chart lacks %q", want)
		}
	}
	for _, bars := range [][]Bar{nil, {{"one", 1, 1, 1, 0}}, {{"zero", 0, 0, 0, 7}}} {
		wellFormed(t, Bars("few", "", nil, bars))
	}
}

func TestCurves(t *testing.T) {
	curve := func(name string, xs ...float64) Curve {
		c := Curve{Name: name}
		for _, x := range xs {
			c.Points = append(c.Points, Point{x, 100 + x, 90, 200 + x})
		}
		return c
	}
	svg := Curves("updates", "", Axis{"a second", Count}, []Curve{curve("entcache", 0, 100, 1000, 10_000), curve("bundle", 0, 100)})
	found := wellFormed(t, svg)
	if len(found["path"]) != 2 || len(found["circle"]) != 6 {
		t.Fatalf("%d lines and %d points, want 2 and 6:\n%s", len(found["path"]), len(found["circle"]), svg)
	}
	at := func(i int) float64 { return number(t, found["circle"][i]["cx"]) }
	if at(0) >= at(1) || at(2)-at(1) != at(3)-at(2) {
		t.Errorf("0, 100, 1k and 10k are at %v, %v, %v, %v; want zero first, and decades as wide as one another", at(0), at(1), at(2), at(3))
	}
	for _, few := range [][]Curve{nil, {curve("one", 5)}, {curve("zero", 0)}, make([]Curve, 9)} {
		wellFormed(t, Curves("few", "", Axis{"", Count}, few))
	}
}

func TestNumbersAreShort(t *testing.T) {
	for v, want := range map[float64]string{0.68: "0.68 ns", 3.1: "3.1 ns", 53: "53 ns", 1230: "1.23 µs", 77_640: "77.6 µs", 353_000: "353 µs", 2e6: "2 ms", 100: "100 ns"} {
		if got := Nanoseconds(v); got != want {
			t.Errorf("Nanoseconds(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 1: "1", 1000: "1k", 50_000: "50k", 1e6: "1M"} {
		if got := Count(v); got != want {
			t.Errorf("Count(%v) = %q, want %q", v, got, want)
		}
	}
}
