package repo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Third-party modules that the core and the emulator may use. A new one is a decision: it starts with an entry here.
const (
	ristretto = "github.com/dgraph-io/ristretto/v2"
	genqlient = "github.com/Khan/genqlient"
	gorilla   = "github.com/gorilla/websocket"
	backoff   = "github.com/cenkalti/backoff/v4"
	xsync     = "golang.org/x/sync"
	graphqlGo = "github.com/graph-gophers/graphql-go"
	yaml      = "github.com/goccy/go-yaml"
	decimal   = "github.com/shopspring/decimal"
	goleak    = "go.uber.org/goleak"
	porcupine = "github.com/anishathalye/porcupine"
	rapid     = "pgregory.net/rapid"
)

// rootPackage names the root package in the tables below; every other part is named by its directory.
const rootPackage = "."

// part is a directory and what is below it, down to the next part. Its packages may import one another, the standard library,
// and what it lists: parts of this repository and third-party modules.
type part struct {
	dir   string
	may   []string
	tests []string // what its test files may import besides; goleak always
	any   bool     // third-party modules are its own affair: it is a module of its own
}

// parts is the import diagram of the design (section 3).
var parts = []part{
	{dir: "entitlements"},
	{dir: "cache", may: []string{"entitlements", ristretto}},
	{dir: "sync", may: []string{"entitlements", "internal/retry", xsync}, tests: []string{"internal/simtest"}},
	{
		dir: "gql",
		may: []string{"entitlements", "internal/retry", "gql/internal/graphqlws", genqlient},
		// gorilla for the other end of a stream, which says what no server should.
		tests: []string{"gql/schema", "emulator", gorilla},
	},
	{dir: "gql/schema"},
	{dir: "gql/internal/graphqlws", may: []string{gorilla}, tests: []string{"emulator"}},
	// The whole client against a server that is not ours: it holds nothing but tests, and is above whatever they drive.
	{dir: "gql/internal/interop", tests: []string{"entitlements", "gql", "gql/internal/graphqlws", rootPackage}},
	{
		dir: "usage", may: []string{"entitlements", "internal/retry", xsync},
		// rapid for histories that shrink to the few reports that matter; the queue in memory keeps what the kit asks of any.
		tests: []string{rapid, "usage/queuetest"},
	},
	{dir: "usage/queuetest", may: []string{"usage"}}, // programs with a queue of their own test it with this
	{dir: "internal/retry", may: []string{backoff}},
	{
		dir: rootPackage,
		// internal/retry is for Usage.Report, which waits for its answer; reports that do not wait are the business of usage.
		may: []string{"entitlements", "cache", "sync", "gql", "usage", "internal/retry", xsync},
		// ristretto for the floor that the hit is measured against.
		tests: []string{"emulator", "internal/simtest", ristretto},
	},
	{dir: "emulator", may: []string{"gql/schema", gorilla, graphqlGo, yaml, decimal}},
	{dir: "cmd/stigg-emulator", may: []string{"emulator"}},
	{dir: "middleware", may: []string{"entitlements"}, tests: []string{rootPackage, "emulator"}},
	{dir: "examples", may: []string{rootPackage, "emulator"}},
	{dir: "bench", may: []string{rootPackage, "entitlements", "emulator"}},
	// The floors are the stores that a client could be made of, ristretto among them.
	{dir: "bench/cmd/subjects", may: []string{rootPackage, "entitlements", "bench", ristretto}},
	// What other libraries answer is measured beside what this one does, in a module that go test work does not download.
	{dir: "bench/peers", may: []string{"bench"}, any: true},
	// porcupine for an independent judge of histories: in a module that nobody who uses the library requires.
	{dir: "bench/internal/linear", tests: []string{rootPackage, "entitlements", "emulator", porcupine}},
	{dir: "contrib", may: []string{rootPackage, "entitlements", "usage", "emulator"}, tests: []string{"usage/queuetest"}, any: true},
	{dir: "internal/planted", tests: []string{"internal/simtest"}},
	{dir: "internal/repo"},
	{dir: "internal/simtest"},
	{dir: "internal/tools"},
}

const (
	oneAnother = "cache, sync and gql never import one another: each declares the interface it needs, values that cross live in entitlements, and the root fits them together"
	oracle     = "the emulator never shares the code under test: an oracle that does proves nothing"
	below      = "what is below does not know what is above: the root puts the parts together"
	pure       = "entitlements is the decision, pure, on the standard library alone"
)

