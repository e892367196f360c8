package main

import (
	"time"

	statsig "github.com/statsig-io/go-sdk"

	"github.com/entcache/entcache/bench/internal/measure"
)

type inStatsig struct {
	client *statsig.Client
	users  []statsig.User
}

func openStatsig(data measure.Data) (measure.Store, error) {
	var gates []any
	for _, feature := range data.Features {
		gates = append(gates, map[string]any{
			"name": feature, "type": "feature_gate", "salt": feature, "enabled": true, "defaultValue": false, "idType": "userID", "entity": "feature_gate",
			"rules": []any{map[string]any{
				"name": "growth", "id": "growth", "salt": "growth", "passPercentage": 100, "returnValue": true, "idType": "userID",
				"conditions": []any{map[string]any{
					"type": "user_field", "operator": "any", "field": "plan", "targetValue": []string{"growth"}, "idType": "userID",
				}},
			}},
		})
	}
	none := []any{}
	client := statsig.NewClientWithOptions("secret-key", &statsig.Options{
		LocalMode: true, ConfigSyncInterval: time.Hour, IDListSyncInterval: time.Hour,
		BootstrapValues: encode(map[string]any{
			"has_updates": true, "time": 1, "feature_gates": gates, "dynamic_configs": none, "layer_configs": none,
		}),
		OutputLoggerOptions:  statsig.OutputLoggerOptions{LogCallback: func(string, error) {}},
		StatsigLoggerOptions: statsig.StatsigLoggerOptions{DisableAllLogging: true},
		IPCountryOptions:     statsig.IPCountryOptions{Disabled: true},
		UAParserOptions:      statsig.UAParserOptions{Disabled: true},
	})
	s := inStatsig{client, make([]statsig.User, len(data.Customers))}
	for i, customer := range data.Customers {
		s.users[i] = statsig.User{UserID: customer, Custom: map[string]any{"plan": "growth"}}
	}
	return s, nil
}

func (s inStatsig) Ask(walk []measure.Question, from, n int) int {
	yes := 0
	for i := from; i < from+n; i++ {
		p := &walk[i&(len(walk)-1)]
		if s.client.CheckGateWithExposureLoggingDisabled(s.users[p.CustomerIndex], p.Feature) {
			yes++
		}
	}
	return yes
}

func (s inStatsig) Close() { s.client.Shutdown() }
