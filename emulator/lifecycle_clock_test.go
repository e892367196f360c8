package emulator

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestLifecycleClockStepsMakeNoDifference acts a script of orders, updates, cancellations, promotions and usage out three times: the
// clock jumps from one act to the next, it goes in many small steps, or it is left alone, time passes and somebody looks now and then.
// Each time every customer ends with the same subscriptions and sets, and subscribers have heard the same, under stamps that are true.
func TestLifecycleClockStepsMakeNoDifference(t *testing.T) {
	seeds := []uint64{1, 2, 3, rand.Uint64()}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			var jump, steps, looks *timeline
			synctest.Test(t, func(t *testing.T) { jump = live(t, seed, (*life).until) })
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				steps = live(t, seed, func(l *life, d time.Duration) {
					for at := l.Now().Sub(l.began); at < d; {
						at = min(d, at+time.Duration(1+rng.IntN(48*60))*time.Minute)
						l.until(at)
					}
				})
			})
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 2))
				looks = live(t, seed, func(l *life, d time.Duration) {
					for at := l.Now().Sub(l.began); at < d; {
						next := min(d, at+time.Duration(1+rng.IntN(20*24*60))*time.Minute)
						time.Sleep(next - at)
						at = next
						l.Snapshot(liveCustomers[rng.IntN(len(liveCustomers))], "r")
					}
				})
			})
			jump.wantSame(t, "small steps", steps)
			if !slices.Equal(jump.order, steps.order) { // somebody who looks sees to one customer first
				t.Errorf("by small steps, sets were pushed of\n%q, want, as by a jump\n%q", steps.order, jump.order)
			}
			jump.wantSame(t, "time passing", looks)
		})
	}
}

// A jump over several periods to the very instant that one ends finds that one, as small steps do: its end still belongs to it.
func TestLifecycleClockJumpsToTheEndOfAPeriod(t *testing.T) {
	for name, days := range map[string][]time.Duration{"jump": {60}, "steps": {1, 31, 32, 59, 60}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, "")
				l.provision("c1", "", "basic")
				l.report("c1", "", "calls", 7)
				for _, d := range days {
					l.until(d * lifeDay)
				}
				calls, _ := l.Snapshot("c1", "").Find("calls")
				if !calls.PeriodStart.Equal(l.began.Add(lifeJanuary)) || !calls.PeriodEnd.Equal(l.Now()) || calls.Usage != 0 {
					t.Errorf("calls = %+v, want nothing used in February", calls)
				}
			})
		})
	}
}

// timeline is how the life of some customers went.
type timeline struct {
	trace []string            // after each act: what it said, and what its customer had
	heard map[string][]string // by key: the sets that were pushed
	order []string            // the keys of all of them
}

func (tl *timeline) wantSame(t *testing.T, name string, other *timeline) {
	t.Helper()
	for i := range tl.trace {
		if tl.trace[i] != other.trace[i] {
			t.Fatalf("by %s:\n%s\nwant, as by a jump:\n%s", name, other.trace[i], tl.trace[i])
		}
	}
	for key, want := range tl.heard {
		if got := other.heard[key]; !slices.Equal(got, want) {
			t.Errorf("by %s, of %s were pushed\n%q, want, as by a jump\n%q", name, key, got, want)
		}
	}
	if len(tl.heard) < len(liveCustomers) || len(other.heard) != len(tl.heard) {
		t.Errorf("by %s, sets of %d keys were pushed, by a jump of %d", name, len(other.heard), len(tl.heard))
	}
}

var liveCustomers = []string{"a", "b", "c"}

