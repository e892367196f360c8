package cache

import "github.com/entcache/entcache/entitlements"

// Place is where the belief about a resident key is, for a reader who comes again and again: it spares the way there. It does not keep
// the key resident; whoever reads by it calls [Cache.Lookup] once in every tick of its clock, so that the key is known to be read. The
// zero Place is of nothing.
type Place struct{ cell *cell }

// Place returns where the belief about key is; false when key is not resident. It does not mark the key as read.
func (c *Cache) Place(key entitlements.Key) (Place, bool) {
	cl := c.registry.table.findKey(key)
	return Place{cl}, cl != nil
}

// Holds reports whether b, which [Place.Belief] returned, is what is believed now, at a place that is not zero.
func (p Place) Holds(b *entitlements.Belief) bool { return p.cell.belief.Load() == b }

// Belief returns what is believed now. It is nil from the moment that the key is no longer resident at this place, for ever: should it
// become resident again, that is another place.
func (p Place) Belief() *entitlements.Belief {
	if p.cell == nil {
		return nil
	}
	b := p.cell.belief.Load() // before gone, see cell.leave
	if p.cell.gone.Load() {
		return nil
	}
	return b
}
