package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// operator changes the account and breaks the network. It is one goroutine; all it does follows from its random numbers.
type operator struct {
	server  *server
	control *control
	judge   *judge
	client  *entcache.Client
	keys    []entcache.Key
	random  *rand.Rand
	rate    int
	log     io.Writer

	noArchive bool
	resetOn   emulator.ResetOn

	apiKey     string
	apiKeys    int
	archived   map[string]bool
	operations int
	faults     int
	kills      int
	throttled  bool // this round; more would leave no budget to recover with
	slowest    time.Duration
	census     int
}

var plans = []string{"free", "starter", "growth", "enterprise"}

// settle makes the customers, on a plan each. Resources come first: until one has been acted on, its answers have no history
// of their own.
func (o *operator) settle(ctx context.Context) error {
	for _, own := range []bool{false, true} {
		for _, key := range o.keys {
			if own != (key.ResourceID == "") {
				continue
			}
			if err := o.provision(ctx, key); err != nil {
				return err
			}
		}
	}
	o.archived = map[string]bool{}
	return nil
}

func (o *operator) provision(ctx context.Context, key entcache.Key) error {
	plan := plans[o.random.IntN(len(plans))]
	return o.act(ctx, "/provision", fields{"customerId": key.CustomerID, "resourceId": key.ResourceID, "planId": plan})
}

// act does one thing. What the account refuses is no error: that is what operators run into.
func (o *operator) act(ctx context.Context, path string, body fields) error {
	o.operations++
	return o.send(ctx, path, body)
}

// fault breaks something, or mends it.
func (o *operator) fault(ctx context.Context, path string, body fields) error {
	o.faults++
	return o.send(ctx, "/faults/"+path, body)
}

func (o *operator) send(ctx context.Context, path string, body fields) error {
	o.judge.did("%s %v", path, body)
	fmt.Fprintln(o.log, path, body)
	err := o.control.post(ctx, path, body)
	if _, refused := errors.AsType[*refusal](err); refused {
		return nil
	}
	return err
}

// change does one random thing to one random customer.
func (o *operator) change(ctx context.Context) error {
	key := o.keys[o.random.IntN(len(o.keys))]
	body := fields{"customerId": key.CustomerID, "resourceId": key.ResourceID}
	with := func(more fields) fields {
		for name, value := range more {
			body[name] = value
		}
		return body
	}
	if o.archived[key.CustomerID] && o.random.IntN(3) == 0 {
		delete(o.archived, key.CustomerID)
		if err := o.act(ctx, "/unarchive", fields{"customerId": key.CustomerID}); err != nil {
			return err
		}
		return o.provision(ctx, key)
	}
	number := func(feature string, n int) fields { return fields{"feature": feature, "limit": o.random.IntN(n)} }
	switch n := o.random.IntN(100); {
	case n < 45:
		x := []fields{
			{"featureId": "api-calls", "delta": o.random.IntN(60)}, {"featureId": "seats", "delta": o.random.IntN(7) - 3},
			{"featureId": "ai-answers", "delta": o.random.IntN(40)}, {"featureId": "exports", "delta": 1},
		}
		return o.act(ctx, "/report", with(x[o.random.IntN(len(x))]))
	case n < 70:
		return o.provision(ctx, key)
	case n < 78:
		x := []fields{{"feature": "sso"}, number("upload-size", 100), {"feature": "themes", "values": []string{"dark"}}}
		return o.act(ctx, "/grant-promotional", fields{
			"customerId": key.CustomerID, "entitlement": x[o.random.IntN(len(x))], "for": (500*time.Millisecond + rand.N(2*time.Second)).String(),
		})
	case n < 84:
		x := []fields{number("seats", 8), number("api-calls", 200), {"feature": "upload-size", "unlimited": true}}
		return o.act(ctx, "/set-entitlement", with(fields{"entitlement": x[o.random.IntN(len(x))]}))
	case n < 89:
		x := []fields{{"feature": "sso"}, number("seats", 8)}
		return o.act(ctx, "/deny-entitlement", with(fields{"entitlement": x[o.random.IntN(len(x))], "reason": "BudgetExceeded"}))
	case n < 94:
		x := []string{"seats", "api-calls", "upload-size", "sso"}
		return o.act(ctx, "/clear-entitlement", with(fields{"featureId": x[o.random.IntN(len(x))]}))
	case n < 98 && !o.noArchive:
		o.archived[key.CustomerID] = true
		return o.act(ctx, "/archive", fields{"customerId": key.CustomerID})
	case n < 99:
		return o.act(ctx, "/recalculate", fields{"customerId": key.CustomerID})
	default:
		return o.act(ctx, "/publish-plan", fields{"migration": "ALL_CUSTOMERS", "plan": fields{
			"id": "free", "product": "app", "entitlements": []fields{
				{"feature": "themes", "values": []string{"light"}}, number("upload-size", 30),
				{"feature": "api-calls", "limit": 50 + o.random.IntN(200), "reset": emulator.Month, "resetOn": o.resetOn}, number("seats", 6),
			},
		}})
	}
}

