package syncer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// What happened in a simulation, line by line: enough to judge it, to replay it, and for a person to read.

// line is one thing that happened.
type line struct {
	At  instant `json:"at"`
	Do  string  `json:"do"`
	Key key     `json:"key,omitzero"`

	State int                 `json:"state,omitempty"` // the state of the server it speaks of
	Usage *entitlements.Usage `json:"usage,omitempty"`

	// Of a step of the ledger.
	Input      inputKind     `json:"input,omitempty"`
	Seq        uint64        `json:"seq,omitempty"`
	Generation uint64        `json:"generation,omitempty"`
	Since      instant       `json:"since,omitempty"`
	Arrived    instant       `json:"arrived,omitempty"`
	Landed     instant       `json:"landed,omitempty"`
	Lag        time.Duration `json:"lag,omitempty"`

	// Of a read.
	Feature string  `json:"feature,omitempty"`
	From    instant `json:"from,omitempty"` // when it began
	See     *view   `json:"see,omitempty"`  // nil: a fallback

	Full  bool          `json:"full,omitempty"`
	Pause time.Duration `json:"pause,omitempty"` // Retry-After
	Text  string        `json:"text,omitempty"`
}

// view is what a reader saw.
type view struct {
	Origin entitlements.Origin `json:"origin"`
	AsOf   instant             `json:"asOf"`
	Memory bool                `json:"memory"` // it is what the store held, else what a fetch left

	Reason    entitlements.Reason `json:"reason,omitempty"` // of the whole set
	Exists    bool                `json:"exists,omitempty"`
	Granted   bool                `json:"granted,omitempty"`
	Limit     float64             `json:"limit,omitempty"`
	Usage     float64             `json:"usage,omitempty"`
	PeriodEnd instant             `json:"periodEnd,omitempty"`
	Access    bool                `json:"access,omitempty"`
	Suspect   bool                `json:"suspect,omitempty"`
	Await     bool                `json:"await,omitempty"`

	// Of the belief, for the judge.
	Confirmed instant `json:"confirmed,omitempty"`
	Until     instant `json:"until,omitempty"` // of the whole set
}

// look is what b says of one feature at some moment.
func look(b *entitlements.Belief, k key, feature string, at instant) view {
	q := entitlements.Query{CustomerID: k.CustomerID, ResourceID: k.ResourceID, FeatureID: feature, RequestedUsage: 1}
	d := entitlements.Decide(b.Snapshot, &q, at)
	v := view{Reason: b.Snapshot.Reason(), Exists: d.Entitlement.Exists(), Access: d.HasAccess, Suspect: b.Suspect, Await: b.AwaitRefresh}
	v.Confirmed, v.Until = b.ConfirmedAt, b.Snapshot.ValidUntil()
	if v.Exists {
		v.Granted = d.Entitlement.IsGranted()
		v.Limit, _ = d.Entitlement.UsageLimit()
		v.Usage = d.Entitlement.CurrentUsage()
		_, end := d.Entitlement.UsagePeriod()
		v.PeriodEnd = entitlements.InstantOf(end)
	}
	return v
}

// add writes a line down. The caller holds sim.mu.
func (s *sim) add(l line) {
	l.At = entitlements.InstantOf(time.Now())
	s.lines = append(s.lines, l)
}

// note writes down a remark. The caller holds sim.mu.
func (s *sim) note(format string, args ...any) {
	s.add(line{Do: "note", Text: fmt.Sprintf(format, args...)})
}

var stepNames = [...]string{stepTook: "take", stepTookOff: "takeoff", stepBegan: "begin", stepLanded: "land", stepCrashed: "crash", stepGone: "evict"}

// stepped is the ledger's tap.
func (s *sim) stepped(st step) {
	at := st.at
	l := line{Do: stepNames[st.kind], Key: st.key}
	if st.kind == stepTook {
		at, l.Input = st.input.at, st.input.kind
		if st.input.usage.Ref.ID != "" {
			u := st.input.usage
			l.Usage = &u
		}
		if st.input.set != nil {
			st.set = st.input.set
		}
	}
	l.Seq, l.Generation, l.Since, l.Arrived, l.Landed, l.Lag = at.seq, at.generation, at.since, at.at, at.landed, at.lag
	s.mu.Lock()
	defer s.mu.Unlock()
	l.State = s.ids[st.set]
	s.add(l)
}

func (l *line) arrival() arrival {
	return arrival{seq: l.Seq, generation: l.Generation, since: l.Since, at: l.Arrived, landed: l.Landed, lag: l.Lag}
}

var inputNames = [...]string{
	inSet: "event", inOwnSet: "answer to own write", inUsage: "usage event", inOwnUsage: "answer to own report",
	inDoubt: "doubt", inAwait: "own write of unknown effect",
}

