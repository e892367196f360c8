package main

import (
	"fmt"
	"strings"
)

// program is something that is built once and then run.
type program int

const (
	ours      program = iota // bench/cmd/subjects
	peers                    // bench/peers/cmd/subjects
	gqlTests                 // the benchmarks of ./gql
	syncTests                // the benchmarks of ./sync
)

// step is what one process measures.
type step struct {
	name    string // of the samples
	program program
	subject string   // of ours and peers; of tests, which benchmarks
	flags   []string // of ours and peers, besides -subject and -time
	most    int      // rounds at most; 0: no bound
	quick   bool     // part of what -quick runs
}

func check(p program, name string, quick bool) step {
	return step{name: name, program: p, subject: name, quick: quick}
}

// once is for what is heavy: it runs in the first round only.
func once(name, subject string, flags ...string) step {
	return step{name: name, program: ours, subject: subject, flags: flags, most: 1}
}

const million = "1000000"

// comparison is what is measured for the record, in this order: what is set against one another stands side by side.
var comparison = []step{
	check(ours, "ristretto", true),
	check(ours, "entcache", true),
	check(ours, "ristretto bundle", true),
	check(ours, "atomic handle", true),
	check(ours, "entcache bound", true),
	check(ours, "atomic map", false),
	check(ours, "atomic maps", false),
	check(peers, "otter", false),
	check(peers, "xsync", false),
	check(peers, "GrowthBook", false),
	check(peers, "Unleash", false),
	check(peers, "LaunchDarkly", false),
	check(peers, "PostHog", false),
	check(peers, "OpenFeature", false),
	check(peers, "Statsig", false),
	check(peers, "gRPC", false),
	check(peers, "GraphQL", false),
	{name: "gql", program: gqlTests, subject: "^Benchmark(DecodeCustomer20|DecodeCustomer20Floor|Customer20Event)$", quick: true},
	{name: "sync", program: syncTests, subject: "^BenchmarkApply(Set|Usage)$", quick: true},
	{name: "tail", program: ours, subject: "tail"},
	{name: "tail bundle", program: ours, subject: "tail bundle"},
	{name: "event", program: ours, subject: "event"},
	{name: "bare socket", program: ours, subject: "bare socket"},
	{name: "heap", program: ours, subject: "prefetch", most: 3},
	once("prefetch", "prefetch", "-customers", "100000"),
	once("bare post", "bare post", "-customers", "100000"),
	once("resident 10k", "resident"),
	once("resident 1M", "resident", "-customers", million),
}

// curveSubjects are what the curves show.
var curveSubjects = []string{"entcache", "ristretto bundle"}

// Places on the curves.
var (
	curveCustomers = []int{1_000, 10_000, 100_000, 1_000_000}
	curveFeatures  = []int{1, 5, 20, 100, 500}
	curveReaders   = []int{1, 2, 4, 8, 16, 32, 64}
	curveRates     = []int{0, 100, 1_000, 10_000, 50_000}
)

// curveStep names a place on a curve.
func curveStep(subject, along string, at int) string {
	return fmt.Sprintf("%s %s=%d", subject, along, at)
}

// curves is what -curves measures.
func curves() []step {
	var list []step
	add := func(subject, along string, at int, flags string) {
		list = append(list, step{
			name: curveStep(subject, along, at), program: ours, subject: subject,
			flags: append([]string{"-" + along, fmt.Sprint(at)}, strings.Fields(flags)...), most: 3,
		})
	}
	for _, n := range curveCustomers {
		for _, subject := range curveSubjects {
			add(subject, "customers", n, "-shapes random,skewed")
		}
	}
	for _, n := range curveFeatures {
		for _, subject := range curveSubjects {
			add(subject, "features", n, "-customers 1000 -shapes random")
		}
	}
	for _, n := range curveReaders {
		for _, subject := range curveSubjects {
			add(subject, "readers", n, "-shapes hot-parallel,random-parallel")
		}
	}
	for _, n := range curveRates {
		add("updates", "rate", n, "")
	}
	return list
}

// steps is what the command line asks for.
func (s settings) steps() ([]step, error) {
	all := comparison
	if s.curves {
		all = curves()
	}
	var list []step
	for _, st := range all {
		if s.quick {
			if !st.quick {
				continue
			}
			if st.program == ours {
				// A fifth of the customers load in a fifth of the time.
				st.flags = append([]string{"-customers", "2000", "-shapes", "hot,hot-parallel,random"}, st.flags...)
			}
		}
		if s.only.MatchString(st.name) {
			list = append(list, st)
		}
	}
	if len(list) == 0 {
		var names []string
		for _, st := range all {
			names = append(names, st.name)
		}
		return nil, fmt.Errorf("-only %q matches none of: %s", s.only, strings.Join(names, ", "))
	}
	return list, nil
}
