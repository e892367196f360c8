package syncer

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entcache/entcache/entitlements"
)

func TestOneFlightPerKeyAndOneResultForAll(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		var wg sync.WaitGroup
		var got [20]*entitlements.Belief
		for i := range got {
			wg.Go(func() { got[i], _ = w.Load(w.t.Context(), acme, 0) })
		}
		wg.Wait()
		for i, b := range got {
			if b == nil || b != got[0] {
				t.Errorf("reader %d got %p, reader 0 %p", i, b, got[0])
			}
		}
		if n := w.server.asked(acme); n != 1 {
			t.Errorf("%d fetches for %d readers, want 1", n, len(got))
		}
	})
}

func TestCallersContextEndsOnlyItsOwnWait(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		release := w.server.hold(acme)
		mine := errors.New("had enough")
		ctx, cancel := context.WithCancelCause(w.t.Context())
		first := make(chan error, 1)
		second := make(chan error, 1)
		go func() { _, err := w.Load(ctx, acme, 0); first <- err }()
		synctest.Wait()
		go func() { _, err := w.Load(w.t.Context(), acme, 0); second <- err }()
		synctest.Wait()
		cancel(mine)
		if err := <-first; !errors.Is(err, mine) {
			t.Errorf("Load = %v, want the cause its ctx ended with", err)
		}
		release()
		if err := <-second; err != nil {
			t.Errorf("the other reader's Load = %v, want the answer", err)
		}
		if n := w.server.asked(acme); n != 1 {
			t.Errorf("%d fetches, want 1: the leader's end is not the flight's", n)
		}
	})
}

func TestLoadSinceNeverReturnsAnOlderFlightsAnswer(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		release := w.server.hold(acme)
		go w.Load(w.t.Context(), acme, 0)
		synctest.Wait()
		w.server.set(acme, grant("seats", 2, 20))
		since := w.Now()
		got := make(chan *entitlements.Belief, 1)
		go func() { b, _ := w.Load(w.t.Context(), acme, since); got <- b }()
		synctest.Wait()
		release()
		if l := limitOf(<-got, "seats"); l != 20 {
			t.Errorf("limit = %v, want 20: the flight in the air began before the question", l)
		}
		if n := w.server.asked(acme); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

// A reader sees that it has to wait, and the fetch it would wait for lands before it does so. It needs no other; one who asks again does.
func TestWhoComesAfterTheFetchHasLandedCostsNoOther(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.server.set(acme, grant("seats", 2, 20))
		w.AwaitRefresh(acme)
		seen, _ := w.store.Peek(acme)
		if !seen.Belief.AwaitRefresh {
			t.Fatal("nothing to wait for")
		}
		time.Sleep(time.Second) // in which the refresher fetches it
		synctest.Wait()
		if b, live := w.read(acme); !live || limitOf(b, "seats") != 20 {
			t.Fatalf("limit %v, live %v; want it fetched", limitOf(b, "seats"), live)
		}
		before := w.server.asked(acme)
		b, err := w.Load(w.t.Context(), acme, seen.Belief.QuestionSeq)
		if err != nil || limitOf(b, "seats") != 20 || w.server.asked(acme) != before {
			t.Errorf("limit %v, %v, after %d more fetches; want 20, and none", limitOf(b, "seats"), err, w.server.asked(acme)-before)
		}
		w.server.set(acme, grant("seats", 3, 30))
		if b, err = w.Reload(w.t.Context(), acme); err != nil || limitOf(b, "seats") != 30 {
			t.Errorf("reloaded: limit %v, %v; want 30", limitOf(b, "seats"), err)
		}
		w.server.set(acme, grant("seats", 4, 40))
		if b, err = w.Load(w.t.Context(), acme, b.GrantSeq); err != nil || limitOf(b, "seats") != 40 {
			t.Errorf("after what is held: limit %v, %v; want 40", limitOf(b, "seats"), err)
		}
	})
}

