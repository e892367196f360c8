package emulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// The tests here use real sockets on loopback: what net.Pipe cannot show.

func started(t *testing.T) (*Emulator, *http.Client) {
	t.Helper()
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	t.Cleanup(func() {
		e.Close()
		client.CloseIdleConnections()
	})
	return e, client
}

func ask(client *http.Client, url string) (int, error) {
	req, err := http.NewRequest("POST", url+"/graphql", strings.NewReader(configuration))
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-API-KEY", DefaultAPIKey)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestServesOnAPort(t *testing.T) {
	e, client := started(t)
	if status, err := ask(client, e.URL()); err != nil || status != 200 {
		t.Errorf("request = %d %v, want 200", status, err)
	}
	e.Faults().Refuse(true)
	// A connection the client still believes idle is answered 503; a new one is reset.
	if status, err := ask(client, e.URL()); err == nil && status != 503 {
		t.Errorf("request while refusing = %d, want an error or 503", status)
	}
	e.Faults().Refuse(false)
	client.CloseIdleConnections()
	if status, err := ask(client, e.URL()); err != nil || status != 200 {
		t.Errorf("request once accepted again = %d %v, want 200", status, err)
	}
}

func TestCloseFrameArrivesOverTCP(t *testing.T) {
	e, _ := started(t)
	dialer := websocket.Dialer{Subprotocols: []string{subprotocol}}
	conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(e.URL(), "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init","payload":{}}`)); err != nil {
		t.Fatal(err)
	}
	_, _, err = conn.ReadMessage()
	if ce, ok := err.(*websocket.CloseError); !ok || ce.Code != 4401 || ce.Text != "Invalid API key" {
		t.Errorf("closed with %v, want 4401 Invalid API key", err)
	}
}

func TestCloseEndsHungRequestsAndSocketsOnAPort(t *testing.T) {
	e, client := started(t)
	dialer := websocket.Dialer{Subprotocols: []string{subprotocol}}
	conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(e.URL(), "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	e.Faults().HangHTTP(true)
	arrived := make(chan error)
	go func() { // joined below
		_, err := ask(client, e.URL())
		arrived <- err
	}()
	e.Close()
	if err := <-arrived; err == nil {
		t.Error("a hung request was answered")
	}
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("the socket outlived Close")
	}
}

func TestHandlerServesInAnotherServer(t *testing.T) {
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(e.Handler())
	defer srv.Close()
	if status, err := ask(srv.Client(), srv.URL); err != nil || status != 200 {
		t.Errorf("request = %d %v, want 200", status, err)
	}
	e.Close()
	if status, err := ask(srv.Client(), srv.URL); err != nil || status != 503 {
		t.Errorf("request after Close = %d %v, want 503", status, err)
	}
}

func TestListenNamesTheAddressItCannotHave(t *testing.T) {
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Listen("nowhere"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("Listen(nowhere) = %v, want an error naming it", err)
	}
}
