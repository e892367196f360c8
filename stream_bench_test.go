//go:build unix

// Getrusage is what tells how much of a processor an event takes.

package entcache_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
)

// An environment a hundred times as large as what is resident, each of whose customers changes in turn.
const (
	fedResident  = 100
	fedCustomers = 100 * fedResident
)

// feed is a Stigg that does next to nothing, so that what is measured is the client: frames are made once, and only the customer
// and the stamps are written into them. It speaks the WebSocket protocol by hand, for the emulator would take longer to
// make an event than the client to read it.
type feed struct {
	frames []byte // the next that are sent
	ids    []int  // where in frames each customer is named
	stamps [][]int
	next   int // customer
	opened chan net.Conn
}

const (
	fedStamp     = "2026-11-22T19:10:00.000Z"
	fedChunk     = 32 // frames in one write
	fedCustomer0 = "customer-00000"
)

// fedElement is one metered entitlement, as long as they are.
func fedElement(i int) string {
	return fmt.Sprintf(`{"__typename":"FeatureEntitlement","isGranted":true,"accessDeniedReason":null,"feature":{"refId":"feature-meter-%d","featureType":"NUMBER","meterType":"Incremental","displayName":"Meter %d","description":"Something that is counted","featureUnits":"call","featureUnitsPlural":"calls"},"usageLimit":1000,"hasUnlimitedUsage":false,"hasSoftLimit":false,"currentUsage":17,"enumValues":null,"resetPeriod":"MONTH","usagePeriodAnchor":"2026-01-15T08:00:00.000Z","usagePeriodStart":"2026-11-15T08:00:00.000Z","usagePeriodEnd":"2026-12-15T08:00:00.000Z","entitlementUpdatedAt":"%s","usageUpdatedAt":"%s","validUntil":null,"creditRate":null}`, i, i, fedStamp, fedStamp)
}

