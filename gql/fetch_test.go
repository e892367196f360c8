package gql

import (
	"testing"

	"github.com/entcache/entcache/entitlements"
)

// By whichever hand it is written, a fetch says the same: Stigg must not be asked about somebody else because of a quote in an id.
func TestFetchIsWrittenAsAnyRequest(t *testing.T) {
	ids := []string{"acme", "Acme Inc. (EU)", "a\"b", `a\b`, "<a&b>", "é", "a\nb", "a\x7fb", "a\u2028b", "~", " ", "\xff"}
	for _, customer := range ids {
		for _, resource := range append(ids, "") {
			in := __GetEntitlementsStateInput{Query: FetchEntitlementsQuery{CustomerId: customer}}
			if resource != "" {
				in.Query.ResourceId = &resource
			}
			want, wantErr := requestBody(fetchOp, GetEntitlementsState_Operation, in)
			got, err := fetchBody(entitlements.Key{CustomerID: customer, ResourceID: resource})
			if (err == nil) != (wantErr == nil) || err == nil && string(got) != string(want) {
				t.Errorf("%q, %q: …%s, %v\nwant …%s, %v", customer, resource, got[max(0, len(got)-100):], err, want[max(0, len(want)-100):], wantErr)
			}
		}
	}
}

// A client that starts asks about a hundred thousand customers: the body of each is one piece of memory.
func TestFetchBodyAllocations(t *testing.T) {
	key := entitlements.Key{CustomerID: "customer-17", ResourceID: "site-3"}
	var err error
	if n := testing.AllocsPerRun(100, func() {
		_, err = fetchBody(key)
	}); n != 1 || err != nil {
		t.Errorf("%v allocations, %v; want 1", n, err)
	}
}
