// Package scan reads JSON from a byte slice in place: no reflection, and no copy of what the caller does not want.
//
// It accepts exactly what encoding/json accepts, but for nesting deeper than [MaxDepth]. A [Scanner] remembers its first error;
// after that every method does nothing and returns zero, so that a decoder checks once, at its end.
package scan

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// MaxDepth bounds how deep values may nest. Stigg's replies stay below ten, apart from metadata of customers' own making.
const MaxDepth = 256

// Errors of a scan, wrapped with the offset.
var (
	ErrSyntax = errors.New("invalid JSON")
	ErrType   = errors.New("unexpected JSON type")
	ErrDepth  = errors.New("JSON nested too deep")
)

// Kind is what the next value is.
type Kind uint8

// The kinds of JSON value. Invalid also means that there is no value.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Scanner walks over one JSON text.
type Scanner struct {
	data  []byte
	pos   int
	depth int
	err   error
	key   []byte
	// scratch holds the last string that could not be returned in place.
	scratch []byte
}

// New returns a scanner at the start of data, which must not change while it is in use.
func New(data []byte) Scanner { return Scanner{data: data} }

// Err returns the first error.
func (s *Scanner) Err() error { return s.err }

// Fail records err, if it is the first, with the position. There is nothing more to read then.
func (s *Scanner) Fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("%w at byte %d", err, s.pos)
		s.data, s.pos = nil, 0
	}
}

// Ahead returns a scanner at the same place, whose reading does not disturb what s has returned.
func (s *Scanner) Ahead() Scanner {
	ahead := *s
	ahead.scratch = nil
	return ahead
}

// Kind says what the next value is, without reading it.
func (s *Scanner) Kind() Kind {
	switch c := s.peek(); {
	case c == '"':
		return String
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	case c == '-' || c >= '0' && c <= '9':
		return Number
	}
	return Invalid
}

// Null reads a null if there is one, and reports whether there was.
func (s *Scanner) Null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.literal("null")
	return s.err == nil
}

// End demands that nothing but white space follows.
func (s *Scanner) End() {
	if s.peek(); s.err == nil && s.pos < len(s.data) {
		s.Fail(ErrSyntax)
	}
}

// Open enters an object or array, given its bracket.
func (s *Scanner) Open(bracket byte) bool {
	if s.peek() != bracket {
		s.mismatch()
		return false
	}
	if s.depth++; s.depth > MaxDepth {
		s.Fail(ErrDepth)
		return false
	}
	s.pos++
	return true
}

// More reports whether another element follows in the container that was opened, whose closing bracket it is given. first must
// be true for the first call. When it returns false the container has been left.
func (s *Scanner) More(closing byte, first bool) bool {
	c := s.peek()
	switch {
	case s.err != nil:
		return false
	case c == closing:
		s.pos++
		s.depth--
		return false
	case first:
		return true
	case c == ',':
		s.pos++
		if s.peek() != closing {
			return true
		}
	}
	s.Fail(ErrSyntax)
	return false
}

// Key reads a member's name and the colon. The slice is valid until the next string is read.
func (s *Scanner) Key() []byte {
	if s.peek() != '"' {
		s.Fail(ErrSyntax)
		return nil
	}
	key := s.String()
	if s.peek() != ':' {
		s.Fail(ErrSyntax)
		return nil
	}
	s.pos++
	s.key = key
	return key
}

// LastKey returns what Key last returned, and is valid as long as that.
func (s *Scanner) LastKey() []byte { return s.key }

// Bool reads true or false.
func (s *Scanner) Bool() bool {
	switch s.peek() {
	case 't':
		s.literal("true")
		return s.err == nil
	case 'f':
		s.literal("false")
	default:
		s.mismatch()
	}
	return false
}

