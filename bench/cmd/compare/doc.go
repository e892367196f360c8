// Command compare measures entcache beside what it could be made of and beside what else there is, and says which of its targets are met.
//
//	go run ./bench/cmd/compare                                   # everything but the curves, for the record
//	go run ./bench/cmd/compare -curves                           # how it scales
//	go run ./bench/cmd/compare -only 'entcache|ristretto' -rounds 2
//	go run ./bench/cmd/compare -quick -gate bench/gate.json      # what CI asks: exits with 1 when something has become slower
//	go run ./bench/cmd/compare -from bench/results/2026-11-28.json   # the table and the charts again, of a run that was
//
// Each subject runs in a process of its own: those of bench/cmd/subjects, those of bench/peers (which is downloaded at the first time),
// and benchmarks that stand beside the code. All run once before any runs again, for as many rounds as -rounds says, so that a slow
// moment of the machine falls on all alike, and ratios are taken within a round. What is measured while other processes take more than
// an eighth of a processor is measured again, as often as -patience says; then the least disturbed is kept, and the table says so. What
// is heavy, such as loading a million customers, runs once.
//
// It writes every sample to results/<date>.json (with -curves, <date>-curves.json), and draws charts/*.svg beside it. With -quick or
// -only nothing is written unless -dir is given.
package main