// A reader's fetch may land just when the refresher has seen that the key needs one.
func TestWhatLandsWhileTheRefresherLooksIsNotFetchedAgain(t *testing.T) {
	atOnce := func(_ *Config, s *server) { s.latency = 0 }
	inWorld(t, atOnce, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.server.set(acme, grant("seats", 2, 20))
		before := w.server.asked(acme)
		read := make(chan float64)
		w.store.whenSeen(func() {
			done := make(chan struct{})
			held, _ := w.store.Peek(acme)
			go func() {
				b, _ := w.Load(w.t.Context(), acme, held.Belief.QuestionSeq)
				close(done)
				read <- limitOf(b, "seats")
			}()
			for range 10_000 { // it lands meanwhile, or is kept waiting until the refresher has made up its mind
				select {
				case <-done:
					return
				default:
					runtime.Gosched()
				}
			}
		})
		w.AwaitRefresh(acme)
		if l := <-read; l != 20 {
			t.Errorf("limit = %v, want 20", l)
		}
		synctest.Wait()
		if n := w.server.asked(acme) - before; n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

func TestAbsenceIsAnAnswer(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		if b := w.load(key{CustomerID: "nobody"}); b.Snapshot.Reason() != entitlements.CustomerNotFound {
			t.Errorf("reason = %q, want %q", b.Snapshot.Reason(), entitlements.CustomerNotFound)
		}
		w.live(key{CustomerID: "nobody"}, true)
	})
}

func TestAwaitedFetchIsRetriedWithinItsTime(t *testing.T) {
	inWorld(t, func(c *Config, s *server) {
		failures := 2
		s.fail = func(key) error {
			if failures--; failures >= 0 {
				return errDown
			}
			return nil
		}
	}, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		if n := w.server.asked(acme); n != 3 {
			t.Errorf("%d attempts, want 3", n)
		}
	})
}

func TestMissesAreTriedOnceWhileNothingIsAnswered(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.do(func() { w.server.fail = func(key) error { return errDown } })
		ask := func(id string) int {
			k := key{CustomerID: id}
			if _, err := w.Load(w.t.Context(), k, 0); err == nil {
				w.t.Errorf("%s was answered", id)
			}
			return w.server.asked(k)
		}
		if n := ask("first"); n != 4 {
			t.Errorf("the first miss of an outage: %d attempts, want 4", n)
		}
		if n := ask("second"); n != 1 {
			t.Errorf("the second: %d attempts, want 1", n)
		}
		w.server.do(func() { w.server.fail = nil })
		w.load(key{CustomerID: "third"})
		w.server.do(func() { w.server.fail = func(key) error { return errDown } })
		if n := ask("fourth"); n != 4 {
			t.Errorf("after an answer: %d attempts, want 4", n)
		}
	})
}

func TestFinalErrorIsNotRetried(t *testing.T) {
	inWorld(t, func(c *Config, s *server) {
		s.fail = func(key) error { return failing{text: "forbidden", final: true} }
	}, func(w *world) {
		if _, err := w.Load(w.t.Context(), acme, 0); err == nil || w.server.asked(acme) != 1 {
			t.Errorf("Load = %v after %d attempts, want an error after 1", err, w.server.asked(acme))
		}
	})
}

func TestFetchNobodyWaitsForIsTriedOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.server.do(func() { w.server.fail = func(key) error { return errDown } })
		before := w.server.asked(acme)
		w.server.send(entitlements.Event{Kind: entitlements.EventUnreadable, Key: acme})
		w.wait(200 * time.Millisecond)
		if n := w.server.asked(acme) - before; n != 1 {
			t.Errorf("%d attempts to refresh, want 1", n)
		}
	})
}

