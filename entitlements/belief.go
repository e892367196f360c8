package entitlements

// Belief is a snapshot together with how sure we are of it. Beliefs are immutable: package cache publishes them through an
// atomic pointer, package syncer makes the next one under the ordering rules of its package documentation.
type Belief struct {
	// Snapshot is never nil.
	Snapshot *Snapshot
	// ConfirmedAt is when a fetch or an event last said so, by this machine's clock.
	ConfirmedAt Instant
	// Generation is the stream that follows this belief; zero when none did at the moment it was confirmed. The belief is Live
	// while the syncer's generation is the same.
	Generation uint64
	// Suspect: something arrived that could not be ordered, and no fetch has decided it yet. Served as Stale.
	Suspect bool
	// AwaitRefresh: this client wrote something that the snapshot does not show. The next read waits for one fetch.
	AwaitRefresh bool
	// Overtaken is how many fetches in a row something overtook (rule 4).
	Overtaken uint8
	// Told: the resources of the customer have been doubted since the set was learned (rule 7). A first fetch tells nobody.
	Told bool
	// LearnedAt is when the set arrived here, in a fetch or an event, by this machine's clock. It is not older than that.
	LearnedAt Instant
	// ExpiresAt is when the server wants the set recalculated; zero when it named no moment, or when a confirmation came after.
	ExpiresAt Instant

	// Newest is the newest EntitlementUpdatedAt ever held for the key; a removal can leave it ahead of the snapshot's own.
	Newest Instant
	// Places in the local order: when the grants were learned, when an event last confirmed them, and when the last question
	// arrived.
	GrantSeq    uint64
	ConfirmSeq  uint64
	QuestionSeq uint64
}

// Expired reports whether the server wanted the set recalculated before the moment at. At ExpiresAt itself it is not yet expired.
func (b *Belief) Expired(at Instant) bool { return b.ExpiresAt != 0 && b.ExpiresAt < at }

// With returns a copy of b whose snapshot is like s. Both are in one piece of memory, for they come and go together: an event makes one
// allocation, and the collector has one thing to look at.
func (b *Belief) With(s *Snapshot) *Belief {
	n, _ := b.with(s, 0)
	return n
}

// WithFigures returns a copy of b that differs in the usage of the entitlement at a position, see [Snapshot.Position]. Period bounds
// that f leaves out keep their value. f is copied, not kept.
func (b *Belief) WithFigures(at int, f *Figures) *Belief {
	k, lates := b.Snapshot.lateWith(at)
	n, room := b.with(b.Snapshot, lates)
	n.Snapshot.use(at, f, k, room)
	return n
}

// MergeUsage returns a copy of b whose snapshot is s with the usage that settle makes of what s says and of what b holds, see
// [Snapshot.MergeUsage].
func (b *Belief) MergeUsage(s *Snapshot, settle func(mine, held *Figures)) *Belief {
	n, _ := b.with(s, 0)
	n.Snapshot.merge(b.Snapshot, settle)
	return n
}

// together is a belief and its snapshot, in one piece of memory with what that snapshot has of newer usage.
type together struct {
	belief   Belief
	snapshot Snapshot
}

// with is With, with room in the same piece of memory for that many records: 1 to mostLate. For any other number there is no room.
func (b *Belief) with(s *Snapshot, records int) (n *Belief, room []record) {
	var t *together
	switch records {
	case 1:
		m := new(struct {
			together
			late [1]record
		})
		t, room = &m.together, m.late[:]
	case 2:
		m := new(struct {
			together
			late [2]record
		})
		t, room = &m.together, m.late[:]
	case 3:
		m := new(struct {
			together
			late [3]record
		})
		t, room = &m.together, m.late[:]
	default:
		t = new(together)
	}
	_ = [1]struct{}{}[mostLate-3] // there is a case for each
	t.belief, t.snapshot = *b, *s
	t.belief.Snapshot = &t.snapshot
	return &t.belief, room
}
