package chart

import (
	"fmt"
	"math"
	"strings"
)

// Point is a value, and between which others it lay, at a place.
type Point struct {
	X, Y, Low, High float64
}

// Curve is one line, from left to right.
type Curve struct {
	Name   string
	Points []Point
}

// Axis says what is across.
type Axis struct {
	Name   string
	Format func(float64) string
}

// Curves draws times in ns, both axes logarithmic; places are spaced as their logarithms are, and 0 has a place of its own to the left.
// It draws no more than four curves.
func Curves(title, note string, across Axis, curves []Curve) string {
	const (
		left, right, top, bottom = 70.0, 30.0, 86.0, 290.0
		width                    = 720.0
	)
	curves = curves[:min(len(curves), colours)]
	var places []float64
	low, high := math.Inf(1), 0.0
	for _, curve := range curves {
		for _, p := range curve.Points {
			low, high = min(low, p.Low), max(high, p.High)
			places = append(places, p.X)
		}
	}
	if len(places) == 0 || low <= 0 {
		low, high = 1, max(high, 10)
	}
	marks := ticks(low, high)
	first, last := math.Log10(marks[0]), math.Log10(marks[len(marks)-1])
	if first == last {
		last++
	}
	y := func(v float64) float64 {
		return bottom - (math.Log10(max(v, marks[0]))-first)/(last-first)*(bottom-top)
	}
	x := horizontal(places, left, width-right)

	c := newCanvas(width, bottom+52, title)
	c.text(16, 24, "start", "title", title)
	c.text(16, 43, "start", "note", note)
	for _, m := range marks {
		c.line(left, y(m), width-right, y(m), "grid")
		c.text(left-8, y(m)+4, "end", "note num", Nanoseconds(m))
	}
	seen := map[float64]bool{}
	for _, place := range places {
		if !seen[place] {
			seen[place] = true
			c.text(x(place), bottom+18, "middle", "note num", across.Format(place))
		}
	}
	c.text((left+width-right)/2, bottom+40, "middle", "note", across.Name)
	legend := 16.0
	for i, curve := range curves {
		c.rect(legend, 58, 10, 10, fmt.Sprintf("d%d", i))
		c.text(legend+16, 67, "start", "name", curve.Name)
		legend += 34 + 7*float64(len(curve.Name))
		var path strings.Builder
		for j, p := range curve.Points {
			fmt.Fprintf(&path, "%c%s %s", "ML"[min(j, 1)], num(x(p.X)), num(y(p.Y)))
			c.line(x(p.X), y(p.Low), x(p.X), y(p.High), "spread")
		}
		fmt.Fprintf(c, `<path d="%s" class="line c%d"/>`+"\n", path.String(), i)
		for _, p := range curve.Points {
			fmt.Fprintf(c, `<circle cx="%s" cy="%s" r="3.5" class="d%d"/>`+"\n", num(x(p.X)), num(y(p.Y)), i)
		}
	}
	return c.end()
}

// horizontal places values between two edges by their logarithm. Zero, which has none, stands a tenth of the way before the others.
func horizontal(places []float64, from, to float64) func(float64) float64 {
	least, most, zero := math.Inf(1), 0.0, false
	for _, v := range places {
		if v <= 0 {
			zero = true
			continue
		}
		least, most = min(least, v), max(most, v)
	}
	start := from
	if zero {
		start += (to - from) / 10
	}
	return func(v float64) float64 {
		switch {
		case v <= 0:
			return from
		case least >= most:
			return (start + to) / 2
		}
		return start + (math.Log(v)-math.Log(least))/(math.Log(most)-math.Log(least))*(to-start)
	}
}
