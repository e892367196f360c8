package graphqlws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// FrameType says what a frame means to the reader of a [Conn].
type FrameType uint8

const (
	// FrameAlive: the peer is there and said nothing of interest: a ping or pong, a message of unknown type or unknown id.
	FrameAlive FrameType = iota
	// FrameNext: Payload is an execution result of the subscription ID.
	FrameNext
	// FrameError: the server refused or ended the subscription ID; Payload is an array of GraphQL errors.
	FrameError
	// FrameComplete: the server has nothing more to say on the subscription ID.
	FrameComplete
	// FrameBarrier: the server has read everything that was sent before the last Barrier.
	FrameBarrier
)

// Frame is one message from the server.
type Frame struct {
	Type FrameType
	// ID is the subscription, as given to Subscribe.
	ID string
	// Payload begins with the payload's JSON value and is valid until the next call of Next. Read one value and stop: when a
	// server puts further members behind the payload, their bytes follow it. Finding its end would mean to scan every event,
	// most of which are about customers nobody here asked for.
	Payload []byte
}

// message is a frame as it is on the wire. The slices point into the frame.
type message struct {
	typ     []byte
	id      []byte
	payload []byte
}

var next = []byte("next")

// parseMessage reads a frame. The common shape, a "next" whose id and type precede its payload, is read without looking at the
// payload; everything else goes through encoding/json.
func parseMessage(data []byte) (message, error) {
	if m, ok := parseNext(data); ok {
		return m, nil
	}
	var members map[string]json.RawMessage // not a struct: encoding/json would match "ID" and "Type" too
	if err := json.Unmarshal(data, &members); err != nil {
		at := int64(0)
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = e.Offset
		}
		return message{}, fmt.Errorf("%w: message of %d bytes, at byte %d: %w", ErrProtocol, len(data), at, err)
	}
	var typ, id string
	if err := json.Unmarshal(members["type"], &typ); err != nil {
		return message{}, fmt.Errorf("%w: message without a type", ErrProtocol)
	}
	if raw := members["id"]; raw != nil {
		if err := json.Unmarshal(raw, &id); err != nil {
			return message{}, fmt.Errorf("%w: id of a %q message is not a string", ErrProtocol, typ)
		}
	}
	return message{[]byte(typ), []byte(id), members["payload"]}, nil
}

// parseNext reads the common shape and reports false for any other.
func parseNext(data []byte) (m message, ok bool) {
	c := cursor{data: data}
	if !c.eat('{') {
		return m, false
	}
	for {
		key, ok := c.plainString()
		if !ok || !c.eat(':') {
			return m, false
		}
		switch string(key) {
		case "type":
			m.typ, ok = c.plainString()
		case "id":
			m.id, ok = c.plainString()
		case "payload":
			end := bytes.TrimRight(data, " \t\r\n")
			if m.id == nil || !bytes.Equal(m.typ, next) || len(end) <= c.pos || end[len(end)-1] != '}' {
				return m, false
			}
			m.payload = bytes.Trim(end[c.pos:len(end)-1], " \t\r\n")
			return m, len(m.payload) > 0
		default:
			return m, false
		}
		if !ok || !c.eat(',') {
			return m, false
		}
	}
}

// cursor walks over the envelope of a frame.
type cursor struct {
	data []byte
	pos  int
}

func (c *cursor) eat(b byte) bool {
	c.space()
	if c.pos < len(c.data) && c.data[c.pos] == b {
		c.pos++
		return true
	}
	return false
}

func (c *cursor) space() {
	for c.pos < len(c.data) {
		switch c.data[c.pos] {
		case ' ', '\t', '\r', '\n':
			c.pos++
		default:
			return
		}
	}
}

// plainString reads a string of printable ASCII without escapes, which is what keys, types and our own ids are.
func (c *cursor) plainString() ([]byte, bool) {
	if !c.eat('"') {
		return nil, false
	}
	start := c.pos
	for ; c.pos < len(c.data); c.pos++ {
		switch b := c.data[c.pos]; {
		case b == '"':
			c.pos++
			return c.data[start : c.pos-1 : c.pos-1], true
		case b == '\\' || b < ' ' || b > '~':
			return nil, false
		}
	}
	return nil, false
}
