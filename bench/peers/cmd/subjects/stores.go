package main

import (
	"github.com/maypok86/otter/v2"
	"github.com/puzpuzpuz/xsync/v4"

	"github.com/entcache/entcache/bench/internal/measure"
)

type names struct{ customer, feature string }

type answer struct {
	limit, usage float64
	granted      bool
}

func (a *answer) allows(requested float64) bool { return a.granted && a.usage+requested <= a.limit }

// each calls put with an answer of its own for each customer and feature.
func each(data measure.Data, put func(names, *answer)) {
	for _, customer := range data.Customers {
		for _, feature := range data.Features {
			put(names{customer, feature}, &answer{limit: 1000, usage: 17, granted: true})
		}
	}
}

type inOtter struct{ held *otter.Cache[names, *answer] }

func openOtter(data measure.Data) (measure.Store, error) {
	c, err := otter.New(&otter.Options[names, *answer]{MaximumSize: 2 * len(data.Customers) * len(data.Features)})
	if err != nil {
		return nil, err
	}
	each(data, func(n names, a *answer) { c.Set(n, a) })
	return inOtter{c}, nil
}

func (s inOtter) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if a, ok := s.held.GetIfPresent(names{p.Customer, p.Feature}); ok && a.allows(1) {
			yes++
		}
	}
	return yes
}

func (s inOtter) Close() { s.held.StopAllGoroutines() }

type inXsync struct{ held *xsync.Map[names, *answer] }

func openXsync(data measure.Data) (measure.Store, error) {
	m := xsync.NewMap[names, *answer](xsync.WithPresize(len(data.Customers) * len(data.Features)))
	each(data, func(n names, a *answer) { m.Store(n, a) })
	return inXsync{m}, nil
}

func (s inXsync) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if a, ok := s.held.Load(names{p.Customer, p.Feature}); ok && a.allows(1) {
			yes++
		}
	}
	return yes
}

func (inXsync) Close() {}
