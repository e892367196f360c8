package gql

import (
	"context"
	"errors"
	"testing"
)

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
