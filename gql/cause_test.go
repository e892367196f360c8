package gql

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestErrorIsOneLineAndSaysHowLongToWait(t *testing.T) {
	for want, e := range map[string]*Error{
		"GetEntitlementsState: rate limited: slow down (HTTP 429) (asked to wait 20s)": {Op: "GetEntitlementsState", Message: "slow down", Status: 429, RetryAfter: 20 * time.Second},
		"GetSubscriptions: bad input: BadUserInput: Variable \"$sorting\" got invalid value \"\": not a direction": {
			Op: "GetSubscriptions", Code: "BadUserInput", Message: "Variable \"$sorting\" got invalid value \"\":\r\n\n\tnot a direction\n"},
		"ReportUsage: the server failed (HTTP 502) (trace t); it may have been carried out": {
			Op: "ReportUsage", Message: "the server failed", Status: 502, TraceID: "t", mutation: true},
		"ReportUsage: refused (HTTP 502)": {Op: "ReportUsage", Message: "refused", Status: 502, mutation: true, unsent: true},
		"X: two  spaces":                  {Op: "X", Message: "two  spaces"},
		"X: one two":                      {Op: "X", Err: errors.New("one\ntwo")},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A ctx that was ended because of another call's error brings that error here, where it is not ours to write to.
func TestAnotherCallsErrorIsLeftAlone(t *testing.T) {
	c, err := New(Config{APIKey: func() string { return "server-key" }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	other := &Error{Op: "GetEntitlementsState", Code: "Unauthenticated", Status: 401, RetryAfter: 1}
	was := *other
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(other)
	if err := c.CheckKey(ctx); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("CheckKey = %v, want the reason for which ctx was ended", err)
	}
	if *other != was {
		t.Errorf("the other call's error became %+v", other)
	}
}
