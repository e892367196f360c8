package graphqlws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var frames = []string{
	`{"id":"a","type":"next","payload":{"data":{"x":[1,"}",{}]}}}`,
	`{"type":"next","id":"a","payload":{"data":null}}`,
	`{"payload":{"data":null},"type":"next","id":"a"}`,
	` { "id" : "a" , "type" : "next" , "payload" : [ 1 ] } `,
	`{"id":"a","type":"next","payload":{"data":1},"extensions":{"b":"}"}}`,
	`{"id":"\u0061","type":"next","payload":{}}`,
	`{"id":"é","type":"next","payload":{}}`,
	`{"id":"a","type":"error","payload":[{"message":"m"}]}`,
	`{"type":"pong","payload":{"barrier":1}}`, `{"type":"ping"}`, `{"id":"a","type":"complete"}`,
	`{"TYPE":"next","Id":"a","type":"ping"}`,
	`{"id":"a","type":"next","payload":}`, `{"id":"a","type":"next"`, `{"id":"a","type":"next","payload":{}`, `[]`, ``, `{`, `null`, `"next"`,
	`{"id":"a","id":"b","type":"complete","type":"next","payload":1}`,
}

// FuzzFrame holds the parser against encoding/json: for every valid frame both see the same type, id and payload.
func FuzzFrame(f *testing.F) {
	for _, s := range frames {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkFrame(t, data) })
}

func TestFrames(t *testing.T) {
	for _, s := range frames {
		checkFrame(t, []byte(s))
	}
}

func checkFrame(t *testing.T, data []byte) {
	t.Helper()
	m, err := parseMessage(data)
	if err != nil && !errors.Is(err, ErrProtocol) {
		t.Fatalf("%q: %v is not ErrProtocol", data, err)
	}
	if err != nil && !strings.Contains(err.Error(), "at byte") && !strings.Contains(err.Error(), "message") {
		t.Fatalf("%q: %v does not say where", data, err)
	}
	if len(m.payload) > len(data) {
		t.Fatalf("%q: a payload of %d bytes", data, len(m.payload))
	}
	var want map[string]json.RawMessage
	if json.Unmarshal(data, &want) != nil {
		return // invalid; a "next" whose payload is broken is still handed on, and its reader complains
	}
	var typ, id string
	if json.Unmarshal(want["type"], &typ) != nil || want["id"] != nil && json.Unmarshal(want["id"], &id) != nil {
		if err == nil && len(membersAfterPayload(data)) == 0 {
			t.Fatalf("%q: no error", data)
		}
		return
	}
	if err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	if len(membersAfterPayload(data)) > 0 {
		return // a duplicate behind the payload is not seen: documented at Frame.Payload
	}
	if string(m.typ) != typ || string(m.id) != id || !bytes.HasPrefix(m.payload, bytes.TrimSpace(want["payload"])) {
		t.Fatalf("%q: parsed as %q %q %s", data, m.typ, m.id, m.payload)
	}
	// Written anew, in any order, it is read as the same.
	var members []string
	for _, name := range []string{"id", "type", "payload"} {
		if want[name] != nil {
			members = append(members, fmt.Sprintf("%q:%s", name, want[name]))
		}
	}
	for range members {
		members = slices.Concat(members[1:], members[:1])
		again := "{" + strings.Join(members, " , ") + "}"
		n, err := parseMessage([]byte(again))
		if err != nil || !bytes.Equal(n.typ, m.typ) || !bytes.Equal(n.id, m.id) || !bytes.HasPrefix(n.payload, bytes.TrimSpace(want["payload"])) {
			t.Fatalf("%q: read as %q %q %s, and as %q %q %s, %v, from %q", data, m.typ, m.id, m.payload, n.typ, n.id, n.payload, err, again)
		}
	}
}

// membersAfterPayload returns the names of the members behind the first payload.
func membersAfterPayload(data []byte) (names []string) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return nil
	}
	seen := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return names
		}
		if seen {
			names = append(names, key.(string))
		}
		seen = seen || key == "payload"
		var skip json.RawMessage
		if dec.Decode(&skip) != nil {
			return names
		}
	}
	return names
}

func BenchmarkParseMessageNoAlloc(b *testing.B) {
	frame := []byte(`{"id":"a","type":"next","payload":{"data":{"x":"` + string(bytes.Repeat([]byte("x"), 10_000)) + `"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseMessage(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func TestBrokenFrameSaysWhere(t *testing.T) {
	for in, want := range map[string]string{
		`{"type":"next" "id":1}`: "message of 22 bytes, at byte 16", `{`: "message of 1 bytes, at byte 1",
		`{"id":5,"type":"next","payload":1}`: `id of a "next" message`, `{"id":"a"}`: "message without a type",
	} {
		if _, err := parseMessage([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}
