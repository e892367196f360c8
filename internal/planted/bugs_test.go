package planted

// bug is something that this library must not do.
type bug struct {
	name    string
	breaks  string // which of the rules in sync/doc.go, or what else has to hold
	sims    []sim  // that must find it, each
	changes []change
}

// change replaces a text that stands exactly once in a file. The new text asks planted("name of the bug") and does what the old
// one did when the answer is no.
type change struct{ file, old, new string }

// sim is a simulation: a test, and the directory of its package.
type sim struct{ dir, test string }

func (s sim) String() string { return s.dir + " " + s.test }

// Which simulations: the one of the whole client reaches whatever Stigg, as the emulator has it, and the network can do to it; the
// one of package syncer also what a server could say that the emulator never does, but no other package; the one of the meter reports
// usage, and looks at nothing else; that of the wallet does so of features that credits pay for.
var (
	client  = []sim{{".", "TestSim"}}
	ordered = []sim{{"./sync", "TestSim"}}
	both    = []sim{client[0], ordered[0]}
	metered = []sim{{".", "TestSimMeter"}}
	paid    = []sim{{".", "TestSimWallet"}}
)

// rare names a seed of the whole client's simulation for each bug that few of its seeds show. It is tried before the others are,
// from the first on, which takes minutes. One that no longer shows its bug costs a second or two, and is best replaced.
var rare = map[string]int{
	"a change is computed first and stored later":         18,
	"a late newer set is taken":                           23,
	"an empty set is taken":                               7,
	"an overtaken fetch is taken":                         16,
	"the same stamp with other content is taken":          9,
	"older usage is taken":                                6,
	"usage of the same stamp is taken":                    9,
	"validUntil makes no refresh due":                     19,
	"a late event claims the new generation":              10,
	"silence is no sign of a dead peer":                   4,
	"any age is served":                                   5,
	"an own write of unknown effect is not awaited":       4,
	"a read does not wait for what was written":           7,
	"what was lost in silence is never made up for":       35,
	"what was lost is made up for later than Status says": 53,
}

