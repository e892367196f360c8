package emulator

import (
	"fmt"
	"net/http"
	"time"
)

// nothing is the body of what takes none.
type nothing struct{}

// lasting is a fault that is switched on and off. With For, it is taken back by itself after that long.
type lasting struct {
	On  bool   `json:"on"`
	For string `json:"for"`
}

// lastingDelay is a delay, in force until taken back by a delay of zero or, with For, by itself.
type lastingDelay struct {
	Delay string `json:"delay"`
	For   string `json:"for"`
}

type counted struct {
	N int `json:"n"`
}

// replyInput is a [Reply].
type replyInput struct {
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
	Truncate bool              `json:"truncate"`
}

func (in *replyInput) reply() (Reply, error) {
	if in == nil {
		return Reply{}, &inputError{"reply", "is missing"}
	}
	if in.Status != 0 && (in.Status < 200 || in.Status > 599) {
		return Reply{}, &inputError{"reply.status", fmt.Sprintf("%d: give a status from 200 to 599", in.Status)}
	}
	r := Reply{Status: in.Status, Body: in.Body, Truncate: in.Truncate, Header: http.Header{}}
	for name, value := range in.Headers {
		r.Header.Set(name, value)
	}
	return r, nil
}

// eventMatch says which events are meant: those that agree in every field that is given.
type eventMatch struct {
	Kind       EventKind `json:"kind"`
	CustomerID string    `json:"customerId"`
	ResourceID string    `json:"resourceId"`
	FeatureID  string    `json:"featureId"`
	CurrencyID string    `json:"currencyId"`
}

func (m eventMatch) matches(ev Event) bool {
	agree := func(want, got string) bool { return want == "" || want == got }
	return agree(string(m.Kind), string(ev.Kind)) && agree(m.CustomerID, ev.CustomerID) && agree(m.ResourceID, ev.ResourceID) &&
		agree(m.FeatureID, ev.FeatureID) && agree(m.CurrencyID, ev.CurrencyID)
}

