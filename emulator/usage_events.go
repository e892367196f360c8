package emulator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/entcache/entcache/emulator/internal/wire"
)

// EventMeter counts raw events as usage of a feature.
type EventMeter struct {
	Name      string      `yaml:"name" json:"name"`                               // of the events that count
	Where     []Condition `yaml:"where,omitempty" json:"where,omitempty"`         // all of which an event has to meet; default: none
	Aggregate Aggregate   `yaml:"aggregate,omitempty" json:"aggregate,omitempty"` // default count
	Field     string      `yaml:"field,omitempty" json:"field,omitempty"`         // the dimension that sum, max and unique are of
}

// Aggregate says what the events of a period add up to.
type Aggregate string

// The aggregates.
const (
	Count  Aggregate = "count"  // how many there are
	Sum    Aggregate = "sum"    // the sum of a dimension
	Max    Aggregate = "max"    // its largest value
	Unique Aggregate = "unique" // how many values it has
)

// Condition is a test of one dimension of an event.
type Condition struct {
	Field  string   `yaml:"field" json:"field"`
	Op     string   `yaml:"op,omitempty" json:"op,omitempty"` // one of Operators; default equals
	Value  string   `yaml:"value,omitempty" json:"value,omitempty"`
	Values []string `yaml:"values,omitempty" json:"values,omitempty"` // of in
}

// Operators are what a [Condition] can ask. Those of order compare numbers; a value that is no number meets none of them.
var Operators = []string{
	"equals", "notEquals", "greaterThan", "greaterOrEqual", "lessThan", "lessOrEqual", "contains", "startsWith", "endsWith", "in", "isNull",
	"isNotNull",
}

// maxEvents is how many events the API takes at once.
const maxEvents = 1000

// usageEvent is one raw event, or a consumption of credits for later.
type usageEvent struct {
	customerID, resourceID, name string
	currencyID, key              string  // of a consumption, which has no name; and
	amount                       float64 // how much
	dimensions                   map[string]any
	at                           time.Time // when it happened
	due                          time.Time // when it is counted
}

// eventQueue holds the events that were taken and not counted yet, in the order they came. Emulator.mu guards pending.
type eventQueue struct {
	pending []usageEvent

	wg sync.WaitGroup
}

// ReportEvent takes raw events. They are counted a while later; see [Config].EventDelay.
func (*mutation) ReportEvent(ctx context.Context, args wire.MutationReportEventArgs) (*string, error) {
	m := of(ctx)
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	if n := len(args.Events.UsageEvents); n > maxEvents {
		return nil, errorf(codeBadUserInput, "%d events are more than %d", n, maxEvents)
	}
	now := m.e.now()
	for i, in := range args.Events.UsageEvents {
		switch {
		case in.CustomerID == "":
			return nil, errorf(codeBadUserInput, "usageEvents[%d].customerId is empty", i)
		case in.EventName == "":
			return nil, errorf(codeBadUserInput, "usageEvents[%d].eventName is empty", i)
		case in.IdempotencyKey == "":
			return nil, errorf(codeBadUserInput, "usageEvents[%d].idempotencyKey is empty", i)
		}
		if d := in.Dimensions.Or(wire.JSON{}).Value; d != nil {
			if _, ok := d.(map[string]any); !ok {
				return nil, errorf(codeBadUserInput, "usageEvents[%d].dimensions is not an object", i)
			}
		}
	}
	for _, in := range args.Events.UsageEvents {
		at := in.Timestamp.Or(wire.DateTime{Time: now}).Time
		// The API tells events apart by all of these; the time of one that has none is that at which it came.
		key := reportKey{
			customerID: in.CustomerID, resourceID: in.ResourceID.Or(""), ref: ref{id: in.EventName}, key: in.IdempotencyKey, event: true, at: at.UnixMilli(),
		}
		if _, again := m.e.state.reports.find(key); again {
			continue
		}
		m.e.state.reports.keep(key, report{})
		dimensions, _ := in.Dimensions.Or(wire.JSON{}).Value.(map[string]any)
		m.e.state.events.pending = append(m.e.state.events.pending, usageEvent{
			customerID: in.CustomerID, resourceID: in.ResourceID.Or(""), name: in.EventName, dimensions: dimensions,
			at: m.e.happened(in.Timestamp), due: now.Add(m.e.config.EventDelay),
		})
	}
	m.e.wakeForEvents()
	return nil, nil
}

