package entcache

import (
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// unseen makes an account of which nothing is open, and something unshown.
func (p *pending) unseen(key Key) *account {
	p.add(key, callsRef, 1)
	a := p.account(key)
	m := a.meter(callsRef)
	m.open, m.settled, m.unshown = 0, 1, 1
	return a
}

// linger is what becomes of one when its customer leaves memory.
func (p *pending) linger(key Key) (forgotten bool) {
	p.unseen(key)
	return p.forget(key)
}

// TestFewAccountsLinger: what is unshown when its customer has left memory is kept for a fetch that may be under way, of the last 1,024.
func TestFewAccountsLinger(t *testing.T) {
	p := newPending()
	accounts := func() (n int) {
		for i := range p.shards {
			n += len(p.shards[i].accounts)
		}
		return n
	}
	linger := func(i int) {
		key := Key{CustomerID: strconv.Itoa(i)}
		if p.linger(key) || p.forget(key) {
			t.Fatal("the account is forgotten")
		}
	}
	for i := range 3 * maxLingering {
		linger(i)
	}
	if n := accounts(); n != maxLingering {
		t.Errorf("%d accounts linger, want %d", n, maxLingering)
	}
	first := Key{CustomerID: strconv.Itoa(2 * maxLingering)}
	p.enter(first, &entitlements.Belief{}) // it is in memory
	linger(3 * maxLingering)
	if p.account(first) == nil {
		t.Error("the account of a customer in memory is forgotten")
	}
}

// TestWhatLingeredAndWasReportedOnLingersAgain: its account is not kept for ever because it had something open when its turn came.
func TestWhatLingeredAndWasReportedOnLingersAgain(t *testing.T) {
	p, acme := newPending(), Key{CustomerID: "acme"}
	p.linger(acme)
	p.add(acme, callsRef, 1)
	for i := range maxLingering {
		p.linger(Key{CustomerID: strconv.Itoa(i)})
	}
	if p.account(acme) == nil {
		t.Fatal("an account with something open is forgotten")
	}
	p.linger(acme)
	for i := range maxLingering {
		p.linger(Key{CustomerID: strconv.Itoa(maxLingering + i)})
	}
	if p.account(acme) != nil {
		t.Error("its turn has come, and it lingers still")
	}
}

// TestWhoLingersAgainHasANewTurn: the one of before has passed, although its customer has been in memory since then.
func TestWhoLingersAgainHasANewTurn(t *testing.T) {
	p, acme := newPending(), Key{CustomerID: "acme"}
	last := 0
	others := func(n int) {
		for range n {
			p.linger(Key{CustomerID: strconv.Itoa(last)})
			last++
		}
	}
	p.linger(acme)
	others(maxLingering / 2)
	p.enter(acme, &entitlements.Belief{AwaitRefresh: true})
	p.linger(acme)
	others(maxLingering / 2)
	if p.account(acme) == nil {
		t.Error("forgotten at the turn of the time before")
	}
	others(maxLingering / 2)
	if p.account(acme) != nil {
		t.Error("its turn has come, and it lingers still")
	}
}

// TestWhoIsInMemoryDoesNotLinger, at whatever step of its entry its account is looked at.
func TestWhoIsInMemoryDoesNotLinger(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, _ Ref, _ func() float64) {
		e := c.running.Load()
		like, _ := e.cache.Peek(acme)
		b := *like.Belief
		b.AwaitRefresh = true
		const customers = 1000
		customer := func(i int) Key { return Key{CustomerID: strconv.Itoa(i)} }
		var turn, entered atomic.Int64
		go func() {
			for i := range customers {
				for turn.Load() <= int64(i) {
					runtime.Gosched()
				}
				e.store.Insert(customer(i), &b)
				entered.Add(1)
			}
		}()
		for i := range customers {
			key := customer(i)
			a := c.pending.unseen(key)
			turn.Add(1)
			for range i % 400 { // so that it is met at every step
				turn.Load()
			}
			c.tidy(key)
			for entered.Load() <= int64(i) {
				runtime.Gosched()
			}
			if a.lingers != 0 {
				t.Errorf("customer %d is in memory, and its account lingers", i)
			}
		}
	})
}

// TestWhoHasLeftMemoryLingers, also when it has just been seen there.
func TestWhoHasLeftMemoryLingers(t *testing.T) {
	inMemory(t, func(c *Client, acme Key, _ Ref, _ func() float64) {
		globex := Key{CustomerID: "globex"}
		for _, key := range []Key{acme, globex} {
			a := c.pending.unseen(key)
			c.running.Load().store.stays(key)
			if lingers := a.lingers != 0; lingers != (key == globex) {
				t.Errorf("%v: lingers %v; globex is not in memory, acme is", key, lingers)
			}
		}
	})
}
