package emulator

import (
	"strings"
	"text/scanner"
)

// operation is what a look at a document's tokens tells before it is parsed: enough to count a request and to decide
// whether a fault is meant for it. graphql-go keeps its parser to itself.
type operation struct {
	kind   string // query, mutation or subscription
	name   string
	fields []string // root fields; those reached through fragments are not listed

	// defaults of Boolean variables. graphql-go leaves them out for subscriptions; since no field below a subscription
	// takes arguments, @include and @skip are all that a variable can be for.
	defaults map[string]bool
}

// scanOperation finds the operation of that name, or the first one. A document that does not parse gives whatever was
// read before it went wrong.
func scanOperation(document, name string) operation {
	s := &tokens{}
	s.Init(strings.NewReader(document))
	s.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanStrings
	s.Error = func(*scanner.Scanner, string) {}
	var first *operation
	for s.next() {
		op := operation{kind: "query"}
		switch {
		case s.tok == '{':
		case s.tok == scanner.Ident && s.TokenText() == "fragment":
			s.until('{')
			s.block()
			continue
		case s.tok == scanner.Ident:
			op.kind = s.TokenText()
			for s.next() && s.tok != '{' {
				switch {
				case s.tok == '(':
					op.defaults = s.definitions()
				case s.tok == scanner.Ident && op.name == "":
					op.name = s.TokenText()
				case s.tok == '@':
					s.next()
				}
			}
		default:
			continue
		}
		op.fields = s.block()
		if op.name == name && name != "" {
			return op
		}
		if first == nil {
			first = &op
		}
	}
	if first == nil {
		return operation{}
	}
	return *first
}

// tokens reads a document token by token, without its comments.
type tokens struct {
	scanner.Scanner
	tok rune
}

func (t *tokens) next() bool {
	for t.tok = t.Scan(); t.tok == '#'; t.tok = t.Scan() {
		for r := t.Peek(); r != '\n' && r != scanner.EOF; r = t.Peek() {
			t.Next()
		}
	}
	return t.tok != scanner.EOF
}

func (t *tokens) until(tok rune) {
	for t.next() && t.tok != tok {
	}
}

// definitions reads the variable definitions that were just opened.
func (t *tokens) definitions() map[string]bool {
	defaults := map[string]bool{}
	name := ""
	for t.next() && t.tok != ')' {
		switch t.tok {
		case '(': // arguments of a directive
			t.parens()
		case '$':
			t.next()
			name = t.TokenText()
		case '=':
			if t.next(); t.TokenText() == "true" || t.TokenText() == "false" {
				defaults[name] = t.TokenText() == "true"
			}
		}
	}
	return defaults
}

// parens skips to the end of the parentheses that were just opened.
func (t *tokens) parens() {
	for depth := 1; depth > 0 && t.next(); {
		switch t.tok {
		case '(':
			depth++
		case ')':
			depth--
		}
	}
}

// block reads the selection set that was just opened and returns the names of its own fields.
func (t *tokens) block() []string {
	var fields []string
	alias := false // the last field may turn out to be an alias
	for depth := 1; depth > 0 && t.next(); {
		switch t.tok {
		case '{':
			depth++
		case '}':
			depth--
		case '(':
			t.parens()
		case '@', '$':
			t.next()
		case '.': // a spread: its name or type condition is no field
			for range 2 {
				t.next()
			}
			switch t.next(); {
			case t.tok == '{':
				depth++
			case t.tok == '@', t.TokenText() == "on":
				t.next()
			}
		case ':':
			alias = depth == 1
		case scanner.Ident:
			if depth != 1 {
				continue
			}
			if alias && len(fields) > 0 {
				fields = fields[:len(fields)-1]
			}
			alias = false
			fields = append(fields, t.TokenText())
		}
	}
	return fields
}