func TestFailedKeyBacksOffAndRecovers(t *testing.T) {
	inWorld(t, func(c *Config, s *server) { s.fail = func(key) error { return errDown } }, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		if _, err := w.Load(w.t.Context(), acme, 0); !errors.Is(err, errDown) {
			t.Fatalf("Load = %v, want %v", err, errDown)
		}
		n := w.server.asked(acme)
		for range 100 {
			if _, err := w.Load(w.t.Context(), acme, 0); !errors.Is(err, errDown) {
				t.Fatalf("Load of a key that backs off = %v, want %v", err, errDown)
			}
		}
		if got := w.server.asked(acme); got != n {
			t.Errorf("%d fetches by readers of a key that backs off, want none", got-n)
		}
		w.server.do(func() { w.server.fail = nil })
		w.wait(time.Second)
		w.load(acme)
	})
}

func TestOutageIsNotAmplified(t *testing.T) {
	inWorld(t, func(c *Config, s *server) { s.fail = func(key) error { return errDown } }, func(w *world) {
		for range 600 { // a minute of reads, ten a second
			w.Load(w.t.Context(), acme, 0)
			time.Sleep(100 * time.Millisecond)
		}
		if n := w.server.asked(acme); n > 60 {
			t.Errorf("%d fetches of one failing key in a minute and more, want at most 60", n)
		}
	})
}

func TestHangingServerDoesNotHoldAMissBeyondItsTime(t *testing.T) {
	inWorld(t, func(c *Config, s *server) { c.FetchTimeout = 2 * time.Second }, func(w *world) {
		release := w.server.hold(acme)
		defer release()
		began := time.Now()
		_, err := w.Load(w.t.Context(), acme, 0)
		if took := time.Since(began); err == nil || took != 2*time.Second {
			t.Errorf("Load = %v after %v, want an error after 2s", err, took)
		}
	})
}

// filling begins to fetch acme for a reader: release has the server answer, and got is what the reader gets.
func (w *world) filling() (release func(), got chan *entitlements.Belief) {
	w.server.set(acme, grant("seats", 1, 10))
	release, got = w.server.hold(acme), make(chan *entitlements.Belief, 1)
	go func() { b, _ := w.Load(w.t.Context(), acme, 0); got <- b }()
	synctest.Wait()
	return release, got
}

func TestEventDuringFillWins(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		release, got := w.filling()
		w.server.publish(acme, grant("seats", 2, 20))
		w.server.send(entitlements.Event{Kind: entitlements.EventUsage, Key: acme, Usage: entitlements.Usage{Ref: entitlements.Feature("seats"), Current: 3, UpdatedAt: 5}})
		synctest.Wait()
		release()
		b := <-got
		if limitOf(b, "seats") != 20 || usageOf(b, "seats") != 3 {
			t.Errorf("limit %v usage %v, want those of the events, 20 and 3", limitOf(b, "seats"), usageOf(b, "seats"))
		}
		w.live(acme, true)
	})
}

// A fetch is under way, an event brings news, the key is evicted, and the answer is from before the event: readers went back.
func TestEvictionDuringAFetchDoesNotForgetWhatEventsSaid(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.wait(time.Millisecond)
		release := w.server.hold(acme)
		go w.Reload(w.t.Context(), acme)
		synctest.Wait()
		w.server.publish(acme, grant("seats", 2, 20))
		synctest.Wait()
		w.limit(acme, "seats", 20)
		w.store.evict(acme)
		release()
		w.wait(5 * time.Millisecond) // the answer, before any other fetch
		w.wait(6 * time.Millisecond)
		w.limit(acme, "seats", 20)
	})
}