// wakeForEvents has what was taken counted when it is due. Whatever counts first, a timer or the clock that was moved, counts.
func (e *Emulator) wakeForEvents() {
	if e.config.EventDelay == 0 {
		e.countEvents()
		return
	}
	e.state.events.wg.Go(func() {
		timer := time.NewTimer(e.config.EventDelay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-e.ctx.Done():
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.countEvents()
	})
}

// countEvents counts the events that are due.
func (e *Emulator) countEvents() {
	q, now := &e.state.events, e.now()
	for len(q.pending) > 0 && !q.pending[0].due.After(now) {
		ev := q.pending[0]
		q.pending = q.pending[1:]
		if ev.currencyID != "" {
			e.consumeLater(ev)
			continue
		}
		e.countEvent(ev)
	}
}

// countEvent counts one event for each feature whose meter it meets. One of a customer that does not exist, or has no entitlement
// to the feature, counts for nothing, as nobody can be told any more.
func (e *Emulator) countEvent(ev usageEvent) {
	c, err := e.state.present(ev.customerID)
	if err != nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(e.state.index.features)) {
		meter := e.state.index.features[id].Events
		if meter == nil || !meter.counts(&ev) {
			continue
		}
		r := ref{id: id}
		s, ent, err := e.target(c, ev.resourceID, r)
		if err != nil {
			continue
		}
		m := s.meters[r]
		before := m.used
		late := !m.start.IsZero() && ev.at.Before(m.start) // of a period that is over: it is in the history, and nowhere else
		if !late {
			m.count(meter, &ev)
		}
		m.log(measurement{at: ev.at, value: meter.value(&ev, m.used.Sub(before), late), set: meter.Aggregate == Max, dimensions: words(ev.dimensions)})
		m.updatedAt = e.state.stamp()
		if ent.rate != nil {
			e.draw(c, s, ent.rate, m.used.Sub(before), consumption{id, ev.at, words(ev.dimensions)})
		}
		e.emitUsage(c, s, s.find(r))
	}
}

// value is what an event stands for in the history: what it added to the usage, or a maximum. A late one of a meter of unique values
// stands for one: who was counted in a period that is over is not known any more.
func (em *EventMeter) value(ev *usageEvent, added decimal.Decimal, late bool) decimal.Decimal {
	n, _ := number(ev.dimensions[em.Field])
	switch {
	case em.Aggregate == Max, late && em.Aggregate == Sum:
		return n
	case late:
		return decimal.NewFromInt(1)
	}
	return added
}

// counts reports whether the event counts for the meter.
func (em *EventMeter) counts(ev *usageEvent) bool {
	if em.Name != ev.name {
		return false
	}
	for _, c := range em.Where {
		if !c.meets(ev.dimensions[c.Field]) {
			return false
		}
	}
	if em.Aggregate == Count {
		return true
	}
	if em.Aggregate == Unique {
		return ev.dimensions[em.Field] != nil
	}
	n, ok := number(ev.dimensions[em.Field])
	return ok && !n.Abs().GreaterThan(decimal.NewFromInt(maxUnits))
}

// count adds an event to what was used in the present period.
func (m *meter) count(em *EventMeter, ev *usageEvent) {
	v := ev.dimensions[em.Field]
	n, _ := number(v)
	switch em.Aggregate {
	case Sum:
		m.used = decimal.Max(m.used.Add(n), decimal.Zero)
	case Max:
		m.used = decimal.Max(m.used, n)
	case Unique:
		if m.seen == nil {
			m.seen = map[string]bool{}
		}
		m.seen[word(v)] = true
		m.used = decimal.NewFromInt(int64(len(m.seen)))
	default:
		m.used = m.used.Add(decimal.NewFromInt(1))
	}
}

