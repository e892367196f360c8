package emulator

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"time"
)

// settle brings c to the present: trials, promotions and subscriptions that ended, subscriptions that began, scheduled
// changes and usage periods that are over take effect when somebody next looks, or acts. Each happens at its own instant, in
// order, so that it makes no difference how often somebody looked.
func (e *Emulator) settle(c *customer) {
	now := e.now()
	for at := c.due(); !at.IsZero() && !at.After(now); at = c.due() {
		e.happen(c, at)
	}
	for _, id := range slices.Sorted(maps.Keys(c.scopes)) {
		e.rollover(c, c.scopes[id], now)
	}
}

// settleAll is settle for everybody, in order of the instants over all customers.
func (e *Emulator) settleAll() {
	now := e.now()
	customers := e.state.each()
	queue := agenda{}
	add := func(c *customer) {
		if at := c.due(); !at.IsZero() && !at.After(now) {
			heap.Push(&queue, appointment{at, c})
		}
	}
	for _, c := range customers {
		add(c)
	}
	for queue.Len() > 0 {
		next := heap.Pop(&queue).(appointment)
		e.happen(next.c, next.at)
		add(next.c)
	}
	for _, c := range customers {
		e.settle(c)
	}
}

// due returns the next instant at which something changes by itself for c; zero when nothing does.
func (c *customer) due() time.Time {
	var next time.Time
	for _, s := range c.scopes {
		if !s.recalcAt.IsZero() && (next.IsZero() || s.recalcAt.Before(next)) {
			next = s.recalcAt
		}
	}
	return next
}

// happen makes come true what is due for c at an instant that may have passed.
func (e *Emulator) happen(c *customer, at time.Time) {
	e.state.held = at
	defer func() { e.state.held = time.Time{} }()
	e.pass(c, at)
	e.recalculate(c)
}

// pass makes the subscriptions of c what they are at an instant that has come.
func (e *Emulator) pass(c *customer, at time.Time) {
	for _, s := range c.subs {
		for len(s.changes) > 0 && !s.changes[0].at.After(at) {
			if s.active(at) {
				e.change(s, s.changes[0])
			}
			s.changes = slices.Delete(s.changes, 0, 1)
		}
		if s.successor != "" && !s.endAt.After(at) {
			s.successor = ""
		}
	}
	c.oneOfEach(at)
	e.followEnded(c, at)
}

// oneOfEach leaves, of one product and resource, at most one trial and one subscription that is none: the one that became so
// last ends the others. A trial that is converted ends what was paid for until then.
func (c *customer) oneOfEach(at time.Time) {
	live := c.live(at)
	since := func(s *subscription) time.Time {
		if !s.trialEnd.IsZero() && !at.Before(s.trialEnd) {
			return s.trialEnd
		}
		return s.startAt
	}
	for i, s := range live {
		for j, o := range live {
			if i == j || !s.sibling(o) || s.trialAt(at) != o.trialAt(at) {
				continue
			}
			if later := since(o).Compare(since(s)); later > 0 || later == 0 && j > i {
				s.endAt, s.cancelled, s.follow = since(o), true, false
			}
		}
	}
}

// followEnded ends the trials that are over and not converted. The product's downgrade plan comes after those, and after what was
// cancelled without revoking entitlements, unless the customer has something else of the product.
func (e *Emulator) followEnded(c *customer, at time.Time) {
	for _, s := range slices.Clone(c.subs) {
		over := !s.trialEnd.IsZero() && !s.convert && !at.Before(s.trialEnd)
		if over && (s.endAt.IsZero() || s.endAt.After(s.trialEnd)) {
			s.endAt, s.cancelled, s.follow = s.trialEnd, false, true
		}
		if !s.follow || s.endAt.IsZero() || s.endAt.After(at) {
			continue
		}
		s.follow = false
		p := e.state.index.products[s.productID]
		if c.archived || p == nil || p.DowngradePlan == "" || p.DowngradePlan == s.planID {
			continue
		}
		if slices.ContainsFunc(c.subs, func(o *subscription) bool { return o != s && o.sibling(s) && o.active(at) && !o.trialAt(at) }) {
			continue
		}
		c.subs = append(c.subs, &subscription{
			id: e.state.newID("subscription"), planID: p.DowngradePlan, productID: p.ID, resourceID: s.resourceID,
			index: e.state.index, createdAt: e.instant(), startAt: s.endAt, anchor: s.anchor, period: s.period,
		})
	}
}

// appointment is when something is due for a customer.
type appointment struct {
	at time.Time
	c  *customer
}

// agenda is a heap of appointments, the earliest first.
type agenda []appointment

// Len is the number of appointments.
func (a agenda) Len() int { return len(a) }

// Less orders by instant, then by the customer's id.
func (a agenda) Less(i, j int) bool {
	return cmp.Or(a[i].at.Compare(a[j].at), cmp.Compare(a[i].c.id, a[j].c.id)) < 0
}

// Swap exchanges two appointments.
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push adds an appointment at the end.
func (a *agenda) Push(x any) { *a = append(*a, x.(appointment)) }

// Pop takes the last appointment away.
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}
