package syncer

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// doubtWorld is a world whose log tells whether the syncer was ever Off.
func doubtWorld(t *testing.T, setup func(*Config, *server), story func(w *world, wasOff func() bool)) {
	t.Helper()
	var log bytes.Buffer
	inWorld(t, func(c *Config, s *server) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil)) // written by the supervisor alone
		if setup != nil {
			setup(c, s)
		}
	}, func(w *world) {
		story(w, func() bool {
			synctest.Wait()
			return strings.Contains(log.String(), "API key refused; serving")
		})
	})
}

// refuse has n fetches answered 401, whichever comes.
func (s *server) refuse(n int) {
	s.do(func() {
		s.fail = func(key) error {
			if n--; n < 0 {
				return nil
			}
			return errRefused
		}
	})
}

func TestOneStrayRefusalIsNotOff(t *testing.T) {
	doubtWorld(t, nil, func(w *world, wasOff func() bool) {
		w.server.set(acme, grant("seats", 1, 10))
		w.load(acme)
		w.server.refuse(1)
		if _, err := w.Load(w.t.Context(), key{CustomerID: "globex"}, 0); !classify(err).Unauthenticated() {
			t.Errorf("Load = %v, want the refusal: whoever asked hears of it", err)
		}
		w.limit(acme, "seats", 10)
		w.wait(time.Second)
		w.state(Live)
		w.live(acme, true)
		if n := len(w.server.dialed()); n != 2 || wasOff() {
			t.Errorf("%d dials, was Off %v; want one more stream, and never Off", n, wasOff())
		}
		w.load(key{CustomerID: "globex"})
	})
}

func TestRefusalsThatComeTogetherAreOneQuestion(t *testing.T) {
	doubtWorld(t, func(_ *Config, s *server) { s.dialTime = 200 * time.Millisecond }, func(w *world, wasOff func() bool) {
		w.wait(time.Second)
		w.state(Live)
		keys := customers(40)
		w.server.refuse(40)
		for i, k := range keys { // the first lands before the stream is given up, the last while the next one is being opened
			go w.Load(w.t.Context(), k, 0)
			w.wait(time.Duration(i%2) * 8 * time.Millisecond)
		}
		w.wait(time.Second)
		w.state(Live)
		if n := len(w.server.dialed()); n != 2 || wasOff() {
			t.Errorf("%d dials, was Off %v; want one confirmation for 40 refusals", n, wasOff())
		}
	})
}

// A fetch that began before the key was confirmed, and lands after, is of the old burst.
func TestRefusalFromBeforeTheConfirmationIsNotTheNextOne(t *testing.T) {
	doubtWorld(t, nil, func(w *world, wasOff func() bool) {
		release := w.server.hold(acme)
		w.server.refuse(2)
		go w.Load(w.t.Context(), acme, 0)
		synctest.Wait()
		w.Load(w.t.Context(), key{CustomerID: "globex"}, 0)
		w.wait(time.Second)
		w.state(Live)
		release()
		w.wait(time.Second)
		w.state(Live)
		if wasOff() {
			t.Error("was Off")
		}
	})
}

func TestServerThatTakesTheStreamAndRefusesFetchesIsOff(t *testing.T) {
	for _, pause := range []time.Duration{time.Second, 3 * time.Minute} {
		doubtWorld(t, nil, func(w *world, wasOff func() bool) {
			w.server.do(func() { w.server.fail = func(key) error { return errRefused } })
			w.Load(w.t.Context(), acme, 0)
			w.wait(pause) // however long: no fetch has been answered
			w.state(Live)
			w.Load(w.t.Context(), acme, 0)
			w.state(Off)
			before := len(w.server.dialed())
			for range 3600 {
				w.Load(w.t.Context(), acme, 0)
				w.wait(time.Second)
			}
			if n := len(w.server.dialed()) - before; n > 2*(60*5/4/5+1) {
				t.Errorf("asking every second, %d dials in an hour of refusals, want two with each probe", n)
			}
			w.server.do(func() { w.server.fail = nil })
			w.wait(keyProbe * 13 / 10)
			w.state(Live)
			w.load(acme)
		})
	}
}

