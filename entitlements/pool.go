package entitlements

import (
	"sync/atomic"
	"weak"
)

// pool finds again what is equal to something that is in memory already, so that it is there once. It holds on to nothing: what no
// snapshot uses any more is collected. It has a bounded number of places, and whoever finds none takes another's, which is then no
// longer found; that costs memory, and nothing else. The zero pool is ready. All methods may be called from any number of goroutines,
// and take no lock; of two goroutines that add equal things at once, each keeps its own.
type pool[T any] struct {
	places [poolPlaces]atomic.Pointer[place[T]]
	turn   atomic.Uint32
}

type place[T any] struct {
	hash  uint64
	value weak.Pointer[T]
}

const (
	poolPlaces = 1 << 12 // 32 KiB; a catalog has some hundreds of features, and each a few definitions
	poolWays   = 4       // places in which a hash may be
)

func (p *pool[T]) place(hash uint64, way int) *atomic.Pointer[place[T]] {
	return &p.places[(hash>>32+uint64(way))%poolPlaces]
}

// find returns something of that hash that is the same, nil when there is nothing.
func (p *pool[T]) find(hash uint64, same func(*T) bool) *T {
	for way := range poolWays {
		if at := p.place(hash, way).Load(); at != nil && at.hash == hash {
			if v := at.value.Value(); v != nil && same(v) {
				return v
			}
		}
	}
	return nil
}

func (p *pool[T]) add(hash uint64, v *T) {
	way := int(p.turn.Add(1)) % poolWays
	for i := range poolWays {
		if at := p.place(hash, i).Load(); at == nil || at.value.Value() == nil {
			way = i
			break
		}
	}
	p.place(hash, way).Store(&place[T]{hash, weak.Make(v)})
}
