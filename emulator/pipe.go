package emulator

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
)

// Pipe is a listener in memory. Its connections block as channels do, which is what lets a client and the emulator run
// together in a testing/synctest bubble, on virtual time.
type Pipe struct {
	refusing func() bool
	conns    chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// Pipe returns a new listener in memory that the emulator already serves. Close of the emulator closes it.
func (e *Emulator) Pipe() *Pipe {
	p := &Pipe{refusing: e.faults.refusing, conns: make(chan net.Conn), closed: make(chan struct{})}
	e.Serve(p)
	return p
}

// DialContext connects to the emulator, whatever the network and address; it fits http.Transport.DialContext and
// websocket.Dialer.NetDialContext. It fails with ECONNREFUSED when the emulator is closed or refuses.
func (p *Pipe) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	refused := &net.OpError{Op: "dial", Net: network, Addr: pipeAddr{}, Err: syscall.ECONNREFUSED}
	if p.refusing() {
		return nil, refused
	}
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, errors.Join(client.Close(), refused)
	case <-ctx.Done():
		client.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Addr: pipeAddr{}, Err: ctx.Err()}
	}
}

// Accept waits for the next connection.
func (p *Pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener; connections stay.
func (p *Pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr is a name of no meaning.
func (p *Pipe) Addr() net.Addr { return pipeAddr{} }

// URL is a base URL to give to a client that dials with DialContext. The host is never looked up.
func (p *Pipe) URL() string { return "http://emulator.invalid" }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "emulator" }
