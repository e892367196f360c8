// Package graphqlws is the client side of one graphql-transport-ws connection, on gorilla/websocket.
//
// It is a connection, not a client: it dials, subscribes, and hands out what arrives. It does not reconnect, does not retry,
// and does not know what a payload means. Whoever holds a [Conn] decides, from the error that ended it, when to dial again.
//
// # Reading is pulled
//
// [Conn.Next] reads one frame on the caller's own goroutine. Nothing is queued unread: a slow reader slows the socket, and TCP
// tells the server. A frame's payload lives in a buffer that the following Next reuses, so that a stream which carries a whole
// environment makes no garbage for the events nobody here wants.
//
// # What ends a connection
//
// A peer silent for [Config.DeadPeer] ([ErrDeadPeer]), a frame that cannot be read ([ErrProtocol]) or is too large
// ([ErrTooLarge]), a close frame ([*CloseError]), the end of the context given to Next, or Close. All are final: gorilla's
// connections cannot be read after a failed read, so the answer is always a new Dial. [Slow] says when not to hurry.
//
// # Concurrency
//
// One goroutine calls Next; any may call Subscribe, Barrier and Close. The one goroutine of ours, which sends pings and
// pongs so that reading never waits for writing, is joined by Close.
//
// The protocol: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
package graphqlws
