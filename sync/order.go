package syncer

import (
	"math"
	"time"

	"github.com/entcache/entcache/entitlements"
)

// This file is the order of things: pure functions from the belief that is held and what arrived to the belief that follows.
// Numbers are those of the rules in the package documentation.

// verdict says what an arrival did.
type verdict uint8

const (
	unchanged  verdict = iota // older, or nothing new
	confirmed                 // it says what is held
	revealed                  // it says what a fetch had brought, and no event had told of yet
	advanced                  // it is newer, and is now what is held
	questioned                // it cannot be ordered: a fetch must decide
	overtaken                 // a fetch that something newer overtook while it was in flight
)

// arrival is the circumstances of something that arrived.
type arrival struct {
	seq        uint64               // local order of arrival
	generation uint64               // the stream that follows from here on; 0 when none does
	since      entitlements.Instant // when that stream began to follow, by this machine's clock
	at         entitlements.Instant // when it arrived, or of a fetch: when it began; by this machine's clock
	landed     entitlements.Instant // of a fetch: when its answer arrived
	// lag is what to add to a stamp of the server to get a moment of this machine's clock, never positive; noLag when its stamps
	// are no moments.
	lag time.Duration
}

// noLag says that stamps and moments cannot be compared.
const noLag = time.Duration(math.MaxInt64)

// before reports whether a state of the given stamp was there, and to be seen by a fetch, at the moment at of this machine's
// clock. It is false when nobody can tell.
func (a *arrival) before(stamp, at entitlements.Instant) bool {
	return at != 0 && a.lag != noLag && stamp+entitlements.Instant(a.lag) <= at
}

// after reports whether a state of the given stamp came about after the moment at. It is false, too, when nobody can tell.
func (a *arrival) after(stamp, at entitlements.Instant) bool {
	return a.lag != noLag && stamp+entitlements.Instant(a.lag) > at
}

// moment is when a state of the given stamp was there for certain, by this machine's clock: a late event says nothing about now.
// It is zero when nobody can tell.
func (a *arrival) moment(stamp entitlements.Instant) entitlements.Instant {
	if a.lag == noLag {
		return 0
	}
	return min(a.at, stamp+entitlements.Instant(a.lag))
}

// input is something that arrived about one key.
type input struct {
	kind  inputKind
	at    arrival
	set   *entitlements.Snapshot // of inSet and inOwnSet
	usage entitlements.Usage     // of inUsage and inOwnUsage
	// Of inReported: the usages that the answers said, and what is to change together with them.
	usages []entitlements.Usage
	along  along
}

type inputKind uint8

const (
	inSet      inputKind = iota // a full set, as an event
	inOwnSet                    // a full set, in the answer to this client's own write
	inUsage                     // the usage of one entitlement, as an event
	inOwnUsage                  // the same, in the answer to this client's own report
	inReported                  // several of these at once, and something that changes together with them
	inDoubt                     // something that cannot be ordered: a fetch must decide
	inAwait                     // a write of this client whose effect is not known: the next read waits for a fetch
)

// own reports whether a write of this client led to it.
func (kind inputKind) own() bool {
	return kind == inOwnSet || kind == inOwnUsage || kind == inReported || kind == inAwait
}

// next returns the belief that follows from b, and what the arrival did to it.
func (in *input) next(b *entitlements.Belief) (*entitlements.Belief, verdict) {
	switch in.kind {
	case inSet:
		return applySet(b, in.set, &in.at)
	case inOwnSet:
		n, v := applySet(b, in.set, &in.at)
		if v == questioned {
			n = await(n, in.at.seq)
		}
		return n, v
	case inUsage, inOwnUsage:
		return applyUsage(b, &in.usage, in.at.seq, in.kind == inOwnUsage)
	case inReported:
		return applyReported(b, in.usages, in.along, in.at.seq)
	case inDoubt:
		return question(b, in.at.seq), questioned
	}
	return await(b, in.at.seq), questioned
}

