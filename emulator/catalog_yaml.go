package emulator

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

//go:embed demo.yaml
var demoYAML string

// DemoCatalogYAML is the text of the built-in catalog, with comments; a good start for one's own.
func DemoCatalogYAML() string { return demoYAML }

// DemoCatalog returns a fresh copy of the built-in catalog. It panics if the embedded text is broken, which a test
// excludes.
func DemoCatalog() *Catalog { return parsedDemo().clone() }

var parsedDemo = sync.OnceValue(func() *Catalog {
	c, err := ParseCatalog([]byte(demoYAML))
	if err != nil {
		panic("emulator: demo catalog: " + err.Error())
	}
	return c
})

// ParseCatalog reads a catalog from YAML. It is strict: unknown fields, wrong types, doubled ids and references to
// nothing are errors that name line and field, each a [*CatalogError]. Of what is not the YAML of a catalog the first problem is
// reported; problems of meaning come joined. A text of nothing is an empty catalog.
func ParseCatalog(text []byte) (_ *Catalog, err error) {
	// The YAML library panics on some malformed tags, such as "plans: ! ". FuzzParseCatalog found it.
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("parse catalog: malformed YAML: %v", v)
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, inWords(err, nil)
	}
	if len(file.Docs) > 1 {
		return nil, &CatalogError{Line: file.Docs[1].GetToken().Position.Line, Problem: "a second document begins here: a catalog is one"}
	}
	c := &Catalog{}
	if err := yaml.UnmarshalWithOptions(text, c, yaml.Strict()); err != nil {
		return nil, inWords(err, file)
	}
	if err := namedFields(file); err != nil {
		return nil, err
	}
	if err := wholeNumbers(file, c); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, locate(err, file)
	}
	return c, nil
}

// locate adds line numbers to the catalog errors joined in err.
func locate(err error, file *ast.File) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	for _, err := range joined.Unwrap() {
		if ce, ok := errors.AsType[*CatalogError](err); ok {
			ce.Line = lineOf(file, ce.Field)
		}
	}
	return err
}

// lineOf returns the line of a field such as "plans[2].parent", or of what encloses it when it is not written.
func lineOf(file *ast.File, field string) int {
	for field != "" {
		if node := nodeAt(file, field); node != nil {
			return firstLine(node)
		}
		cut := max(strings.LastIndexByte(field, '.'), strings.LastIndexByte(field, '['))
		if cut < 0 {
			break
		}
		field = field[:cut]
	}
	return 1
}

// firstLine is where a node begins: a mapping's own token is the colon of its first pair, so ask that pair's key.
func firstLine(node ast.Node) int {
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 {
			return firstLine(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return firstLine(n.Key)
	case *ast.SequenceNode:
		if len(n.Values) > 0 {
			return firstLine(n.Values[0])
		}
	}
	return node.GetToken().Position.Line
}
