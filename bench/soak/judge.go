package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

// judge holds what readers saw to what was true.
type judge struct {
	control   *control
	keys      []entcache.Key
	questions []question
	readers   []*reader
	budget    *budgetCheck

	mu       sync.Mutex // guards what follows
	logs     []keyLog   // by key
	standing [][]standing
	requests int // index of the next request to ask for
	judged   uint64
	counts   map[string]int // violations by kind
	first    string         // the story of the first
	actions  []string       // the operator's latest
}

// standing is how far one reader has come with one question.
type standing struct{ grant, usage int }

// Kinds of violations.
const (
	regressedGrant = "grant regressions"
	regressedUsage = "usage regressions"
	wrongValue     = "wrong values"
	overdue        = "overdue answers"
	budgetBroken   = "budget violations"
	leaked         = "leaked goroutines"
	unreachable    = "recoveries that failed"
)

var kinds = []string{regressedGrant, regressedUsage, wrongValue, overdue, budgetBroken, leaked, unreachable}

func newJudge(c *control, keys []entcache.Key, questions []question, budget *budgetCheck) *judge {
	return &judge{control: c, keys: keys, questions: questions, budget: budget, logs: make([]keyLog, len(keys)), counts: map[string]int{}}
}

// watch gives the judge the readers. It is called once, before they run.
func (j *judge) watch(readers []*reader) {
	j.readers = readers
	j.standing = make([][]standing, len(readers))
	for i := range j.standing {
		j.standing[i] = make([]standing, len(j.questions))
	}
}

// did notes what the operator does, for the story.
func (j *judge) did(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.actions = append(j.actions, clock(time.Now())+" "+fmt.Sprintf(format, args...))
	if len(j.actions) > 200 {
		j.actions = slices.Clone(j.actions[100:])
	}
}

// violation counts what must not be; the first gets its story told. The caller holds mu.
func (j *judge) violation(kind, format string, args ...any) {
	j.counts[kind]++
	if j.first == "" {
		latest := j.actions[max(0, len(j.actions)-40):]
		j.first = fmt.Sprintf("%s: %s\nwhat the operator did last:\n  %s\n", kind, fmt.Sprintf(format, args...), strings.Join(latest, "\n  "))
	}
}

func (j *judge) broken() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.first != ""
}

// sit judges what the readers saw until now.
func (j *judge) sit(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sitLocked(ctx)
}

func (j *judge) sitLocked(ctx context.Context) error {
	news := make([][]seen, len(j.readers))
	for i, r := range j.readers {
		news[i] = r.take()
	}
	if err := j.read(ctx); err != nil { // after that: what was seen is in it
		return err
	}
	for i, list := range news {
		for _, s := range list {
			j.judge(i, s)
		}
	}
	return nil
}

// read takes in what is new in the emulator's logs.
func (j *judge) read(ctx context.Context) error {
	for k, key := range j.keys {
		states, err := j.control.history(ctx, key, j.logs[k].next)
		if err != nil {
			return err
		}
		for _, s := range states {
			j.logs[k].add(s)
		}
	}
	requests, err := j.control.requests(ctx, j.requests)
	if err != nil {
		return err
	}
	for _, r := range requests {
		j.requests = r.Index + 1
		if slices.Contains(r.Fields, "entitlementsState") && r.Transport == "http" {
			if problem := j.budget.arrived(r.At); problem != "" {
				j.violation(budgetBroken, "%s", problem)
			}
		}
	}
	return nil
}

// judge holds one sight against the log, and against what the reader saw before.
func (j *judge) judge(reader int, s seen) {
	j.judged++
	q := j.questions[s.question]
	l, at := &j.logs[q.key], &j.standing[reader][s.question]
	position, wrong := l.grantOf(s.sight, q.subject, at.grant)
	switch {
	case wrong != "":
		j.violation(wrongValue, "%s", j.story(reader, s, wrong))
		return
	case position < at.grant:
		j.violation(regressedGrant, "%s", j.story(reader, s, fmt.Sprintf("this is set %d of the key, and the reader had seen set %d", position, at.grant)))
	default:
		at.grant = position
	}
	if wrong := s.verdict(q.subject); wrong != "" {
		j.violation(wrongValue, "%s", j.story(reader, s, wrong))
	}
	if !s.exists || !subjects[q.subject].metered {
		return
	}
	position, wrong = l.usageOf(s, q.subject)
	switch {
	case wrong != "":
		j.violation(wrongValue, "%s", j.story(reader, s, wrong))
	case position < at.usage:
		j.violation(regressedUsage, "%s", j.story(reader, s, fmt.Sprintf("this is usage %d of the feature, and the reader had seen usage %d", position, at.usage)))
	default:
		at.usage = position
	}
}

