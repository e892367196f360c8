// Package raw is a Stigg that does next to nothing, so that what is measured is the client: replies and frames are made once, or by
// appending, and it speaks WebSocket and graphql-transport-ws by hand. It knows no customers, so everybody has the same entitlements;
// it checks nothing it is sent; and it is for one client at a time. Package emulator is the Stigg to test against.
//
// A [Server] is started with [Listen] and ended with Close, which waits for what it started. Its methods may be called from any goroutine.
package raw
