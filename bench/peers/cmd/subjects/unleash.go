package main

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/Unleash/unleash-client-go/v4"
	unleashcontext "github.com/Unleash/unleash-client-go/v4/context"

	"github.com/entcache/entcache/bench/internal/measure"
)

type inUnleash struct {
	client   *unleash.Client
	contexts []unleash.FeatureOption
	server   *loopback
	backup   string
}

// quietly listens to a client, which blocks when nobody does.
type quietly struct{ ready chan struct{} }

func (quietly) OnError(error)                   {}
func (quietly) OnWarning(error)                 {}
func (l quietly) OnReady()                      { close(l.ready) }
func (quietly) OnUpdate()                       {}
func (quietly) OnCount(string, bool)            {}
func (quietly) OnSent(unleash.MetricsData)      {}
func (quietly) OnRegistered(unleash.ClientData) {}

func openUnleash(data measure.Data) (measure.Store, error) {
	var flags []any
	for _, feature := range data.Features {
		flags = append(flags, map[string]any{"name": feature, "enabled": true, "strategies": []any{map[string]any{
			"name":        "default",
			"constraints": []any{map[string]any{"contextName": "plan", "operator": "IN", "values": []string{"growth"}}},
		}}})
	}
	body := encode(map[string]any{"version": 2, "features": flags})
	server, err := listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/features") {
			_, _ = w.Write([]byte(body))
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	if err != nil {
		return nil, err
	}
	s := &inUnleash{server: server}
	if s.backup, err = os.MkdirTemp("", "unleash"); err != nil {
		server.close()
		return nil, err
	}
	ready := quietly{make(chan struct{})}
	if s.client, err = unleash.NewClient(unleash.WithAppName("bench"), unleash.WithUrl(server.url+"/api"), unleash.WithListener(ready),
		unleash.WithDisableMetrics(true), unleash.WithBackupPath(s.backup), unleash.WithRefreshInterval(time.Hour)); err != nil {
		server.close()
		return nil, errors.Join(err, os.RemoveAll(s.backup))
	}
	select {
	case <-ready.ready:
	case <-time.After(10 * time.Second):
		s.Close()
		return nil, errors.New("unleash is not ready after 10 s")
	}
	for _, customer := range data.Customers {
		s.contexts = append(s.contexts, unleash.WithContext(unleashcontext.Context{
			UserId: customer, Properties: map[string]string{"plan": "growth"},
		}))
	}
	return s, nil
}

func (s *inUnleash) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if s.client.IsEnabled(p.Feature, s.contexts[p.CustomerIndex]) {
			yes++
		}
	}
	return yes
}

func (s *inUnleash) Close() {
	_ = s.client.Close()
	s.server.close()
	_ = os.RemoveAll(s.backup)
}