// Float reads a number. One that does not fit a float64 is an error, as with encoding/json.
func (s *Scanner) Float() float64 {
	text := s.Number()
	if text == nil {
		return 0
	}
	if len(text) < 16 { // digits that a float64 holds exactly
		n := 0
		for i, c := range text {
			if c < '0' || c > '9' {
				break
			}
			if n = n*10 + int(c-'0'); i == len(text)-1 {
				return float64(n)
			}
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(f, 0) {
		s.Fail(ErrType)
		return 0
	}
	return f
}

// Number reads a number and returns its text.
func (s *Scanner) Number() []byte {
	c := s.peek()
	if c != '-' && (c < '0' || c > '9') {
		s.mismatch()
		return nil
	}
	start, i := s.pos, s.pos
	if c == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(s.data) && s.data[i] >= '0' && s.data[i] <= '9' {
			i++
		}
		return i > from
	}
	ok := true
	if i < len(s.data) && s.data[i] == '0' {
		i++
	} else {
		ok = digits()
	}
	if ok && i < len(s.data) && s.data[i] == '.' {
		i++
		ok = digits()
	}
	if ok && i < len(s.data) && s.data[i]|0x20 == 'e' {
		i++
		if i < len(s.data) && (s.data[i] == '+' || s.data[i] == '-') {
			i++
		}
		ok = digits()
	}
	s.pos = i
	if !ok {
		s.Fail(ErrSyntax)
		return nil
	}
	return s.data[start:i:i]
}

// Raw reads any value and returns its bytes in place.
func (s *Scanner) Raw() []byte {
	s.peek()
	start := s.pos
	s.Skip()
	if s.err != nil {
		return nil
	}
	return s.data[start:s.pos:s.pos]
}

// Head returns the text of the next value and what follows, no more than n bytes of it.
func (s *Scanner) Head(n int) []byte {
	s.peek()
	return s.data[s.pos:min(s.pos+n, len(s.data))]
}

// Repeats reads the next value if it is the given object again, byte for byte, and reports whether it was. Give it what [Scanner.Raw]
// returned of an object: such a text ends where the object ends, whatever follows.
func (s *Scanner) Repeats(object string) bool {
	s.peek()
	if object == "" || len(s.data)-s.pos < len(object) || string(s.data[s.pos:s.pos+len(object)]) != object {
		return false
	}
	s.pos += len(object)
	return true
}

// RepeatsMember reads the next member of an object, name and value, if it is that text again, and reports whether it was. Give it what
// [Scanner.Since] returned of a member. It may say no of one that is the same, if white space follows.
func (s *Scanner) RepeatsMember(text []byte) bool {
	end := s.pos + len(text)
	if len(text) == 0 || end >= len(s.data) || s.data[end] != ',' && s.data[end] != '}' || string(s.data[s.pos:end]) != string(text) {
		return false
	}
	s.pos = end
	return true
}

// Mark returns the place of the next value or name, for Since.
func (s *Scanner) Mark() int {
	s.peek()
	return s.pos
}

// Since returns the text from a mark up to here, in place; nil after an error.
func (s *Scanner) Since(mark int) []byte {
	if s.err != nil {
		return nil
	}
	return s.data[mark:s.pos:s.pos]
}

// Skip reads any value.
func (s *Scanner) Skip() {
	switch s.Kind() {
	case String:
		s.skipString()
	case Number:
		s.Number()
	case Bool:
		s.Bool()
	case Null:
		s.Null()
	case Array:
		s.Open('[')
		for first := true; s.More(']', first); first = false {
			s.Skip()
		}
	case Object:
		s.Open('{')
		for first := true; s.More('}', first); first = false {
			s.skipKey()
			s.Skip()
		}
	default:
		s.Fail(ErrSyntax)
	}
}

func (s *Scanner) skipKey() {
	if s.peek() != '"' {
		s.Fail(ErrSyntax)
		return
	}
	s.skipString()
	if s.peek() != ':' {
		s.Fail(ErrSyntax)
		return
	}
	s.pos++
}

func (s *Scanner) literal(word string) {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		s.Fail(ErrSyntax)
		return
	}
	s.pos += len(word)
}

// mismatch records that the next value is not of the wanted kind.
func (s *Scanner) mismatch() {
	if s.Kind() == Invalid {
		s.Fail(ErrSyntax)
		return
	}
	s.Fail(ErrType)
}

// peek skips white space and returns the next byte; zero at the end and after an error.
func (s *Scanner) peek() byte {
	for ; s.pos < len(s.data); s.pos++ {
		if c := s.data[s.pos]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
	}
	return 0
}