// applySet orders a full set that came as an event or in the answer to a write (rules 2 and 3).
func applySet(b *entitlements.Belief, s *entitlements.Snapshot, a *arrival) (*entitlements.Belief, verdict) {
	stamp := s.EntitlementUpdatedAt()
	switch {
	case s.Len() == 0 || stamp == 0 || b.Snapshot.Len() == 0: // an empty set has no stamp to be newer than
		return question(b, a.seq), questioned
	case stamp > b.Newest && a.before(stamp, b.LearnedAt):
		// It is older than the arrival of the set that is held, and that set is without it. Either something took it away before
		// that set was made, and this is a late event; or it came about while that set was on its way. A fetch can tell.
		return question(b, a.seq), questioned
	case stamp > b.Newest:
		n, tied := mergeUsage(b, s, a.seq, 0)
		n.Newest, n.GrantSeq, n.LearnedAt = stamp, a.seq, a.at
		n.ConfirmedAt, n.ExpiresAt = max(b.ConfirmedAt, a.moment(stamp)), s.ValidUntil()
		n.Told = true
		if a.after(stamp, a.since) {
			// A state from before the stream began says nothing about what came after it, and was lost.
			n.Generation = a.generation
		}
		if tied {
			n.ConfirmedAt = b.ConfirmedAt // not all of it is
			return await(n, a.seq), advanced
		}
		return n, advanced
	case stamp == b.Newest && s.SameGrants(b.Snapshot):
		n, tied := mergeUsage(b, s, a.seq, 0)
		if a.after(stamp, a.since) {
			n.Generation, n.ConfirmedAt = a.generation, max(b.ConfirmedAt, a.moment(stamp))
		}
		n.ConfirmSeq = a.seq
		v := confirmed
		if !b.Told {
			n.Told, v = true, revealed
		}
		if tied {
			n.ConfirmedAt = b.ConfirmedAt
			return await(n, a.seq), questioned
		}
		return n, v
	}
	return question(b, a.seq), questioned
}

// applyUsage orders the usage of one entitlement by its own clock (rule 5). own marks the answer to this client's own report:
// one that is behind what is held is then a question too, because the caller must read what it wrote.
func applyUsage(b *entitlements.Belief, u *entitlements.Usage, seq uint64, own bool) (*entitlements.Belief, verdict) {
	at, ok := b.Snapshot.Position(u.Ref)
	if !ok {
		// An entitlement that is not held: its grant has been missed.
		n := question(b, seq)
		n.AwaitRefresh = b.AwaitRefresh || own
		return n, questioned
	}
	said, held := u.Figures(), b.Snapshot.Figures(at)
	switch o := compareUsage(&said, &held); {
	case u.UpdatedAt == 0 || o == usageTied || (o == usageOlder && own):
		return await(b, seq), questioned
	case o == usageNewer:
		said.Seq = seq
		return b.WithFigures(at, &said), advanced
	case o == usageSame:
		return b, confirmed
	}
	return b, unchanged
}

// along is a change of a snapshot that goes with what answers to reports said; shown tells whether the snapshot shows that.
type along func(s *entitlements.Snapshot, shown bool) *entitlements.Snapshot

// applyReported applies what the answers to this client's own reports said, in one step with a change of the snapshot that must not
// be seen without them, nor they without it. Applied twice it does nothing more. Without usages, or with one that cannot be ordered,
// none is applied, and the next read waits for a fetch.
func applyReported(b *entitlements.Belief, usages []entitlements.Usage, and along, seq uint64) (*entitlements.Belief, verdict) {
	next, v, shown := b, unchanged, len(usages) > 0
	for i := range usages {
		var one verdict
		next, one = applyUsage(next, &usages[i], seq, true)
		v = max(v, one)
		shown = shown && one != questioned
	}
	if !shown {
		next, v = await(b, seq), questioned
	}
	if s := and(next.Snapshot, shown); s != next.Snapshot {
		n := *next
		n.Snapshot = s
		next = &n
	}
	return next, v
}

// question marks the belief as suspect: it is still served, as Stale, until a fetch that begins after seq decides.
func question(b *entitlements.Belief, seq uint64) *entitlements.Belief {
	n := *b
	n.Suspect, n.QuestionSeq = true, seq
	return &n
}

// await marks the belief so that the next read waits for a fetch that begins after seq.
func await(b *entitlements.Belief, seq uint64) *entitlements.Belief {
	n := question(b, seq)
	n.AwaitRefresh = true
	return n
}

// patientlyOvertaken is how many fetches in a row are dropped because an event confirmed what is held while they were in the air.
// The next one decides: whoever repeats an old event all the time must not keep the truth out, nor have it fetched for ever.
const patientlyOvertaken = 2

