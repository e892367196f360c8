package bolt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/contrib/bolt"
	"github.com/entcache/entcache/emulator"
)

// childEnv holds the plan of a process that is to be killed, as JSON.
const childEnv = "ENTCACHE_BOLT_CHILD"

// plan is what a child does: it accepts the records of some slots, and, the last time, delivers everything.
type plan struct {
	URL, Path   string
	First, Last int // slots
	Ends        bool
	FileSize    uint64 // more than that the process may not write; 0: as it likes
}

// A slot is the place of one record: a meter, and a digit of what the meter shows, in base 4. A record that is counted twice makes that
// digit a 2, and one that is lost a 0, whatever happened to the others.
const (
	digits   = 24 // 4^24 is what the emulator takes, and a float64 holds
	features = 3
	abreast  = 4 // meters that are busy at a time
)

func meterOf(slot int) (customer string, feature, digit int) {
	meter := slot/(abreast*digits)*abreast + slot%abreast
	return fmt.Sprint("customer-", meter/features), meter % features, slot % (abreast * digits) / abreast
}

// featureIDs are what the meters of a customer are of; the last counts raw events.
var featureIDs = [features]string{"calls", "seats", "work"}

// child accepts records until it is killed, and says of each that it tries, and that it was accepted. A line is one write, so that none
// is torn.
func child(text string) int {
	say := func(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		say("! %v", err)
		return 1
	}
	if p.FileSize > 0 {
		return fillDisk(p, say)
	}
	queue, err := bolt.Open(p.Path)
	if err != nil {
		say("! %v", err)
		return 1
	}
	client, err := entcache.New(emulator.DefaultAPIKey, entcache.WithBaseURL(p.URL), entcache.WithUsageQueue(queue), entcache.WithoutRealtime(),
		entcache.WithUsageWindow(10*time.Millisecond), entcache.WithWriteTimeout(5*time.Second), entcache.WithCloseTimeout(20*time.Second),
		entcache.WithSetAside(0, func(s entcache.SetAside) { say("! set aside: %v", s.Err) }))
	if err != nil {
		say("! %v", err)
		return 1
	}
	say("open %d", client.Meter.Stats().Waiting)
	ctx := context.Background()
	var next atomic.Int64
	next.Store(int64(p.First) - 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for slot := int(next.Add(1)); slot < p.Last; slot = int(next.Add(1)) {
				customer, feature, digit := meterOf(slot)
				value := int64(1) << (2 * digit)
				say("+ %d", slot)
				var err error
				if feature == features-1 {
					err = client.Meter.Event(ctx, entcache.UsageEvent{
						CustomerId: customer, EventName: "job", Dimensions: new(json.RawMessage(fmt.Appendf(nil, `{"n":%d}`, value))),
					})
				} else {
					err = client.Meter.Report(ctx, entcache.UsageReport{CustomerId: customer, FeatureId: featureIDs[feature], Value: float64(value)})
				}
				if err != nil {
					say("! slot %d: %v", slot, err)
					return
				}
				say("= %d", slot)
			}
		})
	}
	wg.Wait()
	if !p.Ends {
		select {} // to be killed
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := client.Meter.Flush(ctx); err != nil {
		say("! %v", err)
	}
	if err := client.Close(); err != nil {
		say("! %v", err)
	}
	return 0
}
