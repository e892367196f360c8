package chart

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// style is the colours by their use. The page shows through: no background is painted.
const style = `text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.title{font-size:15px;font-weight:600}.note{fill:#59636e}.num{font-variant-numeric:tabular-nums}text.k0{font-weight:600}
.grid{stroke:#d1d9e0;stroke-width:1}.spread{stroke:#59636e;stroke-width:1.5}
.bar.k0{fill:#0969da}.bar.k1{fill:#8c959f}.bar.k2{fill:#d4a72c}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.c0{stroke:#0969da}.c1{stroke:#bc4c00}.c2{stroke:#1a7f37}.c3{stroke:#8250df}
.d0{fill:#0969da}.d1{fill:#bc4c00}.d2{fill:#1a7f37}.d3{fill:#8250df}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.grid{stroke:#3d444d}.spread{stroke:#9198a1}
.bar.k0{fill:#4493f8}.bar.k1{fill:#656c76}.bar.k2{fill:#9e6a03}
.c0{stroke:#4493f8}.c1{stroke:#db6d28}.c2{stroke:#3fb950}.c3{stroke:#ab7df8}
.d0{fill:#4493f8}.d1{fill:#db6d28}.d2{fill:#3fb950}.d3{fill:#ab7df8}}`

// colours is how many lines a chart of curves can tell apart.
const colours = 4

// canvas is an SVG that is being written.
type canvas struct{ strings.Builder }

func newCanvas(width, height float64, title string) *canvas {
	c := &canvas{}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]s %[2]s" width="%[1]s" height="%[2]s" role="img">`+"\n<title>%[3]s</title>\n<style>%[4]s</style>\n",
		num(width), num(height), escape(title), style)
	return c
}

func (c *canvas) text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(c, `<text x="%s" y="%s" text-anchor="%s" class="%s">%s</text>`+"\n", num(x), num(y), anchor, class, escape(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(c, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`+"\n", num(x1), num(y1), num(x2), num(y2), class)
}

func (c *canvas) rect(x, y, w, h float64, class string) {
	fmt.Fprintf(c, `<rect x="%s" y="%s" width="%s" height="%s" rx="2" class="%s"/>`+"\n", num(x), num(y), num(w), num(h), class)
}

func (c *canvas) end() string {
	c.WriteString("</svg>\n")
	return c.String()
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}

// num writes a coordinate.
func num(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// Nanoseconds writes a time as people say it.
func Nanoseconds(v float64) string {
	switch {
	case v >= 1e6:
		return three(v/1e6) + " ms"
	case v >= 1e3:
		return three(v/1e3) + " µs"
	}
	return three(v) + " ns"
}

// Count writes a number with its thousands as k and its millions as M.
func Count(v float64) string {
	switch {
	case v >= 1e6:
		return three(v/1e6) + "M"
	case v >= 1e3:
		return three(v/1e3) + "k"
	}
	return three(v)
}

// three writes a number with up to three digits that mean something.
func three(v float64) string {
	digits := 2
	switch {
	case v >= 100:
		digits = 0
	case v >= 10:
		digits = 1
	}
	text := fmt.Sprintf("%.*f", digits, v)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// ticks are 1, 10, 100 … from at or below low to at or above high.
func ticks(low, high float64) []float64 {
	var list []float64
	for e := math.Floor(math.Log10(low)); ; e++ {
		v := math.Pow(10, e)
		list = append(list, v)
		if v >= high {
			return list
		}
	}
}
