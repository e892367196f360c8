// Package schema holds the part of Stigg's GraphQL API that this project speaks, as text.
//
// It imports nothing and decides nothing: the client's code generator and the emulator both read the same file, so that
// neither can drift from it alone.
package schema

import _ "embed"

// Text is schema.graphql: names, types and nullability of the API, rebuilt as facts from the operations of Stigg's
// official Go client (see NOTICE).
//
//go:embed schema.graphql
var Text string
