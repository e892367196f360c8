package main

import (
	"encoding/json"
	"net"
	"net/http"
	"sync"
)

// loopback is a server on this machine: where a library insists on asking somebody for its flags, it asks here.
type loopback struct {
	url     string
	http    http.Server
	serving sync.WaitGroup
}

func listen(h http.Handler) (*loopback, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &loopback{url: "http://" + l.Addr().String()}
	s.http.Handler = h
	s.serving.Go(func() { _ = s.http.Serve(l) })
	return s, nil
}

func (s *loopback) close() {
	_ = s.http.Close()
	s.serving.Wait()
}

// encode writes v, which is made of maps, slices and strings, as JSON.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a mistake in this program
	}
	return string(text)
}
