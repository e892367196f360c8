package entcache_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// A gateway loses the answer of what was done. Only what cannot be done twice is sent again; of the rest, the error says that its
// outcome is unknown.
func TestRepeatedOnlyWhereItCannotDoHarm(t *testing.T) {
	each(t, func(t *testing.T, w *world, s service, call func() error) {
		before := w.stigg.Requests()[s.field]
		w.stigg.Faults().ReplaceReply(s.operation, emulator.Reply{Status: http.StatusBadGateway, Body: "<html>bad gateway</html>"})
		err := call()
		e, ok := errors.AsType[*entcache.APIError](err)
		if !ok || e.Op != s.operation || e.Status != http.StatusBadGateway {
			t.Fatalf("%v (%+v), want the status of the gateway", err, e)
		}
		sent, want := w.stigg.Requests()[s.field]-before, 1
		if s.repeated {
			want = 4
		}
		if sent != want {
			t.Errorf("sent %d times, want %d", sent, want)
		}
		says := strings.HasSuffix(err.Error(), "; it may have been carried out")
		if says != e.OutcomeUnknown() || !s.reads && !says || strings.Contains(err.Error(), "refused") {
			t.Errorf("%v; OutcomeUnknown: %v; want both to say that the outcome is unknown, of what changes something", err, e.OutcomeUnknown())
		}
	})
}

// In words as well, for who reads a log: nobody knows what became of a write that was never answered.
func TestAWriteThatIsNotAnsweredMayHaveBeenCarriedOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.stigg.Faults().HangHTTP(true)
		_, err := w.client.Customers.Update(t.Context(), entcache.UpdateCustomerInput{CustomerId: new("acme"), Name: new("Acme")})
		if text := fmt.Sprint(err); !strings.HasSuffix(text, "; it may have been carried out") {
			t.Errorf("after the write timeout: %s", text)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = w.client.Customers.Update(short, entcache.UpdateCustomerInput{CustomerId: new("acme"), Name: new("Acme")})
		if text := fmt.Sprint(err); text != "entcache: UpdateCustomer: context deadline exceeded; it may have been carried out" {
			t.Errorf("after the caller's own: %s", text)
		}
		_, err = w.client.Customers.Get(t.Context(), "acme")
		if text := fmt.Sprint(err); strings.Contains(text, "carried out") {
			t.Errorf("a read: %s", text)
		}
		w.stigg.Faults().HangHTTP(false)
		w.stigg.Faults().FailOperation("UpdateCustomer", "BadUserInput")
		_, err = w.client.Customers.Update(t.Context(), entcache.UpdateCustomerInput{CustomerId: new("acme"), Name: new("Acme")})
		if text := fmt.Sprint(err); err == nil || strings.Contains(text, "carried out") {
			t.Errorf("what Stigg refused: %s", text)
		}
	})
}

// What was refused had no effect: everything is sent again, after the time that Stigg asked for.
func TestRateLimitIsWaitedForByEveryService(t *testing.T) {
	each(t, func(t *testing.T, w *world, s service, call func() error) {
		began := time.Now()
		w.stigg.Faults().FailNext(1, emulator.Reply{
			Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"7"}}, Body: `{"errors":[{"message":"slow down","extensions":{"code":"RateLimitExceeded"}}]}`,
		})
		if err := call(); errors.Is(err, entcache.ErrRateLimited) {
			t.Errorf("not sent again: %v", err)
		}
		if waited := time.Since(began); waited < 7*time.Second || waited > 9*time.Second {
			t.Errorf("sent again after %v, want the 7 s that Stigg asked for", waited)
		}
	})
}

func TestRateLimitBeyondTheTimeoutIsNotWaitedFor(t *testing.T) {
	each(t, func(t *testing.T, w *world, s service, call func() error) {
		began := time.Now()
		w.stigg.Faults().FailNext(1, emulator.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"21"}}})
		if err := call(); !errors.Is(err, entcache.ErrRateLimited) {
			t.Errorf("%v, want ErrRateLimited", err)
		}
		if waited := time.Since(began); waited > time.Second {
			t.Errorf("waited %v for nothing", waited)
		}
	})
}

