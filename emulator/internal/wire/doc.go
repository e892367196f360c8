// Package wire holds the types of the emulated API as Go values: generated.go has one type per name in
// gql/schema/schema.graphql, this package's other files the scalars and the strict decoding of inputs.
//
// It has no behaviour of the domain: a root field that the emulator has not built answers NotBuilt, everything else is data.
package wire

//go:generate go run ../gen
