// Package chart draws two kinds of charts as SVG: bars of times that differ by orders of magnitude, and curves. They are read on light and
// on dark pages alike: colours are classes, and a style sheet in the file follows prefers-color-scheme. There is no script, no font
// and no link in them. It draws what it is given and judges nothing.
package chart
