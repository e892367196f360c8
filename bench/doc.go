// Package bench is what is measured. The one command for the record is
//
//	go run ./bench/cmd/compare
//
// It measures the hit beside the stores that it could be made of (bench/cmd/subjects) and beside other libraries (bench/peers), what
// happens between the socket and a reader, memory, loading, and the parts that have benchmarks beside their code; says which targets are
// met; and writes every sample to results/, with the machine, the commit and the command. Its documentation has the rest.
//
// The benchmarks of this package measure entcache from end to end, over real sockets on loopback: how long a change takes to reach a
// reader, what the first check of a customer costs, how fast a fleet of customers is loaded. Stigg's side is the emulator, in the same
// process: its work is part of every figure, and a network is not.
//
//	go test -run '^$' -bench . -benchtime 2s -count 6 .
//
// bench/record runs them, and the micro-benchmarks, six times. The package is a module of its own so that what it needs is nobody's
// requirement who uses the library; bench/peers is another, outside the workspace, so that go test work downloads no peer.
package bench
