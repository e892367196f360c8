package main

import (
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"

	"github.com/entcache/entcache/bench/internal/measure"
)

type launchDarkly struct {
	client   *ld.LDClient
	contexts []ldcontext.Context
}

func openLaunchDarkly(data measure.Data) (measure.Store, error) {
	flags := ldtestdata.DataSource()
	for _, feature := range data.Features {
		flags.Update(flags.Flag(feature).BooleanFlag().FallthroughVariation(false).IfMatch("plan", ldvalue.String("growth")).ThenReturn(true))
	}
	client, err := ld.MakeCustomClient("key", ld.Config{
		DataSource: flags, Events: ldcomponents.NoEvents(), Logging: ldcomponents.NoLogging(), DiagnosticOptOut: true,
	}, 5*time.Second)
	if err != nil {
		return nil, err
	}
	s := launchDarkly{client, make([]ldcontext.Context, len(data.Customers))}
	for i, customer := range data.Customers {
		s.contexts[i] = ldcontext.NewBuilder(customer).SetString("plan", "growth").Build()
	}
	return s, nil
}

func (s launchDarkly) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if ok, _ := s.client.BoolVariation(p.Feature, s.contexts[p.CustomerIndex], false); ok {
			yes++
		}
	}
	return yes
}

func (s launchDarkly) Close() { _ = s.client.Close() }