// applyAnswer orders the answer to a fetch against what is held (rule 4). a tells when the fetch began, and which stream was
// open then: the answer is at least that recent, and no more is claimed for it.
func applyAnswer(b *entitlements.Belief, s *entitlements.Snapshot, a arrival) (*entitlements.Belief, verdict) {
	same := s.SameGrants(b.Snapshot)
	// An event that arrived since the fetch began and confirmed what is held may be late, or it may tell that something else came
	// and went (a customer is archived and restored): an answer that differs cannot be ordered against it.
	unclear := !same && a.seq < b.ConfirmSeq && b.Overtaken < patientlyOvertaken
	if a.seq > b.GrantSeq && !unclear {
		n, tied := mergeUsage(b, s, a.seq, a.seq)
		n.Newest = max(b.Newest, s.EntitlementUpdatedAt())
		n.GrantSeq, n.LearnedAt, n.Overtaken = a.seq, a.landed, 0
		n.ExpiresAt = expiry(s, a.at)
		v := confirmed
		if same {
			// An event may have confirmed the same content since the fetch began.
			n.Generation, n.ConfirmedAt = max(b.Generation, a.generation), max(b.ConfirmedAt, a.at)
		} else {
			n.Generation, n.ConfirmedAt = a.generation, a.at
			n.Told, v = true, advanced
		}
		if a.seq > b.QuestionSeq {
			n.Suspect, n.AwaitRefresh = false, false
		}
		if tied { // with a usage that arrived while the fetch was in flight
			n.ConfirmedAt = b.ConfirmedAt // not all of it is
			return await(n, max(b.QuestionSeq, a.seq)), v
		}
		return n, v
	}
	// Overtaken: the grants are dropped. Not even a newer stamp makes them news, for the set that overtook them may be what a
	// removal left; but it shows that something was missed, so another fetch decides. Usage has its own clock.
	var tied bool
	n := b.With(b.Snapshot.MergeUsage(s, func(held, answer *entitlements.Figures) {
		if answer == nil {
			return
		}
		mine := *answer
		mine.Seq = a.seq
		keep, tie := newerUsage(&mine, held, a.seq)
		*held, tied = *keep, tied || tie
	}))
	if n.Overtaken < math.MaxUint8 {
		n.Overtaken++
	}
	again := max(b.QuestionSeq, a.seq)
	switch {
	case tied:
		return await(n, again), overtaken
	case unclear || s.Len() > 0 && s.EntitlementUpdatedAt() > b.Newest:
		return question(n, again), overtaken
	}
	return n, overtaken
}

// firstBelief is what a fetch makes of a key that was not resident. newest and learned are remembered from an earlier residence.
func firstBelief(s *entitlements.Snapshot, newest, learned entitlements.Instant, a arrival) *entitlements.Belief {
	b, _ := mergeUsage(&entitlements.Belief{
		Newest:      max(newest, s.EntitlementUpdatedAt()),
		GrantSeq:    a.seq,
		LearnedAt:   max(learned, a.at), // what came about before the fetch began is in its answer, or was taken away again
		Generation:  a.generation,
		ConfirmedAt: a.at,
		ExpiresAt:   expiry(s, a.at),
	}, s, a.seq, a.seq)
	return b
}

// expiry is when the set has to be fetched again (rule 10). A server that still names a moment which has passed has not
// recalculated yet, or its clock is behind ours: ask again soon, but not for ever.
func expiry(s *entitlements.Snapshot, at entitlements.Instant) entitlements.Instant {
	const soon, patience = 5 * time.Second, time.Minute
	until := s.ValidUntil()
	if until == 0 || until > at {
		return until
	}
	if at-until < entitlements.Instant(patience) {
		return at.Add(soon)
	}
	return 0
}

// usageOrder is how one usage stands to another of the same entitlement.
type usageOrder uint8

const (
	usageOlder usageOrder = iota
	usageSame
	usageTied // equally new, and different: nobody can order them
	usageNewer
)

// compareUsage orders u against held by (period start, stamp), where the two agree. A start that only one of them knows decides
// nothing.
func compareUsage(u, held *entitlements.Figures) usageOrder {
	if u.PeriodStart != 0 && held.PeriodStart != 0 && u.PeriodStart != held.PeriodStart {
		switch later := u.PeriodStart > held.PeriodStart; {
		case later && u.UpdatedAt >= held.UpdatedAt:
			return usageNewer
		case !later && u.UpdatedAt <= held.UpdatedAt:
			return usageOlder
		}
		return usageTied // a period that moved, as when an older subscription joins: its start and its stamp disagree
	}
	switch {
	case u.UpdatedAt > held.UpdatedAt:
		return usageNewer
	case u.UpdatedAt < held.UpdatedAt:
		return usageOlder
	case u.Current != held.Current || (u.PeriodEnd != 0 && held.PeriodEnd != 0 && u.PeriodEnd != held.PeriodEnd):
		return usageTied
	}
	return usageSame
}

// mergeUsage returns a copy of b, for the caller to complete, whose snapshot is s with, for each entitlement, the newer of its own
// usage and the held one. authority is when the fetch that brought s began: it overrules whatever was learned before it, stamps and
// ties included; 0 for an event, which overrules nothing. tied reports that some usage was equally new and different; the held one is
// kept.
func mergeUsage(b *entitlements.Belief, s *entitlements.Snapshot, seq, authority uint64) (merged *entitlements.Belief, tied bool) {
	merged = b.MergeUsage(s, func(mine, held *entitlements.Figures) {
		mine.Seq = seq
		if held == nil {
			return
		}
		if keep, tie := newerUsage(mine, held, authority); keep == held {
			*mine, tied = *held, tied || tie
		}
	})
	return merged, tied
}

func newerUsage(mine, held *entitlements.Figures, authority uint64) (u *entitlements.Figures, tied bool) {
	if authority > held.Seq {
		return mine, false
	}
	switch compareUsage(mine, held) {
	case usageNewer:
		return mine, false
	case usageTied:
		return held, true
	}
	return held, false
}