// String is for people.
func (l *line) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-8s", l.At.Time().Format("04:05.000000"), l.Do)
	if l.Key != (key{}) {
		fmt.Fprintf(&b, " %s/%s", l.Key.CustomerID, l.Key.ResourceID)
	}
	if l.Do == "take" {
		fmt.Fprintf(&b, " %s", inputNames[l.Input])
	}
	if l.State != 0 {
		fmt.Fprintf(&b, " state %d", l.State)
	}
	if l.Seq != 0 {
		fmt.Fprintf(&b, " #%d", l.Seq)
	}
	if l.Generation != 0 {
		fmt.Fprintf(&b, " generation %d", l.Generation)
	}
	if l.Usage != nil {
		fmt.Fprintf(&b, " %s=%v as of %s", l.Usage.Ref.ID, l.Usage.Current, l.Usage.UpdatedAt.Time().Format("04:05.000"))
	}
	if l.Do == "read" {
		fmt.Fprintf(&b, " %s: ", l.Feature)
		if v := l.See; v == nil {
			b.WriteString("fallback")
		} else {
			fmt.Fprintf(&b, "%v as of %s, limit %v usage %v", v.Origin, v.AsOf.Time().Format("04:05.000"), v.Limit, v.Usage)
			for _, x := range []struct {
				is   bool
				text string
			}{{!v.Exists, "absent"}, {v.Access, "access"}, {v.Suspect, "suspect"}, {v.Await, "await"}, {l.From != l.At, "waited since " + l.From.Time().Format("04:05.000")}} {
				if x.is {
					b.WriteString(", " + x.text)
				}
			}
		}
	}
	if l.Text != "" {
		b.WriteString(" " + l.Text)
	}
	return b.String()
}

// String is for people.
func (st *state) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "state %d:", st.id)
	if st.reason != "" {
		fmt.Fprintf(&b, " %s", st.reason)
	}
	for i := range st.grants {
		g := &st.grants[i]
		fmt.Fprintf(&b, " %s(%v granted %v as of %s, usage %v as of %s)", g.ID, g.UsageLimit, g.IsGranted,
			g.EntitlementUpdatedAt.Time().Format("04:05.000"), g.CurrentUsage, g.UsageUpdatedAt.Time().Format("04:05.000"))
	}
	return b.String()
}

// blame is a broken promise, and the line that shows it.
type blame struct {
	line int
	text string
}

func (b *blame) Error() string { return b.text }

// show prints what led to err: the lines about the same customer, and the states they speak of.
func show(t *testing.T, lines []line, states []*state, err error) {
	t.Helper()
	last := len(lines) - 1
	var customer string
	if b, ok := errors.AsType[*blame](err); ok {
		last, customer = b.line, lines[b.line].Key.CustomerID
	}
	const most = 60
	var text []string
	for i := last; i >= 0 && len(text) < most; i-- {
		l := &lines[i]
		if customer != "" && l.Key.CustomerID != "" && l.Key.CustomerID != customer {
			continue
		}
		s := l.String()
		if l.Do == "state" {
			s += " = " + states[l.State-1].String()
		}
		text = append(text, s)
	}
	for i := len(text) - 1; i >= 0; i-- {
		t.Log(text[i])
	}
}

// saved is one line of a file: first the manner, then the states of the server, then the lines.
type saved struct {
	Manner *manner     `json:"manner,omitempty"`
	State  *savedState `json:"serverState,omitempty"`
	Line   *line       `json:"line,omitempty"`
}

type savedState struct {
	Key    key                  `json:"key"`
	At     instant              `json:"at"`
	Reason entitlements.Reason  `json:"reason,omitempty"`
	Grants []entitlements.Grant `json:"grants,omitempty"`
}

func save(file string, m manner, states []*state, lines []line) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	if err := enc.Encode(saved{Manner: &m}); err != nil {
		return err
	}
	for _, st := range states {
		if err := enc.Encode(saved{State: &savedState{st.key, st.at, st.reason, st.grants}}); err != nil {
			return err
		}
	}
	for i := range lines {
		if err := enc.Encode(saved{Line: &lines[i]}); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

func load(file string) (m manner, states []*state, lines []line, err error) {
	f, err := os.Open(file)
	if err != nil {
		return m, nil, nil, err
	}
	defer f.Close()
	dec := json.NewDecoder(bufio.NewReader(f))
	for {
		var x saved
		switch err := dec.Decode(&x); {
		case err == io.EOF:
			return m, states, lines, nil
		case err != nil:
			return m, nil, nil, fmt.Errorf("%s: %w", file, err)
		case x.Manner != nil:
			m = *x.Manner
		case x.State != nil:
			st := &state{id: len(states) + 1, at: x.State.At, key: x.State.Key, reason: x.State.Reason, grants: x.State.Grants}
			st.set = entitlements.NewSnapshot(st.key, st.reason, st.grants)
			states = append(states, st)
		case x.Line != nil:
			lines = append(lines, *x.Line)
		}
	}
}
