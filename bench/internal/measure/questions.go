package measure

import (
	"fmt"
	"math/rand/v2"
)

// Size is how much a subject holds.
type Size struct {
	Customers, Features int
}

// Question is one of "may this customer use this feature". Its positions are for stores that were given handles before.
type Question struct {
	Customer, Feature           string
	CustomerIndex, FeatureIndex int32
}

// Names returns n ids, such as customer-0000017. Each has memory of its own, as ids that come out of requests do.
func Names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%07d", prefix, i)
	}
	return list
}

// Data is what every subject is loaded with: each customer may use each feature.
type Data struct {
	Customers, Features []string
}

// NewData names the customers and features of a size.
func NewData(s Size) Data { return Data{Names("customer", s.Customers), Names("feature", s.Features)} }

func (d Data) question(c, f int) Question {
	return Question{d.Customers[c], d.Features[f], int32(c), int32(f)}
}

// Hot is the same question again and again.
func (d Data) Hot() []Question {
	return []Question{d.question(len(d.Customers)/2, len(d.Features)*2/3)}
}

// Random is a fixed walk on which every question is as likely as every other; Ask goes round it. It is a power of two long.
func (d Data) Random() []Question {
	r := rand.New(rand.NewPCG(1, 2))
	walk := make([]Question, 1<<16)
	for i := range walk {
		walk[i] = d.question(r.IntN(len(d.Customers)), r.IntN(len(d.Features)))
	}
	return walk
}

// skew is the exponent of Skewed. 1.1 gives the most popular of a million customers an eighth of the checks, and ten thousand of
// them four in five.
const skew = 1.1

// Skewed is a fixed walk on which few customers are asked about often, and most hardly ever. It is long enough to meet many of
// a million, and shorter for no more than a thousand. Who is popular has nothing to do with who was loaded first.
func (d Data) Skewed() []Question {
	r := rand.New(rand.NewPCG(1, 2))
	popular := rand.NewZipf(r, skew, 1, uint64(len(d.Customers)-1))
	who := r.Perm(len(d.Customers))
	length := 1 << 20
	if len(d.Customers) <= 1000 {
		length = 1 << 14
	}
	walk := make([]Question, length)
	for i := range walk {
		walk[i] = d.question(who[popular.Uint64()], r.IntN(len(d.Features)))
	}
	return walk
}
