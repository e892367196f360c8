package entitlements

import (
	"fmt"
	"strings"
	"testing"
)

// TestEveryNameIsFound, of any length and beside names that are nearly the same, in sets of any size; and no other is.
func TestEveryNameIsFound(t *testing.T) {
	for _, size := range []int{0, 1, 2, 20, maxSmall, maxSmall + 1, 500} {
		for _, length := range []int{1, 3, 7, 8, 9, 15, 16, 17, 24, 40} {
			list := make([]Grant, 0, size)
			for i := range size {
				// They differ in the middle, as far as they are long enough.
				number := fmt.Sprint(i)
				pad := max(0, length-len(number))
				list = append(list, Grant{ID: strings.Repeat("a", pad/2) + number + strings.Repeat("z", pad-pad/2), FeatureType: FeatureBoolean})
			}
			sh := NewSnapshot(Key{CustomerID: "acme"}, "", list).Shape()
			for i := range list {
				id := list[i].ID
				if at := sh.find(Feature(id)); at < 0 || sh.refs[at] != Feature(id) {
					t.Fatalf("%d names of %d: %q is found at %d", size, length, id, at)
				}
				for _, other := range []Ref{Currency(id), Feature(id + "a"), Feature("y" + id[1:]), Feature(id[:len(id)-1] + "y"), Feature("")} {
					if at := sh.find(other); at >= 0 {
						t.Fatalf("%d names of %d: %v, which is none of them, is found at %d", size, length, other, at)
					}
				}
			}
			if at := sh.find(Feature("somebody else's")); at >= 0 {
				t.Errorf("%d names of %d: what is none of them is found at %d", size, length, at)
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
			if _, steps := newSmall(mixed, newIndex(refs).spread); steps > most {
				t.Errorf("%d names like %q are found in %d comparisons, want at most %d", size, names, steps, most)
			}
		}
	}
}
