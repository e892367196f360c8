package measure

import (
	"bytes"
	"io"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting answers yes, up to a number of questions.
type counting struct {
	asked atomic.Int64
	limit int64
	wide  atomic.Int64 // the longest walk it was asked along
}

func (c *counting) Ask(walk []Question, from, n int) int {
	if w := int64(len(walk)); w > c.wide.Load() {
		c.wide.Store(w)
	}
	yes := 0
	for i := from; i < from+n; i++ {
		if walk[i&(len(walk)-1)].Customer != "" && (c.limit == 0 || c.asked.Add(1) <= c.limit) {
			yes++
		}
	}
	return yes
}

func (c *counting) Close() {}

func TestEveryShapeIsTimed(t *testing.T) {
	data := NewData(Size{100, 3})
	for _, shape := range append([]string{Skewed}, Shapes...) {
		c := &counting{}
		v, err := Time(c, data, shape, time.Millisecond, 3)
		if err != nil {
			t.Fatal(err)
		}
		if v["ns/op"] <= 0 || math.IsInf(v["ns/op"], 0) || v["allocs/op"] != 0 {
			t.Errorf("%s: %v, want a time and no allocations", shape, v)
		}
		if hot := strings.HasPrefix(shape, "hot"); hot != (c.wide.Load() == 1) {
			t.Errorf("%s is asked along %d questions", shape, c.wide.Load())
		}
	}
	if _, err := Time(&counting{}, data, "warm", time.Millisecond, 0); err == nil || !strings.Contains(err.Error(), `"warm"`) {
		t.Errorf("a shape that is not: %v", err)
	}
}

// TestWrongAnswersAreNoMeasurement: a store that is empty is quick.
func TestWrongAnswersAreNoMeasurement(t *testing.T) {
	data := NewData(Size{10, 3})
	for _, shape := range []string{"random", "random-parallel"} {
		if v, err := Time(&counting{limit: 1}, data, shape, 5*time.Millisecond, 2); err == nil {
			t.Errorf("%s with one right answer gives %v, want an error", shape, v)
		}
	}
	for _, readers := range []int{1, 2} { // while the clock runs
		if asked, _, err := ask(&counting{limit: 100}, data.Random(), 16, readers, time.Second); err == nil {
			t.Errorf("%d readers were given 100 right answers, and %d count", readers, asked)
		}
	}
}

// TestWhoComesLateIsTimed: on a busy machine the time may be over before a reader begins.
func TestWhoComesLateIsTimed(t *testing.T) {
	for _, readers := range []int{1, 3} {
		asked, elapsed, err := ask(&counting{}, NewData(Size{10, 3}).Random(), 16, readers, time.Nanosecond)
		if err != nil || asked < 16*readers || elapsed <= 0 {
			t.Errorf("%d readers asked %d questions in %v (%v), want a batch of 16 each", readers, asked, elapsed, err)
		}
	}
}

func TestWalksAreTheSameEachTime(t *testing.T) {
	data := NewData(Size{1000, 20})
	for name, walk := range map[string]func() []Question{"random": data.Random, "skewed": data.Skewed} {
		a, b := walk(), walk()
		if len(a)&(len(a)-1) != 0 {
			t.Errorf("%s: %d questions, want a power of two", name, len(a))
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("%s: question %d is %v and %v", name, i, a[i], b[i])
			}
		}
	}
	asked, walk := map[string]int{}, data.Skewed()
	for _, q := range walk {
		asked[q.Customer]++
	}
	most := 0
	for _, n := range asked {
		most = max(most, n)
	}
	if even := len(walk) / 1000; most < 50*even {
		t.Errorf("the most popular customer is asked about %d times, want far more than an even %d", most, even)
	}
}

func TestSamplesSurviveTheWay(t *testing.T) {
	var line bytes.Buffer
	subjects := map[string]Subject{
		"counting": {Open: func(Data) (Store, error) { return &counting{}, nil }},
		"odd":      {Measure: func(o Options) (map[string]Values, error) { return map[string]Values{"x": {"n": float64(o.Rate)}}, nil }},
	}
	if err := Run("test", []string{"-subject", "counting", "-time", "1ms", "-shapes", "hot,random"}, &line, io.Discard, subjects); err != nil {
		t.Fatal(err)
	}
	if err := Run("test", []string{"-subject", "odd", "-rate", "7"}, &line, io.Discard, subjects); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSamples(&line)
	if err != nil || len(got) != 3 || got[0].Shape != "hot" || got[1].Shape != "random" || got[2].Values["n"] != 7 {
		t.Errorf("read %v (%v), want hot, random and x", got, err)
	}
	for _, text := range []string{"{", `{"subject":"a","shape":"b"}`, `{"shape":"b","values":{"n":1}}`, "PASS"} {
		if list, err := ReadSamples(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read as %v", text, list)
		}
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	subjects := map[string]Subject{"ours": {Open: func(Data) (Store, error) { return &counting{}, nil }}}
	for _, row := range []struct{ args, want string }{
		{"", `-subject ""`},
		{"-subject theirs", "ours"},
		{"-subject ours -time 0s", "-time"},
		{"-subject ours -customers 0", "-customers"},
		{"-subject ours hot", `"hot"`},
		{"-subject ours -shapes cold", `"cold"`},
		{"-suspect ours", "suspect"},
	} {
		err := Run("test", strings.Fields(row.args), io.Discard, io.Discard, subjects)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v, want an error with %q", row.args, err, row.want)
		}
	}
}
