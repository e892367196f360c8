package main

import "github.com/entcache/entcache/bench/internal/report"

func per(ref report.Ref) []report.Term { return []report.Term{{Times: 1, Ref: ref}} }

// targets are what the hot path promises (issue 7).
var targets = []report.Target{
	{Name: "hot hit, to ristretto", Of: "entcache/hot ns/op", To: per("ristretto/hot ns/op"), AtMost: 1.4},
	{Name: "hot hit, allocations", Of: "entcache/hot allocs/op", AtMost: 0},
	{Name: "parallel hit, to ristretto", Of: "entcache/hot-parallel ns/op", To: per("ristretto/hot-parallel ns/op"), AtMost: 1.3},
	{Name: "random hit, to a ristretto of bundles", Of: "entcache/random ns/op", To: per("ristretto bundle/random ns/op"), AtMost: 1.15},
	{Name: "bound check", Of: "entcache bound/hot ns/op", AtMost: 10},
	{Name: "bound check, allocations", Of: "entcache bound/hot allocs/op", AtMost: 0},
	{Name: "bound check, to an atomic pointer and an index", Of: "entcache bound/hot ns/op", To: per("atomic handle/hot ns/op"), AtMost: 3},
	{
		Name: "decoding a customer of 20, to encoding/json into eight fields",
		Of:   "gql/DecodeCustomer20 ns/op", To: per("gql/DecodeCustomer20Floor ns/op"), AtMost: 0.5,
	},
	{Name: "decoding a customer of 20, allocations", Of: "gql/DecodeCustomer20 allocs/op", AtMost: 60},
	{Name: "event for somebody who is not resident, to decoding it", Of: "gql/Customer20Event,skipped ns/op", To: per("gql/Customer20Event,decoded ns/op"), AtMost: 0.1},
	{Name: "heap of a resident customer of 20, of 10,000", Of: "heap/load B/customer", AtMost: 2200},
	{Name: "applying a set of 20", Of: "sync/ApplySet ns/op", AtMost: 2000},
	{Name: "applying a usage", Of: "sync/ApplyUsage ns/op", AtMost: 300},
	{Name: "p99 of a random check while all are refreshed, to the bundles", Of: "tail/refreshing p99-ns", To: per("tail bundle/refreshing p99-ns"), AtMost: 1.3},
	{Name: "set, from the server's write to a reader, p50", Of: "event/set p50-us", AtMost: 150},
	{Name: "set, from the server's write to a reader, p99", Of: "event/set p99-us", AtMost: 1000},
	{Name: "usage, from the server's write to a reader, p50", Of: "event/usage p50-us", AtMost: 150},
	{Name: "usage, from the server's write to a reader, p99", Of: "event/usage p99-us", AtMost: 1000},
	{
		Name: "prefetch of 100,000, processor time to decoding and 1.3 bare POSTs", Of: "prefetch/load cpu-ns/customer",
		To: []report.Term{{Times: 1, Ref: "gql/DecodeCustomer20 ns/op"}, {Times: 1.3, Ref: "bare post/load cpu-ns/customer"}}, AtMost: 1,
	},
	// What is reachable. The garbage on top of it follows GOGC, whatever the program: heap-peak/resident tells of it.
	{Name: "prefetch of 100,000, most that is reachable, to what stays", Of: "prefetch/load live-peak/resident", AtMost: 1.3},
	{Name: "1,000,000 customers: a skewed hit, to that among 10,000", Of: "resident 1M/skewed ns/op", To: per("resident 10k/skewed ns/op"), AtMost: 1.5},
	{Name: "1,000,000 customers: heap, to what WithMaxMemory counts", Of: "resident 1M/load B/customer", To: per("resident 1M/load estimate-B"), AtMost: 1.1},
}
