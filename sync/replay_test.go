package syncer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/entcache/entcache/entitlements"
)

// The stepper: it takes a simulation's lines through a new ledger, one after the other on one thread, and compares what it
// believes with what the simulation's readers saw.

// stepper is a ledger that is being replayed.
type stepper struct {
	states []*state
	ledger ledger
	store  *memory
	left   map[key]*entitlements.Belief // by the last flight of a key
	said   string                       // about the last step, for whoever watches
}

func newStepper(states []*state) *stepper {
	s := &stepper{states: states, store: newMemory(), left: map[key]*entitlements.Belief{}}
	s.ledger = newLedger(s.store)
	s.store.gone = s.ledger.evicted
	return s
}

func (s *stepper) set(id int) *entitlements.Snapshot {
	if id == 0 {
		return nil
	}
	return s.states[id-1].set
}

// step goes through one line.
func (s *stepper) step(l *line) error {
	s.said = ""
	switch l.Do {
	case "take":
		in := input{kind: l.Input, at: l.arrival(), set: s.set(l.State)}
		if l.Usage != nil {
			in.usage = *l.Usage
		}
		b, v := s.ledger.take(l.Key, in)
		s.said = fmt.Sprintf("%v: %s", [...]string{"unchanged", "confirmed", "revealed", "advanced", "questioned", "overtaken"}[v], told(b))
	case "takeoff":
		s.ledger.takeOff(l.Key)
	case "begin", "land", "crash":
		f := s.ledger.flights[l.Key]
		if f == nil {
			return fmt.Errorf("%v is not in the air", l.Key)
		}
		switch l.Do {
		case "begin":
			s.ledger.begin(f, l.Seq)
		case "land":
			s.left[l.Key], _, _ = s.ledger.land(f, s.set(l.State), l.arrival())
			s.said = told(s.left[l.Key])
		case "crash":
			s.ledger.crash(f)
		}
	case "evict":
		s.store.evict(l.Key)
	case "full":
		s.store.full = l.Full
	case "read":
		return s.read(l)
	}
	return nil
}

// read compares a sighting with what is believed here.
func (s *stepper) read(l *line) error {
	if l.See == nil {
		return nil
	}
	b := s.left[l.Key]
	if l.See.Memory {
		b = nil
		if r, ok := s.store.Peek(l.Key); ok {
			b = r.Belief
		}
	}
	if b == nil {
		return fmt.Errorf("%v was resident, and is not in the replay", l.Key)
	}
	want := *l.See
	got := look(b, l.Key, l.Feature, l.At)
	got.Origin, got.AsOf, got.Memory = want.Origin, want.AsOf, want.Memory // of the stream, which is not replayed
	if got != want {
		return fmt.Errorf("the replay sees %+v, the reader saw %+v", got, want)
	}
	return nil
}

func told(b *entitlements.Belief) string {
	if b == nil {
		return "not resident"
	}
	return fmt.Sprintf("%v, newest %v, learned at place %d, generation %d, suspect %v, await %v", b.Snapshot, b.Newest, b.GrantSeq, b.Generation, b.Suspect, b.AwaitRefresh)
}

// replay goes through all lines.
func replay(states []*state, lines []line) error {
	s := newStepper(states)
	for i := range lines {
		if err := s.step(&lines[i]); err != nil {
			return &blame{i, fmt.Sprintf("replay of line %d (%v): %v", i+1, &lines[i], err)}
		}
	}
	return nil
}

// TestReplay goes through a file that a failed simulation left, and prints each line with what is believed after it.
func TestReplay(t *testing.T) {
	file := os.Getenv("ENTCACHE_SIM_TRACE")
	if file == "" {
		file = recorded(t)
	}
	m, states, lines, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newStepper(states)
	for i := range lines {
		err := s.step(&lines[i])
		if os.Getenv("ENTCACHE_SIM_TRACE") != "" {
			t.Logf("%5d %v", i+1, &lines[i])
			if s.said != "" {
				t.Logf("      → %s", s.said)
			}
		}
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
	}
	if err := judge(m, states, lines); err != nil {
		t.Error(err)
	}
	// And it would notice: the same lines with one of them left out.
	for i := range lines {
		if lines[i].Do == "land" {
			without := append(append([]line(nil), lines[:i]...), lines[i+1:]...)
			if err := replay(states, without); err == nil {
				t.Error("without the first answer, the replay sees the same")
			}
			return
		}
	}
	t.Error("nothing was fetched")
}

// recorded is the file of a simulation of this moment.
func recorded(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "sim.jsonl")
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 3)
		s.run()
		if err := save(file, s.manner, s.states, s.lines); err != nil {
			t.Error(err)
		}
	})
	return file
}