func TestProbationEndsWithAnAnswerAndAMinute(t *testing.T) {
	other := key{CustomerID: "globex"}
	for _, row := range []struct {
		name     string
		answered bool
		after    time.Duration
		want     State
	}{
		{"answered, long ago", true, 2 * time.Minute, Live},
		{"answered, just now", true, 30 * time.Second, Off},
		{"not answered", false, 2 * time.Minute, Off},
	} {
		t.Run(row.name, func(t *testing.T) {
			doubtWorld(t, nil, func(w *world, wasOff func() bool) {
				w.server.refuse(1)
				w.Load(w.t.Context(), acme, 0)
				w.wait(time.Second)
				if row.answered {
					w.load(other)
				}
				w.wait(row.after)
				w.server.refuse(1)
				w.Load(w.t.Context(), acme, 0)
				w.wait(time.Second)
				w.state(row.want)
				if want := row.want == Off; wasOff() != want {
					t.Errorf("was Off: %v, want %v", !want, want)
				}
			})
		})
	}
}

func TestRefusalWhileTheServerCannotBeAskedIsBelievedTheSecondTime(t *testing.T) {
	doubtWorld(t, nil, func(w *world, wasOff func() bool) {
		w.server.do(func() { w.server.dial, w.server.fail = errDown, func(key) error { return errRefused } })
		w.Load(w.t.Context(), acme, 0)
		w.state(Interrupted)
		w.wait(100 * time.Millisecond) // in the pause after the attempt that said nothing
		if n := len(w.server.dialed()); n != 2 {
			t.Errorf("%d dials, want the confirmation at once", n)
		}
		w.Load(w.t.Context(), key{CustomerID: "globex"}, 0)
		w.state(Off)
	})
}

func TestReplacedKeyIsNotOnProbation(t *testing.T) {
	doubtWorld(t, nil, func(w *world, wasOff func() bool) {
		w.server.refuse(1)
		w.Load(w.t.Context(), acme, 0)
		w.wait(time.Second)
		w.KeyChanged()
		w.server.refuse(1)
		w.Load(w.t.Context(), acme, 0)
		w.wait(time.Second)
		w.state(Live)
		if n := len(w.server.dialed()); n != 3 || wasOff() {
			t.Errorf("%d dials, was Off %v; want one confirmation for each key", n, wasOff())
		}
	})
}

func TestWithoutAStreamTheKeyIsChecked(t *testing.T) {
	for _, row := range []struct {
		check error
		want  State
	}{{nil, Live}, {errRefused, Off}} {
		doubtWorld(t, polling, func(w *world, wasOff func() bool) {
			w.state(Live)
			w.server.refuse(1)
			w.server.do(func() { w.server.checkKey = row.check })
			w.Load(w.t.Context(), acme, 0)
			w.wait(time.Second)
			w.state(row.want)
			if want := row.want == Off; wasOff() != want {
				t.Errorf("CheckKey answers %v: was Off %v, want %v", row.check, !want, want)
			}
			w.server.refuse(1)
			w.Load(w.t.Context(), acme, 0)
			w.state(Off) // accepted once, and refused again
		})
	}
}

// The probe after Off is accepted: what was held against the key is forgotten with it.
func TestRestoredKeyIsTrustedAgain(t *testing.T) {
	doubtWorld(t, nil, func(w *world, _ func() bool) {
		w.server.do(func() { w.server.fail = func(key) error { return errRefused } })
		w.Load(w.t.Context(), acme, 0)
		w.wait(time.Second)
		w.Load(w.t.Context(), acme, 0)
		w.state(Off)
		w.server.refuse(0)
		w.wait(keyProbe * 13 / 10)
		w.state(Live)
		w.server.refuse(1)
		w.Load(w.t.Context(), acme, 0)
		w.wait(time.Second)
		w.state(Live)
	})
}