// The attempt that succeeded began after the event: it knows better, even when a removal left it an older stamp.
func TestEventBeforeARetryIsPartOfItsAnswer(t *testing.T) {
	inWorld(t, func(c *Config, s *server) {
		tries := 0
		s.fail = func(key) error {
			if tries++; tries == 1 {
				return errDown
			}
			return nil
		}
	}, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		got := make(chan *entitlements.Belief, 1)
		go func() { b, _ := w.Load(w.t.Context(), acme, 0); got <- b }()
		synctest.Wait()
		w.server.publish(acme, grant("seats", 1, 10), grant("extra", 2, 1))
		synctest.Wait()
		w.server.set(acme, grant("seats", 1, 10)) // extra is removed, and that event never arrives
		b := <-got
		if limitOf(b, "extra") != -1 || b.Suspect {
			t.Errorf("extra = %v, suspect %v; want it gone, for certain", limitOf(b, "extra"), b.Suspect)
		}
		w.server.send(entitlements.Event{Kind: entitlements.EventEntitlements, Key: acme, Snapshot: set(acme, grant("seats", 1, 10), grant("extra", 2, 1))})
		w.wait(time.Second)
		w.limit(acme, "extra", -1) // a late duplicate is no news
	})
}

func TestTooManyEventsDuringAFillBecomeAQuestion(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		release, got := w.filling()
		for i := range 3 * maxPending {
			w.server.publish(acme, grant("seats", instant(i+2), float64(i)))
		}
		synctest.Wait()
		w.Syncer.mu.Lock()
		n := len(w.ledger.flights[acme].pending)
		w.Syncer.mu.Unlock()
		if n > maxPending {
			t.Errorf("the flight remembers %d, want at most %d", n, maxPending)
		}
		release()
		<-got
		w.wait(time.Second)
		w.limit(acme, "seats", 3*maxPending-1)
		w.live(acme, true)
	})
}

// TestReportDuringFillLearnsWhatTheAnswerShows: at once where the fetch began with something held; when it lands, where it did not; and
// where there are too many reports to remember them all, that it does not show this one.
func TestReportDuringFillLearnsWhatTheAnswerShows(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		release, got := w.filling()
		var lands []bool // what each report was told when the fetch landed
		for i := range 2 * maxPending {
			usages := []entitlements.Usage{{Ref: entitlements.Feature("seats"), Current: float64(i + 1), UpdatedAt: instant(i + 2)}}
			if i == 1 {
				usages = nil // not told
			}
			shown := w.Reported(acme, usages, func(s *entitlements.Snapshot, shown bool) *entitlements.Snapshot {
				lands = append(lands, shown)
				return s
			})
			if want := i < maxPending-1; shown != want {
				t.Errorf("report %d is told %v, want %v: the flight remembers %d", i, shown, want, maxPending-1)
			}
		}
		if len(lands) != 0 {
			t.Errorf("%d are told what nobody knows yet", len(lands))
		}
		release()
		b := <-got
		if len(lands) != maxPending-1 || !lands[0] || lands[1] || !lands[2] || !b.AwaitRefresh {
			t.Errorf("%v: want all that are remembered, of them the second not shown, and the next read to wait", lands)
		}
	})
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		release := w.server.hold(acme)
		go func() { _, _ = w.Reload(w.t.Context(), acme) }()
		synctest.Wait()
		w.store.evict(acme)
		for stamp, want := range []bool{false, true} { // no stamp is no answer
			usages := []entitlements.Usage{{Ref: entitlements.Feature("seats"), Current: 3, UpdatedAt: instant(stamp * 1000)}}
			if got := w.Reported(acme, usages, func(s *entitlements.Snapshot, _ bool) *entitlements.Snapshot { return s }); got != want {
				t.Errorf("held by the flight alone, stamp %d: told %v, want %v", stamp, got, want)
			}
		}
		release()
		synctest.Wait()
	})
}

// leaving is a store out of which everything goes while it is updated.
type leaving struct{ *memory }

func (l leaving) Update(_ key, next func(*entitlements.Belief) *entitlements.Belief) *entitlements.Belief {
	next(firstBelief(set(acme, grant("seats", 1, 10)), 0, 0, arrival{}))
	return nil
}

