package entcache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
	"github.com/entcache/entcache/entitlements"
)

// A fetch has said that the customer is archived. A set from before, which an event brings late, must not bring it back.
func TestLateSetDoesNotUndoArchive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := started(t)
		w.want(w.check("globex", "seats", 1), true, entcache.Fetched)
		w.stigg.Faults().DelayEvents(time.Second)
		if err := w.stigg.SetEntitlement("globex", "", emulator.Entitlement{Feature: "seats", Limit: new(9.0)}); err != nil {
			t.Fatal(err)
		}
		w.stigg.Faults().DropEvents(1) // the event that would say archived is lost; it only hides the fault sooner
		w.stigg.ArchiveCustomer("globex")
		if _, err := w.client.Reload(context.Background(), entcache.Key{CustomerID: "globex"}); err != nil {
			t.Fatal(err)
		}
		w.want(w.check("globex", "seats", 1), false, entcache.Live)
		w.after(2 * time.Second)
		w.want(w.check("globex", "seats", 1), false, entcache.Live)
		w.after(time.Minute)
		w.want(w.check("globex", "seats", 1), false, entcache.Live)
	})
}

// The period of a resource's usage begins earlier than before when its customer gets a plan that grants the feature, too. A
// usage from before, which an event brings late, must not replace what a fetch has brought.
func TestLateUsageAfterThePeriodMovedBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		p := func(resource, plan string) {
			if err := w.stigg.Provision("globex", resource, plan); err != nil {
				t.Fatal(err)
			}
		}
		w.after(time.Hour)
		p("site", "growth")
		w.start(w.client)
		ctx := context.Background()
		key := entcache.Key{CustomerID: "globex", ResourceID: "site"}
		usage := func() float64 {
			d, err := w.client.GetEntitlement(ctx, entcache.Query{CustomerID: "globex", ResourceID: "site", FeatureID: "ai-answers"})
			if err != nil {
				t.Fatal(err)
			}
			ent := d.Entitlement
			start, _ := ent.UsagePeriod()
			t.Log(d.Origin, "usage", ent.CurrentUsage(), "stamp", ent.UsageUpdatedAt(), "period from", start)
			return ent.CurrentUsage()
		}
		w.stigg.Report("globex", "site", "ai-answers", 1)
		usage()
		w.stigg.Faults().DelayEvents(time.Second)
		w.stigg.Report("globex", "site", "ai-answers", 2) // 3, told in a second
		w.stigg.Faults().DropEvents(1000)                 // the rest is lost, and fetched below
		p("", "growth")                                   // a subscription from an hour ago
		p("site", "growth")
		w.stigg.Report("globex", "site", "ai-answers", 4) // 7
		w.client.Reload(ctx, key)
		if got := usage(); got != 7 {
			t.Errorf("usage = %v, want 7", got)
		}
		w.after(2 * time.Second)
		if got := usage(); got != 7 {
			t.Errorf("usage = %v after an event of a usage from before, want 7", got)
		}
	})
}

// A check waits because what is held is too old to be served. Its fetch is overtaken by an event that comes late: what that says
// was so before the bound, too. It must not be passed off as Fetched; the check waits for another fetch.
func TestFetchThatALateEventOvertakesIsNotServedBeyondMaxStale(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const maxStale = time.Minute
		s := &slowSource{open: true, cut: make(chan struct{}), events: make(chan entitlements.Event, 1)}
		w := newWorld(t)
		s.say(1)
		w.client = w.newClient(entcache.WithSource(s), entcache.WithMaxStale(maxStale), entcache.WithPollInterval(time.Hour))
		defer w.client.Close()
		w.start(w.client)
		w.want(w.check("acme", "seats", 0), true, entcache.Fetched)
		w.after(time.Second)
		late := s.say(2)
		w.after(time.Second)
		s.mu.Lock()
		s.open = false
		s.mu.Unlock()
		close(s.cut) // nothing is followed, and what is held becomes too old
		w.after(maxStale)
		s.say(3)
		go func() { // joined by the bubble
			time.Sleep(s.latency() / 2)
			s.mu.Lock()
			s.open, s.cut = true, make(chan struct{})
			s.mu.Unlock()
			s.events <- entitlements.Event{Kind: entitlements.EventEntitlements, Key: entcache.Key{CustomerID: "acme"}, Snapshot: late}
			w.client.SetAPIKey("another") // the stream is opened again at once
		}()
		d := w.check("acme", "seats", 0)
		if limit, _ := d.Entitlement.UsageLimit(); d.Origin != entcache.Fetched || d.Age() > maxStale || limit != 3 {
			t.Errorf("%v and %v old, limit %v; want fetched, younger than %v, and the limit of 3", d.Origin, d.Age(), limit, maxStale)
		}
	})
}

