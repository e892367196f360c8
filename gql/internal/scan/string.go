package scan

import (
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
	i := start
	for ; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return s.data[start:i:i]
		case c == '\\' || c >= utf8.RuneSelf:
			return s.unquote(start, i)
		case c < ' ':
			s.pos = i
			s.Fail(ErrSyntax)
			return nil
		}
	}
	s.pos = i
	s.Fail(ErrSyntax)
	return nil
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
	for i := s.pos + 1; i < len(s.data); i++ {
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
			i = after - 1
		case c < ' ':
			s.pos = i
			s.Fail(ErrSyntax)
			return
		}
	}
	s.pos = len(s.data)
	s.Fail(ErrSyntax)
}