var bugs = []bug{
	{"a change is computed first and stored later", "rule 1", both, []change{{
		"sync/events.go",
		"\ts.mu.Lock()\n\tif kind.own() {\n",
		`	if planted("a change is computed first and stored later") && !kind.own() { // the caller of an own kind holds a mutex: no place to sleep
		in := &input{kind: kind}
		say(in)
		if r, ok := s.cfg.Store.Peek(key); ok {
			n, v := in.next(r.Belief)
			sleep(s.ctx, 20*time.Millisecond)
			s.mu.Lock()
			b := s.cfg.Store.Update(key, func(*entitlements.Belief) *entitlements.Belief { return n })
			s.mu.Unlock()
			if b != nil && b.Suspect && v == questioned {
				s.refresh.urgent(key)
			}
			return v
		}
	}
	s.mu.Lock()
	if kind.own() {
`,
	}}},
	{"ristretto decides which value is current", "rule 1", client, []change{{
		"cache/cache.go",
		"\t\tif cl.belief.CompareAndSwap(old, b) {\n",
		`		if planted("ristretto decides which value is current") {
			other := &cell{key: key, slot: -1}
			other.belief.Store(b)
			c.index.Set(hashKey(key), other, costOf(b))
			return b
		}
		if cl.belief.CompareAndSwap(old, b) {
`,
	}}},
	{"an older set is taken", "rule 2", both, []change{{
		"sync/order.go",
		"\tcase stamp > b.Newest:\n",
		"\tcase stamp > b.Newest || (stamp < b.Newest && planted(\"an older set is taken\")):\n",
	}}},
	{"a late newer set is taken", "rule 2", both, []change{{
		"sync/order.go",
		"\tcase stamp > b.Newest && a.before(stamp, b.LearnedAt):\n",
		"\tcase stamp > b.Newest && a.before(stamp, b.LearnedAt) && !planted(\"a late newer set is taken\"):\n",
	}}},
	{"a question is not asked", "rule 3", both, []change{{
		"sync/order.go",
		"\tn.Suspect, n.QuestionSeq = true, seq\n",
		"\tif planted(\"a question is not asked\") {\n\t\treturn b\n\t}\n\tn.Suspect, n.QuestionSeq = true, seq\n",
	}}},
	{"an empty set is taken", "rule 3", both, []change{{
		"sync/order.go",
		"\tcase s.Len() == 0 || stamp == 0 || b.Snapshot.Len() == 0:",
		`	case s.Len() == 0 && planted("an empty set is taken"):
		n := *b
		n.Snapshot, n.GrantSeq, n.LearnedAt, n.ConfirmedAt, n.ExpiresAt = s, a.seq, a.at, a.at, 0
		return &n, advanced
	case s.Len() == 0 || stamp == 0 || (b.Snapshot.Len() == 0 && !planted("a set over an empty one is taken")):`,
	}}},
	{"a set over an empty one is taken", "rule 3", ordered, []change{{
		"sync/order.go",
		"// an empty set has no stamp to be newer than\n",
		"// planted(\"a set over an empty one is taken\"): see the entry of the empty set\n",
	}}},
	{"the same stamp with other content is taken", "rule 3", both, []change{{
		"sync/order.go",
		"\tcase stamp == b.Newest && s.SameGrants(b.Snapshot):\n",
		"\tcase stamp == b.Newest && (s.SameGrants(b.Snapshot) || planted(\"the same stamp with other content is taken\")):\n",
	}}},
	{"an overtaken fetch is taken", "rule 4", both, []change{{
		"sync/order.go",
		"\tif a.seq > b.GrantSeq && !unclear {\n",
		"\tif a.seq > b.GrantSeq && !unclear || planted(\"an overtaken fetch is taken\") {\n",
	}}},
	{"a fetch is ordered by its end", "rule 4", both, []change{{
		"sync/flight.go",
		"\tat.landed = entitlements.InstantOf(time.Now())\n",
		"\tat.landed = entitlements.InstantOf(time.Now())\n\tif planted(\"a fetch is ordered by its end\") {\n\t\tat.seq = s.seq.Add(1)\n\t}\n",
	}}},
	{"a fetch has no authority", "rule 4", both, []change{{
		"sync/order.go",
		"func applyAnswer(b *entitlements.Belief, s *entitlements.Snapshot, a arrival) (*entitlements.Belief, verdict) {\n",
		"func applyAnswer(b *entitlements.Belief, s *entitlements.Snapshot, a arrival) (*entitlements.Belief, verdict) {\n\tif planted(\"a fetch has no authority\") && s.EntitlementUpdatedAt() < b.Newest {\n\t\tn := *b\n\t\tn.Suspect, n.AwaitRefresh = false, false\n\t\treturn &n, unchanged\n\t}\n",
	}}},
	{"older usage is taken", "rule 5", both, []change{{
		"sync/order.go",
		"\tcase u.UpdatedAt < held.UpdatedAt:\n\t\treturn usageOlder\n",
		"\tcase u.UpdatedAt < held.UpdatedAt:\n\t\tif planted(\"older usage is taken\") {\n\t\t\treturn usageNewer\n\t\t}\n\t\treturn usageOlder\n",
	}}},
	{"usage of the same stamp is taken", "rule 5", both, []change{{
		"sync/order.go",
		"(u.PeriodEnd != 0 && held.PeriodEnd != 0 && u.PeriodEnd != held.PeriodEnd):\n\t\treturn usageTied\n",
		"(u.PeriodEnd != 0 && held.PeriodEnd != 0 && u.PeriodEnd != held.PeriodEnd):\n\t\tif planted(\"usage of the same stamp is taken\") {\n\t\t\treturn usageNewer\n\t\t}\n\t\treturn usageTied\n",
	}}},
	{"own usage behind what is held is not awaited", "rule 5", ordered, []change{{
		"sync/order.go",
		"(o == usageOlder && own):\n",
		"(o == usageOlder && own && !planted(\"own usage behind what is held is not awaited\")):\n",
	}}},
	{"stamps are forgotten at eviction", "rule 6", ordered, []change{{
		"sync/ledger.go",
		"\tl.stamps.note(key, b.Newest, b.LearnedAt)\n",
		"\tif !planted(\"stamps are forgotten at eviction\") {\n\t\tl.stamps.note(key, b.Newest, b.LearnedAt)\n\t}\n",
	}}},
	{"a fetch that differs from what was confirmed meanwhile is taken", "rule 4", ordered, []change{{
		"sync/order.go",
		"\tunclear := !same && a.seq < b.ConfirmSeq && b.Overtaken < patientlyOvertaken\n",
		"\tunclear := !same && a.seq < b.ConfirmSeq && b.Overtaken < patientlyOvertaken && !planted(\"a fetch that differs from what was confirmed meanwhile is taken\")\n",
	}}},
	{"what a first fetch brought is never told to the resources", "rule 7", ordered, []change{{
		"sync/order.go",
		"\t\tif !b.Told {\n",
		"\t\tif !b.Told && !planted(\"what a first fetch brought is never told to the resources\") {\n",
	}}},
	{"an own write is not told to the resources", "rule 7", ordered, []change{{
		"sync/writes.go",
		"\ts.doubtResources(key, inAwait) // even",
		"\tif planted(\"an own write is not told to the resources\") {\n\t\treturn\n\t}\n\ts.doubtResources(key, inAwait) // even",
	}}},
	{"resources are not doubted", "rule 7", both, []change{{
		"sync/events.go",
		"\tif key.ResourceID != \"\" {\n\t\treturn\n\t}\n",
		"\tif key.ResourceID != \"\" || planted(\"resources are not doubted\") {\n\t\treturn\n\t}\n",
	}}},
	{"a reply without data is an empty set", "rule 8", client, []change{{
		"gql/decode.go",
		"\tif snap == nil {\n",
		"\tif snap == nil && planted(\"a reply without data is an empty set\") {\n\t\treturn entitlements.NewSnapshot(key, \"\", nil), 0, nil\n\t}\n\tif snap == nil {\n",
	}}},
	{"a state that is null is an empty set", "rule 8", client, []change{{
		"gql/decode.go",
		"\t\tif d.Null() {\n\t\t\td.Fail(errMissing)\n\t\t\treturn nil\n\t\t}\n\t\tsnap = d.state(key)\n",
		"\t\tif d.Null() {\n\t\t\tif planted(\"a state that is null is an empty set\") {\n\t\t\t\tsnap = entitlements.NewSnapshot(key, \"\", nil)\n\t\t\t\tcontinue\n\t\t\t}\n\t\t\td.Fail(errMissing)\n\t\t\treturn nil\n\t\t}\n\t\tsnap = d.state(key)\n",
	}}},
	{"a state without its list is an empty set", "rule 8", client, []change{{
		"gql/set.go",
		"\tif !s.seen || s.isNull && s.reason == \"\" {\n",
		"\tif (!s.seen || s.isNull && s.reason == \"\") && !planted(\"a state without its list is an empty set\") {\n",
	}}},
	{"usage goes on after its period", "rule 9", both, []change{{
		"entitlements/entitlement.go",
		"\treturn r.used.PeriodEnd != 0 && r.used.PeriodEnd < now && r.typ != TypeCredit\n",
		"\treturn r.used.PeriodEnd != 0 && r.used.PeriodEnd < now && r.typ != TypeCredit && !planted(\"usage goes on after its period\")\n",
	}}},
	{"not granted and no reason is access", "rule 10", both, []change{{
		"entitlements/decision.go",
		"\tif r.flags&flagGranted == 0 {\n",
		"\tif r.flags&flagGranted == 0 && !planted(\"not granted and no reason is access\") {\n",
	}}},
	{"a set is Live past its validUntil", "rule 10", both, []change{{
		"sync/syncer.go",
		"b.Suspect || b.Expired(now) {\n\t\treturn s.lastLive",
		"b.Suspect || (b.Expired(now) && !planted(\"a set is Live past its validUntil\")) {\n\t\treturn s.lastLive",
	}}},
	{"validUntil makes no refresh due", "rule 10", both, []change{{
		"sync/refresh.go",
		"\tif at == 0 {\n\t\treturn\n\t}\n",
		"\tif at == 0 || planted(\"validUntil makes no refresh due\") {\n\t\treturn\n\t}\n",
	}}},
	{"a lost stream leaves everything Live", "generation bump", both, []change{{
		"sync/syncer.go",
		"\tif g := s.live.Swap(0); g != 0 && s.freshFor.Load() == math.MaxInt64 {\n",
		"\tif planted(\"a lost stream leaves everything Live\") {\n\t\treturn\n\t}\n\tif g := s.live.Swap(0); g != 0 && s.freshFor.Load() == math.MaxInt64 {\n",
	}}},
	{"a new stream has no new generation", "generation bump", both, []change{{
		"sync/syncer.go",
		"\ts.live.Store(s.generation.Add(1))\n",
		"\tif planted(\"a new stream has no new generation\") {\n\t\ts.live.Store(1)\n\t\treturn\n\t}\n\ts.live.Store(s.generation.Add(1))\n",
	}}},
	{"a late event claims the new generation", "generation bump", both, []change{{
		"sync/order.go",
		"\t\tif a.after(stamp, a.since) {\n\t\t\t// A state",
		"\t\tif a.after(stamp, a.since) || planted(\"a late event claims the new generation\") {\n\t\t\t// A state",
	}, {
		"sync/order.go",
		"\t\tif a.after(stamp, a.since) {\n\t\t\tn.Generation, n.ConfirmedAt",
		"\t\tif a.after(stamp, a.since) || planted(\"a late event claims the new generation\") {\n\t\t\tn.Generation, n.ConfirmedAt",
	}}},
	{"silence is no sign of a dead peer", "dead peer", client, []change{{
		"gql/internal/graphqlws/conn.go",
		"\treturn c.ws.SetReadDeadline(deadline)\n",
		"\tif planted(\"silence is no sign of a dead peer\") {\n\t\treturn nil\n\t}\n\treturn c.ws.SetReadDeadline(deadline)\n",
	}}},
	{"misses do not wait for the budget", "budget", both, []change{{
		"sync/budget.go",
		"\tend := time.Now().Add(limit)\n",
		"\tif planted(\"misses do not wait for the budget\") {\n\t\treturn nil\n\t}\n\tend := time.Now().Add(limit)\n",
	}}},
	{"refreshes do not wait for the budget", "budget", both, []change{{
		"sync/budget.go",
		"\tfor {\n\t\tok, wait := b.tryLeftover()\n",
		"\tfor !planted(\"refreshes do not wait for the budget\") {\n\t\tok, wait := b.tryLeftover()\n",
	}, {
		"sync/budget.go",
		"\t\tif err := sleep(ctx, wait+time.Millisecond); err != nil {\n\t\t\treturn err\n\t\t}\n\t}\n",
		"\t\tif err := sleep(ctx, wait+time.Millisecond); err != nil {\n\t\t\treturn err\n\t\t}\n\t}\n\treturn nil // planted(\"refreshes do not wait for the budget\")\n",
	}}},
	{"Retry-After is not heeded", "budget", both, []change{{
		"sync/budget.go",
		"\tif retryAfter > 0 {\n",
		"\tif retryAfter > 0 && !planted(\"Retry-After is not heeded\") {\n",
	}}},
	{"any age is served", "max stale", client, []change{{
		"reads.go",
		"bool { return now-asOf <= e.maxStale }\n",
		"bool {\n\treturn now-asOf <= e.maxStale || planted(\"any age is served\")\n}\n",
	}}},
	{"a write's answer is dropped", "own writes", client, []change{{
		"writes.go",
		"\ts.Wrote(key, snapshot)\n",
		"\tif !planted(\"a write's answer is dropped\") {\n\t\ts.Wrote(key, snapshot)\n\t}\n",
	}}},
	{"a report's answer is dropped", "own writes", client, []change{{
		"delivery.go",
		"\t\tshown = s.Reported(key, l.usages, l.along)\n",
		"\t\tif !planted(\"a report's answer is dropped\") {\n\t\t\tshown = s.Reported(key, l.usages, l.along)\n\t\t}\n",
	}}},
	{"an own write of unknown effect is not awaited", "own writes", both, []change{{
		"sync/order.go",
		"\tn.AwaitRefresh = true\n\treturn n\n",
		"\tn.AwaitRefresh = !planted(\"an own write of unknown effect is not awaited\")\n\treturn n\n",
	}}},
	{"what is Stale is not served", "max stale", client, []change{{
		"reads.go",
		"\t\t\tif e.servable(asOf, now) {\n",
		"\t\t\tif e.servable(asOf, now) && !planted(\"what is Stale is not served\") {\n",
	}}},
	{"a stream is opened again at once", "reconnects", ordered, []change{{
		"sync/supervise.go",
		"\tpause := wait.Next()\n",
		"\tpause := wait.Next()\n\tif planted(\"a stream is opened again at once\") {\n\t\tpause = time.Millisecond\n\t}\n",
	}}},
	{"the age of an answer is older than it is", "age", ordered, []change{{
		"sync/syncer.go",
		"\treturn max(b.ConfirmedAt, entitlements.Instant(s.lastFrame.Load())), true\n",
		"\tif planted(\"the age of an answer is older than it is\") {\n\t\treturn b.ConfirmedAt, true\n\t}\n\treturn max(b.ConfirmedAt, entitlements.Instant(s.lastFrame.Load())), true\n",
	}}},
	{"a read does not wait for what was written", "own writes", client, []change{{
		"reads.go",
		"\tif b == nil || b.AwaitRefresh {\n\t\treturn b, false\n",
		"\tif b == nil || (b.AwaitRefresh && !planted(\"a read does not wait for what was written\")) {\n\t\treturn b, false\n",
	}, {
		"reads.go",
		"\t\tif !b.AwaitRefresh {\n",
		"\t\tif !b.AwaitRefresh || planted(\"a read does not wait for what was written\") {\n",
	}}},
	{"what was lost in silence is never made up for", "convergence", both, []change{{
		"sync/revalidate.go",
		"\tage := now - b.ConfirmedAt\n",
		"\tif s.streaming() && planted(\"what was lost in silence is never made up for\") {\n\t\treturn false\n\t}\n\tage := now - b.ConfirmedAt\n",
	}}},
	{"what was lost is made up for later than Status says", "convergence", both, []change{{
		"sync/revalidate.go",
		"\treturn age >= entitlements.Instant(s.interval()*3/4) ||",
		"\tif planted(\"what was lost is made up for later than Status says\") {\n\t\tage /= 3\n\t}\n\treturn age >= entitlements.Instant(s.interval()*3/4) ||",
	}}},
	{"a check outlives its ctx", "ctx", client, []change{{
		"sync/flight.go",
		"\tselect {\n\tcase <-f.done:\n",
		"\tif planted(\"a check outlives its ctx\") {\n\t\t<-f.done\n\t}\n\tselect {\n\tcase <-f.done:\n",
	}}},
	{"something sleeps on after Close", "close", both, []change{{
		"sync/revalidate.go",
		"\t\ts.wg.Go(func() { // joined by Close\n",
		"\t\tif planted(\"something sleeps on after Close\") {\n\t\t\tgo time.Sleep(10 * time.Minute)\n\t\t}\n\t\ts.wg.Go(func() { // joined by Close\n",
	}}},
	{"what is in memory says that it was fetched", "origin", client, []change{{
		"reads.go",
		"\td.Origin, d.AsOf = Live, asOf\n",
		"\td.Origin, d.AsOf = Live, asOf\n\tif planted(\"what is in memory says that it was fetched\") {\n\t\td.Origin = Fetched\n\t}\n",
	}}},
	{"what is Stale says that it is Live", "origin", client, []change{{
		"reads.go",
		"\tif origin != Fetched {\n",
		"\tif origin == Stale && planted(\"what is Stale says that it is Live\") {\n\t\td.Origin = Live\n\t}\n\tif origin != Fetched {\n",
	}}},
	{"usage that may show a report under way is believed", "pending usage", metered, []change{{
		"keptback.go",
		"\t\tcase !m.flying() && m.answeredOpen == 0 && m.unshown == 0:\n",
		"\t\tcase !m.flying() && m.answeredOpen == 0 && m.unshown == 0, planted(\"usage that may show a report under way is believed\"):\n",
	}}},
	{"an answer leaves pending what it counted", "pending usage", metered, []change{{
		"landing.go",
		"\t\tif x.waits {\n\t\t\tcontinue\n\t\t}\n\t\tseen :=",
		"\t\tif x.waits || planted(\"an answer leaves pending what it counted\") {\n\t\t\tcontinue\n\t\t}\n\t\tseen :=",
	}, {
		"pending.go",
		"tally != &m.tally || anew {\n",
		"tally != &m.tally || anew && !planted(\"an answer leaves pending what it counted\") {\n",
	}}},
	{"an answer is believed while another report is on its way", "pending usage", metered, []change{{
		"landing.go",
		"\t\tif x.waits = f.others(group); x.waits {\n",
		"\t\tif x.waits = f.others(group) && !planted(\"an answer is believed while another report is on its way\"); x.waits {\n",
	}}},
	{"an answer settles what it does not speak of", "pending usage", paid, []change{{
		"landing.go",
		" || !l.tells() {\n",
		" || !l.tells() && !planted(\"an answer settles what it does not speak of\") {\n",
	}}},
	{"usage that may show a report that waits for another is believed", "pending usage", paid, []change{{
		"keptback.go",
		"\t\tfor _, ref := range []Ref{m.ref, m.wallet} {\n",
		"\t\tif !m.flying() && m.unshown == 0 && planted(\"usage that may show a report that waits for another is believed\") {\n\t\t\tcontinue\n\t\t}\n\t\tfor _, ref := range []Ref{m.ref, m.wallet} {\n",
	}}},
	{"what may have been counted is in no doubt", "pending usage", metered, []change{{
		"delivery.go",
		"\t\t\td.c.pending.lost(f.lines)\n",
		"\t\t\tif !planted(\"what may have been counted is in no doubt\") {\n\t\t\t\td.c.pending.lost(f.lines)\n\t\t\t}\n",
	}}},
	{"a report counts when Stigg has counted it, and not before", "pending usage", metered, []change{{
		"meter.go",
		"\tm.c.expect(key, ref, amount)\n",
		"\tif planted(\"a report counts when Stigg has counted it, and not before\") {\n\t\tamount = 0\n\t}\n\tm.c.expect(key, ref, amount)\n",
	}}},
	{"a report is sent again under another key", "counted once", metered, []change{{
		"usage/deliver.go",
		"\tout := Line{Record: ln.record}\n",
		"\tout := Line{Record: ln.record}\n\tif planted(\"a report is sent again under another key\") {\n\t\tout.Key += string(rune('a' + l.r.count.calls.Load()%26))\n\t}\n",
	}}},
	{"a call that failed is not made again", "counted once", metered, []change{{
		"usage/deliver.go",
		"\tcase failure.Means != Refused:\n\t\treturn lines, failure\n",
		"\tcase failure.Means == Failed && planted(\"a call that failed is not made again\"):\n\t\tl.delivered(lines)\n\t\treturn nil, nil\n\tcase failure.Means != Refused:\n\t\treturn lines, failure\n",
	}}},
	{"a bound answer outlives the belief that it was made of", "bound checks", client, []change{{
		"bound.go",
		"func (b *Bound) CheckContext(ctx context.Context) (Answer, error) {\n",
		"func (b *Bound) CheckContext(ctx context.Context) (Answer, error) {\n\tif r := b.last.Load(); r.belief != nil && r.sync.Stream() == r.stream && planted(\"a bound answer outlives the belief that it was made of\") {\n\t\treturn Answer{d: &r.d}, nil\n\t}\n",
	}}},
	{"a bound check in jumps outlives the belief that it was made of", "bound checks", client, []change{{
		"bound.go",
		"func (b *Bound) Check() Answer {\n",
		"func (b *Bound) Check() Answer {\n\tif r := b.last.Load(); r.belief != nil && r.sync.Stream() == r.stream && planted(\"a bound check in jumps outlives the belief that it was made of\") {\n\t\treturn Answer{d: &r.d}\n\t}\n",
	}}},
	{"a bound answer does not age", "bound checks", client, []change{{
		"bound.go",
		"return r.clock.load() == tick && r.sync.Stream() == r.stream &&",
		"return (r.clock.load() == tick && r.sync.Stream() == r.stream || r.belief != nil && planted(\"a bound answer does not age\")) &&",
	}}},
}
