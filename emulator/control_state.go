package emulator

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"reflect"
	"strconv"
)

// maxStateBytes bounds what POST /load reads, in place of Config.MaxBodyBytes: that of some hundred thousand customers.
const maxStateBytes = 512 << 20

// laidOut is JSON that is answered as it is, line breaks included.
type laidOut []byte

func (text laidOut) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Write(text)
}

// states has a route for each method of [Emulator] about its state as a whole.
func (c *control) states() []controlRoute {
	return []controlRoute{
		get("/dump", "the whole state, for /load", nil, func(func(string) string) (any, error) {
			var text bytes.Buffer
			err := c.e.Dump(&text)
			return laidOut(text.Bytes()), err
		}),
		{
			method: http.MethodPost, path: "/load", what: "puts a state that /dump wrote in place of all there is, and cuts the sockets; 512 MiB at most",
			takes: fieldsOf(reflect.TypeFor[savedState]()), maxBody: maxStateBytes,
			serve: func(_ *http.Request, body []byte) (any, error) {
				err := c.e.Load(bytes.NewReader(body))
				if e, ok := errors.AsType[*StateError](err); ok {
					return nil, &inputError{cmp.Or(e.Field, "body"), e.Problem}
				}
				return clockReading{c.e.Now()}, err
			},
		},
		post("/reset", "takes everything back to the catalog and the API keys it began with, and cuts the sockets; the clock stays", func(struct{}) (any, error) {
			return nil, c.e.Reset()
		}),
	}
}
