package entcache_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache"
)

func calls(customer string, n float64) entcache.UsageReport {
	return entcache.UsageReport{CustomerId: customer, FeatureId: "api-calls", Value: n}
}

func apiCalls(customer string) entcache.Query {
	return entcache.Query{CustomerID: customer, FeatureID: "api-calls"}
}

// sees checks what a check shows: the usage in all, and how much of it is pending.
func (w *world) sees(customer string, current, pending float64) {
	w.Helper()
	d, err := w.client.GetEntitlement(w.Context(), apiCalls(customer))
	if err != nil || d.Entitlement.CurrentUsage() != current || d.Entitlement.PendingUsage() != pending {
		w.Errorf("%s shows %v, of it %v pending (%v); want %v and %v",
			customer, d.Entitlement.CurrentUsage(), d.Entitlement.PendingUsage(), err, current, pending)
	}
}

// counted checks what Stigg has counted.
func (w *world) counted(customer string, want float64) {
	w.Helper()
	e, _ := w.stigg.Snapshot(customer, "").Find("api-calls")
	if e.Usage != want {
		w.Errorf("Stigg has counted %v of %s, want %v", e.Usage, customer, want)
	}
}

func (w *world) report(list ...entcache.UsageReport) {
	w.Helper()
	for _, r := range list {
		if err := w.client.Meter.Report(w.Context(), r); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) flush() {
	w.Helper()
	if err := w.client.Meter.Flush(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// TestMeterCountsAtOnce: a report counts in the next check, before Stigg has heard of it, and once when Stigg has.
func TestMeterCountsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := started(t)
		w.sees("acme", 0, 0)
		w.report(calls("acme", 3), calls("acme", 4))
		w.sees("acme", 7, 7)
		w.counted("acme", 0)
		w.flush()
		w.counted("acme", 7)
		w.sees("acme", 7, 0)
		w.report(calls("acme", -2))
		w.sees("acme", 5, -2)
		time.Sleep(2 * time.Second)
		w.sees("acme", 5, 0)
		if st := w.client.Meter.Stats(); st.Accepted != 3 || st.Sent != 3 || st.Merged != 1 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
	})
}