// meets tests the value of a dimension; nil is one that is absent.
func (c *Condition) meets(v any) bool {
	switch c.Op {
	case "isNull":
		return v == nil
	case "isNotNull":
		return v != nil
	case "notEquals":
		return v == nil || word(v) != c.Value
	}
	if v == nil {
		return false
	}
	text := word(v)
	switch c.Op {
	case "equals":
		return text == c.Value
	case "contains":
		return strings.Contains(text, c.Value)
	case "startsWith":
		return strings.HasPrefix(text, c.Value)
	case "endsWith":
		return strings.HasSuffix(text, c.Value)
	case "in":
		return slices.Contains(c.Values, text)
	}
	have, ok := number(v)
	than, err := decimal.NewFromString(c.Value)
	if !ok || err != nil {
		return false
	}
	switch order := have.Cmp(than); c.Op {
	case "greaterThan":
		return order > 0
	case "greaterOrEqual":
		return order >= 0
	case "lessThan":
		return order < 0
	default:
		return order <= 0
	}
}

// number reads a dimension as one.
func number(v any) (decimal.Decimal, bool) {
	switch v := v.(type) {
	case float64:
		return decimal.NewFromFloat(v), true
	case int32:
		return decimal.NewFromInt32(v), true
	case int64:
		return decimal.NewFromInt(v), true
	case int:
		return decimal.NewFromInt(int64(v)), true
	case string:
		d, err := ParseDecimal(v)
		return d.Decimal, err == nil
	}
	return decimal.Zero, false
}

// word is a dimension as text: a number without the noise of a float.
func word(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	if n, ok := number(v); ok {
		return n.String()
	}
	return fmt.Sprint(v)
}

// words are dimensions as text, for the history to group by.
func words(dimensions map[string]any) map[string]string {
	if len(dimensions) == 0 {
		return nil
	}
	out := make(map[string]string, len(dimensions))
	for k, v := range dimensions {
		if v != nil {
			out[k] = word(v)
		}
	}
	return out
}

// events checks the event meter of a feature, and fills in defaults.
func (ck *checker) events(at string, f *Feature) {
	m := f.Events
	if m == nil {
		return
	}
	if !f.Metered() {
		ck.fail(at+".events", "only a metered feature counts events")
	}
	if m.Name == "" {
		ck.fail(at+".events.name", "is required")
	}
	if m.Aggregate == "" {
		m.Aggregate = Count
	}
	switch m.Aggregate {
	case Count:
		if m.Field != "" {
			ck.fail(at+".events.field", "is for sum, max and unique")
		}
	case Sum, Max, Unique:
		if m.Field == "" {
			ck.fail(at+".events.field", "is required: the dimension that %s is of", m.Aggregate)
		}
	default:
		ck.fail(at+".events.aggregate", "%q is not count, sum, max or unique", m.Aggregate)
	}
	for i := range m.Where {
		c, at := &m.Where[i], fmt.Sprintf("%s.events.where[%d]", at, i)
		c.Op = orDefault(c.Op, "equals")
		if c.Field == "" {
			ck.fail(at+".field", "is required")
		}
		if !slices.Contains(Operators, c.Op) {
			ck.fail(at+".op", "%q is not one of %s", c.Op, strings.Join(Operators, ", "))
		}
		if (c.Op == "in") != (len(c.Values) > 0) {
			ck.fail(at+".values", "goes with in, and only with it")
		}
		if _, err := decimal.NewFromString(c.Value); err != nil && (strings.HasPrefix(c.Op, "less") || strings.HasPrefix(c.Op, "greater")) {
			ck.fail(at+".value", "%q is not a number", c.Value)
		}
	}
}

func (em *EventMeter) clone() *EventMeter {
	if em == nil {
		return nil
	}
	cp := *em
	cp.Where = slices.Clone(em.Where)
	for i := range cp.Where {
		cp.Where[i].Values = slices.Clone(cp.Where[i].Values)
	}
	return &cp
}
