package entitlements

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestEveryNameIsFound, of any length and beside names that are nearly the same, in sets of any size; and no other is.
func TestEveryNameIsFound(t *testing.T) {
	for _, size := range []int{0, 1, 2, 20, maxSmall, maxSmall + 1, 500} {
		for _, length := range []int{1, 3, 7, 8, 9, 15, 16, 17, 24, 40} {
			held := map[Ref]bool{}
			var list []Grant
			hold := func(g Grant) { list, held[g.Ref()] = append(list, g), true }
			for i := range size {
				// They differ in the middle, as far as they are long enough.
				number := fmt.Sprint(i)
				pad := max(0, length-len(number))
				id := strings.Repeat("a", pad/2) + number + strings.Repeat("z", pad-pad/2)
				switch i {
				case 2:
					hold(Grant{Kind: KindCredit, ID: list[1].ID})
				case 3:
					hold(Grant{Kind: KindCredit}) // without a name
				default:
					hold(Grant{ID: id, FeatureType: FeatureBoolean})
				}
			}
			sh := NewSnapshot(Key{CustomerID: "acme"}, "", list).Shape()
			asked := []Ref{Feature(""), Currency(""), Feature("somebody else's"), Feature("s"), Feature("a name that is longer than most are")}
			for ref := range held {
				asked = append(asked, ref, Feature(ref.ID), Currency(ref.ID), Feature(ref.ID+"a"))
				if n := len(ref.ID); n > 0 {
					asked = append(asked, Feature("y"+ref.ID[1:]), Feature(ref.ID[:n-1]+"y"), Feature(ref.ID[:n/2]+"y"+ref.ID[n/2+1:]))
				}
			}
			for _, ref := range asked {
				if at := sh.find(ref); at >= 0 != held[ref] || at >= 0 && sh.refs[at] != ref {
					t.Fatalf("%d names of %d: %v is found at %d; held: %v", size, length, ref, at, held[ref])
				}
			}
		}
	}
}

// TestNamesOfAPlanAreFoundAtOnce: each of twenty has a slot of its own, and of thirty-two most have.
func TestNamesOfAPlanAreFoundAtOnce(t *testing.T) {
	for _, names := range []string{"feature-%02d", "feature-%d", "f%d", "limit-of-%d-projects", "%d"} {
		for size, most := range map[int]int{10: 10, 20: 20, maxSmall: maxSmall + 6} {
			refs, mixed := make([]Ref, size), make([]uint64, size)
			for i := range refs {
				refs[i] = Feature(fmt.Sprintf(names, i))
				mixed[i] = mix(refs[i])
			}
			if _, steps := newSmall(mixed, newIndex(refs).spread, math.MaxInt); steps > most {
				t.Errorf("%d names like %q are found in %d comparisons, want at most %d", size, names, steps, most)
			}
		}
	}
}

// TestNamesOfALargeSetAreToldApart wherever they differ. Were only their ends looked at, or lost what the last bytes say, a set of
// thousands would be searched from end to end for every one of its thousands.
func TestNamesOfALargeSetAreToldApart(t *testing.T) {
	for _, names := range []string{
		"%d", "f-%04d", "feature-%02d", "feature-%07d", "feature-number%02d-abcdefg", "customer-feat%03d",
		"feature-%05d-enabled-for-all", "aaaaaaaaaaaaaaaaaaaaaaaa%05dzzzzzzzzzzzzzzzzzzzz",
	} {
		for _, size := range []int{maxSmall + 1, 100, 500, 10_000} {
			list := make([]Grant, size)
			for i := range list {
				list[i] = Grant{ID: fmt.Sprintf(names, i), FeatureType: FeatureBoolean}
			}
			if n := LongestProbe(NewSnapshot(Key{CustomerID: "acme"}, "", list)); n > 64 {
				t.Errorf("finding one of %d names like %q looks at up to %d", size, names, n)
			}
		}
	}
}
