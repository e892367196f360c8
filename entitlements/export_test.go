package entitlements

// LongestProbe returns how many slots the slowest lookup of a large set looks at.
func LongestProbe(s *Snapshot) (longest int) {
	large := s.grants.index.large
	mask := uint64(len(large) - 1)
	for i := range s.records {
		n := 1
		for at := hashRef(s.records[i].ref()); int(large[at&mask])-1 != i; at++ {
			n++
		}
		longest = max(longest, n)
	}
	return longest
}
