package main

import (
	"strings"
	"testing"
	"time"
)

// TestShortSoak runs one round of everything: storm, kill, storm, calm. It is for what is wired wrong in here; CI runs the
// command for longer.
func TestShortSoak(t *testing.T) {
	r, err := run(t.Context(), config{time: 3 * time.Second, seed: 1, readers: 2, rate: 150, log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	r.print(&text)
	t.Log(text.String())
	if r.violations() > 0 {
		t.Error(r.story)
	}
	if r.kills != 1 || r.checks < 10_000 || r.judged < 100 || r.census == 0 || r.faults == 0 || r.stats.Connects < 2 || r.mostFetch[1] == 0 {
		t.Errorf("%d kills, %d checks, %d judged, %d in the census, %d faults, %d streams, %d fetches seen: the soak tests nothing",
			r.kills, r.checks, r.judged, r.census, r.faults, r.stats.Connects, r.mostFetch[1])
	}
}

func TestCommandLine(t *testing.T) {
	for _, row := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-h"}, 0, "-without"},
		{[]string{"-nonsense"}, 2, "nonsense"},
		{[]string{"stray"}, 2, "no other arguments"},
		{[]string{"-readers", "0"}, 2, "positive"},
		{[]string{"-time", "-1s"}, 2, "positive"},
		{[]string{"-without", "rain"}, 2, "rain"},
	} {
		var stdout, stderr strings.Builder
		if code := command(t.Context(), row.args, &stdout, &stderr); code != row.code || !strings.Contains(stderr.String(), row.says) {
			t.Errorf("soak %q = %d, %q; want %d, saying %q", row.args, code, stderr.String(), row.code, row.says)
		}
	}
}
