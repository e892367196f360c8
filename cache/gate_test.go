package cache

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestGateClosesBehindTheLastReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		inside := g.enter()
		closed := make(chan bool, 1)
		go func() { closed <- g.close() }()
		time.Sleep(time.Second)
		select {
		case <-closed:
			t.Fatal("closed with a reader inside")
		default:
		}
		if s := g.enter(); s != nil {
			t.Error("a reader was let in while the gate closes")
		}
		inside.leave()
		if !<-closed {
			t.Error("the first close was not the first")
		}
		if g.close() {
			t.Error("the second close was the first")
		}
	})
}
