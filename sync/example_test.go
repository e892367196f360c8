package syncer_test

import (
	"context"
	"fmt"

	"github.com/entcache/entcache/entitlements"
	syncer "github.com/entcache/entcache/sync"
)

// answers is a Source without a stream that answers from a map.
type answers map[entitlements.Key]*entitlements.Snapshot

func (a answers) Fetch(_ context.Context, key entitlements.Key) (*entitlements.Snapshot, error) {
	if s := a[key]; s != nil {
		return s, nil
	}
	return entitlements.NewSnapshot(key, entitlements.CustomerNotFound, nil), nil
}

func (a answers) Subscribe(context.Context, func(entitlements.Key) bool) (syncer.Stream, error) {
	return nil, syncer.ErrNoStream
}

// nowhere is a Store that has no room. Package cache is one that has.
type nowhere struct{}

func (nowhere) Peek(entitlements.Key) (syncer.Resident, bool) { return syncer.Resident{}, false }
func (nowhere) Update(entitlements.Key, func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief {
	return nil
}
func (nowhere) Insert(_ entitlements.Key, b *entitlements.Belief) (*entitlements.Belief, bool) {
	return b, false
}
func (nowhere) Range(func(syncer.Resident) bool)    {}
func (nowhere) Resources(string) []entitlements.Key { return nil }
func (nowhere) Len() int                            { return 0 }

func Example() {
	acme := entitlements.Key{CustomerID: "acme"}
	source := answers{acme: entitlements.NewSnapshot(acme, "", []entitlements.Grant{{ID: "seats", IsGranted: true}})}
	s, err := syncer.New(syncer.Config{Source: source, Store: nowhere{}})
	if err != nil {
		panic(err)
	}
	s.Start()
	defer s.Close()
	<-s.Synced()

	b, err := s.Load(context.Background(), acme, 0)
	fmt.Println(b.Snapshot, err)
	b, err = s.Load(context.Background(), entitlements.Key{CustomerID: "nobody"}, 0)
	fmt.Println(b.Snapshot.Reason(), err)
	fmt.Println(s.Status().State)
	// Output:
	// customer "acme", feature "seats" <nil>
	// CustomerNotFound <nil>
	// live
}
