package entitlements

// LongestProbe returns how many slots the slowest lookup of a large set looks at.
func LongestProbe(s *Snapshot) (longest int) {
	large := s.shape.index.large
	mask := uint64(len(large) - 1)
	for i := range s.records {
		n := 1
		for at := hashRef(s.shape.refs[i]); int(large[at&mask])-1 != i; at++ {
			n++
		}
		longest = max(longest, n)
	}
	return longest
}

// Defined reports whether what describes g is in memory.
func Defined(g *Grant) bool {
	found := false
	for i := range definitions.places {
		if at := definitions.places[i].Load(); at != nil {
			d := at.value.Value()
			found = found || d != nil && d.describes(g)
		}
	}
	return found
}
