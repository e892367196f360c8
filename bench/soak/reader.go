package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/entcache/entcache"
)

// sight is what one answer showed. Two answers of the same belief give equal sights.
type sight struct {
	access bool
	reason entcache.Reason

	exists     bool // the rest is of the entitlement
	stamp      int64
	granted    bool
	denied     entcache.Reason
	limit      float64
	hasLimit   bool
	unlimited  bool
	soft       bool
	values     uint8 // bit i: themes[i]
	usage      float64
	usageStamp int64
}

func sightOf(d *entcache.Decision) sight {
	ent := d.Entitlement
	s := sight{access: d.HasAccess, reason: d.AccessDeniedReason, exists: ent.Exists()}
	if !s.exists {
		return s
	}
	s.stamp, s.usageStamp = ent.EntitlementUpdatedAt().UnixMilli(), ent.UsageUpdatedAt().UnixMilli()
	s.granted, s.denied = ent.IsGranted(), ent.AccessDeniedReason()
	s.limit, s.hasLimit = ent.UsageLimit()
	s.unlimited, s.soft = ent.HasUnlimitedUsage(), ent.HasSoftLimit()
	s.usage = ent.CurrentUsage()
	for i, v := range themes {
		if ent.HasEnumValue(v) {
			s.values |= 1 << i
		}
	}
	return s
}

func (s sight) String() string {
	text := fmt.Sprintf("access %v", s.access)
	if s.reason != "" {
		text += " (" + string(s.reason) + ")"
	}
	if !s.exists {
		return text + ", no entitlement"
	}
	return text + fmt.Sprintf(", grant of %s {granted %v %s limit %v/%v unlimited %v soft %v values %03b}, usage %v of %s",
		clock(time.UnixMilli(s.stamp)), s.granted, s.denied, s.limit, s.hasLimit, s.unlimited, s.soft, s.values, s.usage, clock(time.UnixMilli(s.usageStamp)))
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// seen is a sight, of which question, when, and as what.
type seen struct {
	sight
	question int
	origin   entcache.Origin
	at       time.Time
}

// batch is how many checks are timed together: reading the clock costs as much as a hit.
const batch = 16

// reader asks the questions, in an order of its own, and hands on what it has not just seen.
type reader struct {
	client    *entcache.Client
	questions []question
	order     []int
	last      []memory // by question

	// Of the reader's goroutine until it has ended.
	checks  uint64
	origins [8]uint64
	slowest time.Duration // batch whose answers were all from memory

	mu   sync.Mutex // guards what follows
	news []seen
}

// memory is the last answer to a question.
type memory struct {
	ent    entcache.Entitlement
	access bool
	reason entcache.Reason
	sight  sight
	any    bool
}

func newReader(client *entcache.Client, questions []question, random *rand.Rand) *reader {
	return &reader{client: client, questions: questions, order: random.Perm(len(questions)), last: make([]memory, len(questions))}
}

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	next, rested := 0, time.Now()
	for ctx.Err() == nil {
		resident := true
		began := time.Now()
		for range batch {
			i := r.order[next]
			if next++; next == len(r.order) {
				next = 0
			}
			d, _ := r.client.GetEntitlement(ctx, r.questions[i].query)
			r.origins[d.Origin]++
			if d.Origin == entcache.Fallback || d.Origin == entcache.Fetched {
				resident = false
			}
			// The same belief at the same tick of the client's clock: nothing to look at. This is all that most checks cost here.
			if m := &r.last[i]; d.Entitlement != m.ent || d.HasAccess != m.access || d.AccessDeniedReason != m.reason || !m.any {
				r.look(i, &d)
			}
		}
		r.checks += batch
		if took := time.Since(began); resident && took > r.slowest {
			r.slowest = took
		}
		// The client's own goroutines share these cores, and Go looks at the network only when one has nothing to do, or every
		// 10 ms. A service whose cores are all busy for longer than a millisecond has other worries.
		if time.Since(rested) > time.Millisecond {
			time.Sleep(20 * time.Microsecond)
			rested = time.Now()
		}
	}
}

// look notes an answer when it shows something else than the last one.
func (r *reader) look(i int, d *entcache.Decision) {
	if d.Origin == entcache.Fallback {
		return // it shows nothing
	}
	m := &r.last[i]
	m.ent, m.access, m.reason = d.Entitlement, d.HasAccess, d.AccessDeniedReason
	s := sightOf(d)
	if m.any && s == m.sight {
		return
	}
	m.sight, m.any = s, true
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news = append(r.news, seen{s, i, d.Origin, time.Now()})
}

// take hands over what is new.
func (r *reader) take() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	news := r.news
	r.news = nil
	return news
}
