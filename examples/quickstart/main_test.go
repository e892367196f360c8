package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entcache/entcache"
	"github.com/entcache/entcache/emulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTourEndsAsPromised(t *testing.T) {
	var out, errs strings.Builder
	if code := run(t.Context(), nil, "", &out, &errs); code != 0 {
		t.Fatalf("exit code %d, want 0\n%s%s", code, out.String(), errs.String())
	}
	if last := lastLine(out.String()); !strings.HasPrefix(last, "ok:") {
		t.Errorf("last line %q, want one that starts with ok:", last)
	}
	t.Log(out.String())
}

func TestAskOnlyReads(t *testing.T) {
	stigg, err := emulator.New(emulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer stigg.Close()
	url, err := stigg.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := stigg.Provision("acme", "", "free"); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = ask(t.Context(), &out, emulator.DefaultAPIKey, entcache.Query{CustomerID: "acme", FeatureID: "seats"}, entcache.WithBaseURL(url))
	if err != nil || !strings.HasPrefix(lastLine(out.String()), "ok:") || !strings.Contains(out.String(), "Usage 0 of 2.") {
		t.Errorf("ask: %v\n%s", err, out.String())
	}
	for field := range stigg.Requests() {
		switch field {
		case "sdkConfiguration", "entitlementsState", "entitlementsUpdatedV2", "usageUpdatedV2", "packagePublished":
		default:
			t.Errorf("asked Stigg for %s, which is not a read of the check", field)
		}
	}

	stigg.RevokeAPIKey(emulator.DefaultAPIKey)
	err = ask(t.Context(), &out, emulator.DefaultAPIKey, entcache.Query{CustomerID: "acme", FeatureID: "seats"}, entcache.WithBaseURL(url))
	if !errors.Is(err, entcache.ErrUnauthenticated) {
		t.Errorf("ask with a key that is refused: %v", err)
	}
}

func TestBrokenPromisesAreNamed(t *testing.T) {
	var out strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	s := &story{out: &out}
	s.expect(true, "kept")
	s.expect(false, "the answer is %d", 42)
	s.await(ctx, "the sun goes west", func() bool { return false })
	err := s.end()
	if err == nil || strings.Contains(out.String(), "ok:") {
		t.Fatalf("end: %v\n%s", err, out.String())
	}
	for _, want := range []string{"the answer is 42", "the sun goes west"} {
		if !strings.Contains(err.Error(), want) || !strings.Contains(out.String(), want) {
			t.Errorf("%q is not named in %q or in the story:\n%s", want, err, out.String())
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, row := range []struct {
		args, key string
		want      int
	}{
		{"-h", "", 0},
		{"-unknown", "", 2},
		{"-customer acme -feature seats", "", 2},
		{"-customer acme", "key", 2},
		{"-feature seats", "key", 2},
	} {
		var out, errs strings.Builder
		if got := run(t.Context(), strings.Fields(row.args), row.key, &out, &errs); got != row.want || out.Len() > 0 || errs.Len() == 0 {
			t.Errorf("quickstart %s: exit code %d, want %d, with an explanation on stderr: %q", row.args, got, row.want, errs.String())
		}
	}
}

func TestRoundKeepsThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		0: 0, 999: 999, 1234: 1230, 12345678: 12300000, 1999 * time.Millisecond: 2 * time.Second,
	} {
		if got := round(d); got != want {
			t.Errorf("round(%d) = %d, want %d", d, got, want)
		}
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
