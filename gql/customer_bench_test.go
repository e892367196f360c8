package gql

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// customer20 is the reply about a customer with twenty metered entitlements and texts as long as people write them. The server of
// bench/internal/raw sends the like.
//
//go:embed testdata/customer20.json
var customer20 []byte

// customer20Event is the payload of an event with the same entitlements.
func customer20Event(b *testing.B) []byte {
	b.Helper()
	from, to := bytes.IndexByte(customer20, '['), bytes.LastIndexByte(customer20, ']')
	if from < 0 || to < 0 {
		b.Fatal("testdata/customer20.json has no list")
	}
	event := []byte(`{"data":{"entitlementsUpdatedV2":{"customerId":"customer-17","resourceId":null,"accessDeniedReason":null,"entitlements":`)
	return append(append(event, customer20[from:to+1]...), "}}}"...)
}

// BenchmarkDecodeCustomer20 and its floor, encoding/json into eight fields, are what a fetch of an ordinary customer costs after the
// network.
func BenchmarkDecodeCustomer20(b *testing.B) {
	names := newInterner()
	b.SetBytes(int64(len(customer20)))
	b.ReportAllocs()
	for b.Loop() {
		if snap, _, err := decodeState(customer20, aKey, names); err != nil || snap.Len() != 20 {
			b.Fatal(snap, err)
		}
	}
}

func BenchmarkDecodeCustomer20Floor(b *testing.B) {
	b.SetBytes(int64(len(customer20)))
	b.ReportAllocs()
	for b.Loop() {
		var state floorState
		if err := json.Unmarshal(customer20, &state); err != nil || len(state.Data.EntitlementsState.EntitlementsV2) != 20 {
			b.Fatal(err)
		}
	}
}

// BenchmarkCustomer20Event is an event with a whole set: about somebody who is resident, and about somebody who is not.
func BenchmarkCustomer20Event(b *testing.B) {
	for _, row := range []struct {
		name   string
		wanted bool
		kind   entitlements.EventKind
	}{{"decoded", true, entitlements.EventEntitlements}, {"skipped", false, entitlements.EventSkipped}} {
		b.Run(row.name, func(b *testing.B) {
			payload := customer20Event(b)
			d := eventDecoder{decoder: decoder{names: newInterner()}, wanted: func(entitlements.Key) bool { return row.wanted }}
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if ev, _ := d.event(&subscriptions[0], payload); ev.Kind != row.kind {
					b.Fatal(ev)
				}
			}
		})
	}
}
