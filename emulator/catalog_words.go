package emulator

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// inWords says what is wrong with a YAML text in the words of whoever wrote it: the library's own speak of Go types.
func inWords(err error, file *ast.File) error {
	e, ok := errors.AsType[yaml.Error](err)
	if !ok || e.GetToken() == nil {
		return fmt.Errorf("parse catalog: %w", err)
	}
	at := e.GetToken()
	ce := &CatalogError{Line: at.Position.Line, Field: fieldAt(file, at), Problem: e.GetMessage()}
	switch e := e.(type) {
	case *yaml.TypeError:
		ce.Problem = fmt.Sprintf("is %s: give %s", kindInWords(e.SrcType), kindInWords(e.DstType))
	case *yaml.UnexpectedNodeTypeError:
		ce.Problem = fmt.Sprintf("is %s: give %s", nodeInWords[e.Actual], nodeInWords[e.Expected])
	case *yaml.OverflowError:
		ce.Problem = e.SrcNum + " is too large"
	case *yaml.UnknownFieldError:
		ce.Problem = "there is no such field"
	}
	return ce
}

// fieldAt returns the field that is written at a token, such as "plans[2].trial": the outermost, for a mapping in lines has no
// token but those of its first pair.
func fieldAt(file *ast.File, at *token.Token) string {
	if file == nil {
		return ""
	}
	found := ""
	look := visitor(func(n ast.Node) {
		if t := n.GetToken(); t != nil && t.Position != nil && t.Position.Offset == at.Position.Offset && found == "" {
			found = n.GetPath()
		}
	})
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(look, doc.Body)
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(found, "$"), ".")
}

type visitor func(ast.Node)

// Visit implements [ast.Visitor].
func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// kindInWords is a Go type in the words of YAML.
func kindInWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Pointer:
		return kindInWords(t.Elem())
	default:
		return "a whole number"
	}
}

var nodeInWords = map[ast.NodeType]string{
	ast.NullType: "nothing", ast.BoolType: "true or false", ast.IntegerType: "a number", ast.FloatType: "a number",
	ast.InfinityType: "a number", ast.NanType: "a number", ast.StringType: "text", ast.LiteralType: "text",
	ast.MappingType: "a mapping", ast.MappingValueType: "a mapping", ast.MappingKeyType: "a mapping", ast.SequenceType: "a list",
	ast.MergeKeyType: "a merge", ast.AnchorType: "an anchor", ast.AliasType: "an alias", ast.TagType: "a tag",
	ast.DocumentType: "a document", ast.DirectiveType: "a directive", ast.CommentType: "a comment", ast.CommentGroupType: "a comment",
	ast.SequenceEntryType: "a list", ast.UnknownNodeType: "something else",
}

// wholeNumbers refuses fractions where whole numbers belong. The YAML library cuts them off in silence.
func wholeNumbers(file *ast.File, c *Catalog) error {
	var fields []string
	for i := range c.Plans {
		fields = append(fields, fmt.Sprintf("plans[%d].version", i), fmt.Sprintf("plans[%d].trial.days", i))
	}
	for i := range c.Coupons {
		fields = append(fields, fmt.Sprintf("coupons[%d].months", i))
	}
	for _, field := range fields {
		node := nodeAt(file, field)
		if node == nil {
			continue
		}
		if n, err := ParseDecimal(strings.ReplaceAll(node.GetToken().Value, "_", "")); err == nil && !n.IsInteger() {
			return &CatalogError{Line: firstLine(node), Field: field, Problem: fmt.Sprintf("%s is not a whole number", node)}
		}
	}
	return nil
}

// namedFields refuses what is named by a number, by true or by nothing. The YAML library lets it pass where it refuses other names that
// are no field's.
func namedFields(file *ast.File) (err error) {
	look := visitor(func(n ast.Node) {
		pair, ok := n.(*ast.MappingValueNode)
		if !ok || err != nil {
			return
		}
		switch pair.Key.Type() {
		case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType, ast.BoolType, ast.NullType:
			field := strings.TrimPrefix(strings.TrimPrefix(pair.GetPath(), "$"), ".")
			err = &CatalogError{Line: pair.Key.GetToken().Position.Line, Field: field, Problem: "there is no such field"}
		}
	})
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(look, doc.Body)
		}
	}
	return err
}

// nodeAt returns what is written at a field; nil when nothing is.
func nodeAt(file *ast.File, field string) ast.Node {
	path, err := yaml.PathString("$." + field)
	if err != nil {
		return nil
	}
	node, err := path.FilterFile(file)
	if err != nil {
		return nil
	}
	return node
}
