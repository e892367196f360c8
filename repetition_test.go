package entcache_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/entcache/entcache"
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