// faults has one route for each method of [Faults], of the same name; a test holds it to that.
func (c *control) faults() []controlRoute {
	f := c.e.faults
	repeat := func(path, what string, set func(n int)) controlRoute {
		return post(path, what, func(in counted) (any, error) {
			if err := count("n", in.N); err != nil {
				return nil, err
			}
			set(in.N)
			return nil, nil
		})
	}
	toggle := func(path, what string, set func(on bool)) controlRoute {
		return post(path, what, func(in lasting) (any, error) {
			d, err := durationOf("for", in.For)
			if err != nil {
				return nil, err
			}
			c.during(path, d, func() { set(in.On) }, func() { set(false) })
			return nil, nil
		})
	}
	slow := func(path, what string, set func(time.Duration)) controlRoute {
		return post(path, what, func(in lastingDelay) (any, error) {
			delay, err := durationOf("delay", in.Delay)
			if err != nil {
				return nil, err
			}
			d, err := durationOf("for", in.For)
			if err != nil {
				return nil, err
			}
			c.during(path, d, func() { set(delay) }, func() { set(0) })
			return nil, nil
		})
	}
	type answers struct {
		N     int         `json:"n"`
		Reply *replyInput `json:"reply"`
	}
	failing := func(path, what string, set func(int, Reply)) controlRoute {
		return post(path, what, func(in answers) (any, error) {
			if err := count("n", in.N); err != nil {
				return nil, err
			}
			reply, err := in.Reply.reply()
			if err != nil {
				return nil, err
			}
			set(in.N, reply)
			return nil, nil
		})
	}
	return []controlRoute{
		post("/faults/clear", "takes back every lasting fault", func(nothing) (any, error) {
			f.Clear()
			return nil, nil
		}),
		post("/faults/cut-sockets", "breaks every WebSocket without a close frame", func(nothing) (any, error) {
			f.CutSockets()
			return nil, nil
		}),
		post("/faults/close-sockets", "ends every WebSocket with a close frame", func(in struct {
			Code   int    `json:"code"`
			Reason string `json:"reason"`
		}) (any, error) {
			if in.Code < 1000 || in.Code > 4999 {
				return nil, &inputError{"code", fmt.Sprintf("%d: give a close code from 1000 to 4999", in.Code)}
			}
			if len(in.Reason) > 123 { // what fits a control frame
				return nil, &inputError{"reason", fmt.Sprintf("has %d bytes: a close frame takes 123", len(in.Reason))}
			}
			f.CloseSockets(in.Code, in.Reason)
			return nil, nil
		}),
		toggle("/faults/refuse", "refuses new connections", f.Refuse),
		slow("/faults/delay", "holds every HTTP answer back", f.Delay),
		toggle("/faults/hang-http", "reads HTTP requests and never answers them", f.HangHTTP),
		toggle("/faults/half-open", "keeps WebSockets open and dead", f.HalfOpen),
		failing("/faults/fail-next", "answers the next n HTTP requests with reply", f.FailNext),
		failing("/faults/fail-handshakes", "answers the next n WebSocket handshakes with reply", f.FailHandshakes),
		post("/faults/fail-operation", "answers an operation, or root field, with a GraphQL error; no code takes it back", func(in struct {
			Operation string `json:"operation"`
			Code      string `json:"code"`
		}) (any, error) {
			if err := need("operation", in.Operation); err != nil {
				return nil, err
			}
			f.FailOperation(in.Operation, in.Code)
			return nil, nil
		}),
		post("/faults/replace-reply", "executes an operation, root field or \"edge\", and answers reply", func(in struct {
			Operation string      `json:"operation"`
			Reply     *replyInput `json:"reply"`
		}) (any, error) {
			if err := need("operation", in.Operation); err != nil {
				return nil, err
			}
			reply, err := in.Reply.reply()
			if err != nil {
				return nil, err
			}
			f.ReplaceReply(in.Operation, reply)
			return nil, nil
		}),
		post("/faults/restore-reply", "ends replace-reply", func(in struct {
			Operation string `json:"operation"`
		}) (any, error) {
			if err := need("operation", in.Operation); err != nil {
				return nil, err
			}
			f.RestoreReply(in.Operation)
			return nil, nil
		}),
		post("/faults/complete-subscriptions", "ends every subscription with a complete message", func(nothing) (any, error) {
			f.CompleteSubscriptions()
			return nil, nil
		}),
		post("/faults/error-subscriptions", "ends every subscription with an error of that code", func(in struct {
			Code string `json:"code"`
		}) (any, error) {
			if err := need("code", in.Code); err != nil {
				return nil, err
			}
			f.ErrorSubscriptions(in.Code)
			return nil, nil
		}),
		post("/faults/inject-frame", "sends frame, whatever it is, on every socket", func(in struct {
			Frame string `json:"frame"`
		}) (any, error) {
			f.InjectFrame([]byte(in.Frame))
			return nil, nil
		}),
		repeat("/faults/drop-events", "loses the next n events", f.DropEvents),
		post("/faults/drop-events-if", "loses every event that agrees with match, {} being all; without match, loses no more", func(in struct {
			Match *eventMatch `json:"match"`
		}) (any, error) {
			if in.Match == nil {
				f.DropEventsIf(nil)
			} else {
				f.DropEventsIf(in.Match.matches)
			}
			return nil, nil
		}),
		repeat("/faults/duplicate-events", "sends each of the next n events twice", f.DuplicateEvents),
		repeat("/faults/reorder-events", "swaps the next event with the one that follows it, n times over", f.ReorderEvents),
		post("/faults/replay-events", "sends n events of the past again, from behind events before the latest", func(in struct {
			N      int `json:"n"`
			Behind int `json:"behind"`
		}) (any, error) {
			if err := count("n", in.N); err != nil {
				return nil, err
			}
			if err := count("behind", in.Behind); err != nil {
				return nil, err
			}
			f.ReplayEvents(in.N, in.Behind)
			return nil, nil
		}),
		slow("/faults/delay-events", "sends each event later, in order", f.DelayEvents),
	}
}

// during switches a fault on and, unless d is zero, off again after d: by then only if it was not set anew through the
// control interface. The goroutine ends with the emulator, which waits for it.
func (c *control) during(path string, d time.Duration, on, off func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turns[path]++
	turn := c.turns[path]
	on()
	if d == 0 {
		return
	}
	c.e.serve.wg.Go(func() { // Close cannot be past its Wait: this request was counted in
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.e.ctx.Done():
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.turns[path] == turn {
			off()
		}
	})
}
