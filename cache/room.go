package cache

// room is the waiting room: cells that are listed and that ristretto does not hold, because they came when it was full, because it
// refused them, or because they gave way a moment ago. They are resident like any other. When they are more than the room may
// hold, those that have waited longest come to the door ([Cache.trim]): who was read meanwhile applies to ristretto, who was not
// leaves.
//
// It is a list through the cells themselves, so that waiting costs no memory. All of it is guarded by registry.mu.
type room struct {
	first, last *cell // first has waited longest
	cells       int
	bytes       int64
	max         int64 // bytes
}

func (r *room) enter(c *cell) {
	c.waiting, c.seen = true, c.reads.Load()
	r.cells++
	r.bytes += c.cost.Load()
	if c.cost.Load() > r.max {
		r.pushFront(c) // it can never stay: nobody else has to leave before that is found out
	} else {
		r.pushBack(c)
	}
}

func (r *room) leave(c *cell) {
	r.unlink(c)
	c.waiting = false
	r.cells--
	r.bytes -= c.cost.Load()
}

// reprice sets the cost of a cell that waits.
func (r *room) reprice(c *cell, cost int64) {
	r.bytes += cost - c.cost.Load()
	c.cost.Store(cost)
	if cost > r.max {
		r.unlink(c)
		r.pushFront(c)
	}
}

func (r *room) pushFront(c *cell) {
	c.newer = r.first
	if r.first != nil {
		r.first.older = c
	} else {
		r.last = c
	}
	r.first = c
}

func (r *room) pushBack(c *cell) {
	c.older = r.last
	if r.last != nil {
		r.last.newer = c
	} else {
		r.first = c
	}
	r.last = c
}

func (r *room) unlink(c *cell) {
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		r.first = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		r.last = c.older
	}
	c.older, c.newer = nil, nil
}
