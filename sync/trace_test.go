package syncer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
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
	Failed  bool    `json:"failed,omitempty"`
	Frame   instant `json:"frame,omitempty"` // when the last frame had arrived

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
	inSet: "event", inOwnSet: "answer to own write", inUsage: "usage event", inOwnUsage: "answer to own report", inReported: "answers to own reports",
	inDoubt: "doubt", inAwait: "own write of unknown effect",
}

// String is for people.
func (v verdict) String() string {
	return [...]string{
		unchanged: "unchanged", confirmed: "confirmed", revealed: "revealed", advanced: "advanced", questioned: "questioned",
		overtaken: "overtaken",
	}[v]
}

// String is for people.
func (l *line) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-8s", l.At.Time().Format("04:05.000000"), l.Do)
	if l.Key != (key{}) {
		b.WriteString(" " + short(l.Key))
	}
	if l.Do == "take" {
		b.WriteString(" " + inputNames[l.Input])
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
		fmt.Fprintf(&b, " %s usage %s of %s", l.Usage.Ref.ID, number(l.Usage.Current), clock(l.Usage.UpdatedAt))
	}
	switch l.Do {
	case "read":
		fmt.Fprintf(&b, " %s: ", l.Feature)
		if l.See == nil {
			b.WriteString("fallback")
		} else {
			b.WriteString(l.See.String())
		}
		if l.From != l.At {
			b.WriteString(", waited since " + clock(l.From))
		}
	case "full":
		b.WriteString([]string{" no more", " from now on"}[intOf(l.Full)])
	case "throttle":
		fmt.Fprintf(&b, " for %v", l.Pause)
	case "wrote":
		if l.Feature != "" {
			b.WriteString(" usage of " + l.Feature)
		}
	}
	if l.Text != "" {
		b.WriteString(" " + l.Text)
	}
	return b.String()
}

func intOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// String is for people.
func (v *view) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v as of %s", v.Origin, clock(v.AsOf))
	if v.Exists {
		fmt.Fprintf(&b, ", limit %s usage %s", number(v.Limit), number(v.Usage))
	}
	for _, x := range []struct {
		is   bool
		text string
	}{
		{!v.Exists, "absent"}, {v.Exists && !v.Granted, "not granted"}, {v.Reason != "", string(v.Reason)}, {v.Access, "access"},
		{v.Suspect, "suspect"}, {v.Await, "await"}, {v.PeriodEnd != 0, "period until " + clock(v.PeriodEnd)},
		{v.Until != 0, "valid until " + clock(v.Until)}, {v.Confirmed != v.AsOf, "confirmed " + clock(v.Confirmed)},
	} {
		if x.is {
			b.WriteString(", " + x.text)
		}
	}
	return b.String()
}

// String is for people.
func (st *state) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "state %d of %s:", st.id, short(st.key))
	if st.reason != "" {
		fmt.Fprintf(&b, " %s", st.reason)
	}
	for i := range st.grants {
		g := &st.grants[i]
		if i > 0 {
			b.WriteString(";")
		}
		fmt.Fprintf(&b, " %s limit %s of %s usage %s of %s", g.ID, number(g.UsageLimit), clock(g.EntitlementUpdatedAt), number(g.CurrentUsage), clock(g.UsageUpdatedAt))
		if !g.IsGranted {
			b.WriteString(" not granted")
		}
		if g.ValidUntil != 0 {
			b.WriteString(" valid until " + clock(g.ValidUntil))
		}
	}
	return b.String()
}

// short is a key for people: a customer, or customer/resource.
func short(k key) string {
	if k.ResourceID == "" {
		return k.CustomerID
	}
	return k.CustomerID + "/" + k.ResourceID
}

// number is a limit or a usage, without an exponent.
func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// clock is a moment as minutes and seconds, or with the hour where there is one.
func clock(i instant) string {
	switch t := i.Time(); {
	case i == 0:
		return "never"
	case t.Hour() > 0:
		return t.Format("15:04:05.000")
	default:
		return t.Format("04:05.000")
	}
}

// blame is a broken promise, and the line that shows it.
type blame struct {
	line int
	text string
	at   *line
}

// The complaint comes first: it is what fits into a table.
func (b *blame) Error() string { return fmt.Sprintf("%s; line %d: %v", b.text, b.line+1, b.at) }

// concerns reports whether a line is about the customer, or about nobody in particular.
func (l *line) concerns(customer string) bool {
	return customer == "" || l.Key.CustomerID == "" || l.Key.CustomerID == customer
}

// tell is a line of the trace with its number, marked when it is the one to look at, and with what the server had at a new state.
func tell(lines []line, i int, states []*state, marked bool) string {
	mark := "   "
	if marked {
		mark = ">>>"
	}
	text := fmt.Sprintf("%s %5d %v", mark, i+1, &lines[i])
	if lines[i].Do == "state" {
		_, content, _ := strings.Cut(states[lines[i].State-1].String(), ":")
		text += ":" + content
	}
	return text
}

// show prints what led to err: the last lines about the same customer, and the states they speak of.
func show(t *testing.T, lines []line, states []*state, err error) {
	t.Helper()
	last, blamed := len(lines)-1, -1
	var customer string
	if b, ok := errors.AsType[*blame](err); ok {
		last, blamed, customer = b.line, b.line, lines[b.line].Key.CustomerID
	}
	const most = 60
	var text []string
	for i := last; i >= 0 && len(text) < most; i-- {
		if lines[i].concerns(customer) {
			text = append(text, tell(lines, i, states, i == blamed))
		}
	}
	slices.Reverse(text)
	t.Log("\n" + strings.Join(text, "\n"))
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
