package raw

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entcache/entcache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTheClientTakesItForStigg: what is fetched, a set and a usage arrive as what they are.
func TestTheClientTakesItForStigg(t *testing.T) {
	features := []string{"feature-a", "feature-b"}
	s, err := Listen(features)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Send(Update{Customer: "acme"}); !errors.Is(err, errNoStream) {
		t.Errorf("Send without a client: %v, want %v", err, errNoStream)
	}
	client, err := entcache.New("key", entcache.WithBaseURL(s.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := client.Start(ctx); err != nil {
		t.Fatal(err)
	}
	allowed := func(customer, feature string) bool {
		d, err := client.GetEntitlement(ctx, entcache.Query{CustomerID: customer, FeatureID: feature, RequestedUsage: 1})
		if err != nil {
			t.Fatal(err)
		}
		return d.HasAccess
	}
	updates := []Update{{"used-up-one", "feature-b", Limit}, {"used-up-all", "", Limit}}
	for _, u := range updates {
		d, err := client.GetEntitlement(ctx, entcache.Query{CustomerID: u.Customer, FeatureID: "feature-b", RequestedUsage: 1})
		if want := figuresOf(variantOf(u.Customer), 1).usage; err != nil || !d.HasAccess || d.Entitlement.CurrentUsage() != float64(want) {
			t.Errorf("%s may: %v, having used %v (%v); want true, %d", u.Customer, d.HasAccess, d.Entitlement.CurrentUsage(), err, want)
		}
	}
	// What happens within a millisecond of a fetch cannot be ordered, and is asked about; this server would say what it always says.
	later := time.Now().Add(50 * time.Millisecond)
	for time.Now().Before(later) {
		runtime.Gosched()
	}
	for _, u := range updates {
		if _, err := s.Send(u); err != nil {
			t.Fatal(err)
		}
		for allowed(u.Customer, "feature-b") {
			if ctx.Err() != nil {
				t.Fatalf("%s is allowed still, 10s after the update: %+v %+v", u.Customer, client.Stats(), client.Status())
			}
		}
		d, _ := client.GetEntitlement(ctx, entcache.Query{CustomerID: u.Customer, FeatureID: "feature-b"})
		if from, _ := d.Entitlement.UsagePeriod(); !from.Equal(figuresOf(variantOf(u.Customer), 1).from.Truncate(time.Millisecond)) {
			t.Errorf("%s: the event moves the month to %v", u.Customer, from)
		}
		if others := allowed(u.Customer, "feature-a"); others != (u.Feature != "") {
			t.Errorf("after %+v the other feature is allowed: %v", u, others)
		}
	}
	if got := client.Stats(); got.Unreadable > 0 || got.Events != 2 || got.Questions > 0 {
		t.Errorf("%d events read, %d unreadable, %d questions", got.Events, got.Unreadable, got.Questions)
	}
}

func TestRepliesAreAsLongAsStiggs(t *testing.T) {
	twenty := make([]string, 20)
	for i := range twenty {
		twenty[i] = "feature-0000001"
	}
	n := len(reply(twenty, 1))
	if n < 18_000 || n > 26_000 {
		t.Errorf("twenty entitlements have %d bytes, want 18 to 26 kB", n)
	}
	// The benchmarks of the decoder, whose figures are set beside what is measured with this server, read the like.
	decoded, err := os.ReadFile("../../../gql/testdata/customer20.json")
	if err != nil {
		t.Fatal(err)
	}
	if d := len(decoded) - n; d < -n/50 || d > n/50 {
		t.Errorf("twenty entitlements have %d bytes here and %d in gql/testdata/customer20.json, want about the same", n, len(decoded))
	}
}

func TestMessagesOfAnyLength(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 1<<16 - 1, 1 << 16} {
		text := strings.Repeat("x", n)
		sent := frame(nil, text)
		masked := append([]byte(nil), sent...)
		at := len(sent) - n
		masked[1] |= 0x80
		masked = append(masked[:at:at], append([]byte{1, 2, 3, 4}, masked[at:]...)...)
		for i := range n {
			masked[at+4+i] ^= byte(i%4 + 1)
		}
		got, err := readMessage(bufio.NewReader(bytes.NewReader(masked)))
		if err != nil || string(got) != text {
			t.Errorf("a message of %d bytes is read as %d bytes (%v)", n, len(got), err)
		}
		if n > 0 {
			if _, err := readMessage(bufio.NewReader(bytes.NewReader(masked[:len(masked)-1]))); err == nil {
				t.Errorf("a message of %d bytes without its last is read", n)
			}
		}
	}
	if _, err := readMessage(bufio.NewReader(bytes.NewReader(frame(nil, "unmasked")))); err == nil {
		t.Error("a message that is not masked is read")
	}
}
