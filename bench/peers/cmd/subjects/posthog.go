package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/posthog/posthog-go"

	"github.com/entcache/entcache/bench/internal/measure"
)

type postHog struct {
	client     posthog.Client
	properties []posthog.Properties
	server     *loopback
}

type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Logf(string, ...any)   {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

func openPostHog(data measure.Data) (measure.Store, error) {
	var flags []any
	for i, feature := range data.Features {
		flags = append(flags, map[string]any{"id": i, "key": feature, "active": true, "filters": map[string]any{"groups": []any{map[string]any{
			"rollout_percentage": 100,
			"properties":         []any{map[string]any{"key": "plan", "operator": "exact", "value": []string{"growth"}, "type": "person"}},
		}}}})
	}
	body := encode(map[string]any{"flags": flags})
	server, err := listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.Path, "local_evaluation") {
			_, _ = w.Write([]byte(body))
		}
	}))
	if err != nil {
		return nil, err
	}
	s := &postHog{server: server}
	if s.client, err = posthog.NewWithConfig("key", posthog.Config{
		PersonalApiKey: "key", Endpoint: server.url, DefaultFeatureFlagsPollingInterval: time.Hour, Logger: silent{},
	}); err != nil {
		server.close()
		return nil, err
	}
	for range data.Customers {
		s.properties = append(s.properties, posthog.NewProperties().Set("plan", "growth"))
	}
	return s, nil
}

func (s *postHog) Ask(walk []measure.Question, from, n int) int {
	events := false
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if ok, _ := s.client.IsFeatureEnabled(posthog.FeatureFlagPayload{
			Key: p.Feature, DistinctId: p.Customer, PersonProperties: s.properties[p.CustomerIndex], OnlyEvaluateLocally: true, SendFeatureFlagEvents: &events,
		}); ok == true {
			yes++
		}
	}
	return yes
}

func (s *postHog) Close() {
	_ = s.client.Close()
	s.server.close()
}