// reasons says why an edge is missing from the diagram, for whoever is about to add it. "*" stands for any part, and for any
// import that is not the standard library's.
var reasons = []struct{ from, to, because string }{
	{"entitlements", "*", pure},
	{"gql/schema", "*", "gql/schema is the text of Stigg's schema: whoever needs the text gets nothing else"},
	{"cache", "sync", oneAnother},
	{"cache", "gql", oneAnother},
	{"sync", "cache", oneAnother},
	{"sync", "gql", oneAnother},
	{"gql", "cache", oneAnother},
	{"gql", "sync", oneAnother},
	{"gql/internal/graphqlws", "cache", oneAnother},
	{"gql/internal/graphqlws", "sync", oneAnother},
	{"emulator", "entitlements", oracle},
	{"emulator", "cache", oracle},
	{"emulator", "sync", oracle},
	{"emulator", "gql", oracle + "; of gql it may have the schema's text"},
	{"emulator", "gql/internal/graphqlws", oracle + "; it speaks its own side of the protocol on purpose"},
	{"emulator", "internal/retry", oracle},
	{"emulator", rootPackage, oracle},
	{"internal/retry", module, "a backoff knows nothing of what is retried"},
	{"middleware", rootPackage, "middleware asks an entitlements.Checker, so that a test or another client fits"},
	{rootPackage, "emulator", "a service must not link a Stigg: only tests may"},
	{"*", "emulator", "a service must not link a Stigg: only tests, examples, benchmarks and its command may"},
	{"*", rootPackage, below},
	{"*", ristretto, "cache alone knows ristretto: its Set may drop, its Get must survive Close, and one place handles both"},
	{"*", genqlient, "gql alone knows how Stigg says it, generated code included"},
	{"*", gorilla, "WebSockets are the business of gql/internal/graphqlws and, on the other side, of the emulator"},
	{"*", backoff, "internal/retry alone knows backoff, whose default ends a loop in silence after 15 minutes"},
	{"*", goleak, "goleak is for tests"},
	{"*", "gql/internal/graphqlws", "the protocol is gql's to speak"},
}

const undecided = "it is not in the diagram of the design (section 3): change that first, then the table in internal/repo/imports_test.go"

// forbidden returns why a file in dir, a test or not, must not import path; empty when it may.
func forbidden(dir string, test bool, path string) string {
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	if test && under(path, goleak) {
		return ""
	}
	from, ok := partOf(dir)
	if !ok {
		return fmt.Sprintf("%s belongs to no part: %s", dir, undecided)
	}
	to := path
	if ours := under(path, module); ours {
		target, ok := partOf(strings.TrimPrefix(strings.TrimPrefix(path, module), "/"))
		if !ok {
			return undecided
		}
		if to = target.dir; to == from.dir {
			return ""
		}
	} else if from.any {
		return ""
	}
	allowed := func(list []string) bool {
		return slices.ContainsFunc(list, func(x string) bool { return x == to || strings.Contains(x, ".") && x != rootPackage && under(to, x) })
	}
	if allowed(from.may) || test && allowed(from.tests) {
		return ""
	}
	for _, r := range reasons {
		whole := r.to == "*" || r.to == to || r.to == module && under(path, module)
		third := strings.Contains(r.to, ".") && r.to != rootPackage && r.to != module && under(to, r.to)
		if (r.from == "*" || r.from == from.dir) && (whole || third) {
			return r.because
		}
	}
	return undecided
}

// under reports whether an import path is base or below it.
func under(path, base string) bool {
	rest, ok := strings.CutPrefix(path, base)
	return ok && (rest == "" || rest[0] == '/')
}

// partOf returns the part that a directory belongs to: the deepest one that it is in.
func partOf(dir string) (part, bool) {
	if dir == "" {
		dir = rootPackage
	}
	var best part
	for _, p := range parts {
		if under(dir, p.dir) && len(p.dir) > len(best.dir) {
			best = p
		}
	}
	return best, best.dir != ""
}

func TestImports(t *testing.T) {
	for _, f := range tree(t) {
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if because := forbidden(f.dir(), f.test, path); because != "" {
				t.Errorf("%s imports %s: %s", f.position(spec.Pos()), path, because)
			}
			if path == module+"/sync" && (spec.Name == nil || spec.Name.Name != "syncer") {
				t.Errorf("%s: import %s as syncer: the standard library keeps its name", f.position(spec.Pos()), path)
			}
		}
	}
}

