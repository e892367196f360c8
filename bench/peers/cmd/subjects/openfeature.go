package main

import (
	"context"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/memprovider"

	"github.com/entcache/entcache/bench/internal/measure"
)

// openFeature is what the API itself takes, over the provider that it brings.
type openFeature struct {
	client   *openfeature.Client
	contexts []openfeature.EvaluationContext
}

func openOpenFeature(data measure.Data) (measure.Store, error) {
	byPlan := func(_ memprovider.InMemoryFlag, of openfeature.FlattenedContext) (any, openfeature.ProviderResolutionDetail) {
		return of["plan"] == "growth", openfeature.ProviderResolutionDetail{Reason: openfeature.TargetingMatchReason}
	}
	flags := map[string]memprovider.InMemoryFlag{}
	for _, feature := range data.Features {
		flags[feature] = memprovider.InMemoryFlag{
			Key: feature, State: memprovider.Enabled, DefaultVariant: "off", Variants: map[string]any{"off": false, "on": true},
			ContextEvaluator: &byPlan,
		}
	}
	if err := openfeature.SetProviderAndWait(memprovider.NewInMemoryProvider(flags)); err != nil {
		return nil, err
	}
	s := openFeature{openfeature.NewDefaultClient(), make([]openfeature.EvaluationContext, len(data.Customers))}
	for i, customer := range data.Customers {
		s.contexts[i] = openfeature.NewEvaluationContext(customer, map[string]any{"plan": "growth"})
	}
	return s, nil
}

func (s openFeature) Ask(walk []measure.Question, from, n int) int {
	ctx := context.Background()
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if ok, _ := s.client.BooleanValue(ctx, p.Feature, false, s.contexts[p.CustomerIndex]); ok {
			yes++
		}
	}
	return yes
}

func (openFeature) Close() { openfeature.Shutdown() }