// upset breaks one random thing.
func (o *operator) upset(ctx context.Context) error {
	ms := func(from, to int) string {
		return (time.Duration(from+o.random.IntN(to-from)) * time.Millisecond).String()
	}
	n := func(most int) fields { return fields{"n": 1 + o.random.IntN(most)} }
	customer := o.keys[o.random.IntN(customers)].CustomerID
	switch o.random.IntN(20) {
	case 0:
		return o.fault(ctx, "cut-sockets", nil)
	case 1:
		return o.fault(ctx, "close-sockets", fields{"code": 1012, "reason": "restarting"})
	case 2:
		return o.fault(ctx, "refuse", fields{"on": true, "for": ms(100, 1200)})
	case 3:
		return o.fault(ctx, "hang-http", fields{"on": true, "for": ms(100, 800)})
	case 4:
		return o.fault(ctx, "half-open", fields{"on": true, "for": ms(100, 1000)})
	case 5:
		return o.fault(ctx, "delay", fields{"delay": ms(5, 200), "for": ms(200, 1500)})
	case 6, 7:
		return o.fault(ctx, "drop-events", n(40))
	case 8:
		return o.fault(ctx, "duplicate-events", n(60))
	case 9, 10:
		return o.fault(ctx, "reorder-events", n(60))
	case 11, 12:
		return o.fault(ctx, "delay-events", fields{"delay": ms(50, 1500), "for": ms(200, 2000)})
	case 13:
		replies := []fields{
			{"status": 503, "headers": fields{"content-type": "text/html"}, "body": "<html>busy</html>"},
			{"body": `{"data":{"entitlementsState":{"entitl`, "truncate": true},
			{"body": `{"data":null}`},
			{"status": 429, "headers": fields{"retry-after": "1"}, "body": "slow down"},
		}
		if o.throttled {
			replies = replies[:3]
		}
		reply := replies[o.random.IntN(len(replies))]
		o.throttled = o.throttled || reply["status"] == 429
		return o.fault(ctx, "fail-next", fields{"n": 1 + o.random.IntN(5), "reply": reply})
	case 14:
		return o.fault(ctx, "fail-handshakes", fields{"n": 1, "reply": fields{"status": 502, "body": "bad gateway"}})
	case 15:
		return o.fault(ctx, "complete-subscriptions", nil)
	case 16:
		return o.fault(ctx, "error-subscriptions", fields{"code": "UnexpectedError"})
	case 17:
		frames := []string{`{"type":"next","id":"1","payload":{"data":{"entitlementsUpdatedV2":{"customerId":"` + customer + `"}}}}`, `not JSON`, `{"type":"nonsense"}`}
		return o.fault(ctx, "inject-frame", fields{"frame": frames[o.random.IntN(len(frames))]})
	case 18:
		return o.fault(ctx, "drop-events-if", fields{"match": fields{"customerId": customer}})
	default:
		return o.rotate(ctx)
	}
}

// revokeAhead has a fetch tell of an archived customer before the events from just before it arrive.
func (o *operator) revokeAhead(ctx context.Context, customer string) error {
	if o.noArchive {
		return nil
	}
	o.archived[customer] = true
	if err := o.fault(ctx, "delay-events", fields{"delay": "700ms", "for": "1s"}); err != nil {
		return err
	}
	if err := o.act(ctx, "/recalculate", fields{"customerId": customer}); err != nil {
		return err
	}
	if err := o.act(ctx, "/archive", fields{"customerId": customer}); err != nil {
		return err
	}
	// As a program may that has heard of it elsewhere. It fails while Stigg cannot be reached.
	_, _ = o.client.Reload(ctx, entcache.Key{CustomerID: customer})
	return nil
}

// rotate replaces the API key: the new one is accepted, the client is told, the old one is revoked.
func (o *operator) rotate(ctx context.Context) error {
	old := o.apiKey
	o.apiKeys++
	o.apiKey = fmt.Sprintf("soak-key-%d", o.apiKeys)
	if err := o.act(ctx, "/add-api-key", fields{"key": o.apiKey}); err != nil {
		return err
	}
	if err := o.client.SetAPIKey(o.apiKey); err != nil {
		return err
	}
	return o.act(ctx, "/revoke-api-key", fields{"key": old})
}