// What Stigg itself refuses is not sent again by anybody.
func TestWhatStiggRefusesIsFinal(t *testing.T) {
	refusals := []struct {
		code string
		is   error
	}{
		{"CustomerNotFound", entcache.ErrNotFound},
		{"COUPON_NOT_FOUND", entcache.ErrNotFound},
		{"IdentityForbidden", entcache.ErrForbidden},
		{"BadUserInput", entcache.ErrBadInput},
		{"DUPLICATED_ENTITY_NOT_ALLOWED", entcache.ErrConflict},
		{"unauthenticated", entcache.ErrUnauthenticated}, // the last: the client goes off
	}
	each(t, func(t *testing.T, w *world, s service, call func() error) {
		for _, r := range refusals {
			before := w.stigg.Requests()[s.field]
			w.stigg.Faults().FailOperation(s.operation, r.code)
			err := call()
			e, ok := errors.AsType[*entcache.APIError](err)
			if !errors.Is(err, r.is) || !ok || e.Code != r.code || e.Op != s.operation || e.TraceID == "" {
				t.Errorf("%s: %v (%+v), want %v with code, operation and trace", r.code, err, e, r.is)
			}
			if n := w.stigg.Requests()[s.field] - before; n != 1 {
				t.Errorf("%s: sent %d times, want once", r.code, n)
			}
		}
	})
}

var (
	badGateway = emulator.Reply{Status: http.StatusBadGateway, Body: "<html>bad gateway</html>"}
	longLimit  = emulator.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"100"}}}
)

// The first request may have had its effect; that the second was refused says nothing of it, whatever it was refused for.
func TestAnOpenOutcomeIsNotForgottenForARefusalAfterIt(t *testing.T) {
	refused := func(code string) emulator.Reply {
		return emulator.Reply{Body: `{"data":null,"errors":[{"message":"no","extensions":{"code":"` + code + `"}}]}`}
	}
	for name, row := range map[string]struct {
		second emulator.Reply
		is     error
	}{
		"too many requests":     {longLimit, entcache.ErrRateLimited},
		"archived meanwhile":    {refused("CustomerNotFound"), entcache.ErrNotFound},
		"a key that is no more": {emulator.Reply{Status: http.StatusUnauthorized}, entcache.ErrUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := started(t)
				w.check("acme", "seats", 0)
				fetches := w.client.Stats().Fetches
				w.stigg.Faults().FailNext(1, badGateway)
				w.stigg.Faults().FailNext(1, row.second)
				_, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1})
				e, ok := errors.AsType[*entcache.APIError](err)
				if !ok || !e.OutcomeUnknown() || !errors.Is(err, row.is) {
					t.Errorf("%v, want one that is %v and whose outcome is unknown", err, row.is)
				}
				if d := w.check("acme", "seats", 0); !d.HasAccess || d.Origin < entcache.Fetched || w.client.Stats().Fetches == fetches {
					t.Errorf("access %v, %v, after %d fetches; want it as a fetch since then says", d.HasAccess, d.Origin, w.client.Stats().Fetches-fetches)
				}
			})
		})
	}
}

// A refusal alone leaves nothing open.
func TestARefusalHasNoEffect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.check("acme", "seats", 0)
		w.stigg.Faults().FailNext(1, longLimit)
		_, err := w.client.Usage.Report(t.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1})
		if e, ok := errors.AsType[*entcache.APIError](err); !ok || e.OutcomeUnknown() {
			t.Errorf("%v, want an error whose outcome is known", err)
		}
		w.want(w.check("acme", "seats", 0), true, entcache.Live)
	})
}

// What asks Stigg itself may take longer than a check may wait.
func TestServicesWaitLongerThanChecks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t, entcache.WithEntitlementTimeout(2*time.Second))
		w.stigg.Faults().Delay(9 * time.Second)
		if _, err := w.client.Customers.Get(t.Context(), "acme"); err != nil {
			t.Errorf("a read that takes 9 s: %v", err)
		}
	})
}

