package interop

import (
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const emulatorDir = "../../../emulator"

// TestClientOfOthersAgainstTheEmulator is cmd/stigg-emulator, as a process, against client.mjs: once over plain HTTP, and once with
// everything over the socket, queries and mutations too. Each part has an emulator of its own, since a journey changes it.
func TestClientOfOthersAgainstTheEmulator(t *testing.T) {
	if server == nil {
		t.Skip(absent)
	}
	command := buildEmulator(t)
	for _, over := range []string{"http", "ws"} {
		t.Run("journey/"+over, func(t *testing.T) { journey(t, command, over) })
		t.Run("missing/"+over, func(t *testing.T) { missing(t, command, over) })
	}
}

// journey takes every step of the emulator's own journey, and has all six subscriptions listen to it.
func journey(t *testing.T, command, over string) {
	demo, err := os.ReadFile(filepath.Join(emulatorDir, "demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	catalog := filepath.Join(t.TempDir(), "catalog.yaml")
	if err := os.WriteFile(catalog, append(demo, "\nbilling: {tax: {name: VAT, percent: 20}}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	e := startEmulator(t, command, "-catalog", catalog, "-control", "127.0.0.1:0")
	c := startClient(t, e.url)
	if n := len(c.fields["subscription"]); n != 6 {
		t.Errorf("the schema has %d subscriptions, want 6", n)
	}
	covered := map[string]bool{}
	for _, field := range c.fields["subscription"] {
		covered["subscription "+field] = true
		if a := c.ask(question{Kind: "subscription", Field: field}); a.failed() {
			t.Errorf("subscription of %s: %s", field, a)
		}
	}

	gift, today := "", time.Now().UTC().Format(`"2006-01-02"`)
	for _, line := range lines(t, "journey.txt") {
		kind, rest, _ := strings.Cut(line, " ")
		field, args, _ := strings.Cut(rest, " ")
		if kind == "control" {
			e.operate(t, field, args)
			continue
		}
		args = strings.NewReplacer("$gift", strconv.Quote(gift), "$today", today).Replace(args)
		a := c.ask(question{Over: over, Kind: kind, Field: field, Args: args})
		if a.failed() || a.Empty || over == "http" && a.Status != http.StatusOK {
			t.Errorf("%s%s: %s", field, args, a)
		}
		covered[kind+" "+field] = true
		if field == "createCreditGrant" {
			var grant struct{ GrantID, DisplayName string }
			if err := json.Unmarshal(a.Data[field], &grant); err == nil && grant.DisplayName == "gift" {
				gift = grant.GrantID
			}
		}
	}

	for kind, fields := range c.fields {
		for _, field := range fields {
			if !covered[kind+" "+field] {
				t.Errorf("the journey has no %s %s", kind, field)
			}
		}
	}
	if a := c.ask(question{Unasked: true}); len(a.Unasked) > 0 || a.failed() {
		t.Errorf("no document asks for %v (%s)", a.Unasked, a)
	}
	c.wantEvents(c.fields["subscription"])
}

// missing asks for what is not there, and wants the code of each.
func missing(t *testing.T, command, over string) {
	e := startEmulator(t, command)
	c := startClient(t, e.url)
	if a := c.ask(question{Over: over, Kind: "mutation", Field: "provisionCustomer", Args: `(input:{customerId:"acme",subscriptionParams:{planId:"starter"}})`}); a.failed() {
		t.Fatal(a)
	}
	want := func(q question, code string) {
		t.Helper()
		a := c.ask(q)
		if len(a.Errors) != 1 || a.Errors[0].Extensions.Code != code || len(a.Wrong) > 0 {
			t.Errorf("%s: %s, want one error with the code %s", cmp.Or(q.Field+q.Args, q.Query), a, code)
		}
		if over == "http" && a.Status != http.StatusOK {
			t.Errorf("%s%s: status %d", q.Field, q.Args, a.Status)
		}
	}
	for _, line := range lines(t, "missing.txt") {
		code, rest, _ := strings.Cut(line, " ")
		kind, rest, _ := strings.Cut(rest, " ")
		field, args, _ := strings.Cut(rest, " ")
		want(question{Over: over, Kind: kind, Field: field, Args: args}, code)
	}
	for _, v := range []string{
		`{"in":{"customerId":7,"featureId":"seats","value":"many"}}`, // of other types
		`{"in":{"customerId":"acme","featureId":"seats"}}`,           // without what is required
		`{"in":{"customerId":"acme","featureId":"seats","value":1,"colour":"red"}}`,
		`{"in":{"customerId":"acme","featureId":"seats","value":1,"updateBehavior":"GUESS"}}`,
		`{"in":null}`,
		`{}`,
	} {
		want(question{Over: over, Query: `mutation($in:ReportUsageInput!){reportUsage(input:$in){id}}`, Variables: json.RawMessage(v)}, "BadUserInput")
	}
	// Not an error: a customer that nobody knows is no customer.
	if a := c.ask(question{Over: over, Kind: "query", Field: "getCustomerByRefId", Args: `(input:{customerId:"x"})`}); a.failed() || !a.Empty {
		t.Errorf("an unknown customer: %s, want null", a)
	}
}

// lines reads what the emulator's own tests read, comments apart.
func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(emulatorDir, "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	list := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return line == "" || line[0] == '#' })
	if len(list) < 50 {
		t.Fatalf("%s has %d lines", name, len(list))
	}
	return list
}