// slowSource has one customer with one feature. Its answers are as of the moment of the question, and take their time.
type slowSource struct {
	mu     sync.Mutex // guards the following
	set    *entitlements.Snapshot
	open   bool
	cut    chan struct{} // closed: the stream ends
	events chan entitlements.Event
}

func (s *slowSource) latency() time.Duration { return 400 * time.Millisecond }

// say changes the limit, now.
func (s *slowSource) say(limit float64) *entitlements.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set = entitlements.NewSnapshot(entcache.Key{CustomerID: "acme"}, "", []entcache.Grant{{
		ID: "seats", FeatureType: entitlements.FeatureNumber, MeterType: entitlements.MeterFluctuating, IsGranted: true,
		UsageLimit: limit, HasUsageLimit: true, EntitlementUpdatedAt: entitlements.InstantOf(time.Now()),
	}})
	return s.set
}

func (s *slowSource) Fetch(context.Context, entcache.Key) (*entitlements.Snapshot, error) {
	s.mu.Lock()
	set := s.set
	s.mu.Unlock()
	time.Sleep(s.latency())
	return set, nil
}

func (s *slowSource) Subscribe(context.Context, func(entcache.Key) bool) (entcache.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return nil, errors.New("no stream for now")
	}
	return &slowStream{slowSource: s, cut: s.cut}, nil
}

type slowStream struct {
	*slowSource
	cut  chan struct{}
	told bool
}

func (s *slowStream) Next(ctx context.Context) (entitlements.Event, error) {
	if !s.told {
		s.told = true
		return entitlements.Event{Kind: entitlements.EventSubscribed}, nil
	}
	select {
	case e := <-s.events:
		return e, nil
	case <-s.cut:
		return entitlements.Event{}, errors.New("cut")
	case <-ctx.Done():
		return entitlements.Event{}, ctx.Err()
	}
}

func (s *slowStream) Close() error { return nil }

