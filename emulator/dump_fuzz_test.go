package emulator

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStatesInTestdata: what once was written stays readable. The texts are also what FuzzLoad begins with. With UPDATE_STATES=1 they
// are written anew: when live makes more of what can be in a state, not to make this test pass.
func TestStatesInTestdata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if os.Getenv("UPDATE_STATES") != "" {
			rich, small := newBench(t, Config{Catalog: soldCatalog(t), History: 1, EventDelay: time.Minute}), newBench(t, Config{Catalog: smallCatalog()})
			rich.live()
			small.provision("acme", "", "p")
			small.report("acme", "", "seats", 2)
			for name, b := range map[string]*bench{"rich": rich, "small": small} {
				if err := os.WriteFile("testdata/states/"+name+"-v1.json", []byte(b.dump()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, text := range statesInTestdata(t) {
			b := newBench(t, Config{})
			if err := b.Load(strings.NewReader(text)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			_, want, _ := strings.Cut(text, `"began"`) // what comes before is the clock, which has gone on
			if _, got, _ := strings.Cut(b.dump(), `"began"`); got != want {
				t.Errorf("%s is not what it was after a load and a dump: %s", name, firstDifference(want, got))
			}
		}
	})
}

func statesInTestdata(t testing.TB) map[string]string {
	t.Helper()
	names, err := filepath.Glob("testdata/states/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no states in testdata: %v", err)
	}
	texts := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

func smallCatalog() *Catalog {
	five := 5.0
	return &Catalog{
		Features: []Feature{{ID: "seats", Type: Number, Meter: Incremental}},
		Products: []Product{{ID: "app"}},
		Plans:    []Plan{{ID: "p", Product: "app", Entitlements: []Entitlement{{Feature: "seats", Limit: &five, Reset: Month}}}},
	}
}

// FuzzLoad loads anything. What is refused changes nothing; what is accepted can be lived with, and dumped and loaded again.
func FuzzLoad(f *testing.F) {
	for _, text := range statesInTestdata(f) {
		var short bytes.Buffer // 50 kB of the rich one: fuzz with -fuzzminimizetime=10x, or all the time goes into minimizing it
		if err := json.Compact(&short, []byte(text)); err != nil {
			f.Fatal(err)
		}
		text := short.String()
		f.Add(text)
		f.Add(text[:len(text)/2])
		f.Add(strings.ReplaceAll(text, "null", "[]"))
		f.Add(strings.ReplaceAll(text, `"2000-`, `"0001-`))
		f.Add(strings.ReplaceAll(text, `-01-`, `-12-`))
	}
	const head = `{"format":"stigg-emulator-state","version":1,"now":"2000-01-01T00:00:00Z","catalogs":[{}]`
	f.Add(head + `}`)
	f.Add(head + `,"customers":[{"id":"a","scopes":[{}]}]}`)
	f.Add(head + `,"customers":[{"id":"a","scopes":[{"meters":[{"feature":"x","used":"1"}],"set":[{"feature":"x","featureWas":{"id":"x","type":"number","meter":"incremental"}}]}]}]}`)
	f.Add(head + `,"reports":{"young":[{"customerId":"a","feature":"x","key":"1","event":true,"at":5}]},"events":[{"customerId":"a","name":"x","at":"2000-01-01T00:00:00Z","due":"9999-01-01T00:00:00Z"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := New(Config{Catalog: smallCatalog(), History: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if err := e.Provision("mine", "", "p"); err != nil {
			t.Fatal(err)
		}
		before, err := dumped(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Load(strings.NewReader(text)); err != nil {
			if after, _ := dumped(e); after != before {
				t.Fatalf("%v, and yet it changed: %s", err, firstDifference(before, after))
			}
			return
		}
		for _, c := range e.state.each() { // nobody else adds any
			e.Snapshot(c.id, "")
			e.Snapshot(c.id, "r")
			e.Recalculate(c.id)
		}
		e.AdvanceClock(time.Hour)
		var again strings.Builder
		if err := e.Dump(&again); err != nil {
			if strings.Contains(err.Error(), "year outside of range") { // what is counted from a moment late in 9999
				return
			}
			t.Fatal(err)
		}
		if err := e.Load(strings.NewReader(again.String())); err != nil {
			t.Fatalf("its own dump: %v", err)
		}
	})
}

// dumped is the state without the present, which passes.
func dumped(e *Emulator) (string, error) {
	var text strings.Builder
	err := e.Dump(&text)
	head, rest, _ := strings.Cut(text.String(), `"now"`)
	_, rest, _ = strings.Cut(rest, `"began"`)
	return head + rest, err
}
