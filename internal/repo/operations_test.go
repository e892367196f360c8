package repo

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// services are the types whose methods are operations of Stigg's, by the file docs/operations.md.
var services = []string{"Customers", "Subscriptions", "Usage", "Promotions", "Coupons", "Credits", "Catalog", "Checkout"}

var (
	operationName = regexp.MustCompile(`(?m)^\s*(?:query|mutation|subscription) ([A-Za-z0-9]+)[^{]*\{\s*(?:#.*\s+)*(\w+)`)
	methodName    = regexp.MustCompile("`([A-Z][a-z]+)\\.([A-Z][A-Za-z0-9]*)`")
)

// rowOf is the row of a table whose first cell names an operation; empty when it is told elsewhere.
func rowOf(text, operation string) string {
	for row := range strings.Lines(text) {
		if first, rest, ok := strings.Cut(strings.TrimPrefix(row, "|"), "|"); ok && strings.HasPrefix(row, "|") && strings.Contains(first, "`"+operation+"`") {
			return rest
		}
	}
	return ""
}

// TestOperationsAreDocumented holds docs/operations.md to the code: every operation that is sent stands in it with its root field, so
// does every method of a service, and every method it names exists.
func TestOperationsAreDocumented(t *testing.T) {
	text := read(t, "docs/operations.md")
	sent := 0
	for _, name := range []string{"catalog", "checkout", "configuration", "coupons", "credits", "customers", "entitlements", "estimates", "invoices", "portal", "promotions", "subscriptions", "usage"} {
		for _, m := range operationName.FindAllStringSubmatch(read(t, "gql/operations/"+name+".graphql"), -1) {
			if sent++; !strings.Contains(text, "`"+m[1]+"`") {
				t.Errorf("docs/operations.md does not name the operation %s of gql/operations/%s.graphql", m[1], name)
			} else if row := rowOf(text, m[1]); row != "" && !strings.Contains(row, "`"+m[2]+"`") {
				t.Errorf("docs/operations.md does not say that %s asks for the root field %s: %s", m[1], m[2], row)
			}
		}
	}
	if sent < 20 {
		t.Errorf("%d operations found, there are more", sent)
	}

	methods := map[string]bool{}
	for _, f := range tree(t) {
		if f.dir() != "" || f.test {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && fn.Name.IsExported() {
				if star, ok := fn.Recv.List[0].Type.(*ast.StarExpr); ok {
					methods[star.X.(*ast.Ident).Name+"."+fn.Name.Name] = true
				}
			}
		}
	}
	named := map[string]bool{}
	for _, m := range methodName.FindAllStringSubmatch(text, -1) {
		name := m[1] + "." + m[2]
		if named[name] = true; (m[1] == "Client" || slices.Contains(services, m[1])) && !methods[name] {
			t.Errorf("docs/operations.md names %s, which does not exist", name)
		}
	}
	for name := range methods {
		if service, _, _ := strings.Cut(name, "."); slices.Contains(services, service) && !named[name] {
			t.Errorf("docs/operations.md does not name %s", name)
		}
	}
}
