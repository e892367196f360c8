// Package raw is a Stigg that does next to nothing, so that what is measured is the client: replies and frames are made once, or by
// appending, and it speaks WebSocket and graphql-transport-ws by hand. Everybody is on the same
// plan; what was used, and when, follows from the customer's name, and is what it was at first whatever events have said since. It
// checks nothing it is sent, and it is for one client at a time. Package emulator is the Stigg to test against.
//
// A [Server] is started with [Listen] and ended with Close, which waits for what it started. Its methods may be called from any goroutine.
package raw
