package main

import (
	"context"
	"io"
	"log/slog"

	growthbook "github.com/growthbook/growthbook-golang"

	"github.com/entcache/entcache/bench/internal/measure"
)

// growthBook asks through a client of each customer's, as its documentation has it for one request.
type growthBook struct {
	parent  *growthbook.Client
	clients []*growthbook.Client
}

func openGrowthBook(data measure.Data) (measure.Store, error) {
	flags := map[string]any{}
	for _, feature := range data.Features {
		flags[feature] = map[string]any{
			"defaultValue": false,
			"rules":        []any{map[string]any{"condition": map[string]any{"plan": "growth"}, "force": true}},
		}
	}
	parent, err := growthbook.NewClient(context.Background(), growthbook.WithJsonFeatures(encode(flags)),
		growthbook.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	if err != nil {
		return nil, err
	}
	s := growthBook{parent, make([]*growthbook.Client, len(data.Customers))}
	for i, customer := range data.Customers {
		if s.clients[i], err = parent.WithAttributes(growthbook.Attributes{"id": customer, "plan": "growth"}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s growthBook) Ask(walk []measure.Question, from, n int) int {
	ctx := context.Background()
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if s.clients[p.CustomerIndex].EvalFeature(ctx, p.Feature).On {
			yes++
		}
	}
	return yes
}

func (s growthBook) Close() { _ = s.parent.Close() }
