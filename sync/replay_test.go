package syncer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
		in := s.ledger.blank(l.Input)
		in.at, in.set, in.usage = l.arrival(), s.set(l.State), entitlements.Usage{}
		if l.Usage != nil {
			in.usage = *l.Usage
		}
		b, v := s.ledger.take(l.Key, in)
		s.said = fmt.Sprintf("%v: %s", v, told(b, l.At))
	case "takeoff":
		s.ledger.takeOff(l.Key)
	case "begin", "land", "crash":
		f := s.ledger.flights[l.Key]
		if f == nil {
			return fmt.Errorf("%s is not in the air", short(l.Key))
		}
		switch l.Do {
		case "begin":
			s.ledger.begin(f, l.Seq)
		case "land":
			_, held := s.store.Peek(l.Key)
			b, v, _ := s.ledger.land(f, s.set(l.State), l.arrival())
			s.left[l.Key], s.said = b, fmt.Sprintf("%v: %s", v, told(b, l.At))
			if !held {
				s.said = "not resident before: " + told(b, l.At)
			}
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
		return fmt.Errorf("%s was resident, and is not in the replay", short(l.Key))
	}
	want := *l.See
	got := look(b, l.Key, l.Feature, l.At)
	got.Origin, got.AsOf, got.Memory = want.Origin, want.AsOf, want.Memory // of the stream, which is not replayed
	if got != want {
		return fmt.Errorf("a reader would see %v", &got)
	}
	return nil
}

// told is a belief for people: what it says, and the places that the rules compare.
func told(b *entitlements.Belief, at instant) string {
	if b == nil {
		return "not resident"
	}
	var text strings.Builder
	text.WriteString(string(b.Snapshot.Reason()))
	if b.Snapshot.Len() == 0 {
		text.WriteString(" nothing")
	}
	for e := range b.Snapshot.All(at) {
		limit, _ := e.UsageLimit()
		u, _ := b.Snapshot.Usage(e.Ref())
		given := clock(entitlements.InstantOf(e.EntitlementUpdatedAt()))
		fmt.Fprintf(&text, " %s limit %s of %s usage %s of %s;", e.FeatureID(), number(limit), given, number(u.Current), clock(u.UpdatedAt))
	}
	fmt.Fprintf(&text, " GrantSeq %d ConfirmSeq %d QuestionSeq %d Newest %s LearnedAt %s Told %v generation %d", b.GrantSeq, b.ConfirmSeq, b.QuestionSeq,
		clock(b.Newest), clock(b.LearnedAt), b.Told, b.Generation)
	if b.Suspect {
		text.WriteString(", suspect")
	}
	if b.AwaitRefresh {
		text.WriteString(", await")
	}
	return strings.TrimSpace(text.String())
}

// replay goes through all lines.
func replay(states []*state, lines []line) error {
	s := newStepper(states)
	for i := range lines {
		if err := s.step(&lines[i]); err != nil {
			return &blame{i, "replayed on one thread: " + err.Error(), &lines[i]}
		}
	}
	return nil
}

// TestReplay goes through the file that a failed simulation left, or, when none is named, through one of this moment. Of the named
// one it prints each line up to the one that breaks a promise, as far as it is about the same customer, with what is believed
// after it.
func TestReplay(t *testing.T) {
	file := os.Getenv("ENTCACHE_SIM_TRACE")
	named := file != ""
	if named {
		file = found(file)
	} else {
		file = recorded(t)
	}
	m, states, lines, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	err = judge(m, states, lines)
	if err == nil {
		err = replay(states, lines)
	}
	if named {
		narrate(t, states, lines, err)
	}
	if err != nil {
		t.Fatalf("found: %v", err)
	}
	if named {
		t.Logf("%d lines: they break no promise, and on one thread every reader sees the same", len(lines))
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

// found is the file as it is named here, or else at the top of the repository, where the commands are typed: tests run in their
// own directory.
func found(file string) string {
	if _, err := os.Stat(file); err != nil && !filepath.IsAbs(file) {
		return filepath.Join("..", file)
	}
	return file
}

// narrate steps through the lines up to the one that err blames.
func narrate(t *testing.T, states []*state, lines []line, err error) {
	t.Helper()
	b, ok := errors.AsType[*blame](err)
	if !ok {
		return
	}
	customer := lines[b.line].Key.CustomerID
	s := newStepper(states)
	var text strings.Builder
	for i := range lines[:b.line+1] {
		err := s.step(&lines[i])
		if err == nil && !lines[i].concerns(customer) {
			continue
		}
		fmt.Fprintf(&text, "\n%s", tell(lines, i, states, err != nil || i == b.line))
		if s.said != "" {
			fmt.Fprintf(&text, "\n            → %s", s.said)
		}
		if err != nil { // from here on the replay is another story
			fmt.Fprintf(&text, "\n            → %v; has the code changed since?", err)
			break
		}
	}
	t.Log(text.String())
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
