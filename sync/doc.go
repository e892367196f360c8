// Package syncer obtains beliefs about entitlements, orders them, keeps them current, and says how far each can be trusted.
//
// The directory is sync, the clause is syncer, and it is always imported as syncer: the standard library keeps its name. It
// knows neither GraphQL nor ristretto: a [Source] answers it and a [Store] holds what it learns.
//
// # The order of things
//
// What a reader sees of one key never goes back. These rules decide what may replace what. Rules 2 to 5 and 10 are order.go, 1 and
// 4 ledger.go, 6 stamps.go, 7 events.go, 8 package gql, 9 package entitlements; comments there give the numbers.
//
//  1. The store decides who is resident, never which value is current. Every change is a compare-and-swap of the belief.
//  2. A full set is a state, ordered by its newest entitlementUpdatedAt against the newest ever held for that key. Newer
//     replaces the whole set, removals included, if it came about after the set that is held arrived here. The same stamp with
//     the same content confirms what is held.
//  3. Everything else is a question, not an answer: an older stamp, the same stamp with other content, no stamp, an empty set,
//     any set over an empty one, a newer stamp from before what is held arrived. The key becomes suspect, is served as Stale, and
//     one fetch that begins after the arrival decides. A burst of questions costs one fetch.
//  4. A fetch that began after everything held is authoritative, ties and removals included. One that was overtaken by a newer
//     state while in flight is dropped, all but its usage, and repeated while a question is open or somebody waits for what it
//     would have shown; a newer stamp on it is itself a question. So is an answer that differs from what an event confirmed
//     while it was in flight: it is dropped too.
//  5. Usage has its own clock, ordered per entitlement by (period start, usageUpdatedAt); strictly newer wins. The same stamp
//     with another value, no stamp, a start and a stamp that disagree, or an answer to our own report that is behind what is
//     held: keep, mark suspect, and let the next read wait for one fetch. A set with such a usage is not confirmed by it.
//  6. The newest stamp of a key, and when its last set arrived, survive its eviction for a while, so that a late older event is
//     a question, not news.
//  7. A change of a customer's own set makes the sets of its resources suspect, once, whoever brings it: an event, a fetch that
//     finds another set than the one held, or the first event that confirms what a first fetch had brought. So does each
//     question about the customer's set. After a write of this client to the customer, the next read of each resource waits for
//     a fetch.
//  8. A reply without data, or without a required part, is an error and changes nothing. (Package gql.)
//  9. A usage period that has ended reads as zero. (Package entitlements.)
//  10. An entitlement that is not granted is denied, with a reason or without. (Package entitlements.) validUntil ahead makes a
//     refresh due just after that moment; past it, until a fetch has confirmed the set, it is Stale.
//
// "Began after" is a local sequence number, not a clock: everything that arrives, and every fetch that begins, takes the next.
//
// The second half of rule 2 goes beyond the first design. Stamps alone do not order a set against one from which something was
// removed: the removal leaves the older stamp, so a late event with what was removed looks newer. The moment at which the held set
// arrived does order them, because that set showed everything that had come about by then. Comparing the server's stamps with this
// machine's clock needs the difference of the two, see lag.go. Alternative that lost: to accept the late event until the next
// fetch, which a property test showed to readers as a step back in one run of twenty-five.
//
// A server whose clock is behind costs fetches and no correctness. Two things are beyond these rules, and the next fetch mends
// them: a late event of something removed meanwhile, which nobody here has seen, from a server whose clock is ahead, before any
// event has come on time; and the same from a server whose stamps are no moments of a clock (an hour or more behind). Such stamps
// order sets among themselves, but confirm nothing and claim no generation.
//
// # Near answers
//
// A [Nearer] may be behind the server, so what it says is a question from the start: it is asked only for a key of which nothing was
// ever answered, belongs to no generation, confirms what was so [NearBehind] ago, and is served as Stale until the fetch that it leads to
// has decided. See near.go.
//
// # Generations
//
// A belief is Live while the generation in which it was confirmed is the one being followed. A stream that has read all its
// subscriptions begins a new generation; losing it ends the generation for every resident key with one atomic store, however
// many there are. An event claims the new generation for its key only if it came about after that began. Without a stream there
// is one generation, and a confirmation is good for the poll interval.
//
// # Failure scenarios
//
// Comments here give the numbers.
//
//  1. The stream cannot be opened, or ends for any reason (a close code, a subscription's complete or error, silence beyond the
//     dead-peer deadline): what is resident is Stale and served; backoff with full jitter, each wait uniform between
//     0.25 s and a ceiling that doubles from 0.5 s to 30 s, so that N processes dial N/15 times a second in a long outage;
//     subscribe, acknowledge, then fetch again what is being read, hottest first. A Retry-After comes on top, and the fleet
//     spreads over as long again.
//  2. The API key is refused, as the stream is opened or later on it: Off. What is resident is Stale and served, misses fail at
//     once, and the key is tried every five minutes, or as soon as it is replaced. A fetch that is refused is asked about first,
//     for it may be a gateway's mistake: the stream is given up and the next one opened at once (without a stream, the key is
//     checked), and only if that is refused too, or a fetch is again within a minute or before one is answered, it is Off.
//  3. A fetch fails: nothing held changes. Whoever waited gets the error; the key backs off, so that an outage is not amplified.
//  4. The server answers 429: the budget halves, Retry-After is a pause for all fetches, in which no allowance gathers and
//     everybody's turn moves by as much; after it the rate recovers in a minute.
//  5. Fetches fail in a row: revalidation slows down to one attempt in up to 30 s; misses are still tried.
//  6. An event does not decode: its key is suspect; when not even the key can be read, everything is.
//  7. Events are lost in silence: while Live, everything that is being read is confirmed by a fetch every ten poll intervals.
//  8. More is asked for than the budget allows: misses go first, then three of what somebody looks at (questions, reads of Stale
//     keys that the pass does not come to, what has expired) for one of the pass, which goes by heat. The pass is complete, and
//     the state Live, whatever goes on being asked. Only misses can starve it.
//
// # Fairness
//
// What is asked for must not wait behind a pass of a quarter of an hour, and the pass must not wait for an end of the questions:
// one server that goes on sending what cannot be ordered kept everybody else Stale for ever. One in four is what the pass is sure
// of. One in two would halve how many questions a long pass lets through; a share by age would make the order of a pass, hottest
// first, hard to say and to test. Alternative that lost: a share of the budget for revalidation even against misses. A miss has
// somebody waiting for it who has nothing at all, the pass has beliefs that are served meanwhile and say how old they are.
//
// # Concurrency
//
// One goroutine opens, reads and closes the stream and applies its events; one chooses what to fetch again. Each fetch has a
// goroutine of its own, on the syncer's lifetime, and each of those that were chosen a second one that takes note of its end.
// [Syncer.Fresh] is the only method on the path of a hit. Callers' code is never called while a lock is held, except the
// store's, and what [Syncer.Reported] and [Syncer.Overhear] are given.
package syncer
