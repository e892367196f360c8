// Package bench measures entcache from end to end, over real sockets on loopback: how long a change takes to reach a reader, what
// the first check of a customer costs, how fast a fleet of customers is loaded. Stigg's side is the emulator, in the same
// process: its work is part of every figure, and a network is not.
//
//	go test -run '^$' -bench . -benchtime 2s -count 6 .
//
// Benchmarks of single parts, the hit and its floor first, stand beside the code. Results that README.md quotes are in results/,
// each with the machine, the commit and the command that made it. The package is a module of its own so that what it may need
// one day, peers to compare with, is nobody's requirement who uses the library.
package bench
