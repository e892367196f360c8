package schema_test

import (
	"fmt"
	"strings"

	"github.com/entcache/entcache/gql/schema"
)

// The text is for a GraphQL parser; a program can also look something up in it.
func Example() {
	for line := range strings.Lines(schema.Text) {
		if strings.Contains(line, "entitlementsState(") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output: entitlementsState(query: FetchEntitlementsQuery!): EntitlementsState!
}