// TestWhatAnAnswerDoesNotShowStaysPending: Stigg has counted a report, and its answer has the stamp of what was counted before, so that
// which of them is the newer cannot be told. Until a fetch tells, readers are shown neither less than before nor more than there is,
// whatever events bring and however other reports end.
func TestWhatAnAnswerDoesNotShowStaysPending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorldOf(t, emulator.Config{Stamps: emulator.Stamps{Every: time.Minute}})
		slow := w.slowly("reportUsageBulk")
		w.after(time.Second) // a minute has just begun
		w.start(w.client)
		w.report(calls("acme", 3))
		w.flush()
		w.sees("acme", 3, 0)
		fetching := func(fails bool) {
			code := ""
			if fails {
				code = "OperationTimeout"
			}
			w.stigg.Faults().FailOperation("entitlementsState", code)
		}

		fetching(true)
		w.report(calls("acme", 36))
		w.flush()
		w.counted("acme", 39)
		w.sees("acme", 39, 36)
		w.report(calls("acme", 5)) // and once more
		w.flush()
		w.counted("acme", 44)
		w.sees("acme", 44, 41)
		w.stigg.Report("acme", "", "api-calls", 2) // others, in the same minute
		w.settle()
		w.sees("acme", 44, 41) // which cannot be ordered either
		fetching(false)
		w.after(time.Minute)
		w.sees("acme", 46, 0)

		w.report(calls("acme", 1))
		w.flush()
		w.sees("acme", 47, 0)
		fetching(true)
		w.report(calls("acme", 10))
		w.flush()
		w.sees("acme", 57, 10)
		w.stigg.Faults().FailOperation("reportUsageBulk", "FeatureNotFound")
		w.report(calls("acme", 8)) // is refused
		w.sees("acme", 65, 18)
		w.flush()
		w.sees("acme", 57, 10)
		w.stigg.Faults().FailOperation("reportUsageBulk", "")
		slow.by = 10 * time.Second
		w.report(calls("acme", 4)) // on its way for long
		w.after(2 * time.Second)
		fetching(false)
		if _, err := w.client.Reload(w.Context(), entcache.Key{CustomerID: "acme"}); err != nil { // meanwhile
			t.Error(err)
		}
		w.sees("acme", 61, 14)
		w.flush()
		w.sees("acme", 61, 0)

		w.after(time.Minute)
		w.report(calls("acme", 1))
		w.flush()
		slow.by = 0
		fetching(true)
		w.report(calls("acme", 10))
		w.flush()
		w.sees("acme", 72, 10)
		w.after(time.Minute)
		w.stigg.Faults().DropEvents(1)
		w.stigg.Report("acme", "", "api-calls", 2)
		slow.by = 10 * time.Second
		w.stigg.Faults().FailOperation("reportUsageBulk", "RateLimitExceeded")
		w.report(calls("acme", 4))
		w.after(2 * time.Second)
		fetching(false)
		if _, err := w.client.Reload(w.Context(), entcache.Key{CustomerID: "acme"}); err != nil {
			t.Error(err)
		}
		w.sees("acme", 76, 14) // it may be counted or not
		w.after(10 * time.Second)
		w.sees("acme", 78, 4) // it is not, which the rest was waiting for
		w.stigg.Faults().FailOperation("reportUsageBulk", "")
		w.flush()
		w.sees("acme", 78, 0)
	})
}

// TestAnEventThatCameWhileAFetchDecidedIsNotLost: what somebody else used while the fetch that shows a report was on its way is told by an
// event, which is newer than the fetch.
func TestAnEventThatCameWhileAFetchDecidedIsNotLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorldOf(t, emulator.Config{Stamps: emulator.Stamps{Every: time.Minute}})
		slow := w.slowly("entitlementsState")
		w.after(time.Second) // a minute has just begun
		w.start(w.client)
		w.report(calls("acme", 3))
		w.flush()
		w.sees("acme", 3, 0)
		w.stigg.Faults().FailOperation("entitlementsState", "OperationTimeout")
		w.report(calls("acme", 36))
		w.flush()
		w.sees("acme", 39, 36)
		w.after(time.Until(time.Now().Truncate(time.Minute).Add(58 * time.Second)))
		w.stigg.Faults().FailOperation("entitlementsState", "")
		slow.answerBy = 4 * time.Second
		fetched := make(chan error)
		go func() {
			_, err := w.client.Reload(context.Background(), entcache.Key{CustomerID: "acme"})
			fetched <- err
		}()
		w.after(2500 * time.Millisecond)
		w.stigg.Report("acme", "", "api-calls", 20) // in the next minute
		w.settle()
		w.counted("acme", 59)
		if err := <-fetched; err != nil {
			t.Error(err)
		}
		w.sees("acme", 59, 0)
	})
}

// slowly replaces the client of a world by one whose requests that contain some text can be delayed.
func (w *world) slowly(text string) *slowly {
	w.client.Close()
	slow := &slowly{text: text, RoundTripper: &http.Transport{DialContext: w.pipe.DialContext}}
	w.client = w.newClient(entcache.WithHTTPClient(&http.Client{Transport: slow}))
	return slow
}

// slowly delays requests that contain some text, or the answers to them, which were made before.
type slowly struct {
	text string
	http.RoundTripper
	by, answerBy time.Duration
}

func (s *slowly) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(body))
	if !strings.Contains(string(body), s.text) {
		return s.RoundTripper.RoundTrip(req)
	}
	time.Sleep(s.by)
	resp, err := s.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	time.Sleep(s.answerBy)
	return resp, err
}
