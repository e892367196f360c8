package entcache_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entcache/entcache"
)

// documented is what docs/operations.md says of a method: its cells, by the heads of their columns.
type documented map[string]string

var methodName = regexp.MustCompile("`([A-Z]\\w+\\.[A-Z]\\w+)`")

// documentedServices reads the rows of docs/operations.md that are about methods of the table of services.
func documentedServices(t *testing.T) map[string]documented {
	t.Helper()
	rows := map[string]documented{}
	var heads []string
	for line := range strings.Lines(text(t, "docs/operations.md")) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			heads = nil
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		row := documented{}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
			if i < len(heads) {
				row[heads[i]] = cells[i]
			}
		}
		if heads == nil {
			heads = cells
		}
		for _, m := range methodName.FindAllStringSubmatch(row["here"], -1) {
			if services[m[1]].call == nil {
				continue
			}
			if rows[m[1]] != nil {
				t.Errorf("docs/operations.md has %s twice", m[1])
			}
			rows[m[1]] = row
		}
	}
	for name := range services {
		if rows[name] == nil {
			t.Errorf("docs/operations.md has no row of %s", name)
		}
	}
	return rows
}

// What the column "Repeated" says is what TestRepeatedOnlyWhereItCannotDoHarm sees done.
func TestOperationsAreRepeatedAsDocumented(t *testing.T) {
	for name, row := range documentedServices(t) {
		s := services[name]
		want := map[bool]string{true: "by key", false: "if refused"}[s.repeated]
		if s.reads {
			want = "always"
		}
		if says := row["Repeated"]; !strings.HasPrefix(says, want) {
			t.Errorf("%s is repeated %q, docs/operations.md says %q", name, want, says)
		}
	}
}

// elsewhere are the keys that a call of the table of services changes, where they are others than the customer acme.
var elsewhere = map[string][]entcache.Key{
	"Subscriptions.Transfer":           {{CustomerID: "acme", ResourceID: "site"}, {CustomerID: "acme", ResourceID: "shop"}},
	"Subscriptions.TransferToResource": {{CustomerID: "acme"}, {CustomerID: "acme", ResourceID: "shop"}},
	"Subscriptions.Delegate":           {{CustomerID: "acme"}, {CustomerID: "globex"}, {CustomerID: "acme", ResourceID: "site"}},
}

// What the column "Afterwards" says: what is applied is in memory, and what is refreshed costs one fetch, however many check at once.
// The stream brings nothing here.
func TestMemoryIsAfterwardsAsDocumented(t *testing.T) {
	for name, row := range documentedServices(t) {
		says, fetches := row["Afterwards"], 0
		switch {
		case strings.HasPrefix(says, "applied"), strings.HasPrefix(says, "–"):
		case says == "" && strings.HasPrefix(name, "Client."): // no such column: they change nothing
		case strings.HasPrefix(says, "refreshed"), strings.HasSuffix(says, " refreshed"):
			fetches = 1
		default:
			t.Errorf("docs/operations.md says of %s %q: not applied, refreshed or –", name, says)
		}
		keys := elsewhere[name]
		if keys == nil {
			keys = []entcache.Key{{CustomerID: "acme"}}
		}
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := started(t)
				if ready := readied[name]; ready != nil {
					if err := ready(w); err != nil {
						t.Fatal(err)
					}
				}
				id, err := subject(w, name)
				if err != nil {
					t.Fatal(err)
				}
				w.settle()
				for _, k := range keys {
					w.checkedAtOnce(k, 1)
				}
				w.stigg.Faults().DropEvents(1000)
				before := w.stigg.Requests()["entitlementsState"]
				if err := services[name].call(t.Context(), w.client, id); err != nil {
					t.Fatal(err)
				}
				asked := 0 // that what a fetch showed of a customer made a question of its resource once more
				for _, k := range keys {
					follows := k.ResourceID != "" && slices.Contains(keys, k.Customer())
					if follows {
						asked++
					}
					for _, d := range w.checkedAtOnce(k, 10) {
						// Who comes after the fetch has landed finds it in memory.
						if d.Origin != entcache.Live && (d.Origin != entcache.Fetched || fetches == 0) && !follows {
							t.Errorf("a check of %v is %v: %q", k, d.Origin, says)
						}
					}
					w.believesWhatStiggDoes(k)
				}
				w.after(5 * time.Second)
				if n, want := w.stigg.Requests()["entitlementsState"]-before, fetches*len(keys); n < want || n > want+asked {
					t.Errorf("ten checks at once of each of %v cost %d fetches, want %d: %q", keys, n, want, says)
				}
			})
		})
	}
}

// checkedAtOnce asks n times at once.
func (w *world) checkedAtOnce(key entcache.Key, n int) []entcache.Decision {
	w.Helper()
	answers := make([]entcache.Decision, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			answers[i], err = w.client.GetEntitlement(w.Context(), entcache.Query{CustomerID: key.CustomerID, ResourceID: key.ResourceID, FeatureID: "seats"})
			if err != nil {
				w.Errorf("check of %v: %v", key, err)
			}
		})
	}
	wg.Wait()
	return answers
}

// believesWhatStiggDoes wants memory to have of key what Stigg has of it.
func (w *world) believesWhatStiggDoes(key entcache.Key) {
	w.Helper()
	set, err := w.client.Entitlements(w.Context(), key)
	if err != nil {
		w.Errorf("entitlements of %v: %v", key, err)
		return
	}
	believed := map[string]string{}
	for e := range set.All() {
		limit, _ := e.UsageLimit()
		believed[e.FeatureID()+e.CurrencyID()] = fmt.Sprint(e.CurrentUsage(), " of ", limit)
	}
	snapshot := w.stigg.Snapshot(key.CustomerID, key.ResourceID)
	has := map[string]string{}
	for _, e := range snapshot.Entitlements {
		limit := 0.0
		if e.Limit != nil {
			limit = *e.Limit
		}
		has[e.FeatureID+e.CurrencyID] = fmt.Sprint(e.Usage, " of ", limit)
	}
	if got, want := fmt.Sprint(believed), fmt.Sprint(has); got != want {
		w.Errorf("of %v memory has %s, Stigg %s (%s)", key, got, want, snapshot.AccessDeniedReason)
	}
}