func fedElements() string {
	list := make([]string, 20)
	for i := range list {
		list[i] = fedElement(i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

var fedEvents = map[string]string{
	"entitlements": `{"id":"entitlements","type":"next","payload":{"data":{"entitlementsUpdatedV2":{"customerId":"` + fedCustomer0 +
		`","resourceId":null,"accessDeniedReason":null,"entitlements":` + fedElements() + `}}}}`,
	"usage": `{"id":"usage","type":"next","payload":{"data":{"usageUpdatedV2":{"customerId":"` + fedCustomer0 +
		`","resourceId":null,"entitlementReference":{"id":"feature-meter-3","type":"FEATURE"},"usage":{"currentUsage":18,"usageUpdatedAt":"` + fedStamp +
		`","usagePeriodStart":"2026-11-15T08:00:00.000Z","usagePeriodEnd":"2026-12-15T08:00:00.000Z"}}}}}`,
}

func newFeed(event string) *feed {
	f := &feed{opened: make(chan net.Conn, 1)}
	text := fedEvents[event]
	header := []byte{0x81, 126, 0, 0} // a whole text message with a length of 16 bits
	binary.BigEndian.PutUint16(header[2:], uint16(len(text)))
	for range fedChunk {
		at := len(f.frames) + len(header)
		f.frames = append(append(f.frames, header...), text...)
		f.ids = append(f.ids, at+strings.Index(text, fedCustomer0))
		var stamps []int
		for i := 0; ; i += len(fedStamp) {
			j := strings.Index(text[i:], fedStamp)
			if j < 0 {
				break
			}
			i += j
			stamps = append(stamps, at+i)
		}
		f.stamps = append(f.stamps, stamps)
	}
	return f
}

func fedKey(i int) string { return fmt.Sprintf("customer-%05d", i) }

// send sends one event of each customer, stamped with now.
func (f *feed) send(b *testing.B, conn net.Conn) {
	for sent := 0; sent < fedCustomers; sent += fedChunk {
		now := time.Now().UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z")
		n := min(fedChunk, fedCustomers-sent)
		for i := range n {
			for d, v := f.ids[i]+len(fedCustomer0)-1, f.next; d > f.ids[i]+len("customer-")-1; d, v = d-1, v/10 {
				f.frames[d] = byte('0' + v%10)
			}
			for _, at := range f.stamps[i] {
				copy(f.frames[at:], now)
			}
			f.next = (f.next + 1) % fedCustomers
		}
		if _, err := conn.Write(f.frames[:n*len(f.frames)/fedChunk]); err != nil {
			b.Error(err)
			return
		}
	}
}

// ServeHTTP answers fetches with a set, and upgrades.
func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"entitlementsState":{"accessDeniedReason":null,"entitlementsV2":`+fedElements()+`}}}`)
		return
	}
	conn, buf, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	say := func(text string) { _, _ = conn.Write(append([]byte{0x81, byte(len(text))}, text...)) }
	ready := false
	for {
		text, err := readMasked(buf.Reader)
		switch {
		case err != nil:
			return
		case bytes.Contains(text, []byte(`"connection_init"`)):
			say(`{"type":"connection_ack"}`)
		case bytes.Contains(text, []byte(`"barrier":1`)) && !ready:
			say(`{"type":"pong","payload":{"barrier":1}}`)
			ready = true
			f.opened <- conn
		}
	}
}

// readMasked reads a frame of the client's, which is never fragmented.
func readMasked(r *bufio.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int(head[1] & 0x7f)
	if size >= 126 {
		long := make([]byte, map[int]int{126: 2, 127: 8}[size])
		if _, err := io.ReadFull(r, long); err != nil {
			return nil, err
		}
		size = 0
		for _, b := range long {
			size = size<<8 | int(b)
		}
	}
	text := make([]byte, 4+size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	for i := range size {
		text[4+i] ^= text[i%4]
	}
	return text[4:], nil
}

// fedSource is Stigg's API as the client uses it, with the one difference that is measured.
type fedSource struct {
	api   *gql.Client
	whole bool // decode every event, whoever it is about
}

func (s fedSource) Fetch(ctx context.Context, key entcache.Key) (*entitlements.Snapshot, error) {
	return s.api.Fetch(ctx, key)
}

func (s fedSource) Subscribe(ctx context.Context, wanted func(entcache.Key) bool) (entcache.Stream, error) {
	if s.whole {
		wanted = nil
	}
	return s.api.Subscribe(ctx, wanted)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStreamOfALargeEnvironment: one event in a hundred is about somebody who is resident. One operation is an event for each
// of 10,000 customers, over a socket on loopback, through the protocol, the decoder and the syncer. The sender is in the
// figures: cpu-ns/event is all that the process takes. decode=whole is what it would be without skipping.
func BenchmarkStreamOfALargeEnvironment(b *testing.B) {
	for _, event := range []string{"entitlements", "usage"} {
		for _, decode := range []string{"wanted", "whole"} {
			b.Run("event="+event+"/decode="+decode, func(b *testing.B) { benchmarkFeed(b, event, decode == "whole") })
		}
	}
}

func benchmarkFeed(b *testing.B, event string, whole bool) {
	f := newFeed(event)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: f}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	defer serving.Wait()
	defer srv.Close()
	api, err := gql.New(gql.Config{Endpoint: "http://" + l.Addr().String() + "/graphql", APIKey: func() string { return "key" }})
	if err != nil {
		b.Fatal(err)
	}
	defer api.Close()
	c, err := entcache.New("key", entcache.WithSource(fedSource{api, whole}))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := c.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	keys := make([]entcache.Key, fedResident)
	for i := range keys {
		keys[i].CustomerID = fedKey(i * fedCustomers / fedResident)
	}
	if err := c.Prefetch(context.Background(), keys, nil); err != nil {
		b.Fatal(err)
	}
	conn := <-f.opened
	seen := func() uint64 { s := c.Stats(); return s.Events + s.Skipped + s.Unreadable }
	run := func() {
		want := seen() + fedCustomers
		f.send(b, conn)
		for seen() < want {
			time.Sleep(50 * time.Microsecond)
		}
	}
	run() // warm: names are interned, buffers have their size
	before := c.Stats()
	var mem [2]runtime.MemStats
	runtime.ReadMemStats(&mem[0])
	spent, rounds := processorTime(), 0
	for b.Loop() {
		run()
		rounds++
	}
	spent = processorTime() - spent
	runtime.ReadMemStats(&mem[1])
	after, n := c.Stats(), float64(rounds*fedCustomers)
	if asked := after.Fetches - before.Fetches; after.Unreadable > 0 || asked > uint64(rounds) {
		b.Errorf("%d events unreadable, %d fetches: the events were to carry it all", after.Unreadable, asked)
	}
	if wanted := after.Events - before.Events; !whole && wanted != uint64(rounds*fedResident) {
		b.Errorf("%d events decoded, want one in a hundred", wanted)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/event")
	b.ReportMetric(float64(spent.Nanoseconds())/n, "cpu-ns/event")
	b.ReportMetric(n/spent.Seconds(), "events/s-core")
	b.ReportMetric(float64(mem[1].Mallocs-mem[0].Mallocs)/n, "allocs/event")
	b.ReportMetric(float64(len(f.frames))/fedChunk, "B/event")
}
