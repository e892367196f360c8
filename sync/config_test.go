package syncer

import (
	"testing"
	"time"
)

func TestConfigIsChecked(t *testing.T) {
	good := func() Config { return Config{Source: newServer(), Store: newMemory()} }
	for name, spoil := range map[string]func(*Config){
		"no source":              func(c *Config) { c.Source = nil },
		"no store":               func(c *Config) { c.Store = nil },
		"negative fetch timeout": func(c *Config) { c.FetchTimeout = -1 },
		"negative poll interval": func(c *Config) { c.PollInterval = -1 },
		"negative budget":        func(c *Config) { c.RequestsPerMinute = -1 },
		"negative burst":         func(c *Config) { c.Burst = -1 },
		"max below min":          func(c *Config) { c.ReconnectMin, c.ReconnectMax = time.Minute, time.Second },
	} {
		c := good()
		if spoil(&c); c.Source != nil || c.Store != nil {
			if s, err := New(c); err == nil {
				s.Close()
				t.Errorf("%s: New accepted it", name)
			}
		}
	}
	s, err := New(good())
	if err != nil {
		t.Fatal(err)
	}
	if c := s.cfg; c.FetchTimeout != DefaultFetchTimeout || c.PollInterval != DefaultPollInterval || c.RequestsPerMinute != DefaultRequestsPerMinute ||
		c.Burst != DefaultBurst || c.ReconnectMin != DefaultReconnectMin || c.ReconnectMax != DefaultReconnectMax {
		t.Errorf("defaults are %+v", c)
	}
}
