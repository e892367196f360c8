package raw

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
)

// frame appends a whole text message to b, as a server sends it.
func frame[T string | []byte](b []byte, text T) []byte {
	switch n := len(text); {
	case n < 126:
		b = append(b, 0x81, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x81, 127), uint64(n))
	}
	return append(b, text...)
}

// maxMessage is the longest message that is taken from a client, which has nothing long to say.
const maxMessage = 1 << 20

// readMessage reads a message of a client's, which is masked and, from ours, never fragmented.
func readMessage(r *bufio.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := uint64(head[1] & 0x7f)
	var long [8]byte
	switch size {
	case 126:
		if _, err := io.ReadFull(r, long[6:]); err != nil {
			return nil, err
		}
		size = binary.BigEndian.Uint64(long[:])
	case 127:
		if _, err := io.ReadFull(r, long[:]); err != nil {
			return nil, err
		}
		size = binary.BigEndian.Uint64(long[:])
	}
	if size > maxMessage || head[1]&0x80 == 0 {
		return nil, fmt.Errorf("a message of %d bytes, masked: %v", size, head[1]&0x80 != 0)
	}
	text := make([]byte, 4+size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	for i := range text[4:] {
		text[4+i] ^= text[i%4]
	}
	return text[4:], nil
}

// upgrade is the answer to a handshake with this key.
func upgrade(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
}
