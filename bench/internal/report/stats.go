package report

import "slices"

// Stats are what is said of a list of samples.
type Stats struct {
	N                int
	Median, Min, Max float64
}

// StatsOf takes the median, the lower one of two, so that it is a value which was measured.
func StatsOf(values []float64) Stats {
	if len(values) == 0 {
		return Stats{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return Stats{len(sorted), median(sorted), sorted[0], sorted[len(sorted)-1]}
}

func median(sorted []float64) float64 { return sorted[(len(sorted)-1)/2] }
