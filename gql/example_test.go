package gql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/entcache/entcache/entitlements"
	"github.com/entcache/entcache/gql"
)

func ExampleClient_Fetch() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"entitlementsState":{"accessDeniedReason":"CustomerNotFound","entitlementsV2":[]}}}`)
	}))
	defer server.Close()

	client, err := gql.New(gql.Config{
		Endpoint: server.URL + "/graphql",
		APIKey:   func() string { return "server-key-of-yours" },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	snapshot, err := client.Fetch(context.Background(), entitlements.Key{CustomerID: "nobody"})
	switch {
	case errors.Is(err, gql.ErrUnauthenticated):
		fmt.Println("check the key:", err)
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(snapshot) // that there is no such customer is an answer, not an error
	}
	// Output: customer "nobody" denied CustomerNotFound
}
