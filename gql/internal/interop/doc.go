// Package interop holds, as tests, each side of ours against another side that is nobody's idea of it: the npm packages graphql-ws,
// graphql and ws.
//
// There is nothing in it to import. What our own client, our fakes and the emulator say about the protocol could be one
// misunderstanding, shared; the author of these packages wrote the protocol down.
//
// Our realtime client talks to server.mjs, which serves gql/schema over a loopback port, plays the scenes, and leaves to the packages
// what they do by themselves: validation, the codes they close with, `error` and `complete` frames, pongs, keepalive.
//
// Our server, cmd/stigg-emulator as a process, is asked by client.mjs, over plain HTTP and over the socket: for every field of the
// schema, in documents that graphql writes and validates, with answers and events that graphql holds against the schema, and for what
// does not exist. What is asked stands in emulator/testdata, and the emulator's own tests ask the same in memory; its code is not
// imported here.
//
// The tests need Node 20 and, once, `npm ci` in this directory. Without them they are skipped, and say so; when CI is set in the
// environment they fail instead.
package interop
