package scan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// String reads a string, unescaped; invalid UTF-8 becomes U+FFFD, as with encoding/json. The slice is valid until the next
// string is read.
func (s *Scanner) String() []byte {
	if s.peek() != '"' {
		s.mismatch()
		return nil
	}
	start := s.pos + 1
	i := plain(s.data, start)
	switch {
	case i == len(s.data) || s.data[i] < ' ':
		s.pos = i
		s.Fail(ErrSyntax)
		return nil
	case s.data[i] == '"':
		s.pos = i + 1
		return s.data[start:i:i]
	}
	return s.unquote(start, i)
}

// plain returns the offset of the first byte from i on that is more than a character of a string: a quote, a backslash, what may not
// stand there, or what is not ASCII. It looks at eight bytes at a time: most of what a server sends is inside of strings.
func plain(data []byte, i int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(data); i += 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		quote, backslash := w^'"'*ones, w^'\\'*ones
		// A subtraction sets the high bit of a byte that is smaller than what is taken away. It borrows from the byte after that, so
		// that only the first is certain.
		if found := (w | (w - ' '*ones) | (quote - ones) | (backslash - ones)) & high; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(data); i++ {
		if c := data[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// unquote reads the rest of a string that begins at start and is plain up to i.
func (s *Scanner) unquote(start, i int) []byte {
	out := append(s.scratch[:0], s.data[start:i]...)
	for i < len(s.data) {
		c := s.data[i]
		switch {
		case c == '"':
			s.pos, s.scratch = i+1, out
			return out
		case c < ' ':
			s.pos = i
			s.Fail(ErrSyntax)
			return nil
		case c == '\\':
			var ok bool
			if out, i, ok = appendEscape(out, s.data, i); !ok {
				s.pos = i
				s.Fail(ErrSyntax)
				return nil
			}
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			r, size := utf8.DecodeRune(s.data[i:])
			out = utf8.AppendRune(out, r)
			i += size
		}
	}
	s.pos = i
	s.Fail(ErrSyntax)
	return nil
}

// appendEscape reads the escape sequence at i and returns the offset behind it.
func appendEscape(out, data []byte, i int) ([]byte, int, bool) {
	if i+1 >= len(data) {
		return out, i, false
	}
	switch c := data[i+1]; c {
	case '"', '\\', '/':
		return append(out, c), i + 2, true
	case 'b':
		return append(out, '\b'), i + 2, true
	case 'f':
		return append(out, '\f'), i + 2, true
	case 'n':
		return append(out, '\n'), i + 2, true
	case 'r':
		return append(out, '\r'), i + 2, true
	case 't':
		return append(out, '\t'), i + 2, true
	case 'u':
		r, ok := hex4(data, i+2)
		if !ok {
			return out, i, false
		}
		i += 6
		if !utf16.IsSurrogate(r) {
			return utf8.AppendRune(out, r), i, true
		}
		if i+1 < len(data) && data[i] == '\\' && data[i+1] == 'u' {
			if low, ok := hex4(data, i+2); ok {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					return utf8.AppendRune(out, pair), i + 6, true
				}
			}
		}
		return utf8.AppendRune(out, utf8.RuneError), i, true // half a pair, as encoding/json reads it
	}
	return out, i, false
}

func hex4(data []byte, i int) (rune, bool) {
	if i+4 > len(data) {
		return 0, false
	}
	var r rune
	for _, c := range data[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// skipString checks a string without unescaping it.
func (s *Scanner) skipString() {
	var discard [utf8.UTFMax]byte
	i := plain(s.data, s.pos+1)
	for ; i < len(s.data); i = plain(s.data, i) {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return
		case c == '\\':
			_, after, ok := appendEscape(discard[:0], s.data, i)
			if !ok {
				s.pos = i
				s.Fail(ErrSyntax)
				return
			}
			i = after
		case c < ' ':
			s.pos = i
			s.Fail(ErrSyntax)
			return
		default:
			i++
		}
	}
	s.pos = i
	s.Fail(ErrSyntax)
}
