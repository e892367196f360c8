package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/entcache/entcache/bench/internal/measure"
	"github.com/entcache/entcache/bench/internal/raw"
)

// serveArgument makes this program the server, in a process of its own, so that what the server takes of the processors is not counted
// as the client's.
const serveArgument = "serve"

// child is such a process. It ends with its standard input, so that it cannot outlive this process.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	url   string
}

func startChild(size measure.Size) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, serveArgument)}
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err = fmt.Fprintln(c.stdin, size.Customers, size.Features); err == nil {
		c.url, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		return nil, fmt.Errorf("the server did not start: %w", errors.Join(err, c.close()))
	}
	c.url = strings.TrimSpace(c.url)
	return c, nil
}

// rate asks for so many updates a second from now on.
func (c *child) rate(n int) error {
	_, err := fmt.Fprintln(c.stdin, n)
	return err
}

func (c *child) close() error {
	return errors.Join(c.stdin.Close(), c.cmd.Wait())
}

// serve is the child: it reads the size, says its URL, and then reads rates until its input ends.
func serve() error {
	var size measure.Size
	in := bufio.NewReader(os.Stdin)
	if _, err := fmt.Fscanln(in, &size.Customers, &size.Features); err != nil {
		return fmt.Errorf("the size: %w", err)
	}
	data := measure.NewData(size)
	server, err := raw.Listen(data.Features)
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Println(server.URL())
	rates := make(chan int)
	go func() { // ends with the input, and with it the process
		defer close(rates)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
				rates <- n
			}
		}
	}()
	feed(server, data, rates)
	return nil
}

// feed sends usage updates, of one customer after the other, at the rate it was told last. What the client was too slow to take is sent
// when it can: Send waits for room in the socket.
func feed(server *raw.Server, data measure.Data, rates <-chan int) {
	const tick = 2 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var (
		rate, sent, next int
		since            time.Time
		batch            []raw.Update
	)
	for {
		select {
		case n, ok := <-rates:
			if !ok {
				return
			}
			rate, sent, since = n, 0, time.Now()
		case <-ticker.C:
			due := int(time.Since(since).Seconds()*float64(rate)) - sent
			batch = batch[:0]
			for range min(due, 1024) {
				batch = append(batch, raw.Update{
					Customer: data.Customers[next%len(data.Customers)],
					Feature:  data.Features[next/len(data.Customers)%len(data.Features)],
					Usage:    next % (raw.Limit - 100),
				})
				next++
			}
			if len(batch) == 0 {
				continue
			}
			if _, err := server.Send(batch...); err != nil {
				rate = 0 // the client is gone; the input will end
			}
			sent += len(batch)
		}
	}
}
