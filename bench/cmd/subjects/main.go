// Command subjects measures what this module can hold up beside one another without anybody else's product: entcache, and the floors
// under it. It is given one subject and prints a line of JSON for each shape (package measure). It is meant to be run by
// bench/cmd/compare, which runs it for every subject in turn; by hand it serves to profile one of them:
//
//	go run ./bench/cmd/subjects -subject entcache -shapes random -time 10s
//
// The peers are in a module of their own, bench/peers.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/entcache/entcache/bench/internal/measure"
)

var subjects = map[string]measure.Subject{
	"entcache":         {Open: openEntcache},
	"entcache bound":   {Open: openBound},
	"atomic handle":    {Open: openHandles},
	"atomic map":       {Open: openAtomicMap},
	"atomic maps":      {Open: openAtomicMaps},
	"ristretto":        {Open: openRistretto},
	"ristretto bundle": {Open: openBundles},
	"tail":             {Measure: tail},
	"tail bundle":      {Measure: tailOfBundles},
	"event":            {Measure: eventToReader},
	"bare socket":      {Measure: bareSocket},
	"updates":          {Measure: updates},
	"prefetch":         {Measure: prefetch},
	"bare post":        {Measure: barePost},
	"resident":         {Measure: resident},
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == serveArgument {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, "subjects:", err)
			os.Exit(1)
		}
		return
	}
	if err := measure.Run("subjects", os.Args[1:], os.Stdout, os.Stderr, subjects); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "subjects:", err)
		}
		os.Exit(2)
	}
}
