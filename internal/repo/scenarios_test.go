package repo

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	listed   = regexp.MustCompile(`(?m)^ +(\d+)\. `)
	referred = regexp.MustCompile(`(?i)\b(rule|scenario)s? (\d+)(?:(,| and| to) (\d+))?`)
)

// TestNumbersOfTheSyncerAreReferredTo: each ordering rule and each failure scenario that sync/doc.go numbers is named by the code
// that keeps it, and no code names one that is not there.
func TestNumbersOfTheSyncerAreReferredTo(t *testing.T) {
	sections := map[string]string{"rule": "# The order of things\n", "scenario": "# Failure scenarios\n"}
	count, named := map[string]int{}, map[string]map[int]bool{"rule": {}, "scenario": {}}
	for _, f := range tree(t) {
		switch {
		case f.name == "sync/doc.go":
			for kind, heading := range sections {
				_, text, _ := strings.Cut(f.Doc.Text(), heading)
				text, _, _ = strings.Cut(text, "\n# ")
				for _, m := range listed.FindAllStringSubmatch(text, -1) {
					if count[kind]++; m[1] != strconv.Itoa(count[kind]) {
						t.Errorf("sync/doc.go: %s %s stands where %d is to be", kind, m[1], count[kind])
					}
				}
			}
		case !f.test && (f.dir() == "sync" || f.dir() == "gql" || f.dir() == "entitlements"):
			for _, group := range f.Comments {
				for _, m := range referred.FindAllStringSubmatch(group.Text(), -1) {
					first, _ := strconv.Atoi(m[2])
					last := first
					if m[4] != "" {
						last, _ = strconv.Atoi(m[4])
					}
					named[strings.ToLower(m[1])][first], named[strings.ToLower(m[1])][last] = true, true
				}
			}
		}
	}
	for kind, n := range count {
		for i := 1; i <= n; i++ {
			if !named[kind][i] {
				t.Errorf("no comment in the code names %s %d of sync/doc.go", kind, i)
			}
			delete(named[kind], i)
		}
		for i := range named[kind] {
			t.Errorf("a comment names %s %d, and sync/doc.go has %d", kind, i, n)
		}
	}
	if count["rule"] < 10 || count["scenario"] < 8 {
		t.Errorf("%v found in sync/doc.go; there are more", count)
	}
}
