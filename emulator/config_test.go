package emulator

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Options that no other test depends on: each row here fails when its option is ignored.

func TestInitTimeoutIsConfigurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{InitTimeout: 20 * time.Second})
		start := time.Now()
		b.dial().wantClose(4408, "Connection initialisation timeout")
		if d := time.Since(start); d != 20*time.Second {
			t.Errorf("closed after %v, want 20s", d)
		}
	})
}

func TestInvalidKeyCloseCodeIsConfigurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := newBench(t, Config{InvalidKeyCloseCode: 4403}).dial()
		ws.say(`{"type":"connection_init"}`)
		ws.wantClose(4403, "Invalid API key")
	})
}

func TestLoggerHearsRequestsAndNeverTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBench(t, Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		b.connect()
		b.must(`{sdkConfiguration{showWatermark}}`, nil)
		b.Close()
		if s := log.String(); !strings.Contains(s, "sdkConfiguration") || !strings.Contains(s, "socket open") || strings.Contains(s, DefaultAPIKey) {
			t.Errorf("log = %s, want the request and the socket and no key", s)
		}
	})
}

func TestReportMemoryIsBounded(t *testing.T) {
	var m reportMemory
	key := func(i int) reportKey { return reportKey{customerID: "c", key: strconv.Itoa(i)} }
	for i := range 3 * rememberedReports {
		m.keep(key(i), report{})
	}
	if _, ok := m.find(key(2*rememberedReports + 1)); !ok {
		t.Error("a recent report was forgotten")
	}
	if n := len(m.young) + len(m.old); n > 2*rememberedReports {
		t.Errorf("%d reports remembered, want at most %d", n, 2*rememberedReports)
	}
}