// story tells what was seen, and what there was to see.
func (j *judge) story(reader int, s seen, problem string) string {
	q := j.questions[s.question]
	l := &j.logs[q.key]
	var b strings.Builder
	fmt.Fprintf(&b, "reader %d, %v, %s, %s, %v: %v\n  %s\n  the latest sets of the key:\n", reader, j.keys[q.key], subjects[q.subject].id, clock(s.at), s.origin, s.sight, problem)
	for p := max(l.grants.first, l.grants.end()-12); p < l.grants.end(); p++ {
		x := l.grants.at(p)
		fmt.Fprintf(&b, "    %d stamp %s from %s: %s %s\n", p, clock(time.UnixMilli(l.grants.stamps[p-l.grants.first])), clock(x.at), x.reason, describe(x.ents[q.subject]))
	}
	usages := &l.usages[q.subject]
	b.WriteString("  the latest usages:\n")
	for p := max(usages.first, usages.end()-12); p < usages.end(); p++ {
		x := usages.at(p)
		fmt.Fprintf(&b, "    %d stamp %s from %s: %v in the period that began %s\n", p, clock(time.UnixMilli(usages.stamps[p-usages.first])), clock(x.at), x.value, x.start.Format(time.DateTime+".000"))
	}
	return b.String()
}

func describe(e emulator.EntitlementState) string {
	if e.FeatureID == "" && e.CurrencyID == "" {
		return "(not in the set)"
	}
	limit := "none"
	if e.Limit != nil {
		limit = fmt.Sprint(*e.Limit)
	}
	return fmt.Sprintf("{%s limit %s unlimited %v soft %v values %v usage %v}", e.AccessDeniedReason, limit, e.Unlimited, e.SoftLimit, e.Values, e.Usage)
}

// census holds answers that were just given to the newest state: quiet says since when there were no changes and no faults,
// live since when the client has said that it is Live, bound how old an answer may be.
func (j *judge) census(answers []seen, quiet, live time.Time, bound time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range answers {
		q := j.questions[s.question]
		l := &j.logs[q.key]
		// What the next state replaced is late by the time since then.
		late := func(next time.Time) time.Duration {
			from := latest(next, quiet)
			if s.origin != entcache.Live {
				from = latest(from, live)
			}
			return s.at.Sub(from)
		}
		position, wrong := l.grantOf(s.sight, q.subject, l.grants.end()-1)
		if wrong != "" {
			j.violation(wrongValue, "census: %s", j.story(-1, s, wrong))
			continue
		}
		if next := position + 1; next < l.grants.end() && late(l.grants.at(next).at) > bound {
			j.violation(overdue, "%s", j.story(-1, s, fmt.Sprintf("set %d is still served %v after it was replaced and all was quiet; the bound is %v",
				position, late(l.grants.at(next).at), bound)))
		}
		if !s.exists || !subjects[q.subject].metered {
			continue
		}
		usages := &l.usages[q.subject]
		position, wrong = l.usageOf(s, q.subject)
		if wrong != "" {
			j.violation(wrongValue, "census: %s", j.story(-1, s, wrong))
		} else if next := position + 1; next < usages.end() && late(usages.at(next).at) > bound {
			j.violation(overdue, "%s", j.story(-1, s, fmt.Sprintf("usage %d is still served %v after it was replaced and all was quiet; the bound is %v",
				position, late(usages.at(next).at), bound)))
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// budgetCheck counts fetches in sliding windows.
type budgetCheck struct {
	perSecond float64
	burst     int
	slack     time.Duration // on the way: requests sent apart may arrive together
	times     []time.Time
	most      [2]int // by window
}

var windows = [2]time.Duration{time.Second, time.Minute}

// arrived counts one fetch and says which window it is too many for. Fetches come in order.
func (b *budgetCheck) arrived(at time.Time) (problem string) {
	b.times = append(b.times, at)
	for i, w := range windows {
		start, _ := slices.BinarySearchFunc(b.times, at.Add(-w), time.Time.Compare)
		n := len(b.times) - start
		b.most[i] = max(b.most[i], n)
		if allowed := float64(b.burst) + b.perSecond*(w+b.slack).Seconds(); float64(n) > allowed {
			problem = fmt.Sprintf("%d fetches arrived within the %v before %s; %v are allowed", n, w, clock(at), allowed)
		}
	}
	if len(b.times) > 1<<16 {
		old, _ := slices.BinarySearchFunc(b.times, at.Add(-windows[1]), time.Time.Compare)
		b.times = slices.Clone(b.times[old:])
	}
	return problem
}