// TestWhatHasJustLeftIsNoQuestion: nobody sees it any more, and whoever comes back to it fetches it.
func TestWhatHasJustLeftIsNoQuestion(t *testing.T) {
	l := newLedger(leaving{})
	if b, v := l.take(acme, l.blank(inAwait)); b != nil || v != unchanged {
		t.Errorf("%v, %v; want nothing, unchanged", b, v)
	}
}

func TestWriteDuringFillIsWaitedFor(t *testing.T) {
	for name, write := range map[string]func(*world){
		"that has to be seen":        func(w *world) { w.AwaitRefresh(acme) },
		"whose answer has no stamp":  func(w *world) { w.WroteUsage(acme, entitlements.Usage{Ref: entitlements.Feature("seats"), Current: 7}) },
		"whose answer is a question": func(w *world) { w.Wrote(acme, set(acme, grant("seats", 1, 99))) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.server.set(acme, grant("seats", 1, 10))
				release := w.server.hold(acme)
				go w.Load(w.t.Context(), acme, 0)
				synctest.Wait()
				w.server.set(acme, used(grant("seats", 1, 20), 7, 100)) // the write
				write(w)
				got := make(chan *entitlements.Belief, 1)
				go func() { b, _ := w.Load(w.t.Context(), acme, 0); got <- b }() // a read that begins after it
				synctest.Wait()
				release()
				b := <-got
				if limitOf(b, "seats") != 20 || usageOf(b, "seats") != 7 || b.AwaitRefresh {
					t.Errorf("limit %v usage %v awaiting %v; want what was written, 20 and 7", limitOf(b, "seats"), usageOf(b, "seats"), b.AwaitRefresh)
				}
			})
		})
	}
}

// The fetch that would have shown the write is overtaken by an event from before the write.
func TestOvertakenFetchIsRepeatedForWhoeverWaits(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.wait(time.Millisecond)
		missed := set(acme, grant("seats", 1, 10), grant("extra", 5, 1))
		w.server.set(acme, grant("seats", 1, 10)) // the write takes extra away
		w.AwaitRefresh(acme)
		since := w.seq.Load()
		release := w.server.hold(acme)
		got := make(chan *entitlements.Belief, 1)
		go func() { b, _ := w.Load(w.t.Context(), acme, since); got <- b }()
		synctest.Wait()
		w.server.send(entitlements.Event{Kind: entitlements.EventEntitlements, Key: acme, Snapshot: missed})
		synctest.Wait()
		release()
		if b := <-got; limitOf(b, "extra") != -1 || b.AwaitRefresh {
			t.Errorf("extra = %v, awaiting %v; want it gone: the write took it away", limitOf(b, "extra"), b.AwaitRefresh)
		}
	})
}

func TestReaderIsNotKeptByTheWritesOfOthers(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		ctx, stop := context.WithCancel(w.t.Context())
		defer stop()
		go func() {
			for ctx.Err() == nil {
				w.AwaitRefresh(acme)
				sleep(ctx, time.Millisecond)
			}
		}()
		synctest.Wait()
		began := time.Now()
		w.load(acme)
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("a read took %v beside a busy writer, want two fetches of 10ms", took)
		}
	})
}

func TestQuestionIsDecidedByAFetchThatBeginsLater(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 5, 10))
		w.load(acme)
		w.server.publish(acme, grant("seats", 3, 7)) // a removal took the newest away: an older stamp
		synctest.Wait()
		w.limit(acme, "seats", 10)
		w.live(acme, false)
		w.wait(time.Second)
		w.limit(acme, "seats", 7)
		w.live(acme, true)
	})
}

func TestBurstOfQuestionsCostsOneFetch(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.server.set(acme, grant("seats", 5, 10))
		w.load(acme)
		for range 50 {
			w.server.publish(acme, grant("seats", 3, 7))
		}
		w.wait(time.Second)
		if n := w.server.asked(acme) - 1; n < 1 || n > 2 {
			t.Errorf("%d fetches for a burst of questions, want 1, or 2 when one was in the air", n)
		}
		w.live(acme, true)
	})
}

