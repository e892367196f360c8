package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/entcache/entcache/bench/internal/measure"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == serveArgument { // a child of the test
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// TestSubjectsMeasure runs every subject for a moment, so that none rots between two measurements.
func TestSubjectsMeasure(t *testing.T) {
	for name := range subjects {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			args := []string{"-subject", name, "-time", "5ms", "-customers", "40", "-features", "3", "-rate", "2000"}
			if err := measure.Run("subjects", args, &out, io.Discard, subjects); err != nil {
				t.Fatal(err)
			}
			samples, err := measure.ReadSamples(&out)
			if err != nil || len(samples) == 0 {
				t.Fatalf("%v (%v), want samples", samples, err)
			}
			for _, s := range samples {
				for unit, v := range s.Values {
					if v < 0 {
						t.Errorf("%s/%s: %v %s", s.Subject, s.Shape, v, unit)
					}
				}
			}
		})
	}
}

// TestStoresHoldWhatTheyAreAsked: a store that is asked about somebody else says no.
func TestStoresHoldWhatTheyAreAsked(t *testing.T) {
	data := measure.NewData(measure.Size{Customers: 10, Features: 3})
	for name, s := range subjects {
		if s.Open == nil || name == "atomic handle" || name == "entcache bound" { // which ask by handle, not by name
			continue
		}
		store, err := s.Open(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []measure.Question{{Customer: "nobody", Feature: data.Features[0]}, {Customer: data.Customers[0], Feature: "nothing"}} {
			// A source that grants everybody everything has no nobody.
			if got := store.Ask([]measure.Question{q}, 0, 2); got != 0 && (name != "entcache" || q.Feature == "nothing") {
				t.Errorf("%s: %+v is answered with yes", name, q)
			}
		}
		store.Close()
	}
}