// storm changes and breaks things for d. It begins with revokeAhead, while events still get through.
func (o *operator) storm(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	o.throttled = false
	if err := o.revokeAhead(ctx, o.keys[o.random.IntN(customers)].CustomerID); err != nil {
		return err
	}
	upset, sit := time.Now().Add(time.Second), time.Now() // when next; the first, when that has had its time
	pause := time.NewTicker(time.Second / time.Duration(o.rate))
	defer pause.Stop()
	for now := time.Now(); now.Before(end); now = time.Now() {
		if err := o.change(ctx); err != nil {
			return err
		}
		if now.After(upset) {
			upset = now.Add(time.Duration(50+o.random.IntN(400)) * time.Millisecond)
			if err := o.upset(ctx); err != nil {
				return err
			}
		}
		if now.After(sit) {
			sit = now.Add(time.Second)
			if err := o.judge.sit(ctx); err != nil || o.judge.broken() {
				return err
			}
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// kill takes the emulator's life and gives it another, in which the operator makes the customers again.
func (o *operator) kill(ctx context.Context) error {
	// What is not in the log cannot be judged. Changes come from here alone, but promotions expire when somebody reads, so
	// nobody may read between the last look at the log and the kill.
	if err := o.fault(ctx, "clear", nil); err != nil {
		return err
	}
	if err := o.fault(ctx, "refuse", fields{"on": true}); err != nil {
		return err
	}
	time.Sleep(300 * time.Millisecond) // for what is being served, or was delayed by 200 ms at most
	o.judge.mu.Lock()
	defer func() { o.judge.mu.Unlock() }()
	if err := o.judge.sitLocked(ctx); err != nil {
		return err
	}
	if err := o.server.kill(); err != nil {
		return err
	}
	o.control.http.CloseIdleConnections() // they ended with the process
	o.judge.killedLocked(time.Now())
	o.kills++
	if err := o.server.start(o.apiKey); err != nil {
		return err
	}
	o.judge.mu.Unlock()
	err := o.settle(ctx)
	o.judge.mu.Lock()
	return err
}

// calm mends everything, waits until the client says that it is Live, and for as long again as it says that an answer may be
// late, and then looks at everything.
func (o *operator) calm(ctx context.Context) error {
	if err := o.fault(ctx, "clear", nil); err != nil {
		return err
	}
	// A client that was interrupted often waits up to half a minute before it tries again, on purpose. A new key has it try now.
	if o.client.Status().State != entcache.StateLive {
		if err := o.rotate(ctx); err != nil {
			return err
		}
	}
	quiet := time.Now()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	var live time.Time
	bound := time.Duration(0)
	for {
		status := o.client.Status()
		bound = max(bound, status.Bound)
		switch {
		case status.State != entcache.StateLive:
			live = time.Time{}
		case live.IsZero():
			live = time.Now()
			o.slowest = max(o.slowest, live.Sub(quiet))
		}
		if time.Since(quiet) > patience+bound {
			o.judge.mu.Lock()
			defer o.judge.mu.Unlock()
			o.judge.violation(unreachable, "the client is %v (%v) %v after all faults ended", status.State, status.Err, time.Since(quiet))
			return nil
		}
		if !live.IsZero() && time.Since(live) > bound+lateness {
			break
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	var answers []seen
	for range 3 {
		for i, q := range o.judge.questions {
			d, _ := o.client.GetEntitlement(ctx, q.query)
			if d.Origin != entcache.Fallback {
				answers = append(answers, seen{sightOf(&d), i, d.Origin, time.Now()})
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	o.census += len(answers)
	if err := o.judge.sit(ctx); err != nil {
		return err
	}
	o.judge.census(answers, quiet, live, bound+lateness)
	return nil
}

const (
	// lateness is what a busy machine adds to the bound: readers spin on every core, under the race detector.
	lateness = 1500 * time.Millisecond
	// patience is how long the client may take to be Live again once nothing is broken. A request that hangs from before is
	// given up after a second, a stream that is dead and open after 30.
	patience = 35 * time.Second
)

// killedLocked goes on with the log after a kill.
func (j *judge) killedLocked(at time.Time) {
	for i := range j.logs {
		j.logs[i].killed(at)
	}
	j.requests = 0
	j.actions = append(j.actions, clock(at)+" kill -9, start")
}
