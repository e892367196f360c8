package main

import (
	"math/bits"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/bench/internal/measure"
)

// The floors: the least that anybody does who keeps the answers in such a store. None of them is ever updated, knows how old its
// answer is, or says why it denies; all build the same query inside the loop.

// answer is what the floors keep of one entitlement.
type answer struct {
	customer, feature string
	limit, usage      float64
	granted           bool
}

func newAnswer(customer, feature string) *answer {
	return &answer{customer: customer, feature: feature, limit: 1000, usage: 17, granted: true}
}

func (a *answer) allows(requested float64) bool { return a.granted && a.usage+requested <= a.limit }

// handles is the least of all: somebody has looked the customer up before, and what is left is the load of a pointer and an index.
type handles []atomic.Pointer[[]answer]

func openHandles(data measure.Data) (measure.Store, error) {
	s := make(handles, len(data.Customers))
	for i, customer := range data.Customers {
		list := make([]answer, len(data.Features))
		for j, feature := range data.Features {
			list[j] = *newAnswer(customer, feature)
		}
		s[i].Store(&list)
	}
	return s, nil
}

func (s handles) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	if len(walk) == 1 { // a handle is held, not looked for
		held, index := &s[walk[0].CustomerIndex], walk[0].FeatureIndex
		for range n {
			if (*held.Load())[index].allows(1) {
				yes++
			}
		}
		return yes
	}
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if (*s[p.CustomerIndex].Load())[p.FeatureIndex].allows(1) {
			yes++
		}
	}
	return yes
}

func (handles) Close() {}

// atomicMap is one map of both ids under an atomic pointer: to change an entry is to copy all of it.
type atomicMap struct {
	held atomic.Pointer[map[names]*answer]
}

type names struct{ customer, feature string }

func openAtomicMap(data measure.Data) (measure.Store, error) {
	all := make(map[names]*answer, len(data.Customers)*len(data.Features))
	for _, customer := range data.Customers {
		for _, feature := range data.Features {
			all[names{customer, feature}] = newAnswer(customer, feature)
		}
	}
	s := &atomicMap{}
	s.held.Store(&all)
	return s, nil
}

func (s *atomicMap) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		q := entcache.Query{CustomerID: p.Customer, FeatureID: p.Feature, RequestedUsage: 1}
		if a := (*s.held.Load())[names{q.CustomerID, q.FeatureID}]; a != nil && a.allows(q.RequestedUsage) {
			yes++
		}
	}
	return yes
}

func (*atomicMap) Close() {}

// atomicMaps is a map of features for each customer.
type atomicMaps struct {
	held atomic.Pointer[map[string]bundle]
}

type bundle map[string]*answer

func newBundle(customer string, features []string) bundle {
	b := make(bundle, len(features))
	for _, feature := range features {
		b[feature] = newAnswer(customer, feature)
	}
	return b
}

func openAtomicMaps(data measure.Data) (measure.Store, error) {
	all := make(map[string]bundle, len(data.Customers))
	for _, customer := range data.Customers {
		all[customer] = newBundle(customer, data.Features)
	}
	s := &atomicMaps{}
	s.held.Store(&all)
	return s, nil
}

func (s *atomicMaps) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		q := entcache.Query{CustomerID: p.Customer, FeatureID: p.Feature, RequestedUsage: 1}
		if a := (*s.held.Load())[q.CustomerID][q.FeatureID]; a != nil && a.allows(q.RequestedUsage) {
			yes++
		}
	}
	return yes
}

func (*atomicMaps) Close() {}

func newRistretto[V any](entries int) (*ristretto.Cache[uint64, V], error) {
	return ristretto.NewCache(&ristretto.Config[uint64, V]{
		NumCounters: int64(10 * entries), MaxCost: 1 << 40, BufferItems: 64, IgnoreInternalCost: true,
	})
}

// put stores what must not be dropped: ristretto's Set may refuse.
func put[V any](c *ristretto.Cache[uint64, V], key uint64, v V) {
	for !c.Set(key, v, 1) {
		c.Wait()
	}
}

// perEntitlement is the floor of the issue: a raw Get on a uint64 key, with the hashing of the two ids and the comparison of the stored
// ones, as in BenchmarkFloorHot.
type perEntitlement struct {
	held *ristretto.Cache[uint64, *answer]
}

func bothHashed(customer, feature string) uint64 {
	return bits.RotateLeft64(z.MemHashString(customer), 23)*0x9e3779b97f4a7c15 ^ z.MemHashString(feature)
}

func openRistretto(data measure.Data) (measure.Store, error) {
	c, err := newRistretto[*answer](len(data.Customers) * len(data.Features))
	if err != nil {
		return nil, err
	}
	for _, customer := range data.Customers {
		for _, feature := range data.Features {
			put(c, bothHashed(customer, feature), newAnswer(customer, feature))
		}
	}
	c.Wait()
	return perEntitlement{c}, nil
}

func (s perEntitlement) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		q := entcache.Query{CustomerID: p.Customer, FeatureID: p.Feature, RequestedUsage: 1}
		if a, ok := s.held.Get(bothHashed(q.CustomerID, q.FeatureID)); ok && a.customer == q.CustomerID && a.feature == q.FeatureID {
			yes++
		}
	}
	return yes
}

func (s perEntitlement) Close() { s.held.Close() }

// perCustomer is ristretto with one bundle for each customer, so that a customer's entitlements change together.
type perCustomer struct {
	held *ristretto.Cache[uint64, *customerBundle]
}

type customerBundle struct {
	customer string
	bundle   bundle
}

func openBundles(data measure.Data) (measure.Store, error) { return newBundles(data) }

func newBundles(data measure.Data) (perCustomer, error) {
	c, err := newRistretto[*customerBundle](len(data.Customers))
	if err != nil {
		return perCustomer{}, err
	}
	for _, customer := range data.Customers {
		put(c, z.MemHashString(customer), &customerBundle{customer, newBundle(customer, data.Features)})
	}
	c.Wait()
	return perCustomer{c}, nil
}

func (s perCustomer) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		q := entcache.Query{CustomerID: p.Customer, FeatureID: p.Feature, RequestedUsage: 1}
		if s.ask(&q) {
			yes++
		}
	}
	return yes
}

func (s perCustomer) ask(q *entcache.Query) bool {
	c, ok := s.held.Get(z.MemHashString(q.CustomerID))
	if !ok || c.customer != q.CustomerID {
		return false
	}
	a := c.bundle[q.FeatureID]
	return a != nil && a.allows(q.RequestedUsage)
}

func (s perCustomer) Close() { s.held.Close() }