// TestImportsBite plants the edges that must not be, so that the table cannot go soft unnoticed.
func TestImportsBite(t *testing.T) {
	for _, row := range []struct {
		dir  string
		test bool
		path string
		want string // the reason, or part of it; empty: allowed
	}{
		{"cache", false, module + "/sync", oneAnother},
		{"cache", true, module + "/gql", oneAnother},
		{"sync", false, module + "/gql", oneAnother},
		{"sync", true, module + "/cache", oneAnother},
		{"gql", false, module + "/cache", oneAnother},
		{"gql/internal/scan", false, module + "/sync", oneAnother},
		{"gql/internal/graphqlws", true, module + "/sync", oneAnother},
		{"gql/internal/interop", true, module, ""},
		{"gql/internal/interop", false, module, below},
		{"gql/internal/interop", true, module + "/emulator", "link a Stigg"},
		{"entitlements", false, xsync + "/errgroup", pure},
		{"entitlements", true, "github.com/stretchr/testify/assert", pure},
		{"entitlements", false, module + "/cache", pure},
		{"entitlements", true, goleak, ""},
		{"entitlements", false, goleak, pure},
		{"gql/schema", false, module + "/entitlements", "text"},
		{"emulator", true, module + "/entitlements", oracle},
		{"emulator/internal/wire", false, module + "/gql", oracle},
		{"emulator", false, module + "/gql/internal/graphqlws", oracle},
		{"emulator", true, module, oracle},
		{"emulator", false, module + "/gql/schema", ""},
		{"emulator", false, module + "/emulator/internal/wire", ""},
		{"emulator/internal/gen", false, graphqlGo + "/ast", ""},
		{"sync", false, ristretto + "/z", "cache alone"},
		{"", false, ristretto, "cache alone"},
		{"cache", false, ristretto + "/z", ""},
		{"cache", false, "github.com/dgraph-io/ristretto", undecided}, // another major version
		{"", false, genqlient + "/graphql", "gql alone"},
		{"gql", false, genqlient + "/graphql", ""},
		{"sync", false, backoff, "15 minutes"},
		{"internal/retry", false, backoff, ""},
		{"internal/retry", false, module + "/entitlements", "knows nothing"},
		{"gql", false, gorilla, "WebSockets"},
		{"gql/internal/graphqlws", false, gorilla, ""},
		{"", false, module + "/emulator", "link a Stigg"},
		{"", true, module + "/emulator", ""},
		{"sync", false, module + "/emulator", "link a Stigg"},
		{"cache", false, module, below},
		{"middleware/httpgate", false, module, "Checker"},
		{"examples/quickstart", false, module + "/sync", undecided},
		{"", false, "github.com/google/uuid", undecided},
		{"bench", false, "github.com/google/uuid", undecided},
		{"bench/internal/linear", true, porcupine, ""},
		{"bench/cmd/subjects", false, ristretto + "/z", ""},
		{"bench/cmd/compare", false, ristretto, "cache alone"},
		{"bench/peers/cmd/subjects", false, "google.golang.org/grpc", ""},
		{"bench/peers/cmd/subjects", false, module + "/sync", undecided},
		{"bench/internal/linear", false, porcupine, undecided},
		{"bench", true, porcupine, undecided},
		{"sync", true, porcupine, undecided},
		{"usage", true, rapid, ""},
		{"usage", false, rapid, undecided},
		{"usage", true, module + "/usage/queuetest", ""},
		{"usage", false, module + "/usage/queuetest", undecided},
		{"usage/queuetest", false, module + "/usage", ""},
		{"usage/queuetest", true, rapid, undecided},
		{"usage/queuetest", false, module, below},
		{"contrib/redis", false, "github.com/redis/rueidis", ""},
		{"contrib/bolt", false, module + "/usage", ""},
		{"contrib/bolt", true, module + "/usage/queuetest", ""},
		{"contrib/bolt", false, module + "/usage/queuetest", undecided},
		{"contrib/bolt", false, module + "/sync", undecided},
		{"attic", false, module, "no part"},
		{"cache", false, "net/http", ""},
	} {
		got := forbidden(row.dir, row.test, row.path)
		if row.want == "" && got != "" || !strings.Contains(got, row.want) || row.want != "" && got == "" {
			t.Errorf("forbidden(%q, test %v, %s) = %q, want %q", row.dir, row.test, row.path, got, row.want)
		}
	}
}
