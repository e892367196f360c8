package main

import (
	"github.com/entcache/entcache"
	"github.com/entcache/entcache/bench/internal/measure"
)

// bound is a question that was prepared: Client.Bind. It looks at whether there is access, and at where the answer came from.
type bound struct {
	ours
	checks   []*entcache.Bound // of all customers and features
	features int
}

func openBound(data measure.Data) (measure.Store, error) {
	client, err := load(data, quiet{})
	if err != nil {
		return nil, err
	}
	s := &bound{ours: ours{client}, features: len(data.Features)}
	for _, customer := range data.Customers {
		for _, feature := range data.Features {
			s.checks = append(s.checks, client.Bind(entcache.Query{CustomerID: customer, FeatureID: feature, RequestedUsage: 1}))
		}
	}
	return s, nil
}

func (s *bound) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	if len(walk) == 1 { // it is held, not looked for
		b := s.checks[int(walk[0].CustomerIndex)*s.features+int(walk[0].FeatureIndex)]
		for range n {
			if d := b.Check(); d.HasAccess() && d.Origin() == entcache.Live {
				yes++
			}
		}
		return yes
	}
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if d := s.checks[int(p.CustomerIndex)*s.features+int(p.FeatureIndex)].Check(); d.HasAccess() && d.Origin() == entcache.Live {
			yes++
		}
	}
	return yes
}
