// Package tools pins the code generator of package gql: genqlient at the version of its runtime, with golang.org/x/tools raised,
// because the release it asks for does not compile with Go 1.25 or newer.
//
// It is a module of its own and not part of go.work, so that none of this reaches those who import the library. Run it through
// `go generate ./gql`.
package tools