func TestRefusedNewcomerIsAnsweredAllTheSame(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.store.full = true
		w.server.set(acme, validUntil(grant("seats", 1, 10), time.Now().Add(time.Hour)))
		for range 3 {
			if b := w.load(acme); limitOf(b, "seats") != 10 {
				t.Errorf("limit = %v, want 10", limitOf(b, "seats"))
			}
		}
		w.wait(time.Minute)
		if n := w.server.asked(acme); n != 3 {
			t.Errorf("%d fetches of a key without a place, want one for each read, 3", n)
		}
		if _, n := w.dues(); n != 0 {
			t.Errorf("%d keys due that are not resident, want none", n)
		}
	})
}

func TestBulkLoadPaysOnceForAKey(t *testing.T) {
	inWorld(t, func(c *Config, _ *server) { c.Burst, c.RequestsPerMinute = 10, 60 }, func(w *world) {
		keys := customers(10)
		for _, k := range keys {
			if err := w.Allow(w.t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.LoadAllowed(w.t.Context(), k); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.budget.state().granted; got != 10 {
			t.Errorf("%d tokens for 10 keys, want 10", got)
		}
	})
}

// Somebody repeats an old event faster than fetches are answered. The truth gets through, and is not fetched for ever.
func TestOldEventThatIsRepeatedDoesNotKeepTheTruthOut(t *testing.T) {
	inWorld(t, func(_ *Config, s *server) { s.latency = 150 * time.Millisecond }, func(w *world) {
		old := w.server.set(acme, grant("seats", entitlements.InstantOf(time.Now()), 1))
		w.load(acme)
		w.wait(time.Second)
		w.server.set(acme, grant("seats", entitlements.InstantOf(time.Now()), 2)) // and nobody tells
		before := w.server.asked(acme)
		w.AwaitRefresh(acme)
		for range 600 {
			w.wait(100 * time.Millisecond)
			w.server.send(entitlements.Event{Kind: entitlements.EventEntitlements, Key: acme, Snapshot: old})
		}
		w.limit(acme, "seats", 2)
		// Each copy is a question now: one fetch at a time, and there are that many round trips in a minute.
		if n := w.server.asked(acme) - before; n > 400 {
			t.Errorf("%d fetches in a minute", n)
		}
	})
}

// A miss that the budget refuses has asked nobody: neither the key nor the server has failed.
func TestBudgetThatRefusesAMissIsNoFailureOfTheServer(t *testing.T) {
	inWorld(t, func(c *Config, s *server) {
		polling(c, s)
		c.RequestsPerMinute, c.Burst, c.FetchTimeout = 6, 1, time.Second
	}, func(w *world) {
		w.server.set(acme, grant("seats", 1, 10))
		for range 5 {
			for i := range 10 {
				w.Load(w.t.Context(), key{CustomerID: string(rune('a' + i))}, 0)
			}
			if _, err := w.Load(w.t.Context(), acme, 0); err == nil {
				t.Fatal("the budget was not used up")
			}
		}
		w.state(Live)
		w.mu.Lock()
		if n, attempts := len(w.failures), w.failedAttempts.Load(); n > 0 || attempts > 0 {
			t.Errorf("%d keys back off, and %d attempts count as failed", n, attempts)
		}
		w.mu.Unlock()
		w.wait(10 * time.Second)
		if _, err := w.Load(w.t.Context(), acme, 0); err != nil {
			t.Errorf("with a request to spare: %v", err)
		}
	})
}

// A server that takes more than half of the time that a fetch has is slow, and is asked all the same: what it answers in time is
// an answer.
func TestSlowServerIsAskedAllTheSame(t *testing.T) {
	inWorld(t, func(_ *Config, s *server) { s.latency = 7 * time.Second }, func(w *world) {
		for _, k := range customers(5) {
			w.server.set(k, grant("seats", 1, 10))
			w.load(k)
		}
	})
}
