package graphqlws

import (
	"bytes"
	"encoding/json"
	"errors"
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
