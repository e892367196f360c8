// Command subjects measures what other libraries take to answer the question that entcache answers: may this customer use this feature?
// It is given one subject and prints a line of JSON for each shape, as the command of the same name in the module above does; both are
// run by bench/cmd/compare. By hand:
//
//	cd bench/peers && GOWORK=off go run ./cmd/subjects -subject LaunchDarkly
//
// The stores (otter, xsync) hold an answer for each customer and feature. The flag systems are set up as kindly as their model allows:
// one flag for each feature with one rule, "the plan is growth", and everybody's context, with the plan in it, made beforehand; their
// events and metrics are off. They hold no usage and know no limits. The remote paths, a gRPC call and a GraphQL POST, go over
// loopback to a server in this process that answers at once: what is left of a service that asks Stigg, or its sidecar, when network and
// server cost nothing.
//
// Nothing here leaves the machine. bench/peers/README.md has versions and licences.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/entcache/entcache/bench/internal/measure"
)

var subjects = map[string]measure.Subject{
	"otter":        {Open: openOtter},
	"xsync":        {Open: openXsync},
	"LaunchDarkly": {Open: openLaunchDarkly},
	"GrowthBook":   {Open: openGrowthBook},
	"Unleash":      {Open: openUnleash},
	"OpenFeature":  {Open: openOpenFeature},
	"Statsig":      {Open: openStatsig},
	"PostHog":      {Open: openPostHog},
	"gRPC":         {Open: openGRPC},
	"GraphQL":      {Open: openGraphQL},
}

func main() {
	if err := measure.Run("subjects", os.Args[1:], os.Stdout, os.Stderr, subjects); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "subjects:", err)
		}
		os.Exit(2)
	}
}
