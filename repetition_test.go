package entcache_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// losesAnswer makes Stigg do what the next request of operation asks, and a gateway lose the answer. One that is sent again is answered.
func (w *world) losesAnswer(operation string) {
	w.stigg.Faults().ReplaceReply(operation, badGateway)
	time.AfterFunc(50*time.Millisecond, func() { w.stigg.Faults().RestoreReply(operation) })
}

// plans are the subscriptions that a customer has, or had.
func (w *world) plans(customer string) []string {
	w.Helper()
	var list []string
	for s, err := range w.client.Subscriptions.List(w.Context(), &entcache.SubscriptionFilter{CustomerId: &entcache.StringFilter{Eq: &customer}}) {
		if err != nil {
			w.Fatal(err)
		}
		list = append(list, fmt.Sprint(s.Plan.RefId, " ", s.Status))
	}
	slices.Sort(list)
	return list
}

// The client itself ordered the plan a second time when the answer to the first order was lost, and so ended the trial it had begun.
func TestAProvisionedTrialIsNotTurnedPaidByARepetition(t *testing.T) {
	type order = entcache.ProvisionCustomerSubscriptionInput
	for name, row := range map[string]struct {
		params  *order
		selling bool
		sent    int
		plans   []string
	}{
		"a plan with a trial":                 {&order{PlanId: "growth"}, false, 1, []string{"growth IN_TRIAL"}},
		"a plan with a trial, paid for later": {&order{PlanId: "growth"}, true, 1, []string{"growth IN_TRIAL"}},
		"a plan, by an id of the caller's":    {&order{PlanId: "growth", SubscriptionId: new("mine")}, false, 1, []string{"growth IN_TRIAL"}},
		"a plan for nothing":                  {&order{PlanId: "free"}, false, 1, []string{"free ACTIVE"}},
		"what the customer journey says":      {nil, false, 2, []string{"free ACTIVE"}},
		"no plan":                             {entcache.Null[order](), false, 2, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := started(t)
				if row.selling {
					w.sellingFor()
				}
				if d := w.check("newco", "seats", 0); d.AccessDeniedReason != entcache.CustomerNotFound {
					t.Errorf("before: %q", d.AccessDeniedReason)
				}
				w.stigg.Faults().DropEvents(1000)
				w.losesAnswer("ProvisionCustomer")
				_, err := w.client.Customers.Provision(t.Context(), entcache.ProvisionCustomerInput{CustomerId: new("newco"), SubscriptionParams: row.params})
				if e, ok := errors.AsType[*entcache.APIError](err); row.sent == 1 && (!ok || !e.OutcomeUnknown()) || row.sent > 1 && err != nil {
					t.Errorf("%v; want it sent again, or an error whose outcome is unknown", err)
				}
				if n := w.stigg.Requests()["provisionCustomer"]; n != row.sent {
					t.Errorf("sent %d times, want %d", n, row.sent)
				}
				if got := w.plans("newco"); !slices.Equal(got, row.plans) {
					t.Errorf("the customer has %q, want %q", got, row.plans)
				}
				if d := w.check("newco", "seats", 0); d.HasAccess != (row.plans != nil) || d.AccessDeniedReason == entcache.CustomerNotFound {
					t.Errorf("the next check: access %v (%s), %v", d.HasAccess, d.AccessDeniedReason, d.Origin)
				}
			})
		})
	}
}

// What the client sends again by itself is done once: Stigg is then, in everything that it knows, as one is that was asked once and
// whose answer came.
func TestWhatIsSentAgainIsDoneOnce(t *testing.T) {
	story := func(t *testing.T, s service, lost bool) (state []string) {
		bubble(t, func(t *testing.T) {
			w := started(t)
			w.countsSignIns()
			w.provision("acme", "growth")
			if lost {
				w.losesAnswer(s.operation)
			}
			if err := s.call(t.Context(), w.client, ""); err != nil {
				t.Fatal(err)
			}
			w.after(time.Minute) // so that Stigg has done what it does for later
			if n := w.stigg.Requests()[s.field]; n > 1 != lost {
				t.Errorf("sent %d times; its answer is lost: %v", n, lost)
			}
			state = w.dumped()
		})
		return state
	}
	n := 0
	for name, s := range services {
		if !s.repeated || s.reads {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			once, again := story(t, s, false), story(t, s, true)
			for i := range max(len(once), len(again)) {
				if i >= len(once) || i >= len(again) || once[i] != again[i] {
					t.Errorf("asked once, and asked again, Stigg differs from here on:\n%s\nand:\n%s", excerpt(once, i), excerpt(again, i))
					break
				}
			}
		})
	}
	if n < 6 {
		t.Errorf("%d services that are repeated and do not only read, want those of customers, usage and credits", n)
	}
}

// countsSignIns makes each raw event count by itself, where the demo catalog counts people.
func (w *world) countsSignIns() {
	w.Helper()
	catalog := emulator.DemoCatalog()
	for i := range catalog.Features {
		if f := &catalog.Features[i]; f.Events != nil {
			f.Events = &emulator.EventMeter{Name: "signed-in", Aggregate: emulator.Count}
		}
	}
	if err := w.stigg.UpdateCatalog(catalog, emulator.AllCustomers); err != nil {
		w.Fatal(err)
	}
}

// passing are the moments of the first minutes of a bubble, and keys that were drawn by lot: no two stories have the same.
var passing = regexp.MustCompile(`2000-01-01T00:0\d:[\d.]+Z|[A-Z2-7]{26}`)

// dumped is all that the emulator knows, line by line, but for what is another each time.
func (w *world) dumped() []string {
	w.Helper()
	var b strings.Builder
	if err := w.stigg.Dump(&b); err != nil {
		w.Fatal(err)
	}
	return strings.Split(passing.ReplaceAllString(b.String(), "…"), "\n")
}

// excerpt is what stands around a line.
func excerpt(lines []string, at int) string {
	return strings.Join(lines[min(max(at-8, 0), len(lines)):min(at+8, len(lines))], "\n")
}
