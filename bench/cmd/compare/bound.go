//go:build bound

package main

import (
	"slices"

	"github.com/entcache/entcache/bench/internal/report"
)

func init() {
	// Beside the floor that it is set against.
	at := slices.IndexFunc(comparison, func(st step) bool { return st.name == "atomic handle" })
	comparison = slices.Insert(comparison, at+1, check(ours, "entcache bound", true))
	targets = append(targets,
		report.Target{Name: "bound check", Of: "entcache bound/hot ns/op", AtMost: 10},
		report.Target{Name: "bound check, allocations", Of: "entcache bound/hot allocs/op", AtMost: 0},
		report.Target{
			Name: "bound check, to an atomic pointer and an index", Of: "entcache bound/hot ns/op", To: per("atomic handle/hot ns/op"), AtMost: 3,
		})
}
