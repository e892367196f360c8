// Package interop holds, as tests, the realtime client against a server that is nobody's idea of the client's: the npm packages
// graphql-ws, graphql and ws, serving gql/schema over a loopback port.
//
// There is nothing in it to import. What our own fakes and the emulator say about the protocol could be one misunderstanding,
// shared; the author of these packages wrote the protocol down. server.mjs plays the scenes, and leaves to the packages what they
// do by themselves: validation, the codes they close with, `error` and `complete` frames, pongs, keepalive.
//
// The tests need Node 20 and, once, `npm ci` in this directory. Without them they are skipped, and say so; when CI is set in the
// environment they fail instead.
package interop
