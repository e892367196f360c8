package entcache_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/entcache/entcache/emulator"
)

// network is the way between the client and the server, and sees what goes along it.
type network struct {
	pipe *emulator.Pipe
	seed uint64

	mu      sync.Mutex // guards the following
	dials   uint64
	open    map[*farAway]struct{}
	fetches []time.Time // when the client sent each
	pauses  []pause
	hushed  time.Time // when the client was closed
	late    []string  // what was sent after that
}

// pause is what the server asked for with Retry-After.
type pause struct{ from, until time.Time }

// dial connects over a way that takes its time: what the server sends arrives in order on one connection, and later than what it
// sent afterwards on another.
func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := n.pipe.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	far := &farAway{Conn: c, net: n, rnd: rand.New(rand.NewPCG(n.seed, 1000+n.dials))}
	if n.open == nil {
		n.open = map[*farAway]struct{}{}
	}
	n.open[far] = struct{}{}
	return far, nil
}

// cut breaks every connection, as a server does that dies.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.open {
		c.Conn.Close()
	}
	clear(n.open)
}

// lastFetch is when the last fetch was sent.
func (n *network) lastFetch() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.fetches) == 0 {
		return time.Time{}
	}
	return n.fetches[len(n.fetches)-1]
}

// hush is told that from now on nothing may be sent.
func (n *network) hush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hushed = time.Now()
}

// farAway is one connection.
type farAway struct {
	net.Conn
	net     *network
	rnd     *rand.Rand
	arrived time.Time // what was read last

	mu       sync.Mutex // guards the following
	fetching bool       // the last request on it was a fetch
	closed   bool
}

const longestWay = 2 * time.Second

var (
	fetchSent  = []byte(`"operationName":"GetEntitlementsState"`)
	otherSent  = []byte(`"operationName":"`)
	throttled  = []byte("HTTP/1.1 429 ")
	retryAfter = regexp.MustCompile(`(?i)retry-after: (\d+)`)
)

// Read takes its time.
func (c *farAway) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	// What was sent in one go arrives in one go: this is a long way, not a narrow one.
	if time.Since(c.arrived) > 5*time.Millisecond {
		way := time.Duration(c.rnd.Int64N(int64(30 * time.Millisecond)))
		if c.rnd.IntN(10) == 0 {
			way = time.Duration(c.rnd.Int64N(int64(longestWay)))
		}
		time.Sleep(way)
		c.arrived = time.Now()
	}
	c.mu.Lock()
	fetching, closed := c.fetching, c.closed
	c.mu.Unlock()
	if closed {
		return 0, net.ErrClosed // what was on its way arrives nowhere
	}
	if fetching && bytes.HasPrefix(p[:n], throttled) {
		if m := retryAfter.FindSubmatch(p[:n]); m != nil {
			seconds, _ := strconv.Atoi(string(m[1]))
			c.net.mu.Lock()
			c.net.pauses = append(c.net.pauses, pause{time.Now(), time.Now().Add(time.Duration(seconds) * time.Second)})
			c.net.mu.Unlock()
		}
	}
	return n, nil
}

// Write notes what is sent, at the client's end: on its way, requests may come closer together.
func (c *farAway) Write(p []byte) (int, error) {
	isFetch := bytes.Contains(p, fetchSent)
	if isFetch || bytes.Contains(p, otherSent) {
		c.mu.Lock()
		c.fetching = isFetch
		c.mu.Unlock()
		c.net.mu.Lock()
		if isFetch {
			c.net.fetches = append(c.net.fetches, time.Now())
		}
		if !c.net.hushed.IsZero() {
			c.net.late = append(c.net.late, string(p[:min(len(p), 80)]))
		}
		c.net.mu.Unlock()
	}
	return c.Conn.Write(p)
}

// Close ends the connection.
func (c *farAway) Close() error {
	c.net.mu.Lock()
	delete(c.net.open, c)
	c.net.mu.Unlock()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.Conn.Close()
}
