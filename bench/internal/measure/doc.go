// Package measure is what the programs that measure have in common: the questions that every store is asked, the loops that time
// the answers, and the lines in which a program says what it found. A store that is compared does nothing but answer: whatever
// costs time around it costs the same for all.
//
// A program that measures runs alone, for one subject, and ends; bench/cmd/compare starts them. Nothing here is safe for more than one
// measurement at a time, except that Ask is called by many goroutines at once.
package measure