// What an answer says of another key is not taken for what this one used.
func TestAnAnswerAboutAnotherKeyIsNotTaken(t *testing.T) {
	reports := map[string]func(w *world) error{
		"ReportUsage": func(w *world) error {
			return discard(w.client.Usage.Report(w.Context(), entcache.ReportUsageInput{CustomerId: "acme", FeatureId: "seats", Value: 1}))
		},
		"ReportUsageBulk": func(w *world) error {
			return discard(w.client.Usage.ReportBulk(w.Context(), []entcache.UsageReport{{CustomerId: "acme", FeatureId: "seats", Value: 1}}))
		},
	}
	for operation, report := range reports {
		t.Run(operation, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := started(t)
				w.check("acme", "seats", 0)
				w.check("globex", "seats", 0)
				field := map[string]string{"ReportUsage": "reportUsage", "ReportUsageBulk": "reportUsageBulk"}[operation]
				one := fmt.Sprintf(`{"id":"x","customerId":"globex","featureId":"seats","value":1,"currentUsage":3,"timestamp":%q}`, time.Now().UTC().Format(time.RFC3339Nano))
				if operation == "ReportUsageBulk" {
					one = "[" + one + "]"
				}
				w.stigg.Faults().ReplaceReply(operation, emulator.Reply{Status: http.StatusOK, Body: `{"data":{"` + field + `":` + one + `}}`})
				w.answersSlowly()
				if err := report(w); err != nil {
					t.Fatal(err)
				}
				w.stigg.Faults().DropEvents(9)
				if d := w.check("acme", "seats", 0); d.Origin != entcache.Fetched || d.Entitlement.CurrentUsage() != 1 {
					t.Errorf("acme's seats: %v, %v; want 1, fetched", d.Entitlement.CurrentUsage(), d.Origin)
				}
				if d := w.check("globex", "seats", 0); d.Entitlement.CurrentUsage() != 0 {
					t.Errorf("globex has %v seats, want none", d.Entitlement.CurrentUsage())
				}
			})
		})
	}
}

// Stigg tells events apart by their time as well: one that has none would be counted each time it is sent.
func TestAnEventThatIsSentAgainCountsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.countsSignIns()
		w.provision("acme", "growth")
		w.stigg.Faults().ReplaceReply("ReportEvent", badGateway) // they arrive, and nobody hears of it
		events := []entcache.UsageEvent{{CustomerId: "acme", EventName: "signed-in"}}
		if err := w.client.Usage.ReportEvents(t.Context(), events); err == nil {
			t.Fatal("no error, and no answer ever came")
		}
		w.after(time.Minute)
		if n := w.stigg.Requests()["reportEvent"]; n < 2 {
			t.Fatalf("sent %d times, want it repeated", n)
		}
		if used, ok := w.stigg.Snapshot("acme", "").Find("active-users"); !ok || used.Usage != 1 {
			t.Errorf("counted %v times (%v), want once", used.Usage, ok)
		}
		if events[0].Timestamp != nil || events[0].IdempotencyKey != "" {
			t.Errorf("the caller's event was changed: %+v", events[0])
		}
	})
}

// A list that cannot be had whole is an error, never a short list.
func TestAListThatDoesNotGoOnIsAnError(t *testing.T) {
	node := func(i int) string {
		return fmt.Sprintf(`{"node":{"id":"c","refId":"c%d","name":"n","type":"PERCENTAGE","status":"ACTIVE","discountValue":5,
			"createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z"}}`, i)
	}
	var page []string
	for i := range 25 {
		page = append(page, node(i))
	}
	for name, s := range map[string]struct {
		operation, reply string
		yields           int
		list             func(w *world) (int, error)
	}{
		"subscriptions, no cursor": {"GetSubscriptions", `{"data":{"subscriptions":{"edges":[],"pageInfo":{"hasNextPage":true}}}}`, 0, subscriptionsListed},
		"subscriptions, the same cursor": {"GetSubscriptions",
			`{"data":{"subscriptions":{"edges":[],"pageInfo":{"hasNextPage":true,"endCursor":"here"}}}}`, 0, subscriptionsListed},
		"coupons, the same page": {"GetCoupons", `{"data":{"coupons":{"edges":[` + strings.Join(page, ",") + `]}}}`, 25, couponsListed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				if !json.Valid([]byte(s.reply)) {
					t.Fatalf("no JSON: %s", s.reply)
				}
				w := started(t)
				w.stigg.Faults().ReplaceReply(s.operation, emulator.Reply{Status: http.StatusOK, Body: s.reply})
				if n, err := s.list(w); n != s.yields || !errors.Is(err, entcache.ErrMalformed) {
					t.Errorf("%d and %v, want %d and ErrMalformed", n, err, s.yields)
				}
			})
		})
	}
}

func subscriptionsListed(w *world) (int, error) {
	return lengthOf(w.client.Subscriptions.List(w.Context(), nil))
}
func couponsListed(w *world) (int, error) { return lengthOf(w.client.Coupons.List(w.Context(), nil)) }

// lengthOf is how many a list yields, and the error that ends it.
func lengthOf[T any](list func(func(T, error) bool)) (n int, err error) {
	for _, err := range list {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
