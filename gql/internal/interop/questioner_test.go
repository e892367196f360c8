package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// questioner is a running client.mjs.
type questioner struct {
	*testing.T
	fields  map[string][]string // the root fields, by kind
	stdin   io.Writer
	answers chan answered
	reader  sync.WaitGroup

	mu   sync.Mutex
	news map[string][]answered // of subscriptions, by field
	came chan struct{}         // after some news; holds at most one
}

// question is a line that client.mjs reads.
type question struct {
	Over      string          `json:"over,omitempty"`
	Kind      string          `json:"kind,omitempty"`
	Field     string          `json:"field,omitempty"`
	Args      string          `json:"args,omitempty"`
	Query     string          `json:"query,omitempty"`
	Variables json.RawMessage `json:"variables,omitempty"`
	Unasked   bool            `json:"unasked,omitempty"`
}

// answered is a line that it writes.
type answered struct {
	Event  string // the field of a subscription; empty for an answer
	Status int    // over HTTP
	Data   map[string]json.RawMessage
	Errors []struct {
		Message    string
		Extensions struct{ Code string }
	}
	Empty   bool     // no data, where the schema has an object
	Wrong   []string // what graphql says of the document, or of the data
	Unasked []string
	Fields  map[string][]string // of the first line
}

func (a answered) failed() bool { return len(a.Errors) > 0 || len(a.Wrong) > 0 }

func (a answered) String() string {
	return fmt.Sprintf("status %d, empty %v, errors %+v, wrong %q", a.Status, a.Empty, a.Errors, a.Wrong)
}

// startClient runs client.mjs against a URL until the end of the test.
func startClient(t *testing.T, url string) *questioner {
	t.Helper()
	cmd := exec.Command(node, "client.mjs", "../../schema/schema.graphql", url, emulatorKey)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &questioner{T: t, stdin: stdin, answers: make(chan answered, 16), news: map[string][]answered{}, came: make(chan struct{}, 1)}
	out := spawn(t, cmd, func() error {
		err := stdin.Close()
		c.reader.Wait() // before Wait, which closes what it reads from
		return err
	})
	c.reader.Go(func() { c.read(out) })
	first := c.next()
	c.fields = first.Fields
	return c
}

// read sorts what the client says, until it ends.
func (c *questioner) read(out *bufio.Reader) {
	defer close(c.answers)
	for {
		line, err := out.ReadBytes('\n')
		if err != nil {
			return
		}
		var a answered
		if err := json.Unmarshal(line, &a); err != nil {
			a.Wrong = append(a.Wrong, fmt.Sprintf("%v: %.200s", err, line))
		}
		if a.Event == "" {
			c.answers <- a
			continue
		}
		c.mu.Lock()
		c.news[a.Event] = append(c.news[a.Event], a)
		c.mu.Unlock()
		select {
		case c.came <- struct{}{}:
		default:
		}
	}
}

// ask asks one question and waits for its answer.
func (c *questioner) ask(q question) answered {
	c.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.stdin.Write(append(text, '\n')); err != nil {
		c.Fatalf("%s: %v", text, err)
	}
	return c.next()
}

func (c *questioner) next() answered {
	c.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case a, ok := <-c.answers:
		if !ok {
			c.Fatal("client.mjs is gone")
		}
		return a
	case <-late.C:
		c.Fatalf("client.mjs has no answer in %v", patience)
	}
	panic("not reached")
}

// wantEvents waits until each subscription has brought something, and wants all that they brought to be as the schema says.
func (c *questioner) wantEvents(fields []string) {
	c.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		c.mu.Lock()
		silent := slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return len(c.news[f]) > 0 })
		c.mu.Unlock()
		if len(silent) == 0 {
			break
		}
		select {
		case <-c.came:
		case <-late.C:
			c.Fatalf("nothing came of %v in %v", silent, patience)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for field, list := range c.news {
		for _, a := range list {
			if a.failed() || a.Empty || len(a.Data) == 0 {
				c.Errorf("%s brought %s", field, a)
			}
		}
		c.Logf("%s brought %d events", field, len(list))
	}
}
