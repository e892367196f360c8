package chart

import (
	"fmt"
	"math"
)

// Bar is one line of a chart of bars: a positive value, and between which others it lay.
type Bar struct {
	Name             string
	Value, Low, High float64
	Kind             int // position in the legend; the first is ours
}

// kinds are the colours that a legend has.
const kinds = 3

// Bars draws times in ns on a logarithmic scale: each line to its right is ten times as long. The legend says what the kinds of bars are,
// up to three.
func Bars(title, note string, legend []string, bars []Bar) string {
	const (
		left, right, top, step = 150.0, 90.0, 92.0, 26.0
		width                  = 720.0
	)
	low, high := math.Inf(1), 0.0
	for _, b := range bars {
		low, high = min(low, b.Low), max(high, b.High)
	}
	if len(bars) == 0 || low <= 0 {
		low, high = 1, max(high, 10)
	}
	marks := ticks(low, high)
	first, last := math.Log10(marks[0]), math.Log10(marks[len(marks)-1])
	if first == last {
		last++
	}
	bottom := top + step*float64(len(bars))
	x := func(v float64) float64 {
		return left + (math.Log10(max(v, marks[0]))-first)/(last-first)*(width-left-right)
	}
	c := newCanvas(width, bottom+34, title)
	c.text(16, 24, "start", "title", title)
	c.text(16, 43, "start", "note", note)
	place := 16.0
	for i, kind := range legend[:min(len(legend), kinds)] {
		c.rect(place, 56, 10, 10, fmt.Sprintf("bar k%d", i))
		c.text(place+16, 65, "start", "name", kind)
		place += 34 + 7*float64(len(kind))
	}
	for _, m := range marks {
		c.line(x(m), top-8, x(m), bottom, "grid")
		c.text(x(m), bottom+18, "middle", "note num", Nanoseconds(m))
	}
	for i, b := range bars {
		y, class := top+step*float64(i), fmt.Sprintf(" k%d", min(max(b.Kind, 0), kinds-1))
		c.text(left-10, y+13, "end", "name"+class, b.Name)
		c.rect(left, y+2, max(1, x(b.Value)-left), step-11, "bar"+class)
		c.line(x(b.Low), y+2+(step-11)/2, x(b.High), y+2+(step-11)/2, "spread")
		c.text(max(x(b.Value), x(b.High))+8, y+13, "start", "num"+class, Nanoseconds(b.Value))
	}
	return c.end()
}
