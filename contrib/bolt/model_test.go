package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/usage"
	"github.com/entcache/entcache/usage/queuetest"
)

// TestAnyHistoryIsThatOfTheQueueInMemory, however often the file is opened again in between.
func TestAnyHistoryIsThatOfTheQueueInMemory(t *testing.T) {
	dir := t.TempDir()
	records := queuetest.Records()
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		number++
		path := filepath.Join(dir, fmt.Sprint(number))
		defer os.Remove(path)
		open := func() *bolt.Queue {
			q, err := bolt.Open(path, bolt.WithoutSync())
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		q, model := open(), usage.NewMemory()
		defer func() { _ = q.Close() }()
		lanes := rapid.SampledFrom(usage.Lanes[:])
		near := func(n uint64) uint64 { return rapid.Uint64Range(n-min(n, 3), n+3).Draw(t, "number") }
		same := func(got, want any, err, wantErr error) {
			if fmt.Sprint(got) != fmt.Sprint(want) || errors.Is(err, usage.ErrShipment) != errors.Is(wantErr, usage.ErrShipment) ||
				(err == nil) != (wantErr == nil) {
				t.Fatalf("got %v, %v; in memory it is %v, %v", got, err, want, wantErr)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				r := rapid.SampledFrom(records).Draw(t, "record")
				for range rapid.SampledFrom([]int{1, 1, 3, 40}).Draw(t, "times") {
					n, err := q.Append(r.Lane(), r)
					want, wantErr := model.Append(r.Lane(), r)
					same(n, want, err, wantErr)
				}
			},
			"read": func(t *rapid.T) {
				l := lanes.Draw(t, "lane")
				after, max := near(rapid.Uint64Range(0, model.Last(l)).Draw(t, "after")), rapid.IntRange(0, 50).Draw(t, "max")
				got, err := q.Read(l, after, max)
				want, wantErr := model.Read(l, after, max)
				same(len(got), len(want), err, wantErr)
				for i := range got {
					if d := queuetest.Differ(got[i].Record, want[i].Record); d != "" || got[i].Number != want[i].Number {
						t.Fatalf("number %d, want %d: %s", got[i].Number, want[i].Number, d)
					}
				}
			},
			"seal": func(t *rapid.T) {
				l := lanes.Draw(t, "lane")
				last := near(rapid.Uint64Range(0, model.Last(l)).Draw(t, "last"))
				got, err := q.Seal(l, last)
				want, wantErr := model.Seal(l, last)
				same(got, want, err, wantErr)
			},
			"remove": func(t *rapid.T) {
				l := lanes.Draw(t, "lane")
				list, _ := model.Sealed(l)
				if len(list) == 0 {
					t.Skip("nothing is sealed")
				}
				s := rapid.SampledFrom(list).Draw(t, "shipment")
				if rapid.IntRange(0, 4).Draw(t, "wrong") == 0 {
					s.Last++
				}
				same(nil, nil, q.Remove(l, s), model.Remove(l, s))
			},
			"open again": func(t *rapid.T) {
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
				q = open()
			},
			"": func(t *rapid.T) {
				for _, l := range usage.Lanes {
					records, bytes := q.Len(l)
					wantRecords, wantBytes := model.Len(l)
					sealed, err := q.Sealed(l)
					wantSealed, wantErr := model.Sealed(l)
					same([]any{q.Last(l), records, bytes, sealed}, []any{model.Last(l), wantRecords, wantBytes, wantSealed}, err, wantErr)
				}
			},
		})
	})
}
