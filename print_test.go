package entcache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache"
)

// TestWhatAnOperatorSeesCanBeLoggedAndShown: an error is its text and a duration is one, and what is not known is left out.
func TestWhatAnOperatorSeesCanBeLoggedAndShown(t *testing.T) {
	noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	gone := errors.New("no answer in time")
	for _, tt := range []struct {
		v         any
		json, log string
	}{
		{
			entcache.Status{State: entcache.StateInterrupted, Since: noon, Err: gone, ErrAt: noon, Pending: 2, Bound: 5 * time.Minute, LastFrame: noon, RequestsPerMinute: 3000, Resident: 3, MemoryBytes: 4, Waiting: 1},
			`{"State":"interrupted","Since":"2026-11-28T12:00:00Z","Err":"no answer in time","ErrAt":"2026-11-28T12:00:00Z","Pending":2,"Bound":"5m0s","LastFrame":"2026-11-28T12:00:00Z","RequestsPerMinute":3000,"Resident":3,"MemoryBytes":4,"Waiting":1}`,
			`v.state=interrupted v.since=2026-11-28T12:00:00.000Z v.error="no answer in time" v.error_at=2026-11-28T12:00:00.000Z v.pending=2 v.bound=5m0s v.last_frame=2026-11-28T12:00:00.000Z v.requests_per_minute=3000 v.resident=3 v.memory_bytes=4 v.waiting=1`,
		},
		{
			entcache.Status{},
			`{"State":"initializing","Pending":0,"RequestsPerMinute":0,"Resident":0,"MemoryBytes":0,"Waiting":0}`,
			`v.state=initializing v.pending=0 v.requests_per_minute=0 v.resident=0 v.memory_bytes=0 v.waiting=0`,
		},
		{
			entcache.MeterStats{Accepted: 9, Rejected: 8, Sent: 7, Merged: 6, Calls: 5, Retried: 4, SetAside: 3, Waiting: 2, WaitingBytes: 1, Oldest: 90 * time.Second, Err: gone},
			`{"Accepted":9,"Rejected":8,"Sent":7,"Merged":6,"Calls":5,"Retried":4,"SetAside":3,"Waiting":2,"WaitingBytes":1,"Oldest":"1m30s","Err":"no answer in time"}`,
			`v.accepted=9 v.rejected=8 v.sent=7 v.merged=6 v.calls=5 v.retried=4 v.set_aside=3 v.waiting=2 v.waiting_bytes=1 v.oldest=1m30s v.error="no answer in time"`,
		},
		{
			entcache.MeterStats{},
			`{"Accepted":0,"Rejected":0,"Sent":0,"Merged":0,"Calls":0,"Retried":0,"SetAside":0,"Waiting":0,"WaitingBytes":0}`,
			`v.accepted=0 v.rejected=0 v.sent=0 v.merged=0 v.calls=0 v.retried=0 v.set_aside=0 v.waiting=0 v.waiting_bytes=0`,
		},
	} {
		if got, err := json.Marshal(tt.v); err != nil || string(got) != tt.json {
			t.Errorf("%s, %v\nwant %s", got, err, tt.json)
		}
		if got := logged(tt.v); got != tt.log {
			t.Errorf("%s\nwant %s", got, tt.log)
		}
	}
}

// logged is a value as a text log has it.
func logged(v any) string {
	var text bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
	_, rest, _ := strings.Cut(strings.TrimSpace(text.String()), "msg=m ")
	return rest
}

func TestSetsQuestionsAndReservationsCanBeLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		set, err := w.client.Entitlements(t.Context(), entcache.Key{CustomerID: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		none, _ := w.client.Entitlements(t.Context(), entcache.Key{CustomerID: "nobody"})
		bound := w.client.Bind(entcache.Query{CustomerID: "acme", ResourceID: "site", CurrencyID: "ai-credits", RequestedUsage: 2})
		r, err := w.client.Reserve(context.Background(), entcache.Query{CustomerID: "acme", FeatureID: "seats", RequestedUsage: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Cancel()
		n := set.Len()
		for _, tt := range []struct {
			v         any
			text, log string
		}{
			{set, fmt.Sprintf("%d entitlements, fetched", n), fmt.Sprintf("v.entitlements=%d v.origin=fetched v.as_of=", n)},
			{none, "0 entitlements, fetched, CustomerNotFound", "v.entitlements=0 v.origin=fetched v.reason=CustomerNotFound v.as_of="},
			{bound, `customer "acme" resource "site", currency "ai-credits"`, "v.customer=acme v.resource=site v.currency=ai-credits v.requested_usage=2"},
			{r, `1 of feature "seats" for customer "acme"`, "v.customer=acme v.feature=seats v.amount=1 v.settled=false"},
		} {
			if got := fmt.Sprint(tt.v); got != tt.text {
				t.Errorf("%s, want %s", got, tt.text)
			}
			if got := logged(tt.v); !strings.HasPrefix(got, tt.log) {
				t.Errorf("%s, want %s", got, tt.log)
			}
		}
	})
}