// liveCatalog is lifeCatalog with periods of other lengths, and credits.
func liveCatalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := ParseCatalog([]byte(strings.NewReplacer(
		"features:\n", "features:\n  - {id: runs, type: number, meter: incremental}\n",
		"{feature: seats, limit: 3}, {feature: sso}]",
		"{feature: seats, limit: 3}, {feature: sso}, {currency: coins, limit: 20, reset: week}, {feature: runs, unlimited: true, reset: day, creditRate: {currency: coins, amount: 2}}]",
		"[{feature: reports}]", "[{feature: reports}, {feature: runs, limit: 10, reset: week, resetOn: monday}]",
	).Replace(lifeCatalog) + "currencies:\n  - {id: coins}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// live acts the script of a seed out; pass lets time pass until so long after the beginning.
func live(t *testing.T, seed uint64, pass func(*life, time.Duration)) *timeline {
	b := newBench(t, Config{Catalog: liveCatalog(t), SocketQueue: 1 << 14, History: 1 << 14})
	l := &life{b, b.Now()}
	tl := &timeline{heard: map[string][]string{}}
	rng := rand.New(rand.NewPCG(seed, 0))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }

	var events []wsMessage
	ws := l.listen()
	var hearing sync.WaitGroup
	hearing.Go(func() {
		for {
			m, err := ws.next(100 * 366 * lifeDay)
			if err != nil {
				return
			}
			events = append(events, m)
		}
	})
	for _, c := range liveCustomers {
		l.provision(c, "", "")
	}
	sold, at := 0, time.Duration(0)
	for act := range 60 {
		at += time.Duration(1+rng.IntN(10*24*60)) * time.Minute
		day := func(days int) string { return l.on(at + time.Duration(rng.IntN(days)*24+1)*time.Hour) }
		customerID, resourceID := liveCustomers[rng.IntN(len(liveCustomers))], pick("", "r")
		id := fmt.Sprint("s", rng.IntN(sold+1))
		document := ""
		switch rng.IntN(10) {
		case 0, 1, 2, 3:
			input := fmt.Sprintf(`customerId:%q,planId:%q,subscriptionId:"s%d",skipTrial:%t`, customerID, pick("free", "basic", "pro", "pro", "team", "beta"), sold, rng.IntN(3) == 0)
			sold++
			if resourceID != "" {
				input += `,resourceId:"r"`
			}
			input += pick("", "", `,startDate:"`+day(30)+`"`, `,scheduleStrategy:END_OF_BILLING_PERIOD`, `,billingPeriod:ANNUALLY`)
			input += pick("", "", `,cancellationDate:"`+day(60)+`"`)
			document = `mutation{provisionSubscriptionV2(input:{` + input + `}){status}}`
		case 4:
			input := fmt.Sprintf(`subscriptionRefId:%q,subscriptionCancellationAction:%s`, id, pick("DEFAULT", "REVOKE_ENTITLEMENTS"))
			input += pick("", `,subscriptionCancellationTime:IMMEDIATE`, `,subscriptionCancellationTime:SPECIFIC_DATE,endDate:"`+day(40)+`"`)
			document = `mutation{cancelSubscription(input:{` + input + `}){status}}`
		case 5, 6:
			input := fmt.Sprintf(`subscriptionId:%q,scheduleStrategy:%s,`, id, pick("IMMEDIATE", "END_OF_BILLING_PERIOD", "END_OF_BILLING_MONTH"))
			input += pick(`addons:[{addonId:"more-seats"},{addonId:"more-calls",quantity:2}]`, `addons:[]`, `billableFeatures:[{featureId:"seats",quantity:9}]`,
				`billingPeriod:ANNUALLY`, `trialEndDate:"`+day(30)+`"`, `cancellationDate:null`, `cancellationDate:"`+day(60)+`"`, `billingCycleAnchor:NOW`)
			document = `mutation{updateOneSubscription(input:{` + input + `}){status}}`
		case 7:
			document = fmt.Sprintf(`mutation{grantPromotionalEntitlements(input:{customerId:%q,promotionalEntitlements:[{featureId:"calls",usageLimit:%d,resetPeriod:MONTH,period:CUSTOM,customEndDate:%q}]}){featureId}}`,
				customerID, 50+rng.IntN(2000), day(60))
		case 8:
			document = fmt.Sprintf(`mutation{reportUsage(input:{customerId:%q,featureId:%q,value:%d}){currentUsage}}`, customerID, pick("calls", "runs", "runs", "seats"), rng.IntN(15))
		default:
			document = pick(fmt.Sprintf(`mutation{cancelSchedule(input:{subscriptionId:%q})}`, id),
				fmt.Sprintf(`mutation{archiveCustomer(input:{customerId:%q}){id}}`, customerID), fmt.Sprintf(`mutation{unarchiveCustomer(input:{customerId:%q}){id}}`, customerID))
		}
		pass(l, at)
		a := l.ask(document, nil)
		said := fmt.Sprint(a.Data)
		if len(a.Errors) > 0 {
			said = a.Errors[0].Extensions.Code
			if strings.HasPrefix(said, "GRAPHQL") || said == codeUnexpected {
				t.Fatalf("%s: %+v", document, a.Errors)
			}
		}
		tl.trace = append(tl.trace, fmt.Sprintf("act %d, %v after the beginning: %s says %s; then\n%s", act, at, document, said, l.everything(customerID)))
	}
	pass(l, at+400*lifeDay)
	for _, c := range liveCustomers {
		tl.trace = append(tl.trace, fmt.Sprintf("in the end, %v after the beginning\n%s", at+400*lifeDay, l.everything(c)))
	}
	synctest.Wait()
	l.Faults().CloseSockets(1000, "done")
	hearing.Wait()
	tl.hear(l, events)
	return tl
}

// everything tells all there is to a customer, its stamps apart.
func (l *life) everything(customerID string) string {
	var lines []string
	for _, resourceID := range []string{"", "r"} {
		snap := l.Snapshot(customerID, resourceID)
		for i := range snap.Entitlements {
			snap.Entitlements[i].EntitlementStamp, snap.Entitlements[i].UsageStamp = time.Time{}, time.Time{}
		}
		raw, _ := json.Marshal(snap)
		lines = append(lines, fmt.Sprintf("%s/%s %s", customerID, resourceID, raw))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	const day = "2006-01-02T15:04"
	now := l.now()
	for _, s := range l.state.customers[customerID].subs {
		lines = append(lines, fmt.Sprintf("%s %s of %q from %s to %s, trial to %s, periods from %s by the %s, made %s, cancelled %t, follow %t, %v %v, %d changes, a successor: %t",
			s.planID, s.status(now), s.resourceID, s.startAt.Format(day), s.endAt.Format(day), s.trialEnd.Format(day), s.anchor.Format(day), s.period,
			s.createdAt.Format(day), s.cancelled, s.follow, s.addons, s.quantities, len(s.changes), s.successor != ""))
	}
	return strings.Join(lines, "\n")
}

// hear keeps the sets that were pushed, by key. Their stamps increase, and the log has that set under that stamp.
func (tl *timeline) hear(l *life, events []wsMessage) {
	l.t.Helper()
	type set struct{ reason, features string }
	var last time.Time
	logs := map[string]map[time.Time]set{}
	for _, m := range events {
		var p struct {
			Data struct {
				Event struct {
					CustomerID, ResourceID, AccessDeniedReason string
					Entitlements                               []struct {
						Feature              struct{ RefID string }
						Currency             struct{ CurrencyID string }
						UsageLimit           *float64
						EntitlementUpdatedAt time.Time
					}
				} `json:"entitlementsUpdatedV2"`
			}
		}
		if err := json.Unmarshal(m.Payload, &p); err != nil {
			l.t.Fatalf("%s: %v", m.Payload, err)
		}
		ev := p.Data.Event
		key := ev.CustomerID + "/" + ev.ResourceID
		if logs[key] == nil {
			logs[key] = map[time.Time]set{}
			for _, state := range l.HistoryOf(ev.CustomerID, ev.ResourceID, 0) {
				logged := set{reason: state.AccessDeniedReason}
				for _, ent := range state.Entitlements {
					logged.features += fmt.Sprint(ent.FeatureID, ent.CurrencyID, "=", deref(ent.Limit), " ")
				}
				if _, ok := logs[key][state.Stamp]; !ok {
					logs[key][state.Stamp] = logged // later ones under this stamp differ by usage
				}
			}
		}
		got := set{reason: ev.AccessDeniedReason}
		stamp := time.Time{}
		for _, ent := range ev.Entitlements {
			got.features += fmt.Sprint(ent.Feature.RefID, ent.Currency.CurrencyID, "=", deref(ent.UsageLimit), " ")
			stamp = ent.EntitlementUpdatedAt
			if ent.EntitlementUpdatedAt != ev.Entitlements[0].EntitlementUpdatedAt {
				l.t.Fatalf("two stamps in one set: %s", m.Payload)
			}
		}
		tl.heard[key] = append(tl.heard[key], got.reason+got.features)
		tl.order = append(tl.order, key)
		if len(ev.Entitlements) == 0 {
			continue
		}
		if !stamp.After(last) {
			l.t.Fatalf("a set of %s is stamped %s, after %s", key, stamp, last)
		}
		last = stamp
		if want, ok := logs[key][stamp]; !ok || want != got {
			l.t.Fatalf("pushed of %s under %s: %+v, but it was %+v (%t)", key, stamp, got, want, ok)
		}
	}
}
