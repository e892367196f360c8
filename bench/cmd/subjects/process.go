package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// processorTime is what this process has taken of the processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// liveHeap is what is reachable.
func liveHeap() uint64 {
	runtime.GC()
	debug.FreeOSMemory() // collects again, so that what finalizers and pools held is gone
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const (
	liveMetric    = "/gc/heap/live:bytes"                // what the last collection found reachable
	objectsMetric = "/memory/classes/heap/objects:bytes" // that, and what has become garbage since
	pausesMetric  = "/sched/pauses/total/gc:seconds"     // how long everything stood still
	gcMetric      = "/cpu/classes/gc/total:cpu-seconds"  // what collecting took of the processors
	userMetric    = "/cpu/classes/user:cpu-seconds"      // what the program took
)

func readMetrics(names ...string) []metrics.Sample {
	list := make([]metrics.Sample, len(names))
	for i, name := range names {
		list[i].Name = name
	}
	metrics.Read(list)
	return list
}

// peak watches how much the heap holds at most.
type peak struct {
	live, objects atomic.Uint64
	stop          chan struct{}
	watching      sync.WaitGroup
}

func watchPeak() *peak {
	p := &peak{stop: make(chan struct{})}
	p.watching.Go(func() {
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			now := readMetrics(liveMetric, objectsMetric)
			p.live.Store(max(p.live.Load(), now[0].Value.Uint64()))
			p.objects.Store(max(p.objects.Load(), now[1].Value.Uint64()))
			select {
			case <-p.stop:
				return
			case <-ticker.C:
			}
		}
	})
	return p
}

func (p *peak) end() (live, objects uint64) {
	close(p.stop)
	p.watching.Wait()
	return p.live.Load(), p.objects.Load()
}

// collections is what the garbage collector did between two moments.
type collections struct{ before []metrics.Sample }

func watchCollections() collections {
	return collections{readMetrics(gcMetric, userMetric, pausesMetric)}
}

// end returns the longest pause, as far as the runtime tells, and the collector's share of the processor time.
func (c collections) end() (longest time.Duration, share float64) {
	after := readMetrics(gcMetric, userMetric, pausesMetric)
	gc := after[0].Value.Float64() - c.before[0].Value.Float64()
	user := after[1].Value.Float64() - c.before[1].Value.Float64()
	if gc+user > 0 {
		share = gc / (gc + user)
	}
	was, is := c.before[2].Value.Float64Histogram(), after[2].Value.Float64Histogram()
	for i := range is.Counts {
		if is.Counts[i] > was.Counts[i] {
			if at := is.Buckets[i+1]; !math.IsInf(at, 1) {
				longest = time.Duration(at * float64(time.Second))
			}
		}
	}
	return longest, share
}

// quantile of a list, which is put in order.
func quantile(list []int64, q float64) float64 {
	slices.Sort(list)
	return float64(list[min(int(q*float64(len(list))), len(list)-1)])
}
